/**
 * People play while all three nodes of a cluster are restarted, one after the other. Each stays
 * who they are and where they are in the lobby, and no message is lost; only a match ends with its
 * node.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Cluster } from "../cluster.mjs";
import { Player, launch } from "./player.mjs";

const NODES = [1, 2, 3];
/** Three nodes, of which the balancer takes one after the other. */
const LOGINS_MAX = 12;
const ENDED = "This match ended with its server.";
const WORD = "The servers are restarted now: play on.";

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

test("two people play while all nodes are restarted, one after the other", async () => {
  const [ann, bob] = await pair();
  const cem = await entered("Cem", "create-code");
  const all = [ann, bob, cem];
  await Promise.all([ann, bob].map((player) => player.page.evaluate(playByItself)));
  await cem.page.evaluate(clickByItself);
  await cluster.announce(WORD);
  await Promise.all(all.map((player) =>
    player.until((word) => window.heard.announced.includes(word), WORD)));

  await Promise.all([ann, bob].map((player) => player.until(() => window.heard.placed >= 6)));
  const ids = (await Promise.all(all.map(known))).map((player) => player.id);
  const match = await nodeOf(ann);
  // First the node of the match of two.
  const [second, third] = NODES.filter((node) => node !== match);
  assert.ok(second && third);
  await restarted(match, all);
  assert.deepEqual((await Promise.all([ann, bob].map(known))).map(({ ended }) => ended), [1, 1]);
  await ann.picture("cluster-match-ended");

  // Then one of them plays the bot, and the other waits in the lobby.
  await ann.part("play-bot").click();
  await ann.inGame();
  await bob.part("create-code").click();
  await bob.until(() => window.omok.view.place === "waiting");
  await restarted(second, all);
  await bob.part("stop-waiting").click();
  await bob.until(() => window.omok.view.place === "lobby");

  // Then both play a bot, wherever they are.
  if ((await known(ann)).place === "lobby") await ann.part("play-bot").click();
  await bob.part("play-bot").click();
  await Promise.all([ann.inGame(), bob.inGame()]);
  await restarted(third, all);
  await ann.picture("cluster-end-ann");
  await bob.picture("cluster-end-bob");

  for (const [at, player] of all.entries()) await nothingWasLost(player, ids[at]);
  // What those knew that were restarted is told by their ends: none left anything behind.
  assert.equal(await cluster.lost(), 0);
  assert.equal((await known(cem)).ended, 0);
  await Promise.all(all.map((player) => player.close()));
});

/** A page whose player is logged in, and notes what it is told. @param {string} name */
async function entered(name, button = "create-code") {
  const player = await Player.open(browser, cluster);
  await player.enter(name, button);
  await player.page.evaluate(note);
  await player.until(() => window.omok.view.place === "waiting");
  return player;
}

/**
 * Two pages in one game. A lobby is its node's, so the second one comes in until it is there, too.
 */
async function pair() {
  const ann = await entered("Ann");
  const node = await nodeOf(ann);
  const bob = await Player.open(browser, cluster);
  for (let logins = 0; ; logins += 1) {
    assert.ok(logins < LOGINS_MAX, "the balancer never chose the node of the other");
    await bob.enter("Bob", "create-code");
    await bob.until(() => window.omok.view.place === "waiting");
    if (await nodeOf(bob) === node) break;
    await bob.page.evaluate(() => window.omok.session?.leave());
    await bob.until(() => window.omok.session === undefined);
  }
  await bob.page.evaluate(note);
  await bob.part("stop-waiting").click();
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
    const ends = moves && was.place === "game";
    await player.until((count) => window.heard.ended === count, was.ended + Number(ends));
    const is = await known(player);
    assert.deepEqual([is.id, is.name], [was.id, was.name]);
    if (!moves) assert.deepEqual([is.node, is.stats.repairs], [was.node, was.stats.repairs]);
    assert.equal(await player.part("node").innerText(), `n${is.node}`);
    if (ends) {
      assert.equal(is.place, "lobby");
      assert.ok((await player.part("lobby-note").innerText()).startsWith(ENDED));
    } else if (was.clicks === 0) {
      // Who clicks is in and out of the lobby all the time; others are where they were.
      assert.deepEqual([is.place, is.code], [was.place, was.code]);
    }
    await goesOn(player, is);
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

/** @typedef {Awaited<ReturnType<typeof known>>} Known */

/** What the page knows, and what it has heard. @param {Player} player */
function known(player) {
  return player.page.evaluate(() => {
    const { session, view, holes } = window.omok;
    const { name, node, place, code } = view;
    const stats = { ...session?.stats };
    return { id: session?.id, name, node, place, code, holes, stats, ...window.heard };
  });
}

/** @param {Player} player */
async function nodeOf(player) {
  const { node } = (await player.state()).view;
  assert.ok(node);
  return node;
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
  assert.ok(end.codes.length <= 1, `codes: ${end.codes}`);
  const { sent, acked, received } = end.stats;
  assert.equal(acked, sent);
  assert.equal(received, end.before + end.messages);
  console.log(`${end.name}: ${sent} sent, ${received} received, ${end.stats.repairs} repairs, `
    + `${end.placed} stones, ${end.clicks} clicks, ${end.ended} matches ended with their node`);
}

// --- what runs in the page -------------------------------------------------------------------

/** Notes all that the session says from now on. */
function note() {
  const { session } = window.omok;
  if (session === undefined) throw new Error("there is no session");
  /** @type {import("./page.js").Heard} */
  const heard = {
    before: session.stats.received, messages: 0, ended: 0, placed: 0, refused: [], codes: [],
    clicks: 0, announced: [], errors: [],
  };
  window.heard = heard;
  session.on("message", (tell) => {
    heard.messages += 1;
    if (tell.tell === "match-ended-with-server") heard.ended += 1;
    if (tell.tell === "placed") heard.placed += 1;
    if (tell.tell === "announced") heard.announced.push(tell.text);
    // A stone that was on its way when its match ended is the one thing that may be refused.
    const late = tell.why === "no-game" || tell.why === "game-over";
    if (tell.tell === "refused" && !late) heard.refused.push(tell.text);
    if (tell.code && !heard.codes.includes(tell.code)) heard.codes.push(tell.code);
  });
  session.on("error", (error) => heard.errors.push(String(error)));
  session.on("ended", ({ code, text }) => heard.errors.push(`ended: ${code} ${text}`));
}

/** Answers every turn by the keys of the board, and asks for a rematch after each game. */
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
  /** @type {unknown} the ending after which a rematch was asked for */
  let asked;
  const act = () => {
    const { view } = window.omok;
    if (window.rests || view.place !== "game") return;
    if (view.over && view.over !== asked && !view.partner_left) {
      asked = view.over;
      document.getElementById("rematch")?.click();
    }
    if (view.over || view.turn?.stone !== view.mine) return;
    const taken = new Set(view.moves?.map(([x, y]) => y * 15 + x));
    // Far apart, so that a game takes a while.
    const free = Array.from({ length: 225 }, (_, at) => at * 97 % 225).find((at) => !taken.has(at));
    if (free !== undefined) place(free % 15, Math.floor(free / 15));
  };
  // At the pace of a quick hand, and after the page has drawn.
  window.omok.session?.on("message", () => { setTimeout(act, 50); });
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
