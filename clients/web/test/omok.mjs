/**
 * A real node that plays omok: OMOK_BIN is the path of its binary.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export class Omok {
  #process;
  /** Where its page is. */
  url = "";

  /** @param {import("node:child_process").ChildProcess} process */
  constructor(process) {
    this.#process = process;
  }

  /**
   * Starts a node on free ports, and returns when it serves.
   * @param {string[]} flags more of its flags
   */
  static async start(...flags) {
    const binary = process.env["OMOK_BIN"];
    assert.ok(binary, "OMOK_BIN must be the path of the omok binary: cargo build -p omok");
    const places = ["listen.http", "listen.link", "admin.listen"];
    const args = ["node", ...places.flatMap((name) => [`--${name}`, "127.0.0.1:0"]), ...flags];
    const child = spawn(binary, args, { stdio: ["ignore", "pipe", "inherit"] });
    const node = new Omok(child);
    const { stdout } = child;
    assert.ok(stdout);
    const lines = createInterface(stdout);
    node.url = await new Promise((resolve, reject) => {
      lines.on("line", (line) => {
        const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
        if (found) resolve(found[0]);
      });
      child.on("error", reject);
      child.on("exit", (code) => reject(new Error(`the node ended with ${code}`)));
    });
    return node;
  }

  get port() {
    return Number(new URL(this.url).port);
  }

  /**
   * Ends the process, and returns its exit status: `null` if the signal killed it.
   * @param {NodeJS.Signals} [signal]
   */
  async stop(signal = "SIGINT") {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exit = once(this.#process, "exit");
      this.#process.kill(signal);
      await exit;
    }
    return this.#process.exitCode;
  }
}
