/**
 * A visitor of the omok page in headless Chromium, behind a network of its own that can be cut.
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { Proxy } from "./proxy.mjs";

/** Longest wait for anything; far above what a busy machine needs. */
const PATIENCE_MS = 30_000;
const POLL_MS = 25;
const OUTPUT = fileURLToPath(new URL("../../../../tests/output/browser/", import.meta.url));
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
/** What Chromium itself writes to the console when a WebSocket breaks or does not open. */
const EXPECTED = /^WebSocket connection to 'ws:[^']*' failed/;

/** @param {string[]} flags more of Chromium's flags */
export function launch(...flags) {
  const executablePath = process.env["CHROMIUM_BIN"] ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...flags] });
}

export class Player {
  page;
  network;
  /** Errors of the page and of its console, but for the expected ones. */
  errors = /** @type {string[]} */ ([]);
  #host = "127.0.0.1";

  /**
   * @param {import("playwright-core").Page} page
   * @param {Proxy} network
   */
  constructor(page, network) {
    this.page = page;
    this.network = network;
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("console", (message) => {
      const bad = message.type() === "error" && !EXPECTED.test(message.text());
      if (bad) this.errors.push(message.text());
    });
  }

  /**
   * Opens the page of a node, or of a cluster.
   * @param {import("playwright-core").Browser} browser
   * @param {{ readonly port: number }} node
   * @param {import("playwright-core").BrowserContextOptions & { host?: string }} [options]
   */
  static async open(browser, node, { host, ...options } = {}) {
    const context = await browser.newContext({ reducedMotion: "reduce", ...options });
    await context.addInitScript(watch);
    const player = new Player(await context.newPage(), await Proxy.start(node.port));
    player.#host = host ?? player.#host;
    await player.page.goto(`http://${player.#host}:${player.network.port}/`);
    return player;
  }

  /** Asserts that the page had no error, and closes it. */
  async close() {
    await this.page.context().close();
    this.network.stop();
    assert.deepEqual(this.errors, []);
  }

  /** An element, by its `data-testid`. @param {string} name */
  part(name) {
    return this.page.getByTestId(name);
  }

  /** Enters the lobby under a name, with one of its buttons. @param {string} name */
  async enter(name, button = "play-bot") {
    await this.part("name").fill(name);
    await this.part(button).click();
    await this.until(() => window.omok.session?.state === "live");
    await this.page.evaluate(() => window.watch());
  }

  /**
   * Waits until the page says that something is so.
   * @template Argument
   * @param {(argument: Argument) => unknown} what
   * @param {Argument} [argument]
   */
  async until(what, argument) {
    const wait = { polling: POLL_MS, timeout: PATIENCE_MS };
    await this.page.waitForFunction(/** @type {any} */ (what), argument, wait);
  }

  async openNetwork() {
    const panel = this.part("network");
    if (await panel.getAttribute("open") === null) await panel.locator("summary").click();
  }

  async inGame() {
    await this.until(() => window.omok.view.place === "game");
  }

  /** Waits until a number of stones is on the board. @param {number} count */
  async hasMoves(count) {
    await this.until((wanted) => (window.omok.view.moves ?? []).length >= wanted, count);
  }

  async myTurn() {
    await this.until(() => window.omok.view.turn?.stone === window.omok.view.mine);
  }

  /** Places a stone as a mouse would. @param {readonly [number, number]} point */
  async place(point) {
    const at = await this.page.evaluate(([x, y]) => window.omok.cell(x, y), point);
    await this.page.mouse.click(at.x, at.y);
  }

  /** Places a stone as a finger would. @param {readonly [number, number]} point */
  async tap(point) {
    const at = await this.page.evaluate(([x, y]) => window.omok.cell(x, y), point);
    await this.page.touchscreen.tap(at.x, at.y);
  }

  /** What the page knows of the game and its session. */
  state() {
    return this.page.evaluate(() => ({
      id: window.omok.session?.id,
      repairs: window.omok.session?.stats.repairs ?? 0,
      view: window.omok.view,
      holes: window.omok.holes,
      seen: window.seen,
    }));
  }

  /** Waits until the session has been repaired more often. @param {number} before */
  async repaired(before) {
    await this.until((count) => {
      const { session } = window.omok;
      return session?.state === "live" && session.stats.repairs > count;
    }, before);
  }

  /** The colour of the repair dot, and what it is called by the style sheet. */
  dot() {
    return this.part("repair-dot").evaluate((dot) => {
      /** @param {string} name */
      const named = (name) => {
        const probe = document.createElement("i");
        probe.style.color = `var(${name})`;
        document.body.append(probe);
        const { color } = getComputedStyle(probe);
        probe.remove();
        return color;
      };
      const shown = getComputedStyle(dot).backgroundColor;
      const names = { amber: "--amber", green: "--live", red: "--hurry" };
      return Object.entries(names).find(([, name]) => named(name) === shown)?.[0] ?? shown;
    });
  }

  /** @param {string} name of the file */
  async picture(name) {
    await this.page.screenshot({ path: `${OUTPUT}${name}.png`, animations: "disabled" });
  }

  /** Asserts that nothing sticks out of the page at its sides. */
  async fits() {
    const [wide, room] = await this.page.evaluate(() =>
      [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= room, `the page is ${wide} wide and has room for ${room}`);
  }
}

/** Runs in the page before its own scripts, also after a reload. */
function watch() {
  // A page that is nobody's has no storage.
  if (location.protocol === "about:") return;
  const KEY = "seen";
  const seen = JSON.parse(sessionStorage.getItem(KEY) ?? '{"links":[],"told":[]}');
  window.seen = seen;
  const keep = () => sessionStorage.setItem(KEY, JSON.stringify(seen));
  addEventListener("DOMContentLoaded", () => {
    new MutationObserver(() => {
      seen.links.push(document.body.dataset["link"]);
      keep();
    }).observe(document.body, { attributeFilter: ["data-link"] });
  });
  /** @type {unknown} */
  let watched;
  window.watch = () => {
    const { session } = window.omok;
    if (session === undefined || session === watched) return;
    watched = session;
    session.on("message", (tell) => {
      if (tell.tell !== "placed") return;
      seen.told.push(tell.number);
      keep();
    });
  };
  // A page that is loaded again has its session at once, and messages may come at once.
  /** @type {typeof window.omok} */
  let omok;
  Object.defineProperty(window, "omok", {
    get: () => omok,
    set(value) {
      omok = value;
      window.watch();
    },
  });
}
