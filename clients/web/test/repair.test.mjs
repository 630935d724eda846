/**
 * When a client tries again, when it asks the player, and when it stops for good.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeText } from "../src/bytes.js";
import { World } from "./world.mjs";

/**
 * A world whose session is live and proven.
 * @param {ConstructorParameters<typeof World>} options
 */
function live(...options) {
  const world = new World(...options).start();
  world.run(100);
  assert.equal(world.link.state, "live");
  world.tries = [];
  return world;
}

/** The times between tries. @param {World} world */
function waits(world) {
  return world.tries.map(({ at }, index) => at - (world.tries[index - 1]?.at ?? at));
}

test("the first reconnect comes at once, later ones with full jitter, eight in all", () => {
  const world = live({ random: () => 0.999_999 });
  world.reachable = false;
  world.breakPipe();
  assert.equal(world.tries.length, 1, "at once");
  world.run(60_000);
  // Each wait is the jitter and the 5 ms until the try has failed.
  const jitter = waits(world).slice(1).map((wait) => Math.round(wait - 5));
  assert.deepEqual(jitter, [100, 200, 400, 800, 1_600, 3_200, 5_000]);
  assert.equal(world.link.state, "repairFailed");
  assert.equal(world.count("repairFailed"), 1);
});

test("jitter may be nothing at all", () => {
  const world = live({ random: () => 0 });
  world.reachable = false;
  world.breakPipe();
  world.run(100);
  assert.equal(world.tries.length, 8);
});

test("after a failed repair only the player's retry tries again", () => {
  const world = live();
  world.reachable = false;
  world.breakPipe();
  world.run(3_600_000);
  assert.equal(world.tries.length, 8);
  world.reachable = true;
  world.run(3_600_000);
  assert.equal(world.tries.length, 8);
  world.act(() => assert.equal(world.link.retry(world.now), true));
  world.run(100);
  assert.equal(world.link.state, "live");
  assert.equal(world.count("repaired"), 1);
  world.act(() => assert.equal(world.link.retry(world.now), false));
});

test("a node that cannot be reached at all ends in repairFailed, too, and retry opens", () => {
  const world = new World();
  world.reachable = false;
  world.start();
  world.run(60_000);
  assert.equal(world.tries.length, 8);
  assert.equal(world.link.state, "repairFailed");
  world.reachable = true;
  world.act(() => world.link.retry(world.now));
  world.run(100);
  assert.equal(world.count("open"), 1);
  assert.equal(world.count("repairStarted"), 0);
});

test("a node that welcomes and breaks each time is not hammered for ever", () => {
  const world = live();
  world.breaks = (count) => count > 20 ? "cut" : undefined;
  world.run(3_600_000);
  assert.equal(world.link.state, "repairFailed");
  assert.ok(world.tries.length <= 9, `${world.tries.length} tries`);
});

test("a node that finds fault with every connection is not hammered for ever", () => {
  const world = live();
  const { session } = world.node;
  world.node.send = () => {};
  for (let n = 0; n < 8; n += 1) {
    world.until(() => session.line !== undefined && session.line.frames.length > 1);
    session.line?.end(200, "your fault");
    world.until(() => world.link.state !== "live");
  }
  world.run(60_000);
  assert.equal(world.link.state, "repairFailed");
});

test("a silent connection is half-open after two heartbeats, and the session stays", () => {
  const world = live();
  world.passing = false;
  const from = world.now;
  world.until(() => world.count("repairStarted") === 1);
  const started = world.events.find(({ type }) => type === "repairStarted");
  assert.ok(world.now - from <= 5_000, `${world.now - from} ms`);
  assert.equal(started?.type === "repairStarted" && started.cause.name, "HalfOpen");
  world.passing = true;
  world.run(1_000);
  assert.equal(world.link.state, "live");
});

test("a message without an answer for a heartbeat is half-open, and is sent again", () => {
  const world = live();
  // Between two pings, so that it is the message that waits.
  world.run(1_000);
  world.passing = false;
  const from = world.now;
  world.send("1");
  world.until(() => world.count("repairStarted") === 1);
  assert.equal(world.now - from, 2_500);
  world.passing = true;
  world.run(1_000);
  assert.equal(world.link.state, "live");
  assert.equal(world.link.stats.acked, 1);
});

test("a page that stood still itself asks again before it gives up a connection", () => {
  const world = live();
  world.run(1_000);
  world.passing = false;
  world.send("1");
  // No timer fires for over three seconds.
  world.link.handleTimeout(world.now + 3_600);
  assert.equal(world.count("repairStarted"), 0);
  assert.equal(world.link.state, "live");
});

