/**
 * Exactly once, in order: the promise of the link, with connections that break everywhere.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeText, encodeText } from "../src/bytes.js";
import { encodeFrame } from "../src/frames.js";
import { World } from "./world.mjs";

const COUNT = 12;

/** @param {string} prefix */
function numbered(prefix) {
  return Array.from({ length: COUNT }, (_, index) => `${prefix}${index}`);
}

/** A conversation: both sides send, and the node answers each message. @param {World} world */
function converse(world) {
  world.node.game = (session, payload) => {
    world.node.send(session, encodeText(`re ${decodeText(payload)}`));
  };
  world.start();
  world.until(() => world.link.state === "live");
  for (const text of numbered("m")) {
    let waited = 0;
    for (; world.send(text) !== "sent"; waited += 3) {
      assert.ok(waited < 300_000, "the session must come back");
      assert.notEqual(world.link.state, "ended", world.link.ending?.text);
      if (world.link.state === "repairFailed") world.act(() => world.link.retry(world.now));
      world.run(3);
    }
    world.run(3);
  }
  world.run(30_000);
}

/** @param {World} world */
function assertWhole(world) {
  const { session } = world.node;
  assert.deepEqual(session.handled.map(decodeText), numbered("m"));
  assert.deepEqual(world.got, ["re hello", ...numbered("m").map((text) => `re ${text}`)]);
  assert.equal(session.acked, session.out.length, "the node saw all acknowledged");
  assert.equal(world.link.stats.retained, 0, "the client saw all acknowledged");
  assert.equal(world.link.state, "live");
}

/** A small generator, so that a failing run can be repeated. @param {number} seed */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test("nothing breaks: every message arrives once and in order", () => {
  const world = new World();
  converse(world);
  assertWhole(world);
  assert.deepEqual(world.link.stats, {
    sent: COUNT, retained: 0, acked: COUNT, received: COUNT + 1, repairs: 0,
  });
});

test("a cut at any delivery loses, repeats and reorders nothing", () => {
  for (let at = 3; at < 60; at += 1) {
    const world = new World();
    world.breaks = (count) => count === at ? "cut" : undefined;
    converse(world);
    assertWhole(world);
    assert.equal(world.count("repaired"), 1, `cut at ${at}`);
  }
});

test("cuts and reloads at random deliveries lose, repeat and reorder nothing", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const next = random(seed);
    const world = new World({ random: next });
    world.breaks = (count) => {
      if (count <= 2 || next() > 0.15) return undefined;
      return next() < 0.3 ? "reload" : "cut";
    };
    converse(world);
    world.breaks = () => undefined;
    world.act(() => world.link.retry(world.now));
    world.run(30_000);
    assertWhole(world);
  }
});

test("a reload at any delivery loses, repeats and reorders nothing", () => {
  for (let at = 3; at < 50; at += 1) {
    const world = new World();
    world.breaks = (count) => count === at ? "reload" : undefined;
    converse(world);
    assertWhole(world);
    assert.equal(world.node.resumes, 1, `reload at ${at}`);
  }
});

test("a message sent twice by the node is handed over once and acknowledged again", () => {
  const world = new World().start();
  world.run(100);
  world.node.send(world.node.session, encodeText("once"));
  world.run(100);
  const before = countAcks(world);
  world.node.session.line?.data(1);
  world.run(100);
  assert.deepEqual(world.got, ["once"]);
  assert.equal(countAcks(world), before + 1);
  assert.equal(world.count("repairStarted"), 0);
});

/** @param {World} world */
function countAcks(world) {
  const frames = world.node.session.line?.frames ?? [];
  return frames.filter(({ type }) => type === "ack").length;
}

test("a gap in the node's messages closes the connection, and the session goes on", () => {
  const world = new World().start();
  world.run(100);
  const { session } = world.node;
  session.out.push(encodeText("one"), encodeText("two"));
  const { line } = session;
  line?.data(2);
  world.run(1_000);
  assert.deepEqual(line?.frames.at(-1), {
    type: "close", code: 200, ack: 0, text: "message 2 after 0",
  });
  assert.deepEqual(world.got, ["one", "two"]);
  assert.equal(world.link.state, "live");
});

