/**
 * Where a client goes after a break: the node's own address, those that nodes name, and those of
 * its options. All addresses lead to the same cluster unless a test says otherwise.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeText, encodeText } from "../src/bytes.js";
import { CODES } from "../src/codes.js";
import { Tag } from "../src/extensions.js";
import { World } from "./world.mjs";

const HOME = "ws://a/link";
const OWN = "ws://own/link";
const OTHER = "ws://other/link";

/** A session that is live and proven. @param {ConstructorParameters<typeof World>} options */
function live(...options) {
  return begin(new World(...options));
}

/** The same, with a node that advertises an address. @param {Parameters<typeof live>} options */
function advertised(...options) {
  const world = new World(...options);
  world.node.welcome = { extensions: [{ tag: Tag.Address, bytes: encodeText(OWN) }] };
  return begin(world);
}

/** @param {World} world */
function begin(world) {
  world.start();
  world.run(100);
  assert.equal(world.link.state, "live");
  world.tries = [];
  return world;
}

/** @param {World} world */
function urls(world) {
  return world.tries.map(({ url }) => url);
}

/**
 * Refusals that name addresses.
 * @param {readonly string[]} named
 * @param {number} [count]
 */
function elsewhere(named, count = 1) {
  const extensions = named.map((name) => ({ tag: Tag.Elsewhere, bytes: encodeText(name) }));
  return Array.from({ length: count }, () => ({ code: 321, extensions }));
}

/** @param {World} world @param {number} reconnectInMs @param {string[]} [addresses] */
function restarts(world, reconnectInMs, addresses = []) {
  world.node.session.line?.send({ type: "restarting", reconnectInMs, addresses });
}

/** Messages go both ways, once. @param {World} world */
function goesOn(world) {
  const { session } = world.node;
  const [sent, got] = [session.handled.length, world.got.length];
  assert.equal(world.send("still here"), "sent");
  world.node.send(session, encodeText("so am I"));
  world.run(1_000);
  assert.equal(world.link.state, "live");
  assert.deepEqual(session.handled.slice(sent).map(decodeText), ["still here"]);
  assert.deepEqual(world.got.slice(got), ["so am I"]);
}

test("the advertised address is tried before the configured ones", () => {
  const world = advertised();
  world.breakPipe();
  world.run(100);
  assert.deepEqual(urls(world), [OWN]);
  goesOn(world);
});

test("a dead advertised address is tried once and not counted", () => {
  const world = advertised({ limits: { tries: 1 } });
  world.dead.add(OWN);
  world.breakPipe();
  world.run(200);
  assert.deepEqual(urls(world), [OWN, HOME]);
  goesOn(world);
});

test("a silent advertised address holds a client up for its own time only", () => {
  const world = advertised();
  world.silent.add(OWN);
  world.breakPipe();
  world.run(1_999);
  assert.deepEqual(urls(world), [OWN]);
  world.run(200);
  assert.deepEqual(urls(world), [OWN, HOME]);
  goesOn(world);
});

test("an advertised address that is not for browsers is ignored", () => {
  const world = new World();
  world.node.welcome = { extensions: [{ tag: Tag.Address, bytes: encodeText("node-3:7778") }] };
  begin(world).breakPipe();
  world.run(100);
  assert.deepEqual(urls(world), [HOME]);
});

test("a client of configured addresses only ignores what nodes advertise", () => {
  const world = advertised({ limits: { addressOrder: "configuredOnly" } });
  world.breakPipe();
  world.run(100);
  world.reload();
  world.run(100);
  assert.deepEqual(new Set(urls(world)), new Set([HOME]));
  // And goes where a node sends it all the same.
  world.tries = [];
  world.node.refusals.push(...elsewhere([OTHER]));
  world.breakPipe();
  world.run(100);
  assert.deepEqual(urls(world), [HOME, OTHER]);
  goesOn(world);
});

test("of several addresses, a repair begins at the one that worked", () => {
  const world = new World({ urls: ["ws://a/link", "ws://b/link", "ws://c/link"] });
  world.dead.add("ws://a/link");
  world.start();
  world.run(200);
  world.tries = [];
  world.breakPipe();
  world.run(100);
  assert.deepEqual(urls(world), ["ws://b/link"]);
  // One that restarts is not the first to go to.
  restarts(world, 0);
  world.run(100);
  assert.deepEqual(urls(world).slice(1), ["ws://c/link"]);
  goesOn(world);
});

