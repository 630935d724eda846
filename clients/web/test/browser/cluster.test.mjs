/**
 * People play while all three nodes of a cluster are restarted, one after the other, and then while
 * each of them, and the hub, is killed. Each stays who they are and where they are, no message is
 * lost, and the match of two goes on: the same board, the same clock, and at its end the right
 * winner.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Cluster } from "../cluster.mjs";
import { Player, launch } from "./player.mjs";

const NODES = [1, 2, 3];
const WORD = "The servers are restarted now: play on.";
/** Black's row at the end: A15 to E15. */
const ROW = [0, 1, 2, 3, 4];

/** @type {Cluster} */
let cluster;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  cluster = await Cluster.start("--drain.spread", "1s");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  if (cluster) assert.equal(await cluster.stop(), 0);
});

test("a match of two goes on while all nodes are restarted, one after the other", async () => {
  const [ann, bob] = await pair();
  const cem = await entered("Cem", "create-code");
  const two = [ann, bob];
  const all = [...two, cem];
  await Promise.all(two.map((player) => player.page.evaluate(playByItself)));
  await cem.page.evaluate(clickByItself);
  await cluster.announce(WORD);
  await Promise.all(all.map((player) =>
    player.until((word) => window.heard.announced.includes(word), WORD)));

  await Promise.all(two.map((player) => player.until(() => window.heard.placed >= 6)));
  const ids = (await Promise.all(all.map(known))).map((player) => player.id);
  // First the node of the match.
  const first = (await known(ann)).match;
  assert.ok(first);
  for (const node of [first, ...NODES.filter((other) => other !== first)]) {
    await restarted(node, all);
    await ann.picture(`cluster-after-n${node}`);
  }

  await Promise.all(two.map((player) => player.page.evaluate(() => { window.ends = true; })));
  await Promise.all(two.map((player) => player.until(() => window.omok.view.over)));
  await sameEnd(two);
  await ann.picture("cluster-end-ann");
  await bob.picture("cluster-end-bob");

  for (const [at, player] of all.entries()) await nothingWasLost(player, ids[at]);
  // What those knew that were restarted is told by their ends: none left anything behind.
  assert.equal(await cluster.lost(), 0);
  await Promise.all(all.map((player) => player.close()));
});

test("a match of two goes on while each node in turn, and the hub, is killed", async () => {
  const [ann, bob] = await pair();
  const two = [ann, bob];
  await Promise.all(two.map((player) => player.page.evaluate(playByItself)));
  await Promise.all(two.map((player) => player.until(() => window.heard.placed >= 2)));
  const ids = (await Promise.all(two.map(known))).map((player) => player.id);
  // First the node of the match.
  const first = (await known(ann)).match;
  assert.ok(first);
  for (const node of [first, ...NODES.filter((other) => other !== first)]) {
    await killed(`n${node}`, two);
    await ann.picture(`cluster-after-kill-n${node}`);
  }
  await killed("hub", two);
  await bob.picture("cluster-after-kill-hub");

  await Promise.all(two.map((player) => player.page.evaluate(() => { window.ends = true; })));
  await Promise.all(two.map((player) => player.until(() => window.omok.view.over)));
  await sameEnd(two);
  await ann.picture("cluster-killed-end-ann");
  await bob.picture("cluster-killed-end-bob");

  for (const [at, player] of two.entries()) await nothingWasLost(player, ids[at]);
  assert.equal(await cluster.lost(), 0);
  await Promise.all(two.map((player) => player.close()));
});

/** A page whose player is logged in, and notes what it is told. @param {string} name */
async function entered(name, button = "create-code") {
  const player = await Player.open(browser, cluster);
  await player.enter(name, button);
  await player.page.evaluate(note);
  await player.until(() => window.omok.view.place === "waiting");
  return player;
}

/** Two pages in one game, wherever the balancer has sent them. */
async function pair() {
  const ann = await entered("Ann");
  const bob = await entered("Bob");
  await bob.part("stop-waiting").click();
  await bob.until(() => window.omok.view.place === "lobby");
  await bob.part("code-input").fill(await ann.part("code").innerText());
  await bob.part("join-code").click();
  await Promise.all([ann.inGame(), bob.inGame()]);
  return /** @type {const} */ ([ann, bob]);
}

/**
 * Restarts a node while everybody goes on, and asserts what each player noticed of it.
 * @param {number} node
 * @param {readonly Player[]} players
 */
