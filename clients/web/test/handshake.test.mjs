/**
 * The first frames of a connection, good and bad.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeText, encodeText } from "../src/bytes.js";
import { Tag } from "../src/extensions.js";
import { World } from "./world.mjs";

test("Hello carries kind, login and the game's version", () => {
  const world = new World({ gameVersion: "1.2" }).start();
  world.run(100);
  const [hello] = world.node.hellos;
  assert.equal(hello?.kind, "test");
  assert.equal(decodeText(hello?.login ?? new Uint8Array()), "ann");
  assert.deepEqual(hello?.extensions, [{ tag: Tag.GameVersion, bytes: encodeText("1.2") }]);
  assert.deepEqual(world.events[0], { type: "open", resumed: false, previous: undefined, at: 15 });
});

test("nothing is sent before Welcome", () => {
  const world = new World();
  world.start();
  assert.equal(world.send("early"), "wouldBlock");
  world.run(100);
  assert.equal(world.send("now"), "sent");
});

for (const [code, name] of /** @type {const} */ ([
  [303, "Banned"], [304, "UpgradeNeeded"], [306, "UnknownKind"], [307, "UnsupportedVersion"],
  [309, "LoginTooLarge"], [300, "Unknown"], [399, "Unknown"],
])) {
  test(`a first login refused with ${code} ends, and is not tried again`, () => {
    const world = new World();
    world.node.refusals.push({ code, text: "because" });
    world.start();
    world.run(60_000);
    assert.deepEqual(world.link.ending, { code, name, text: "because", gameCode: undefined });
    assert.equal(world.tries.length, 1);
  });
}

test("a refused login tells the game's own number", () => {
  const world = new World();
  const extensions = [{ tag: Tag.GameCode, bytes: Uint8Array.of(0x12, 0x34) }];
  world.node.refusals.push({ code: 305, text: "no such player", extensions });
  world.start();
  world.run(100);
  assert.equal(world.link.ending?.gameCode, 0x1234);
});

test("a first login that may be retried is retried", () => {
  const world = new World();
  world.node.refusals.push({ code: 323, retryAfter: 500 }, { code: 325 });
  world.start();
  world.run(2_000);
  assert.equal(world.link.state, "live");
  assert.equal(world.tries.length, 3);
});

for (const [what, welcome, name] of /** @type {const} */ ([
  ["of a version that was not offered", { version: 2 }, "UnsupportedVersion"],
  ["with an unknown extension that is required",
    { extensions: [{ tag: 0x8001, bytes: new Uint8Array() }] }, "UnknownExtension"],
])) {
  test(`a Welcome ${what} ends at this client`, () => {
    const world = new World();
    world.node.welcome = /** @type {any} */ (welcome);
    world.start();
    world.run(100);
    assert.equal(world.link.ending?.name, name);
  });
}

test("an unknown extension that is not required is ignored", () => {
  const world = new World();
  world.node.welcome = { extensions: [{ tag: 0x0099, bytes: Uint8Array.of(1) }] };
  world.start();
  world.run(100);
  assert.equal(world.link.state, "live");
});

for (const [what, welcome] of /** @type {const} */ ([
  ["without a secret", { secret: null }],
  ["that resumes what was not asked for", { resumed: true }],
  ["to another attempt", { attempt: 3 }],
  ["that acknowledges more than it holds", { ack: 1 }],
])) {
  test(`a Welcome ${what} is a protocol error`, () => {
    const world = new World();
    world.node.welcome = /** @type {any} */ (welcome);
    world.start();
    world.run(60_000);
    assert.equal(world.link.state, "repairFailed");
    assert.equal(world.count("open"), 0);
  });
}

test("any other frame before Welcome is a protocol error", () => {
  const world = new World();
  world.start();
  const { node } = world;
  const { line } = node;
  node.line = (send, close) => {
    const made = line.call(node, send, close);
    made.receive = () => made.send({ type: "ack", ack: 0 });
    return made;
  };
  world.run(60_000);
  assert.equal(world.link.state, "repairFailed");
});

test("a frame of a later version that may be ignored is ignored", () => {
  const world = new World().start();
  world.run(100);
  const connection = 1;
  world.act(() => {
    world.link.handleBytes(connection, Uint8Array.of(0, 0, 0, 3, 0x80, 1, 2), world.now);
  });
  assert.equal(world.link.state, "live");
});

test("a text message closes the connection with TextFrame", () => {
  const world = new World().start();
  world.run(100);
  const { line } = world.node.session;
  world.act(() => world.link.handleText(1, world.now));
  world.run(100);
  const last = line?.frames.at(-1);
  assert.equal(last?.type === "close" && last.code, 204);
  assert.equal(world.link.state, "live");
});

test("a frame above the limit closes the connection with TooLarge", () => {
  const world = new World().start();
  world.run(100);
  const { line } = world.node.session;
  const length = new Uint8Array(5);
  new DataView(length.buffer).setUint32(0, 65_537);
  world.act(() => world.link.handleBytes(1, length, world.now));
  world.run(100);
  const last = line?.frames.at(-1);
  assert.equal(last?.type === "close" && last.code, 201);
});

test("a stored session that the node does not know any more becomes a new login", () => {
  for (const code of [300, 301, 302]) {
    const world = new World().start();
    world.run(100);
    world.send("old");
    world.run(100);
    world.node.refusals.push({ code, text: "gone" });
    world.reload();
    world.run(100);
    const open = world.events.at(-1);
    assert.equal(open?.type, "open");
    assert.equal(open?.type === "open" && open.resumed, false);
    assert.equal(open?.type === "open" && open.previous?.code, code);
    assert.equal(world.node.hellos.length, 2);
    assert.equal(world.link.stats.sent, 0);
  }
});

test("a stored session that is refused for another reason ends with that reason", () => {
  const world = new World().start();
  world.run(100);
  world.node.refusals.push({ code: 303 });
  world.reload();
  world.run(100);
  assert.equal(world.link.ending?.name, "Banned");
  assert.equal(world.node.hellos.length, 1);
});

test("a session that is refused while the page is open ends with the reason", () => {
  const world = new World().start();
  world.run(100);
  world.node.refusals.push({ code: 300 });
  world.breakPipe();
  world.run(100);
  assert.equal(world.link.ending?.name, "Unknown");
  assert.equal(world.node.hellos.length, 1);
});

test("a WebSocket close status says why when the Close frame is lost", () => {
  const world = new World().start();
  world.run(100);
  world.act(() => world.link.handleClosed(1, 4_108, "", world.now));
  assert.equal(world.link.ending?.name, "Kicked");
});

test("what comes over an older connection is not read", () => {
  const world = new World().start();
  world.run(100);
  world.breakPipe();
  world.run(100);
  world.act(() => {
    world.link.handleBytes(1, Uint8Array.of(0, 0, 0, 0), world.now);
    world.link.handleText(1, world.now);
    world.link.handleClosed(1, 4_100, "", world.now);
  });
  assert.equal(world.link.state, "live");
  assert.equal(world.count("repairStarted"), 1);
});
