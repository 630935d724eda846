/**
 * The puzzle in a browser: a player goes on through cuts, while nodes are restarted, and behind one
 * that was killed, and every move counts once.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Cluster } from "../cluster.mjs";
import { Player, launch } from "./player.mjs";

/** @typedef {import("./page.js").Motion} Motion */

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const SMALL_PHONE = { ...PHONE, viewport: { width: 320, height: 568 } };
const DESKTOP = { viewport: { width: 1280, height: 800 } };
const LIGHT = /** @type {const} */ ({ colorScheme: "light" });
const DARK = /** @type {const} */ ({ colorScheme: "dark" });
const KEYS = { left: "ArrowLeft", down: "ArrowDown", right: "ArrowRight", up: "ArrowUp" };
const MOTIONS = /** @type {(keyof typeof KEYS)[]} */ (Object.keys(KEYS));

/** @type {Cluster} */
let cluster;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  cluster = await Cluster.of("puzzle", "--drain.spread", "1s");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  if (cluster) assert.equal(await cluster.stop(), 0);
});

test("a player goes on through cuts, restarts of all nodes, and the death of one", async () => {
  const ann = await entered("Ann", { ...DESKTOP, ...LIGHT });
  await ann.part("network").locator("summary").click();
  let moves = 0;
  for (; moves < 12; moves += 1) {
    if (moves % 3 === 0) await ann.part("cut").click();
    await makeMove(ann);
    if (moves % 3 === 1) ann.network.cut();
  }
  await ann.until(() => document.body.dataset["link"] === "live");
  const { id } = await known(ann);

  for (const node of [1, 2, 3]) {
    const restarted = cluster.restart(node);
    for (let more = 0; more < 8; more += 1, moves += 1) await makeMove(ann);
    assert.match(await restarted, /\b0 left\b/);
    await ann.until((old) => window.puzzle.view.node !== old, node);
    await ann.until(() => document.body.dataset["link"] === "live");
  }
  const before = await known(ann);
  assert.deepEqual([before.id, before.view.number], [id, moves]);
  assert.equal(await ann.part("node").innerText(), `n${before.view.node}`);
  await ann.picture("puzzle-desktop");

  // A move is under way when the node dies: it is written or not, and counts once.
  cluster.kills = true;
  const killed = cluster.kill(`n${before.view.node}`);
  await makeMove(ann);
  moves += 1;
  await killed;
  await ann.until((old) => window.puzzle.session?.state === "live"
    && window.puzzle.session.id !== old, id);
  await makeMove(ann);
  moves += 1;
  const end = await known(ann);
  assert.equal(end.view.number, moves);
  assert.deepEqual(end.cells, end.view.cells);
  // Another page of this player sees the same, and takes over.
  const again = await entered("Ann", { ...DESKTOP, ...DARK });
  assert.deepEqual((await known(again)).view.cells, end.cells);
  await ann.until(() => window.puzzle.session === undefined);
  assert.equal(await ann.part("start-note").innerText(), "You play on in another window.");
  await again.picture("puzzle-desktop-dark");
  await Promise.all([ann, again].map((player) => player.close()));
});

test("a move that is sent again counts once, and a page that is loaded again is where it was",
  async () => {
    const bob = await entered("Bob", DESKTOP);
    await makeMove(bob);
    const before = (await known(bob)).view;
    await bob.page.evaluate(async () => {
      const { day, number } = window.puzzle.view;
      for (const motion of ["left", "up", "start-over", "right"]) {
        await window.puzzle.session?.send({ ask: "move", day, number, motion });
      }
    });
    await bob.until(() => window.puzzle.session?.stats.retained === 0);
    await makeMove(bob);
    const after = (await known(bob)).view;
    assert.deepEqual([after.number, after.steps], [before.number + 1, before.steps + 1]);

    // What was asked just before the page went is done.
    await bob.page.evaluate(() => {
      window.puzzle.play("start-over");
      location.reload();
    });
    await bob.until((number) => window.puzzle?.view?.number === number, after.number + 1);
    const now = await known(bob);
    assert.deepEqual([now.view.score, now.view.best], [0, after.best]);
    await bob.close();
  });

