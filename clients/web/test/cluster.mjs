/**
 * A real cluster that plays omok, as `omok cluster` starts it: a hub, three nodes and a balancer.
 * Or one of another game, of which the binary is named.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/**
 * What it tells once a second.
 * @typedef {object} Told
 * @property {string} url
 * @property {{ name: string, state: string, admin: string, lost?: number }[]} nodes
 * @property {{ who: string, text: string }[]} events
 */

/** Events of a process that is not well. */
const BAD = /^(died|did not start|does not|stopped with something left)|lost with their node/;

export class Cluster {
  #process;
  #data;
  /** @type {AsyncIterator<string>} */
  #lines;
  /** @type {{ who: string, text: string }[]} those that nobody has waited for yet */
  #events = [];
  /** @type {Told | undefined} */
  last;
  /** Whether a test kills nodes whose sessions are lost then. */
  kills = false;

  /** @param {import("node:child_process").ChildProcess} process @param {string} data */
  constructor(process, data) {
    this.#process = process;
    this.#data = data;
    assert.ok(process.stdout);
    this.#lines = createInterface(process.stdout)[Symbol.asyncIterator]();
  }

  /**
   * Starts a cluster on free ports, in a folder of its own, and returns when it serves.
   * @param {string[]} flags more of its flags
   */
  static async start(...flags) {
    return Cluster.of("omok", ...flags);
  }

  /**
   * The same of another game: of the binary that `GAME_BIN` names.
   * @param {string} game
   * @param {string[]} flags
   */
  static async of(game, ...flags) {
    const variable = `${game.toUpperCase()}_BIN`;
    const binary = process.env[variable];
    assert.ok(binary, `${variable} must be the path of the ${game} binary: cargo build -p ${game}`);
    const data = await mkdtemp(join(tmpdir(), `${game}-`));
    const ports = ["http-port", "link-port", "node-ports"].flatMap((name) => [`--${name}`, "0"]);
    const args = ["cluster", "--json", "--data", data, ...ports, ...flags];
    const env = { ...process.env, PUZZLE_DATABASE: join(data, "puzzle.db") };
    const child = spawn(binary, args, { stdio: ["pipe", "pipe", "inherit"], env });
    const cluster = new Cluster(child, data);
    await cluster.until("", "everything serves");
    return cluster;
  }

  /** The balancer's port for pages. */
  get port() {
    assert.ok(this.last);
    return Number(new URL(this.last.url).port);
  }

  /** Gives an order, such as `stop 2`. @param {string} line */
  order(line) {
    this.#process.stdin?.write(`${line}\n`);
  }

  /**
   * Waits for an event that begins so, and returns it.
   * @param {string} who a process, or nobody
   * @param {string} text
   */
  async until(who, text) {
    for (;;) {
      const at = this.#events.findIndex((event) =>
        event.who === who && event.text.startsWith(text));
      const found = this.#events[at];
      if (found) {
        this.#events.splice(0, at + 1);
        return found.text;
      }
      const bad = this.#events.find((event) => BAD.test(event.text));
      assert.ok(this.kills || !bad, `${bad?.who}: ${bad?.text}`);
      await this.#hear();
    }
  }

  /** Restarts a node in good order: its sessions go elsewhere first. @param {number} node */
  async restart(node) {
    this.order(`stop ${node}`);
    const stopped = await this.until(`n${node}`, "stopped");
    this.order(`start ${node}`);
    await this.until(`n${node}`, "serving");
    return stopped;
  }

  /** Kills a process, as `kill -9` does, and starts it again. @param {string} who n1 or hub */
  async kill(who) {
    this.order(`kill ${who}`);
    await this.until(who, "killed");
    this.order(`start ${who}`);
    await this.until(who, "serving");
  }

  /** Sessions that the nodes have lost, as far as those that run now know. */
  async lost() {
    await this.#hear();
    return this.last?.nodes.reduce((sum, node) => sum + (node.lost ?? 0), 0);
  }

  /** Says something to all players, as an operator would. @param {string} text */
  async announce(text) {
    for (const { admin } of this.last?.nodes ?? []) {
      const answer = await fetch(`http://${admin}/announce`, { method: "POST", body: text });
      assert.equal(answer.status, 200, await answer.text());
    }
  }

  /** Stops everything, and returns the exit status. */
  async stop() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exit = once(this.#process, "exit");
      this.order("quit");
      // What is not read fills the pipe.
      while (!(await this.#lines.next()).done);
      await exit;
    }
    await rm(this.#data, { recursive: true, force: true });
    return this.#process.exitCode;
  }

  async #hear() {
    const { value, done } = await this.#lines.next();
    assert.ok(!done, "the cluster has ended");
    this.last = /** @type {Told} */ (JSON.parse(value));
    this.#events.push(...this.last.events);
  }
}
