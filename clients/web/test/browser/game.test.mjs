/**
 * Two people in two browsers finish a game although their connections break all the time: every
 * move appears on both boards, once.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Omok } from "../omok.mjs";
import { Player, launch } from "./player.mjs";

/** @typedef {readonly [number, number]} Point */

/** The last stone makes five in a row, at H8. */
const BLACK = points("D8 E8 F8 G8 K4 M4 K6 M6 B2 D2 B4 D4 H8");
const WHITE = points("D9 E9 F9 G9 M12 K12 M10 K10 B12 D12 B14 D14");
const REPAIRS = 10;
const OFFLINE_AT = 9;
const RELOAD_AT = 14;

/** @type {Omok} */
let node;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  node = await Omok.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  if (node) assert.equal(await node.stop(), 0);
});

test("a game between two pages goes on through cuts, an absence and a reload", async () => {
  const [ann, bob] = await pair();
  const annIsBlack = (await ann.state()).view.mine === "black";
  const [black, white] = annIsBlack ? [ann, bob] : [bob, ann];
  for (let number = 1; number <= BLACK.length + WHITE.length; number += 1) {
    const [mover, other] = number % 2 === 1 ? [black, white] : [white, black];
    const point = (number % 2 === 1 ? BLACK : WHITE)[(number - 1) >> 1];
    assert.ok(point);
    await mover.myTurn();
    if (number === OFFLINE_AT) await moveWhileOffline(mover, other, point);
    else if (number === RELOAD_AT) await moveAndReload(mover, other, point);
    else await moveAndCut(mover, other, point, number);
    await Promise.all([ann.hasMoves(number), bob.hasMoves(number)]);
    if (number === 12) await ann.picture("game-half-way");
  }
  await sameEnd(black, white);
  await ann.picture("game-result-ann");
  await bob.picture("game-result-bob");
  await Promise.all([ann.close(), bob.close()]);
});

/** Two pages in one game, paired with a private code. */
async function pair() {
  const [ann, bob] = await Promise.all([Player.open(browser, node), Player.open(browser, node)]);
  await ann.enter("Ann", "create-code");
  await ann.until(() => window.omok.view.place === "waiting");
  await bob.part("code-input").fill(await ann.part("code").innerText());
  await bob.enter("Bob", "join-code");
  await Promise.all([ann.inGame(), bob.inGame()]);
  await Promise.all([ann.openNetwork(), bob.openNetwork()]);
  return /** @type {const} */ ([ann, bob]);
}

/**
 * One move, and both connections broken about it: before it, after it, by the page's own button
 * and from outside.
 * @param {Player} mover
 * @param {Player} other
 * @param {Point} point
 * @param {number} number
 */
async function moveAndCut(mover, other, point, number) {
  const [mine, theirs] = await Promise.all([mover.state(), other.state()]);
  if (number % 3 === 0) {
    await mover.place(point);
    await Promise.all([mover.part("cut").click(), other.network.cut()]);
  } else if (number % 3 === 1) {
    mover.network.cut();
    await mover.place(point);
    await other.part("cut").click();
  } else {
    await mover.place(point);
    mover.network.cut();
    other.network.cut();
  }
  await Promise.all([mover.repaired(mine.repairs), other.repaired(theirs.repairs)]);
}

/**
 * A move that is made while the mover is offline waits in the page until it is back.
 * @param {Player} mover
 * @param {Player} other
 * @param {Point} point
 */
async function moveWhileOffline(mover, other, point) {
  const { repairs, view } = await mover.state();
  await mover.part("offline").click();
  await mover.until(() => document.body.dataset["link"] === "repairing");
  await mover.place(point);
  assert.equal(await mover.dot(), "amber");
  await mover.picture("game-repairing");
  assert.equal((await other.state()).view.moves?.length, view.moves?.length);
  await mover.repaired(repairs);
  await mover.until(() => document.body.dataset["link"] === "live");
  assert.equal(await mover.dot(), "green");
}

/**
 * A page that is loaded again right after a move has lost nothing, and is who it was.
 * @param {Player} mover
 * @param {Player} other
 * @param {Point} point
 */
async function moveAndReload(mover, other, point) {
  const [before, theirs] = await Promise.all([mover.state(), other.state()]);
  await mover.place(point);
  other.network.cut();
  await mover.page.reload();
  await mover.inGame();
  await mover.openNetwork();
  const now = await mover.state();
  assert.equal(now.id, before.id);
  assert.deepEqual([now.view.mine, now.view.name], [before.view.mine, before.view.name]);
  await other.repaired(theirs.repairs);
}

/** Both pages agree about the game, and each saw every move once. @param {Player[]} players */
async function sameEnd(...players) {
  const board = Array.from({ length: BLACK.length + WHITE.length }, (_, at) =>
    (at % 2 === 0 ? BLACK : WHITE)[at >> 1]);
  for (const player of players) {
    await player.until(() => window.omok.view.over);
    const { view, seen, holes, repairs } = await player.state();
    assert.deepEqual(view.moves, board);
    assert.deepEqual([view.over?.winner, view.over?.how], ["black", "five"]);
    assert.deepEqual(seen.told, board.map((_, at) => at + 1));
    assert.equal(holes, 0);
    assert.equal(Number(await player.part("counter-repairs").innerText()), repairs);
    assert.ok(repairs >= REPAIRS, `${repairs} repairs`);
    // Amber and green took turns; the end is green.
    const links = seen.links.filter((link, at) => link !== seen.links[at - 1]);
    assert.ok(links.every((link) => link === "live" || link === "repairing"), links.join());
    assert.ok(links.filter((link) => link === "repairing").length >= REPAIRS);
    assert.equal(await player.dot(), "green");
    const headline = view.mine === "black" ? "You win" : "wins";
    assert.match(await player.part("result").innerText(), new RegExp(headline));
  }
}

/** @param {string} names */
function points(names) {
  return names.split(" ").map((name) =>
    /** @type {Point} */ ([name.charCodeAt(0) - 65, 15 - Number(name.slice(1))]));
}