test("the ranking of the day is the same for all, and a finger plays", async () => {
  const cem = await entered("Cem", { ...PHONE, ...LIGHT, deviceScaleFactor: 2 });
  const dan = await entered("Dan", { ...SMALL_PHONE, ...DARK });
  for (let moves = 0; moves < 25; moves += 1) {
    await makeMove(cem, swipe);
    if (moves < 20) await makeMove(dan, swipe);
  }
  const { best } = (await known(cem)).view;
  // The other page looks by itself.
  await dan.until((score) => window.puzzle.view.ranking.some(([who, points]) =>
    who === "Cem" && points === score), best);
  const seen = await Promise.all([cem, dan].map(known));
  assert.deepEqual(seen[0]?.view.ranking, seen[1]?.view.ranking);
  for (const { view } of seen) {
    const scores = view.ranking.map(([, points]) => points);
    assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
    assert.equal(view.ranking[(view.rank ?? 0) - 1]?.[0], view.name);
  }
  for (const [player, name] of /** @type {const} */ ([[cem, "phone"], [dan, "small-phone"]])) {
    await player.fits();
    await player.picture(`puzzle-${name}`);
    await player.close();
  }
});

/**
 * A page whose player is logged in.
 * @param {string} name
 * @param {import("playwright-core").BrowserContextOptions} options
 */
async function entered(name, options) {
  const player = await Player.open(browser, cluster, options);
  await player.part("name").fill(name);
  await player.part("start").click();
  await player.until(() => window.puzzle.view && window.puzzle.session?.state === "live");
  return player;
}

/** What the page knows. @param {Player} player */
function known(player) {
  return player.page.evaluate(() => {
    const { session, view, cells } = window.puzzle;
    return { id: session?.id, view, cells };
  });
}

/**
 * Makes a move, and waits until it is answered and drawn.
 * @param {Player} player
 * @param {(player: Player, motion: keyof typeof KEYS) => Promise<void>} by
 */
async function makeMove(player, by = press) {
  const { view } = await known(player);
  for (const at of MOTIONS.keys()) {
    // In turn, so that the tiles are stirred.
    const motion = MOTIONS[(view.number + at) % MOTIONS.length];
    assert.ok(motion);
    await by(player, motion);
    if (await player.page.evaluate((number) =>
      window.puzzle.asked !== null || window.puzzle.view.number > number, view.number)) break;
  }
  await player.until((number) =>
    window.puzzle.view.number === number && window.puzzle.rests, view.number + 1);
  const { view: now, cells } = await known(player);
  assert.deepEqual(cells, now.cells);
  assert.equal(await player.part("score").innerText(), now.score.toLocaleString("en"));
}

/** @param {Player} player @param {keyof typeof KEYS} motion */
async function press(player, motion) {
  await player.page.keyboard.press(KEYS[motion]);
}

/** @param {Player} player @param {keyof typeof KEYS} motion */
async function swipe(player, motion) {
  const box = await player.part("board").boundingBox();
  assert.ok(box);
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const [dx, dy] = { left: [-60, 0], right: [60, 0], up: [0, -60], down: [0, 60] }[motion];
  assert.ok(dx !== undefined && dy !== undefined);
  const hand = await player.page.context().newCDPSession(player.page);
  const touch = (/** @type {"touchStart" | "touchMove" | "touchEnd"} */ type, part = 0) =>
    hand.send("Input.dispatchTouchEvent", {
      type,
      touchPoints: type === "touchEnd" ? [] : [{ x: x + part * dx, y: y + part * dy }],
    });
  await touch("touchStart");
  await touch("touchMove", 0.5);
  await touch("touchMove", 1);
  await touch("touchEnd");
  await hand.detach();
}
