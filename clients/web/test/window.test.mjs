/**
 * The limits of a session: window, message size, acks, what may wait for the game.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeText } from "../src/bytes.js";
import { INBOX_MESSAGES, PONG_BYTES } from "../src/defaults.js";
import { Inbox } from "../src/inbox.js";
import { Outbox } from "../src/outbox.js";
import { Wire } from "../src/wire.js";
import { World } from "./world.mjs";

/** @param {World} world */
function acks(world) {
  const frames = world.node.session.line?.frames ?? [];
  return frames.filter(({ type }) => type === "ack");
}

test("send stops at the window's messages and goes on after an ack", () => {
  const world = new World();
  world.node.welcome = { windowMessages: 3 };
  world.start();
  world.run(100);
  world.node.silent = true;
  for (const text of ["a", "b", "c"]) assert.equal(world.send(text), "sent");
  assert.equal(world.send("d"), "wouldBlock");
  world.run(100);
  world.node.session.line?.send({ type: "ack", ack: 1 });
  world.run(100);
  assert.equal(world.send("d"), "sent");
  assert.equal(world.send("e"), "wouldBlock");
});

test("send stops at the window's bytes, but one message may always be sent", () => {
  const outbox = new Outbox();
  outbox.setWindow(256, 10);
  assert.equal(outbox.hasRoom(1_000), true);
  outbox.push(new Uint8Array(6));
  assert.equal(outbox.hasRoom(4), true);
  assert.equal(outbox.hasRoom(5), false);
});

test("a message above the frame limit is refused and nothing is sent", () => {
  const world = new World();
  world.node.welcome = { maxFrame: 100 };
  world.start();
  world.run(100);
  assert.equal(world.send("x".repeat(84)), "tooLarge");
  assert.equal(world.link.stats.sent, 0);
  assert.equal(world.send("x".repeat(83)), "sent");
  world.run(100);
  assert.equal(world.node.session.handled[0]?.length, 83);
});

test("messages sent together leave in one WebSocket message, up to the frame limit", () => {
  const world = new World();
  world.node.welcome = { maxFrame: 100 };
  world.start();
  world.run(100);
  for (const length of [20, 20, 20, 20]) world.link.send(new Uint8Array(length));
  const sizes = [];
  for (let a = world.link.pollAction(world.now); a; a = world.link.pollAction(world.now)) {
    if (a.type === "send") sizes.push(a.bytes.length);
  }
  assert.deepEqual(sizes, [82, 82]);
});

test("an ack leaves 20 ms after the first handled message", () => {
  const world = new World().start();
  world.run(100);
  world.node.send(world.node.session, encodeText("x"));
  world.run(5 + 20 + 4);
  assert.equal(acks(world).length, 0);
  world.run(1);
  assert.deepEqual(acks(world), [{ type: "ack", ack: 1 }]);
});

test("an ack leaves at once after 16 handled messages", () => {
  const world = new World().start();
  world.run(100);
  for (let n = 0; n < 16; n += 1) world.node.send(world.node.session, encodeText("x"));
  world.run(5 + 5);
  assert.deepEqual(acks(world), [{ type: "ack", ack: 16 }]);
});

test("an ack rides on a message", () => {
  const world = new World().start();
  world.run(100);
  world.node.send(world.node.session, encodeText("x"));
  world.run(6);
  world.send("y");
  world.run(100);
  assert.equal(acks(world).length, 0);
  assert.equal(world.node.session.acked, 1);
});

test("after a repair the node hears again what was handled", () => {
  const world = new World().start();
  world.run(100);
  world.node.send(world.node.session, encodeText("x"));
  world.run(6);
  world.breakPipe();
  world.run(30);
  assert.equal(world.node.session.acked, 1);
});

test("what waits for the game is bounded, and what does not fit is not taken", () => {
  const inbox = new Inbox();
  for (let seq = 1; seq <= INBOX_MESSAGES; seq += 1) {
    assert.equal(inbox.take(seq, new Uint8Array(1), 0), "taken");
  }
  assert.equal(inbox.take(INBOX_MESSAGES + 1, new Uint8Array(1), 0), "full");
  assert.equal(inbox.received, INBOX_MESSAGES);
  assert.equal(inbox.poll()?.seq, 1);
  inbox.done(1, 0);
  assert.equal(inbox.take(INBOX_MESSAGES + 1, new Uint8Array(1), 0), "taken");
});

test("message 0 does not exist", () => {
  assert.equal(new Inbox().take(0, new Uint8Array(), 0), "gap");
});

test("answers to pings that wait to leave are bounded", () => {
  const wire = new Wire(undefined);
  for (let token = 0n; token < 10_000n; token += 1n) wire.answer(token);
  let bytes = 0;
  for (let next = wire.batch(0); next; next = wire.batch(0)) bytes += next.length;
  assert.ok(bytes > 0 && bytes <= PONG_BYTES, `${bytes} bytes`);
  wire.answer(1n);
  assert.ok(wire.batch(0), "and there is room again");
});