test("of several addresses, the one that fell silent is not the first to go to", () => {
  const world = live({ urls: ["ws://a/link", "ws://b/link", "ws://c/link"] });
  world.passing = false;
  world.until(() => world.count("repairStarted") === 1);
  world.passing = true;
  world.run(100);
  assert.deepEqual(urls(world), ["ws://b/link"]);
  goesOn(world);
});

test("what the one that fell silent advertised is not the first to go to either", () => {
  const world = advertised({ urls: [HOME, OTHER] });
  world.passing = false;
  world.until(() => world.count("repairStarted") === 1);
  world.passing = true;
  world.run(100);
  assert.deepEqual(urls(world), [OTHER]);
  goesOn(world);
});

test("after silence a try at one of several is given up soon, and later each round", () => {
  const all = ["ws://a/link", "ws://b/link", "ws://c/link"];
  const world = live({ urls: all });
  world.passing = false;
  world.until(() => world.count("repairStarted") === 1);
  world.passing = true;
  all.forEach((url) => world.silent.add(url));
  world.run(1_000);
  assert.deepEqual(urls(world), ["ws://b/link", "ws://c/link"]);
  world.run(1_000);
  assert.deepEqual(urls(world).slice(2), ["ws://a/link"]);
  // All were tried: now each has more time.
  world.run(1_000);
  assert.deepEqual(urls(world).slice(3), ["ws://b/link"]);
  world.run(750);
  assert.equal(urls(world).length, 4);
  world.silent.clear();
  world.run(1_000);
  assert.deepEqual(urls(world).slice(4), ["ws://c/link"]);
  goesOn(world);
});

test("tries that were given up early for the next address are not used up", () => {
  const all = ["ws://a/link", "ws://b/link", "ws://c/link"];
  const world = live({ urls: all });
  world.passing = false;
  world.until(() => world.count("repairStarted") === 1);
  world.passing = true;
  all.forEach((url) => world.silent.add(url));
  world.run(40_000);
  assert.equal(world.count("repairFailed"), 0);
  world.silent.clear();
  world.run(10_000);
  goesOn(world);
});

test("a login has the whole time, and a repair two seconds where there is another address", () => {
  const world = new World({ urls: [HOME, OTHER] });
  world.silent.add(HOME);
  world.start();
  world.run(4_999);
  assert.deepEqual(urls(world), [HOME]);
  world.run(1_000);
  assert.deepEqual(urls(world), [HOME, OTHER]);
  world.silent.add(OTHER);
  world.breakPipe();
  world.run(1_990);
  assert.deepEqual(urls(world).slice(2), [OTHER]);
  world.run(500);
  assert.deepEqual(urls(world).slice(3), [HOME]);
  world.silent.clear();
  world.run(10_000);
  goesOn(world);
});

test("a node without its store is left at once for an address that was not tried", () => {
  const world = live({ urls: [HOME, OTHER] });
  const down = { code: 322, retryAfter: 3_000 };
  world.node.others.set(HOME, [down, down]);
  world.breakPipe();
  world.run(300);
  assert.deepEqual(urls(world), [HOME, OTHER]);
  // Where no address is left the wait is kept.
  world.node.others.set(OTHER, [down]);
  world.breakPipe();
  world.run(1_000);
  assert.deepEqual(urls(world).slice(2), [OTHER, HOME]);
  world.run(4_000);
  assert.deepEqual(urls(world).slice(4), [OTHER]);
  goesOn(world);
});

test("a reloaded page begins where its session was", () => {
  for (const world of [advertised(), live({ urls: [OWN, HOME] })]) {
    world.reload();
    world.run(100);
    assert.equal(urls(world)[0], OWN);
    goesOn(world);
  }
});

test("a reloaded page does not begin at a node that restarts", () => {
  const world = advertised();
  restarts(world, 60_000);
  world.run(100);
  world.reload();
  world.run(100);
  assert.deepEqual(new Set(urls(world)), new Set([HOME]));
  goesOn(world);
});