async function restarted(node, players) {
  const before = await Promise.all(players.map(known));
  const stopped = await cluster.restart(node);
  assert.match(stopped, /\b0 left\b/, `n${node}: ${stopped}`);
  for (const [at, player] of players.entries()) {
    const was = before[at];
    assert.ok(was);
    const moves = was.node === node;
    await player.until(() => document.body.dataset["link"] === "live");
    if (moves) await player.until((old) => window.omok.view.node !== old, node);
    // The match is elsewhere, too, and the page shows where.
    if (was.match === node) await player.until((old) => window.omok.view.match_node !== old, node);
    const is = await known(player);
    assert.deepEqual([is.id, is.name], [was.id, was.name]);
    if (!moves) assert.deepEqual([is.node, is.stats.repairs], [was.node, was.stats.repairs]);
    assert.equal(await player.part("node").innerText(), `n${is.node}`);
    if (was.place === "game") {
      assert.equal(is.place, "game");
      assert.equal(await player.part("match-node").innerText(), `n${is.match}`);
      assert.deepEqual(is.moves.slice(0, was.moves.length), was.moves);
    }
    await goesOn(player, is);
  }
}

/**
 * Kills a process in the middle of the game and starts it again, and asserts that the players
 * noticed a pause at most.
 * @param {string} who
 * @param {readonly Player[]} players
 */
async function killed(who, players) {
  const before = await Promise.all(players.map(known));
  await cluster.kill(who);
  for (const [at, player] of players.entries()) {
    const was = before[at];
    assert.ok(was);
    await goesOn(player, was);
    await player.until(() => document.body.dataset["link"] === "live");
    // Its node has been killed, and the session goes on at another one, or where it came back.
    const is = await known(player);
    assert.deepEqual([is.id, is.name, is.place], [was.id, was.name, "game"]);
    assert.deepEqual(is.moves.slice(0, was.moves.length), was.moves);
    assert.equal(await player.part("node").innerText(), `n${is.node}`);
    if (`n${was.node}` === who) assert.notEqual(is.stats.repairs, was.stats.repairs);
  }
}

/**
 * More of what the player does by itself is answered.
 * @param {Player} player
 * @param {Known} since
 */
async function goesOn(player, since) {
  if (since.place === "game") {
    await player.until((count) => window.heard.placed > count + 1, since.placed);
  } else if (since.clicks > 0) {
    await player.until((count) => window.heard.clicks > count + 9, since.clicks);
  }
}

/**
 * Both saw the same game, and its winner is who its moves make it.
 * @param {readonly Player[]} players
 */
async function sameEnd(players) {
  const [one, other] = await Promise.all(players.map(known));
  assert.ok(one && other);
  assert.deepEqual(one.moves, other.moves);
  assert.deepEqual(one.over, other.over);
  assert.deepEqual([one.over?.winner, one.over?.how], ["black", "five"]);
  const blacks = new Set(one.moves.filter((_, at) => at % 2 === 0).map(String));
  assert.ok(ROW.every((x) => blacks.has(String([x, 0]))), "black has its row");
  assert.equal(new Set(one.moves.map(String)).size, one.moves.length, "no stone is there twice");
}

/** @typedef {Awaited<ReturnType<typeof known>>} Known */

/** What the page knows, and what it has heard. @param {Player} player */
function known(player) {
  return player.page.evaluate(() => {
    const { session, view, holes } = window.omok;
    const { name, node, place, code, over, moves = [], match_node: match } = view;
    const stats = { ...session?.stats };
    return {
      id: session?.id, name, node, place, code, over, moves, match, holes, stats, ...window.heard,
    };
  });
}

/**
 * All that was sent was handled, all that was received was told, and the session is still the same.
 * @param {Player} player
 * @param {string | undefined} id
 */
async function nothingWasLost(player, id) {
  await player.page.evaluate(() => { window.rests = true; });
  await player.until(() => window.omok.session?.stats.retained === 0);
  // The answer to a last question is behind all others.
  const { messages } = await known(player);
  await player.page.evaluate(() => window.omok.session?.send({ ask: "look" }));
  await player.until((count) => window.heard.messages > count, messages);
  await player.until(() => window.omok.session?.stats.retained === 0);
  const end = await known(player);
  assert.equal(end.id, id);
  assert.equal(end.holes, 0);
  assert.deepEqual(end.errors, []);
  assert.deepEqual(end.refused, []);
  assert.deepEqual([end.ended, end.wrongClocks], [0, 0]);
  assert.ok(end.codes.length <= 1, `codes: ${end.codes}`);
  const { sent, acked, received } = end.stats;
  assert.equal(acked, sent);
  assert.equal(received, end.before + end.messages);
  console.log(`${end.name}: ${sent} sent, ${received} received, ${end.stats.repairs} repairs, `
    + `${end.placed} stones, ${end.clicks} clicks, match at ${end.at.map((at) => `n${at}`)}`);
}

