/**
 * One page against the bot: a game ends although its connection breaks before and after every move.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Omok } from "../omok.mjs";
import { Player, launch } from "./player.mjs";

/** @typedef {[number, number]} Point */

const CUTS = 10;
/** So many stones of this player defend; then the bot is let win, so that the game ends soon. */
const DEFENDED = 9;
const DIRECTIONS = /** @type {readonly Point[]} */ ([[1, 0], [0, 1], [1, 1], [1, -1]]);

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

test("a game against the bot goes on through cuts", async () => {
  const ann = await Player.open(browser, node);
  await ann.enter("Ann", "play-bot");
  await ann.inGame();
  await ann.openNetwork();
  let cuts = 0;
  while (!(await overOrMine(ann))) {
    const { view, repairs } = await ann.state();
    const moves = view.moves ?? [];
    await ann.part("cut").click();
    await ann.place(answer(moves));
    await ann.repaired(repairs);
    await ann.hasMoves(moves.length + 1);
    const again = await ann.state();
    ann.network.cut();
    await ann.repaired(again.repairs);
    cuts += 2;
  }
  const { view, seen, holes, repairs } = await ann.state();
  const moves = view.moves ?? [];
  assert.deepEqual(seen.told, moves.map((_, at) => at + 1));
  assert.equal(new Set(moves.map(String)).size, moves.length);
  assert.equal(holes, 0);
  assert.ok(cuts >= CUTS, `${cuts} cuts`);
  assert.ok(repairs >= cuts, `${repairs} repairs after ${cuts} cuts`);
  assert.notEqual(await ann.part("result").innerText(), "");
  await ann.picture("bot-result");
  await ann.close();
});

/** Waits for this player's move, or the end; true: the end. @param {Player} player */
async function overOrMine(player) {
  await player.until(() => {
    const { over, turn, mine } = window.omok.view;
    return over || (turn?.stone === mine);
  });
  return Boolean((await player.state()).view.over);
}

/**
 * A free point for one who only defends: the one at which the bot's longest row would be longest.
 * @param {Point[]} moves
 * @returns {Point}
 */
function answer(moves) {
  const stones = new Map(moves.map((at, index) => [String(at), index % 2]));
  const defends = moves.length < 2 * DEFENDED;
  // This player is to move, so the bot made the last move, if there is one.
  const theirs = (moves.length + 1) % 2;
  let best = /** @type {Point} */ ([7, 7]);
  let longest = 0;
  for (let x = 0; x < 15; x += 1) {
    for (let y = 0; y < 15; y += 1) {
      if (stones.has(String([x, y]))) continue;
      const row = Math.max(...DIRECTIONS.map(([dx, dy]) =>
        1 + run(stones, theirs, [x, y], [dx, dy]) + run(stones, theirs, [x, y], [-dx, -dy])));
      if (row > longest && (defends || longest === 0)) [best, longest] = [[x, y], row];
    }
  }
  return best;
}

/**
 * How many stones of a colour follow each other from a point, which is not counted.
 * @param {Map<string, number>} stones
 * @param {number} colour
 * @param {Point} from
 * @param {Point} step
 * @returns {number}
 */
function run(stones, colour, [x, y], [dx, dy]) {
  const next = /** @type {Point} */ ([x + dx, y + dy]);
  return stones.get(String(next)) === colour ? 1 + run(stones, colour, next, [dx, dy]) : 0;
}
