/**
 * What the page says when a connection does not come back, when the server goes, and when a
 * session cannot work at all.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Omok } from "../omok.mjs";
import { Player, launch } from "./player.mjs";

/** @type {Omok[]} */
const nodes = [];
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  browser = await launch("--host-resolver-rules=MAP game.test 127.0.0.1");
});

after(async () => {
  await browser?.close();
  for (const node of nodes) await node.stop();
});

/** @param {string[]} flags */
async function start(...flags) {
  const node = await Omok.start(...flags);
  nodes.push(node);
  return node;
}

/** @param {Omok} node @param {import("playwright-core").BrowserContextOptions} [options] */
async function playing(node, options) {
  const ann = await Player.open(browser, node, options);
  await ann.enter("Ann", "play-bot");
  await ann.inGame();
  return ann;
}

/** @param {Player} player @param {RegExp} words */
async function says(player, words) {
  await player.until((wanted) => new RegExp(wanted).test(document.body.innerText), words.source);
}

test("a connection that stays broken asks the player, and goes on when told to", async () => {
  const node = await start();
  const ann = await playing(node);
  await ann.myTurn();
  ann.network.down();
  await ann.place([7, 7]);
  await ann.part("repair-question").waitFor({ state: "visible" });
  assert.equal(await ann.page.evaluate(() => window.omok.session?.state), "repairFailed");
  assert.equal(await ann.dot(), "red");
  await ann.picture("repair-question");
  // Escape is no answer.
  await ann.page.keyboard.press("Escape");
  assert.ok(await ann.part("repair-question").isVisible());
  ann.network.up();
  await ann.part("retry").click();
  await ann.part("repair-question").waitFor({ state: "hidden" });
  await ann.hasMoves(2);
  const { view, seen } = await ann.state();
  assert.deepEqual(view.moves?.[0], [7, 7]);
  assert.deepEqual(seen.told, [1, 2]);
  await ann.close();
});

test("a server that is killed and started again has no game any more, and the page says so",
  async () => {
    const node = await start();
    const ann = await playing(node);
    const bob = await playing(node);
    // Bob's page is loaded again meanwhile, so it finds out in another way: until then it is away,
    // or it would find out as Ann's does, and have nothing to say when it is loaded.
    bob.network.down();
    ann.network.down();
    const address = bob.page.url();
    await bob.page.goto("about:blank");
    await node.stop("SIGKILL");
    const next = await start();
    ann.network.up(next.port);
    bob.network.up(next.port);
    await bob.page.goto(address);
    for (const player of [ann, bob]) {
      await says(player, /Your game is over: the server does not know it any more/);
      await player.part("play-bot").waitFor({ state: "visible" });
    }
    await ann.picture("server-restarted");
    // And the page is good for another game.
    await ann.enter("Ann", "play-bot");
    await ann.inGame();
    await Promise.all([ann.close(), bob.close()]);
  });

test("a duplicated tab takes the game over, and the first page says where it went", async () => {
  const ann = await playing(await start());
  await ann.myTurn();
  await ann.place([7, 7]);
  await ann.hasMoves(2);
  const { id } = await ann.state();
  // Opened by the page, a tab gets a copy of its session storage, as a duplicated one does.
  const opened = ann.page.context().waitForEvent("page");
  await ann.page.evaluate(() => void window.open(location.href));
  const tab = new Player(await opened, ann.network);
  await says(ann, /Your game goes on in another tab/);
  await tab.inGame();
  assert.equal((await tab.state()).id, id);
  await tab.hasMoves(2);
  await tab.myTurn();
  const free = await tab.page.evaluate(() => {
    const taken = new Set((window.omok.view.moves ?? []).map(String));
    for (let x = 0; ; x += 1) if (!taken.has(`${x},0`)) return x;
  });
  await tab.place([free, 0]);
  await tab.hasMoves(4);
  // Nobody takes it back.
  assert.equal(await ann.page.evaluate(() => window.omok.session), undefined);
  assert.equal((await tab.state()).repairs, 0);
  await says(ann, /Your game goes on in another tab/);
  await ann.picture("taken-over");
  assert.deepEqual(tab.errors, []);
  await ann.close();
});

test("a server that stops says so to its players", async () => {
  const node = await start();
  const ann = await playing(node);
  assert.equal(await node.stop(), 0);
  await says(ann, /Your game is over: the server has stopped/);
  await ann.part("play-bot").waitFor({ state: "visible" });
  await ann.close();
});

test("the sliders make the link slow and lossy, and the game goes on", async () => {
  const ann = await playing(await start("--development.simulate-link", "true"));
  await ann.openNetwork();
  await ann.part("delay").fill("100");
  await ann.part("loss").fill("20");
  await ann.until(() => (window.omok.session?.rtt() ?? 0) >= 200);
  await ann.until(() => {
    const shown = document.querySelector('[data-testid="counter-rtt"]')?.textContent;
    return parseInt(shown ?? "", 10) >= 200;
  });
  await ann.place([7, 7]);
  await ann.hasMoves(2);
  assert.deepEqual((await ann.state()).seen.told, [1, 2]);
  await ann.close();
});

test("a node that simulates no links says so, and the sliders go back", async () => {
  const ann = await playing(await start("--development.simulate-link", "false"));
  await ann.openNetwork();
  await ann.part("delay").fill("300");
  await says(ann, /this node does not simulate bad links/);
  assert.equal(await ann.part("delay").inputValue(), "0");
  await ann.place([7, 7]);
  await ann.hasMoves(2);
  await ann.close();
});

test("plain http on another host than localhost says why there is no game", async () => {
  const ann = await Player.open(browser, await start(), { host: "game.test" });
  assert.equal(await ann.page.evaluate(() => isSecureContext), false);
  await ann.part("name").fill("Ann");
  await ann.part("play-bot").click();
  await says(ann, /no WebCrypto .* https/);
  await ann.picture("plain-http");
  await ann.close();
});