// --- what runs in the page -------------------------------------------------------------------

/** Notes all that the session says from now on. */
function note() {
  const { session } = window.omok;
  if (session === undefined) throw new Error("there is no session");
  /** @type {import("./page.js").Heard} */
  const heard = {
    before: session.stats.received, messages: 0, ended: 0, placed: 0, refused: [], codes: [],
    clicks: 0, announced: [], errors: [], wrongClocks: 0, at: [],
  };
  window.heard = heard;
  /** @type {Map<number, number>} when the turn ends after so many moves */
  const ends = new Map();
  session.on("message", (tell) => {
    heard.messages += 1;
    if (tell.tell === "match-closed") heard.ended += 1;
    if (tell.tell === "placed") heard.placed += 1;
    if (tell.tell === "announced") heard.announced.push(tell.text);
    if (tell.tell === "refused") heard.refused.push(tell.text);
    const { moves, turn, match_node: at } = window.omok.view;
    if (at && heard.at.at(-1) !== at) heard.at.push(at);
    if (moves && turn) {
      // Whatever moves, the end of a turn does not.
      const end = ends.get(moves.length) ?? turn.deadline_ms;
      ends.set(moves.length, end);
      const left = turn.deadline_ms - (window.omok.session?.serverTime() ?? 0);
      if (end !== turn.deadline_ms || left > 31_000) heard.wrongClocks += 1;
    }
    if (tell.code && !heard.codes.includes(tell.code)) heard.codes.push(tell.code);
  });
  session.on("error", (error) => heard.errors.push(String(error)));
  session.on("ended", ({ code, text }) => heard.errors.push(`ended: ${code} ${text}`));
}

/**
 * Answers every turn by the keys of the board, so that nobody has five in a row before `ends`; then
 * black makes its row.
 */
function playByItself() {
  const board = document.getElementById("board");
  /** @param {string} key */
  const press = (key) => board?.dispatchEvent(new KeyboardEvent("keydown", { key }));
  /** @param {string} key @param {number} times */
  const go = (key, times) => Array.from({ length: Math.max(0, times) }, () => press(key));
  /** @param {number} x @param {number} y */
  const place = (x, y) => {
    board?.dispatchEvent(new FocusEvent("blur"));
    // The first key shows the middle.
    press("ArrowUp");
    go("ArrowRight", x - 7);
    go("ArrowLeft", 7 - x);
    go("ArrowDown", y - 7);
    go("ArrowUp", 7 - y);
    press("Enter");
  };
  const act = () => {
    const { view } = window.omok;
    if (window.rests || view.place !== "game" || view.over || view.turn?.stone !== view.mine) return;
    const taken = new Set(view.moves?.map(String));
    const black = view.mine === "black";
    const all = Array.from({ length: 225 }, (_, at) => [at % 15, Math.floor(at / 15)]);
    // Pairs of columns, shifted on every other line, and the first lines free.
    const own = all.filter(([x = 0, y = 0]) => y > 4 && ((x >> 1) + y) % 2 === Number(black));
    const row = window.ends && black ? all.slice(0, 5) : [];
    const [x, y] = [...row, ...own].find((point) => !taken.has(String(point))) ?? [];
    if (x !== undefined && y !== undefined) place(x, y);
  };
  // At the pace of a hand, and after the page has drawn.
  window.omok.session?.on("message", () => { setTimeout(act, 400); });
  act();
}

/**
 * Goes in and out of the lobby for ever: each click is answered once, and makes the next one. One
 * that was lost would stop it, one that came twice would be refused.
 */
function clickByItself() {
  let expected = "waiting";
  const act = () => {
    const { view } = window.omok;
    // Views also come of themselves, after a repair.
    if (window.rests || view.place !== expected) return;
    window.heard.clicks += 1;
    const button = expected === "waiting" ? "stop-waiting" : "create-code";
    expected = expected === "waiting" ? "lobby" : "waiting";
    /** @type {HTMLElement | null} */
    (document.querySelector(`[data-testid="${button}"]`))?.click();
  };
  window.omok.session?.on("message", () => { setTimeout(act, 20); });
  act();
}
