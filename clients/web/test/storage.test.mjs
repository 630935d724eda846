/**
 * A session that survives a reload, in storages good and bad.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeText } from "../src/bytes.js";
import { recordFromText, recordToText } from "../src/record.js";
import { SessionStore } from "../src/storage.js";
import { Memory, messages, next, serve } from "./server.mjs";

/** @type {import("../src/record.js").SessionRecord} */
const RECORD = {
  kind: "test", id: new Uint8Array(16).fill(7), secret: new Uint8Array(32).fill(9), attempt: 3,
  received: 4, acked: 5, unacked: [encodeText("six"), new Uint8Array(), Uint8Array.of(255, 0)],
  timeout: 60_000, repairs: 2, home: "ws://a/link",
};

test("a record survives as text", () => {
  assert.deepEqual(recordFromText(recordToText(RECORD)), RECORD);
  const away = { ...RECORD, home: undefined };
  assert.deepEqual(recordFromText(recordToText(away)), away);
});

test("what is not exactly a record counts as none", () => {
  const good = JSON.parse(recordToText(RECORD));
  const bad = ["", "null", "7", "\"x\"", "[]", "{}", "{", recordToText(RECORD).slice(0, -1)];
  for (const [field, value] of Object.entries({
    form: 2, kind: 7, id: "00", secret: "zz", attempt: -1, received: 1.5, acked: "5",
    unacked: ["*"], home: 7,
  })) bad.push(JSON.stringify({ ...good, [field]: value }));
  for (const text of bad) assert.equal(recordFromText(text), undefined, text);
});

test("after a reload the session goes on, with what was not acknowledged", async (context) => {
  const { node, open } = await serve(context);
  const storage = new Memory();
  const before = open({ storage });
  await next(before, "open");
  node.silent = true;
  await before.send("kept");
  await new Promise((done) => setImmediate(done));
  const copy = new Memory();
  copy.map = new Map(storage.map);
  assert.equal(copy.map.size, 1);
  const ended = next(before, "ended");
  node.silent = false;
  const after = open({ storage: copy });
  const opened = await next(after, "open");
  assert.deepEqual([opened.id, opened.resumed], [before.id, true]);
  await ended;
  assert.deepEqual(node.session.handled, [encodeText("\"kept\"")]);
});

test("after a reload only what no handler had finished comes again", async (context) => {
  const { node, open } = await serve(context);
  node.game = (session) => {
    for (const text of ["1", "2", "3"]) node.send(session, encodeText(text));
  };
  const storage = new Memory();
  const before = open({ storage });
  /** @type {Map<string, string>} */
  let stored = new Map();
  await new Promise((resolve) => {
    before.on("message", (n) => {
      if (n === 1) return undefined;
      setImmediate(() => {
        stored = new Map(storage.map);
        resolve(undefined);
      });
      return new Promise(() => {});
    });
  });
  const copy = new Memory();
  copy.map = stored;
  node.game = () => {};
  const after = open({ storage: copy });
  assert.deepEqual(await messages(after, 2), [2, 3]);
});

test("TakenOver leaves the newer copy's session in a shared storage", async (context) => {
  const { node, open } = await serve(context);
  node.game = (session) => node.send(session, encodeText("1"));
  const storage = new Memory();
  const before = open({ storage });
  /** @type {() => void} */
  let finish = () => {};
  await new Promise((entered) => {
    before.on("message", () => new Promise((resolve) => {
      finish = () => resolve(undefined);
      entered(undefined);
    }));
  });
  const ended = next(before, "ended");
  const after = open({ storage });
  await next(after, "open");
  while (before.state !== "ended") await new Promise((done) => setImmediate(done));
  finish();
  assert.equal((await ended).name, "TakenOver");
  const stored = recordFromText([...storage.map.values()][0] ?? "");
  assert.deepEqual([stored?.attempt, stored?.received], [1, 0]);
});