test("Restarting: stays connected, then moves to where the node said", () => {
  const world = advertised();
  restarts(world, 3_000, [OTHER]);
  world.run(2_900);
  assert.equal(world.link.state, "live");
  assert.equal(world.tries.length, 0);
  world.run(200);
  assert.deepEqual(urls(world), [OTHER]);
  assert.equal(world.count("restarting"), 1);
  goesOn(world);
});

test("Restarting without addresses: to the configured ones, not the one that leaves", () => {
  const world = advertised();
  restarts(world, 500);
  world.run(1_000);
  assert.deepEqual(urls(world), [HOME]);
  goesOn(world);
});

test("Restarting: a session that the node parks is fetched at once, and nothing is lost", () => {
  for (const [addresses, expected] of /** @type {const} */ ([[[], HOME], [[OTHER], OTHER]])) {
    const world = advertised();
    restarts(world, 9_000, [...addresses]);
    world.run(100);
    world.send("on its way");
    world.node.send(world.node.session, encodeText("too"));
    world.breakPipe();
    world.run(100);
    assert.deepEqual(urls(world), [expected]);
    world.run(20_000);
    assert.equal(world.tries.length, 1, "and only once");
    assert.deepEqual(world.node.session.handled.map(decodeText), ["on its way"]);
    assert.deepEqual(world.got, ["too"]);
    goesOn(world);
  }
});

test("dead named addresses do not count, and the configured ones follow", () => {
  const world = advertised({ limits: { tries: 1 } });
  const named = ["ws://x/", "ws://y/", "ws://z/"];
  for (const url of named) world.dead.add(url);
  restarts(world, 0, named);
  world.run(1_000);
  assert.deepEqual(urls(world), [...named, HOME]);
  goesOn(world);
});

test("GoElsewhere is followed at once, as far as its addresses can be used", () => {
  const world = live({ limits: { tries: 1 } });
  world.node.others.set(HOME, elsewhere(["10.0.0.1:7778", "ws://x/", OTHER]));
  world.dead.add("ws://x/");
  world.breakPipe();
  world.run(20);
  assert.deepEqual(urls(world), [HOME, "ws://x/"], "as fast as the network is");
  world.run(200);
  assert.deepEqual(urls(world), [HOME, "ws://x/", OTHER]);
  goesOn(world);
});

test("GoElsewhere comes before what was named earlier", () => {
  const world = live();
  world.node.others.set(HOME, elsewhere(["ws://x/", "ws://y/"]));
  world.node.others.set("ws://x/", elsewhere([OTHER, "ws://y/"]));
  world.breakPipe();
  world.run(200);
  assert.deepEqual(urls(world), [HOME, "ws://x/", OTHER]);
  goesOn(world);
});

test("nodes that send a client in a circle are left after the total time", () => {
  const world = live();
  world.node.others.set(HOME, elsewhere([OTHER], 10_000));
  world.node.others.set(OTHER, elsewhere([HOME], 10_000));
  world.breakPipe();
  world.run(70_000);
  assert.equal(world.link.state, "repairFailed");
  assert.ok(world.tries.length < 80, `${world.tries.length} tries`);
  world.node.others.clear();
  world.act(() => world.link.retry(world.now));
  world.run(1_000);
  goesOn(world);
});

test("nodes that name dead addresses for ever are left after bounded tries", () => {
  const world = live();
  world.dead.add("ws://dead/");
  world.node.others.set(HOME, elsewhere(["ws://dead/"], 10_000));
  world.breakPipe();
  world.run(70_000);
  assert.equal(world.link.state, "repairFailed");
  assert.ok(world.tries.length < 60, `${world.tries.length} tries`);
});

test("a node that welcomes only to send away is left after bounded tries", () => {
  const world = live();
  const { node } = world;
  const { line } = node;
  node.line = (...args) => {
    const made = line.call(node, ...args);
    const { receive } = made;
    made.receive = (message) => {
      const first = made.frames.length === 0;
      receive.call(made, message);
      if (first) made.send({ type: "restarting", reconnectInMs: 0, addresses: [OTHER] });
    };
    return made;
  };
  world.breakPipe();
  world.run(600_000);
  assert.equal(world.link.state, "repairFailed");
  assert.ok(world.tries.length < 20, `${world.tries.length} tries`);
});