test("a ping leaves every heartbeat, and its pong keeps the connection", () => {
  const world = live();
  const before = world.node.session.line?.frames.length ?? 0;
  world.run(25_000);
  const frames = world.node.session.line?.frames.slice(before) ?? [];
  assert.equal(frames.filter(({ type }) => type === "ping").length, 10);
  assert.equal(world.count("repairStarted"), 0);
});

test("round trip and server time come from pings", () => {
  const world = live();
  assert.equal(world.link.rtt, 10);
  const [pong] = [world.link.serverTime(world.now)];
  world.run(1_000);
  assert.equal((world.link.serverTime(world.now) ?? 0) - (pong ?? 0), 1_000);
});

test("the node's pings are answered at once", () => {
  const world = live();
  world.node.session.line?.send({ type: "ping", token: 2n ** 64n - 1n });
  world.run(10);
  const frames = world.node.session.line?.frames ?? [];
  assert.deepEqual(frames.at(-1), { type: "pong", token: 2n ** 64n - 1n, time: 0 });
});

test("a handshake without an answer is given up, and counts as a try", () => {
  const world = new World();
  world.passing = false;
  world.start();
  world.run(9_000);
  assert.equal(world.tries.length, 2);
  world.passing = true;
  world.run(20_000);
  assert.equal(world.link.state, "live");
});

test("a newer resume elsewhere is final here", () => {
  const world = live();
  world.node.session.line?.end(202, "taken over");
  world.run(600_000);
  assert.equal(world.link.ending?.name, "TakenOver");
  assert.equal(world.tries.length, 0);
  assert.equal(world.send("x"), "ended");
});

test("each try raises the attempt counter, and it is stored before", () => {
  const world = live();
  world.reachable = false;
  world.breakPipe();
  world.run(1_000);
  const stored = JSON.parse(world.stored ?? "");
  assert.equal(stored.attempt, world.tries.length);
});

test("a refusal that may be retried waits as the node says, and is not counted", () => {
  const world = live();
  for (let n = 0; n < 20; n += 1) world.node.refusals.push({ code: 323, retryAfter: 2_000 });
  world.breakPipe();
  world.run(50_000);
  assert.equal(world.link.state, "live");
  assert.equal(world.tries.length, 21);
  assert.ok(waits(world).slice(1).every((wait) => wait >= 2_000));
});

test("refusals that go on for the session timeout end in repairFailed", () => {
  const world = live();
  for (let n = 0; n < 1_000; n += 1) world.node.refusals.push({ code: 322, retryAfter: 7_000 });
  world.breakPipe();
  world.run(59_000);
  assert.equal(world.link.state, "repairing");
  world.run(2_000);
  assert.equal(world.link.state, "repairFailed");
  assert.equal(world.tries.length, 9, "the last at the end of the time");
});

test("a refusal without retry_after backs off with jitter", () => {
  const world = live();
  for (let n = 0; n < 5; n += 1) world.node.refusals.push({ code: 320 });
  world.breakPipe();
  world.run(20_000);
  // Half of 100 ms, doubled; and the 20 ms of a refused handshake.
  const jitter = waits(world).slice(1).map((wait) => wait - 15);
  assert.deepEqual(jitter, [50, 100, 200, 400, 800]);
});

test("cut: repaired at once, however often in a row", () => {
  const world = live();
  for (let n = 0; n < 30; n += 1) {
    world.act(() => world.link.cut(world.now));
    world.until(() => world.link.state === "live");
  }
  assert.equal(world.count("repaired"), 30);
  assert.equal(world.tries.length, 30, "one try each");
  assert.equal(world.link.stats.repairs, 30);
});

test("offline: stays away for that time, then repairs", () => {
  const world = live();
  world.act(() => world.link.offline(10_000, world.now));
  world.run(9_900);
  assert.equal(world.tries.length, 0);
  assert.equal(world.link.state, "repairing");
  world.run(200);
  assert.equal(world.link.state, "live");
});

test("leave: what was sent goes out, then the session ends on both sides", () => {
  const world = live();
  world.act(() => {
    world.link.send(encodeText("bye"));
    world.link.leave(world.now);
  });
  const { session } = world.node;
  world.run(100);
  assert.equal(session.handled.length, 1);
  assert.equal(session.ended?.code, 101);
  assert.equal(world.link.ending?.name, "Left");
  assert.equal(world.link.pollTimeout(), Infinity);
});
