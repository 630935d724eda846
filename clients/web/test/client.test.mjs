/**
 * The client as a game uses it, over real sockets.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeText } from "../src/bytes.js";
import { ConnectError, SendError, connect } from "../src/client.js";
import { Memory, messages, next, serve } from "./server.mjs";

test("JSON values go both ways", async (context) => {
  const { node, open } = await serve(context);
  node.game = (session, payload) => {
    if (payload[0] === 0x7b) node.send(session, payload);
  };
  const session = open();
  const echo = messages(session, 1);
  const { id, resumed } = await next(session, "open");
  assert.match(id, /^[0-9a-f]{32}$/);
  assert.equal(session.id, id);
  assert.equal(resumed, false);
  await session.send({ move: [7, 7] });
  assert.deepEqual(await echo, [{ move: [7, 7] }]);
});

test("messages come in order, each after the last one's promise", async (context) => {
  const { node, open } = await serve(context);
  node.game = (session) => {
    for (let n = 0; n < 5; n += 1) node.send(session, encodeText(String(n)));
  };
  const session = open();
  /** @type {string[]} */
  const log = [];
  await new Promise((resolve) => {
    session.on("message", async (n) => {
      log.push(`start ${n}`);
      await new Promise((done) => setImmediate(done));
      log.push(`end ${n}`);
      if (n === 4) resolve(undefined);
    });
  });
  const expected = [0, 1, 2, 3, 4].flatMap((n) => [`start ${n}`, `end ${n}`]);
  assert.deepEqual(log, expected);
});

test("a message is not acknowledged before its handler's promise has settled", async (context) => {
  const { node, open } = await serve(context);
  node.game = (session) => node.send(session, encodeText("1"));
  const session = open();
  /** @type {() => void} */
  let finish = () => {};
  await new Promise((entered) => {
    session.on("message", () => {
      entered(undefined);
      return new Promise((resolve) => {
        finish = () => resolve(undefined);
      });
    });
  });
  // Every Data carries an ack: this one left while the handler was busy.
  await session.send("meanwhile");
  await until(() => node.session.handled.length > 0);
  assert.equal(node.session.acked, 0);
  finish();
  await until(() => node.session.acked === 1);
});

test("messages wait for a listener", async (context) => {
  const { node, open } = await serve(context);
  node.game = (session) => node.send(session, encodeText("\"early\""));
  const session = open();
  await next(session, "open");
  await until(() => session.stats.received === 1);
  assert.deepEqual(await messages(session, 1), ["early"]);
});

test("a handler that fails is reported, and the next message comes", async (context) => {
  const { node, open } = await serve(context);
  node.game = (session) => {
    for (const text of ["1", "not json", "2", "3"]) node.send(session, encodeText(text));
  };
  const session = open();
  /** @type {string[]} */
  const errors = [];
  session.on("error", (error) => errors.push(String(error)));
  await new Promise((resolve) => {
    session.on("message", (n) => {
      if (n === 1) throw new Error("one");
      if (n === 2) return Promise.reject(new Error("two"));
      resolve(undefined);
      return undefined;
    });
  });
  assert.equal(errors.length, 3);
  assert.deepEqual([errors[0], errors[2]], ["Error: one", "Error: two"]);
});

test("cut: repaired, and what was sent meanwhile arrives once", async (context) => {
  const { node, open } = await serve(context);
  node.game = (session, payload) => node.send(session, payload);
  const session = open({ codec: "bytes" });
  const echoes = messages(session, 21);
  await next(session, "open");
  for (let n = 0; n < 20; n += 1) {
    await session.send(Uint8Array.of(n));
    if (n % 5 === 2) {
      const repaired = next(session, "repaired");
      session.cut();
      assert.equal(session.state, "repairing");
      await repaired;
    }
  }
  const got = (await echoes).slice(1).map((payload) => payload[0]);
  assert.deepEqual(got, Array.from({ length: 20 }, (_, n) => n));
  await until(() => session.stats.retained === 0);
  assert.deepEqual(session.stats, { sent: 20, retained: 0, acked: 20, received: 21, repairs: 4 });
});

test("moveTo: goes on at another node, with what was sent meanwhile", async (context) => {
  const { node, open } = await serve(context);
  const other = await serve(context, node);
  node.game = (session, payload) => node.send(session, payload);
  const session = open({ codec: "bytes" });
  const echoes = messages(session, 6);
  await next(session, "open");
  for (let n = 0; n < 5; n += 1) {
    await session.send(Uint8Array.of(n));
    if (n !== 2) continue;
    const started = next(session, "repairStarted");
    const repaired = next(session, "repaired");
    session.moveTo(other.url);
    assert.equal((await started).cause.name, "Moved");
    assert.deepEqual(await repaired, { repairs: 1 });
    assert.equal(other.server.clients.size, 1);
  }
  assert.deepEqual((await echoes).slice(1).map((payload) => payload[0]), [0, 1, 2, 3, 4]);
  assert.throws(() => session.moveTo("tcp://127.0.0.1:7778"), ConnectError);
  assert.equal(session.state, "live");
});

