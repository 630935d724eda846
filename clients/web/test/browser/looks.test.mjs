/**
 * The page on a desktop and on a phone, light and dark: everything has room, and a finger plays.
 * The pictures are for people.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Omok } from "../omok.mjs";
import { Player, launch } from "./player.mjs";

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const SMALL_PHONE = { ...PHONE, viewport: { width: 320, height: 568 } };
const DESKTOP = { viewport: { width: 1280, height: 800 } };
const LIGHT = /** @type {const} */ ({ colorScheme: "light" });
const DARK = /** @type {const} */ ({ colorScheme: "dark" });

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

test("a phone and a desktop play each other, and all of the page has room", async () => {
  const phone = await Player.open(browser, node, { ...PHONE, ...LIGHT, deviceScaleFactor: 2 });
  const desktop = await Player.open(browser, node, { ...DESKTOP, ...DARK });
  await look(phone, "phone-lobby");
  await look(desktop, "desktop-dark-lobby");
  await phone.enter("Ann", "create-code");
  await phone.until(() => window.omok.view.place === "waiting");
  await look(phone, "phone-waiting");
  await desktop.part("code-input").fill(await phone.part("code").innerText());
  await desktop.enter("A player with a long name", "join-code");
  await Promise.all([phone.inGame(), desktop.inGame()]);
  await boardIsSeen(phone);
  await boardIsSeen(desktop);
  for (let number = 0; number < 9; number += 1) {
    const phoneMoves = ((await phone.state()).view.mine === "black") === (number % 2 === 0);
    const at = /** @type {const} */ ([3 + (number >> 1), 7 + (number % 2)]);
    await (phoneMoves ? phone : desktop).myTurn();
    await (phoneMoves ? phone.tap(at) : desktop.place(at));
    await Promise.all([phone.hasMoves(number + 1), desktop.hasMoves(number + 1)]);
    if (number === 5) await look(phone, "phone-game");
    if (number === 5) await look(desktop, "desktop-dark-game");
  }
  await Promise.all([phone, desktop].map((player) => player.until(() => window.omok.view.over)));
  await look(phone, "phone-result");
  await look(desktop, "desktop-dark-result");
  await phone.openNetwork();
  await phone.part("network").scrollIntoViewIfNeeded();
  await look(phone, "phone-network");
  await Promise.all([phone.close(), desktop.close()]);
});

test("a small phone has room, in the dark and on its side", async () => {
  const phone = await Player.open(browser, node, { ...SMALL_PHONE, ...DARK });
  await look(phone, "small-phone-dark-lobby");
  await phone.enter("Ann", "play-bot");
  await phone.inGame();
  await phone.myTurn();
  await phone.tap([7, 7]);
  await phone.hasMoves(2);
  await boardIsSeen(phone);
  await look(phone, "small-phone-dark-game");
  await phone.page.setViewportSize({ width: 568, height: 320 });
  await boardIsSeen(phone);
  await look(phone, "small-phone-side-game");
  await phone.close();
});

/** @param {Player} player @param {string} name */
async function look(player, name) {
  await player.fits();
  await player.picture(name);
}

/** All of the board is in view without scrolling. @param {Player} player */
async function boardIsSeen(player) {
  const box = await player.part("board").boundingBox();
  const size = player.page.viewportSize();
  assert.ok(box && size);
  assert.ok(box.x >= 0 && box.y >= 0, JSON.stringify(box));
  assert.ok(box.x + box.width <= size.width, `${JSON.stringify(box)} in ${JSON.stringify(size)}`);
  assert.ok(box.y + box.height <= size.height, `${JSON.stringify(box)} in ${JSON.stringify(size)}`);
  assert.ok(box.width >= Math.min(size.width, size.height) / 2, `${box.width} is small`);
}