for (const code of [320, 322, 323, 324, 325]) {
  test(`a wrong node's ${CODES.get(code)?.name} is waited for and uses up no try`, () => {
    const world = live({ limits: { tries: 1 } });
    const refusals = Array.from({ length: 9 }, () => ({ code, retryAfter: 2_000 }));
    world.node.others.set(HOME, refusals);
    world.breakPipe();
    world.run(1_900);
    assert.equal(world.tries.length, 1);
    world.run(28_000);
    assert.equal(world.tries.length, 10);
    goesOn(world);
  });
}

test("refusals go on for the timeout that Welcome told, or for the option's, and no longer", () => {
  for (const [totalTime, total] of /** @type {const} */ ([[undefined, 20_000], [7_000, 7_000]])) {
    const world = new World({ limits: { totalTime } });
    world.node.welcome = { timeoutMs: 20_000 };
    begin(world);
    const refusals = Array.from({ length: 1_000 }, () => ({ code: 323, retryAfter: 3_000 }));
    world.node.others.set(HOME, refusals);
    world.breakPipe();
    world.run(total - 100);
    assert.equal(world.link.state, "repairing");
    world.run(200);
    assert.equal(world.link.state, "repairFailed");
  }
});

test("a final refusal of a resume ends the session with its reason", () => {
  for (const [code, { name, action }] of CODES) {
    if (action !== "end") continue;
    const world = live();
    world.node.refusals.push({ code });
    world.breakPipe();
    world.run(60_000);
    assert.equal(world.link.ending?.name, name);
    assert.equal(world.tries.length, 1, `${name}: there is nothing to try again`);
    assert.equal(world.count("repairFailed"), 0);
  }
});

test("tries and their time are options", () => {
  const world = live({ limits: { tries: 3, tryTimeout: 1_000 } });
  world.silent.add(HOME);
  world.breakPipe();
  world.run(3_500);
  assert.equal(world.link.state, "repairFailed");
  assert.equal(world.tries.length, 3);
});

test("moveTo: a live session goes to that address, however often", () => {
  const world = advertised();
  for (let n = 0; n < 30; n += 1) {
    const url = `ws://node-${n}/link`;
    world.send(`m${n}`);
    world.node.send(world.node.session, encodeText(`re ${n}`));
    world.act(() => world.link.moveTo(url, world.now));
    world.run(100);
    assert.equal(world.tries.at(-1)?.url, url);
    assert.equal(world.link.state, "live");
  }
  assert.equal(world.tries.length, 30, "one try each");
  assert.deepEqual(world.got, Array.from({ length: 30 }, (_, n) => `re ${n}`));
  assert.equal(world.node.session.handled.length, 30);
  goesOn(world);
});

test("moveTo: an address that is dead ends where a repair would", () => {
  const world = advertised({ limits: { tries: 1 } });
  world.dead.add("ws://dead/");
  world.act(() => world.link.moveTo("ws://dead/", world.now));
  world.run(200);
  assert.deepEqual(urls(world), ["ws://dead/", OWN]);
  goesOn(world);
});

test("moveTo: replaces the try under way, and waits for the player who was asked", () => {
  const world = live();
  world.silent.add(HOME).add("ws://silent/");
  world.breakPipe();
  world.run(100);
  for (const url of ["ws://silent/", OTHER]) {
    world.act(() => world.link.moveTo(url, world.now));
    world.run(100);
  }
  assert.deepEqual(urls(world), [HOME, "ws://silent/", OTHER]);
  assert.equal(world.link.state, "live");
  world.breakPipe();
  world.run(120_000);
  assert.equal(world.link.state, "repairFailed");
  world.tries = [];
  world.act(() => world.link.moveTo("ws://back/", world.now));
  world.run(60_000);
  assert.equal(world.tries.length, 0);
  world.act(() => world.link.retry(world.now));
  world.run(100);
  assert.deepEqual(urls(world), ["ws://back/"]);
  world.act(() => {
    world.link.leave(world.now);
    world.link.moveTo(OTHER, world.now);
  });
  world.run(1_000);
  assert.equal(world.tries.length, 1, "and never after the end");
});