test("send waits for the first open and at the window; trySend says no", async (context) => {
  const { node, open } = await serve(context);
  node.welcome = { windowMessages: 2 };
  node.silent = true;
  const session = open();
  assert.equal(session.trySend("early"), false);
  const sends = ["a", "b", "c", "d"].map((text) => session.send(text));
  await Promise.all(sends.slice(0, 2));
  assert.equal(session.trySend("e"), false);
  assert.equal(session.stats.sent, 2);
  await until(() => node.session.handled.length === 2);
  node.session.line?.send({ type: "ack", ack: 2 });
  await Promise.all(sends);
  await until(() => node.session.handled.length === 4);
  assert.deepEqual(node.session.handled.map((bytes) => new TextDecoder().decode(bytes)),
    ["\"a\"", "\"b\"", "\"c\"", "\"d\""]);
});

test("too many waiting sends are refused, not kept", async (context) => {
  const { open } = await serve(context);
  const session = open();
  const sends = Array.from({ length: 1_025 }, () => session.send(1));
  await assert.rejects(/** @type {Promise<void>} */ (sends.at(-1)), { code: "WouldBlock" });
});

test("a message too large is refused at once", async (context) => {
  const { open } = await serve(context);
  const session = open({ codec: "bytes" });
  await next(session, "open");
  await assert.rejects(session.send(new Uint8Array(65_520)), { code: "TooLarge" });
  assert.throws(() => session.trySend(new Uint8Array(65_520)), SendError);
  await session.send(new Uint8Array(65_519));
});

test("ended comes after the last message, and sends then fail", async (context) => {
  const { node, open } = await serve(context);
  node.game = (session) => {
    node.send(session, encodeText("1"));
    node.send(session, encodeText("2"));
    node.end(session, 107);
  };
  const storage = new Memory();
  const session = open({ storage });
  /** @type {unknown[]} */
  const log = [];
  session.on("message", async (n) => {
    await new Promise((done) => setImmediate(done));
    log.push(n);
  });
  const ending = await next(session, "ended");
  assert.deepEqual(log, [1, 2]);
  assert.equal(ending.name, "KeyTaken");
  assert.equal(ending.text, "the end");
  assert.equal(session.state, "ended");
  assert.equal(storage.map.size, 0);
  assert.equal(session.trySend(1), false);
  await assert.rejects(session.send(1), { code: "Ended" });
});

test("leave ends the session on both sides", async (context) => {
  const { node, open } = await serve(context);
  const storage = new Memory();
  const session = open({ storage });
  await next(session, "open");
  const ended = next(session, "ended");
  session.leave();
  assert.equal((await ended).name, "Left");
  await until(() => node.session.ended?.code === 101);
  assert.equal(storage.map.size, 0);
});

test("rtt and server time are there once the node has answered", async (context) => {
  const { open } = await serve(context);
  const session = open();
  assert.equal(session.rtt(), undefined);
  assert.equal(session.serverTime(), undefined);
  await next(session, "open");
  assert.ok((session.serverTime() ?? 0) >= 1_000_000);
  await until(() => session.rtt() !== undefined);
});

test("stats are told when they change", async (context) => {
  const { open } = await serve(context);
  const session = open();
  await next(session, "open");
  const told = new Promise((resolve) => {
    session.on("stats", (stats) => {
      if (stats.acked === 1) resolve(stats);
    });
  });
  await session.send("x");
  assert.deepEqual(await told, { sent: 1, retained: 0, acked: 1, received: 0, repairs: 0 });
});

for (const [what, options] of /** @type {const} */ ([
  ["an empty kind", { kind: "" }],
  ["a kind too long", { kind: "k".repeat(65) }],
  ["an empty version", { gameVersion: "" }],
  ["a relative address outside a page", { url: "/link" }],
  ["an address of another scheme", { url: "tcp://127.0.0.1:7778" }],
  ["no address", { url: [] }],
  ["an unknown order", { addressOrder: /** @type {"configuredOnly"} */ ("shortest") }],
  ["no tries", { tries: 0 }],
  ["a time that is none", { tryTimeout: Number.NaN }],
  ["an unknown codec", { codec: /** @type {"json"} */ ("cbor") }],
  ["a login too large", { login: "x".repeat(70_000) }],
])) {
  test(`connect refuses ${what}`, async (context) => {
    const { open } = await serve(context);
    assert.throws(() => open(options), (error) => {
      assert.ok(error instanceof ConnectError);
      assert.equal(error.code, "Options");
      return true;
    });
  });
}

test("without WebCrypto connect says where there is one", () => {
  const { crypto } = globalThis;
  Object.defineProperty(globalThis, "crypto", { value: {}, configurable: true });
  try {
    assert.throws(() => connect({ kind: "test", url: "ws://127.0.0.1:1/" }),
      { code: "NoWebCrypto", message: /https/ });
  } finally {
    Object.defineProperty(globalThis, "crypto", { value: crypto, configurable: true });
  }
});

/**
 * Waits for what must come; the test's own time limit is the only one.
 * @param {() => boolean} is
 */
async function until(is) {
  while (!is()) await new Promise((done) => setImmediate(done));
}
