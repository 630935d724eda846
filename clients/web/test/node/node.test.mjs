/**
 * The client against a real node, which plays omok. OMOK_BIN is the path of its binary.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { WebSocket } from "ws";

import { connect } from "../../src/client.js";
import { Omok } from "../omok.mjs";
import { Memory, next } from "../server.mjs";

/** @typedef {import("../../src/client.js").Session} Session */

const Socket = /** @type {import("../../src/transport.js").SocketClass} */ (
  /** @type {unknown} */ (WebSocket));

/** @type {Omok | undefined} */
let node;
let url = "";
/** @type {Session[]} */
const sessions = [];

before(async () => {
  node = await Omok.start();
  url = node.url;
});

after(async () => {
  for (const session of sessions) session.leave();
  if (node) assert.equal(await node.stop(), 0);
});

/** @param {Partial<import("../../src/client.js").ConnectOptions>} [options] */
function open(options = {}) {
  const session = connect({
    url: `${url}/link`, kind: "omok", login: { name: "ann" }, WebSocket: Socket, ...options,
  });
  sessions.push(session);
  return session;
}

/**
 * Asks with different answers, in an order that no wrong order resembles.
 * @param {number} n
 */
function ask(n) {
  const odd = n.toString(2).replaceAll("0", "").length % 2 === 1;
  return odd ? { ask: "resign", why: "no-game" } : { ask: "stop-waiting", why: "not-waiting" };
}

/**
 * Asks so many things, breaking the connection now and then, and returns all answers.
 * @param {Session} session
 * @param {number} count
 * @param {(n: number) => void} [between]
 */
async function converse(session, count, between = () => {}) {
  /** @type {string[]} */
  const answers = [];
  const whole = new Promise((resolve) => {
    session.on("message", (tell) => {
      // The view comes unasked, too: after each repair.
      if (tell.tell === "refused") answers.push(tell.why);
      if (answers.length >= count) resolve(undefined);
    });
  });
  for (let n = 0; n < count; n += 1) {
    await session.send({ ask: ask(n).ask });
    between(n);
  }
  await whole;
  return answers;
}

/** @param {number} count */
function expected(count) {
  return Array.from({ length: count }, (_, n) => ask(n).why);
}

/** A session whose greeting, the view, has come. @param {Parameters<typeof open>} options */
async function greeted(...options) {
  const session = open(...options);
  assert.equal((await next(session, "message")).tell, "view");
  return session;
}

test("a session opens, and tells round trip and server time", async () => {
  const session = await greeted();
  assert.match(session.id ?? "", /^[0-9a-f]{32}$/);
  while (session.rtt() === undefined) await new Promise((done) => setImmediate(done));
  assert.ok((session.serverTime() ?? 0) > 1_700_000_000_000);
});

test("every ask is answered once and in order while connections break", async () => {
  const session = await greeted();
  const answers = await converse(session, 120, (n) => {
    if (n % 10 === 5) session.cut();
  });
  assert.deepEqual(answers, expected(120));
  while (session.stats.retained > 0) await new Promise((done) => setImmediate(done));
  assert.equal(session.stats.acked, 120);
  assert.ok(session.stats.repairs >= 1);
});

test("after a reload the session goes on", async () => {
  const storage = new Memory();
  const first = await greeted({ storage });
  const ended = next(first, "ended");
  const copy = new Memory();
  copy.map = new Map(storage.map);
  const second = open({ storage: copy });
  const { id, resumed } = await next(second, "open");
  assert.deepEqual([id, resumed], [first.id, true]);
  assert.equal((await ended).name, "TakenOver");
  assert.deepEqual(await converse(second, 4), expected(4));
});

test("an unknown session kind is refused", async () => {
  const { name } = await next(open({ kind: "chess" }), "ended");
  assert.equal(name, "UnknownKind");
});

test("a login that the game refuses ends with LoginRefused", async () => {
  const { name } = await next(open({ login: { name: "" } }), "ended");
  assert.equal(name, "LoginRefused");
});

test("the node serves this client's files", async () => {
  const answer = await fetch(`${url}/throughline/client.js`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type") ?? "", /javascript/);
  assert.match(await answer.text(), /export function connect/);
});