test("an ack beyond what was sent closes the connection, and the session goes on", () => {
  const world = new World().start();
  world.run(100);
  const { line } = world.node.session;
  line?.send({ type: "ack", ack: 1 });
  world.run(1_000);
  assert.equal(line?.frames.at(-1)?.type, "close");
  assert.equal(world.link.state, "live");
  assert.equal(world.count("repaired"), 1);
});

test("an ack lower than an earlier one says nothing new", () => {
  const world = new World().start();
  world.run(100);
  world.send("a");
  world.send("b");
  world.run(100);
  world.node.session.line?.send({ type: "ack", ack: 1 });
  world.run(100);
  assert.equal(world.link.stats.acked, 2);
  assert.equal(world.count("repairStarted"), 0);
});

test("a node that holds less than it acknowledged ends the session as lost", () => {
  const world = new World().start();
  world.run(100);
  world.send("a");
  world.run(100);
  world.node.session.received = 0;
  world.node.session.handled = [];
  // The node would notice by itself, and first; here only its Welcome is wrong.
  world.node.welcome = { received: 0, ack: 0 };
  world.node.session.received = 1;
  world.breakPipe();
  world.run(1_000);
  assert.equal(world.link.ending?.name, "Lost");
});

test("a node that holds more than was sent ends the session as lost", () => {
  const world = new World().start();
  world.run(100);
  world.node.welcome = { received: 7, ack: 0 };
  world.breakPipe();
  world.run(1_000);
  assert.equal(world.link.ending?.name, "Lost");
});

test("a last message sent before the end still arrives with the next connection", () => {
  const world = new World().start();
  world.run(100);
  const { session } = world.node;
  world.breakPipe();
  session.out.push(encodeText("last"));
  session.ended = { code: 100, text: "game over" };
  world.run(1_000);
  assert.deepEqual(world.got, ["last"]);
  assert.deepEqual(world.link.ending, {
    code: 100, name: "Ended", text: "game over", gameCode: undefined,
  });
});

test("after a repair only what the node does not hold is sent again", () => {
  const world = new World().start();
  world.run(100);
  world.node.silent = true;
  for (const text of ["a", "b"]) world.send(text);
  world.run(100);
  world.breakPipe();
  world.node.welcome = { ack: 0 };
  world.send("c");
  world.run(100);
  const frames = world.node.session.line?.frames ?? [];
  assert.deepEqual(frames.filter(({ type }) => type === "data"), [
    { type: "data", seq: 3, ack: 0, payload: encodeText("c") },
  ]);
});

test("a Close that ends the session is answered, so that the node can forget it", () => {
  const world = new World().start();
  world.run(100);
  const { session } = world.node;
  const { line } = session;
  line?.send({ type: "close", code: 100, ack: 0, text: "over" });
  world.run(100);
  assert.deepEqual(line?.frames.at(-1), { type: "close", code: 100, ack: 0, text: "" });
  assert.equal(world.link.ending?.name, "Ended");
  assert.equal(line?.open, false);
});

test("the answer to the last Close waits until the game has the last messages", () => {
  const world = new World().start();
  world.run(100);
  const close = { type: /** @type {const} */ ("close"), code: 100, ack: 0, text: "" };
  const data = { type: /** @type {const} */ ("data"), seq: 1, ack: 0, payload: encodeText("z") };
  const { link, now } = world;
  link.handleBytes(1, encodeFrame(data), now);
  link.handleBytes(1, encodeFrame(close), now);
  assert.equal(link.state, "ended");
  assert.equal(link.pollAction(now), undefined);
  assert.equal(link.pollMessage()?.seq, 1);
  assert.equal(link.pollAction(now), undefined);
  link.handleHandled(1, now);
  const answer = link.pollAction(now);
  assert.deepEqual(answer?.type === "send" && answer.bytes, encodeFrame({ ...close, ack: 1 }));
  assert.equal(link.pollAction(now)?.type, "close");
});

test("what waits for the game when a newer copy takes over is left to that copy", () => {
  const world = new World().start();
  world.run(100);
  const { link, now } = world;
  const payload = encodeText("z");
  link.handleBytes(1, encodeFrame({ type: "data", seq: 1, ack: 0, payload }), now);
  link.handleBytes(1, encodeFrame({ type: "close", code: 202, ack: 0, text: "" }), now);
  assert.equal(link.pollMessage(), undefined);
});