test("a duplicated tab takes over in mid-game, and the first one never fights", async (context) => {
  const { node, open, server } = await serve(context);
  node.game = (session, payload) => {
    if (payload[0] === 0x22) node.send(session, payload);
  };
  const storage = new Memory();
  const first = open({ storage });
  await next(first, "open");
  const early = messages(first, 1);
  await first.send("move 1");
  assert.deepEqual(await early, ["move 1"]);
  await new Promise((done) => setImmediate(done));
  // What a browser does with a session storage when a tab is duplicated.
  const copy = new Memory();
  copy.map = new Map(storage.map);
  const ended = next(first, "ended");
  let connections = 0;
  server.on("connection", () => {
    connections += 1;
  });
  const second = open({ storage: copy });
  const opened = await next(second, "open");
  assert.deepEqual([opened.id, opened.resumed], [first.id, true]);
  assert.equal((await ended).name, "TakenOver");
  assert.equal(first.retry(), false);
  assert.equal(first.trySend("late"), false);
  const answer = messages(second, 1);
  await second.send("move 2");
  assert.deepEqual(await answer, ["move 2"]);
  assert.deepEqual(node.session.handled.map((bytes) => new TextDecoder().decode(bytes)),
    ['"move 1"', '"move 2"']);
  assert.deepEqual([connections, second.state], [1, "live"]);
});

test("a stored session that the node forgot becomes a new one", async (context) => {
  const { open } = await serve(context);
  const storage = new Memory();
  storage.setItem("throughline:test", recordToText(RECORD));
  const session = open({ storage });
  const opened = await next(session, "open");
  assert.equal(opened.resumed, false);
  assert.equal(opened.previous?.name, "Unknown");
  assert.equal(recordFromText(storage.getItem("throughline:test") ?? "")?.attempt, 0);
});

for (const text of ["", "rubbish", recordToText({ ...RECORD, kind: "other" })]) {
  test(`a storage with ${text.slice(0, 12) || "nothing"} starts anew`, async (context) => {
    const { open } = await serve(context);
    const storage = new Memory();
    storage.setItem("key", text);
    const opened = await next(open({ storage, storageKey: "key" }), "open");
    assert.deepEqual([opened.resumed, opened.previous], [false, undefined]);
  });
}

test("a full storage is reported once, and the game goes on", async (context) => {
  const { node, open } = await serve(context);
  const storage = new Memory();
  storage.setItem = () => {
    throw new Error("QuotaExceededError");
  };
  const session = open({ storage });
  /** @type {unknown[]} */
  const errors = [];
  session.on("error", (error) => errors.push(error));
  await next(session, "open");
  for (let n = 0; n < 3; n += 1) {
    await session.send(n);
    while (node.session.handled.length <= n) await new Promise((done) => setImmediate(done));
  }
  assert.equal(errors.length, 1);
});

test("what a full storage cannot take removes what is too old to resume from", () => {
  const storage = new Memory();
  const store = new SessionStore(storage, "key");
  assert.equal(store.save(RECORD), undefined);
  storage.setItem = () => {
    throw new Error("full");
  };
  assert.ok(store.save({ ...RECORD, attempt: 4 }) instanceof Error);
  assert.equal(store.load("test"), undefined);
});

test("a storage that always fails behaves like none", () => {
  const fail = () => {
    throw new Error("denied");
  };
  const store = new SessionStore({ getItem: fail, setItem: fail, removeItem: fail }, "key");
  assert.equal(store.load("test"), undefined);
  assert.ok(store.save(RECORD) instanceof Error);
  store.forget(RECORD);
});

test("many messages of one task are written once", async (context) => {
  const { open } = await serve(context);
  const storage = new Memory();
  const session = open({ storage });
  await next(session, "open");
  await new Promise((done) => setImmediate(done));
  const before = storage.writes;
  for (let n = 0; n < 50; n += 1) assert.equal(session.trySend(n), true);
  await Promise.resolve();
  assert.equal(storage.writes, before + 1);
});
