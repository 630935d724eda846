/**
 * A link and a model node in virtual time, with a network between them that tests can break.
 */

import { createHmac } from "node:crypto";

import { decodeText, encodeText } from "../src/bytes.js";
import { statusOfCode } from "../src/codes.js";
import { resumeFrame } from "../src/frames.js";
import { Link } from "../src/link.js";
import { recordFromText, recordToText } from "../src/record.js";
import { ModelNode } from "./model-node.mjs";

/** One way through the network, in milliseconds. */
const DELAY = 5;

/** Where a Resume's body has its attempt: behind magic, versions and session id. */
const ATTEMPT_AT = 4 + 2 + 16;

/** @type {import("../src/tries.js").Limits} the defaults */
const LIMITS = {
  addressOrder: "advertisedFirst", tries: 8, tryTimeout: 5_000, advertisedTryTimeout: 2_000,
  totalTime: undefined,
};

/** Events without an end in sight mean a loop without an end. */
const STEPS = 100_000;

/**
 * @typedef {object} Pipe
 * @property {number} connection
 * @property {string} url
 * @property {import("./model-node.mjs").Line | undefined} line
 * @property {boolean} broken
 */

export class World {
  now = 0;
  node = new ModelNode();
  /** @type {Link} */
  link;
  /** @type {Pipe | undefined} */
  pipe;
  /** @type {string[]} what the client's game got, over all reloads */
  got = [];
  /** @type {(import("../src/happenings.js").LinkEvent & { at: number })[]} */
  events = [];
  /** @type {{ url: string, at: number }[]} every try */
  tries = [];
  /** @type {string | null} */
  stored = null;
  /** Whether sockets open. */
  reachable = true;
  /** @type {Set<string>} addresses at which nothing listens */
  dead = new Set();
  /** @type {Set<string>} addresses at which nothing ever answers */
  silent = new Set();
  /** Whether what is on its way arrives. */
  passing = true;
  /**
   * Called with the count of deliveries: what happens instead of this one?
   * @type {(deliveries: number) => "cut" | "reload" | undefined}
   */
  breaks = () => undefined;
  #deliveries = 0;
  /** @type {{ at: number, run: () => void }[]} */
  #network = [];
  #options;

  /**
   * @param {Partial<Omit<import("../src/happenings.js").LinkOptions, "limits">
   *   & { limits: Partial<import("../src/tries.js").Limits> }>} [options]
   */
  constructor(options = {}) {
    this.#options = {
      kind: "test", login: encodeText("ann"), gameVersion: undefined, urls: ["ws://a/link"],
      /** @param {string} address */
      usable: (address) => address.startsWith("ws"),
      random: () => 0.5, record: undefined, ...options,
      limits: { ...LIMITS, ...options.limits },
    };
    this.link = new Link(this.#options);
  }

  start() {
    this.link.start(this.now);
    this.#drain();
    return this;
  }

  /** The page is loaded again: only what is stored remains. */
  reload() {
    this.breakPipe();
    // The old page may have tried again before it went.
    if (this.pipe !== undefined) this.pipe.broken = true;
    this.pipe = undefined;
    const record = this.stored === null ? undefined : recordFromText(this.stored);
    this.link = new Link({ ...this.#options, record });
    this.#network = this.#network.filter(() => false);
    return this.start();
  }

  /** @param {string} text */
  send(text) {
    const result = this.link.send(encodeText(text));
    this.#drain();
    return result;
  }

  /** Does something to the link, then what follows from it. @param {() => void} act */
  act(act) {
    act();
    this.#drain();
  }

  /** The wire breaks; both sides notice. */
  breakPipe() {
    const { pipe } = this;
    if (pipe === undefined) return;
    this.pipe = undefined;
    pipe.broken = true;
    pipe.line?.drop(0);
    this.link.handleClosed(pipe.connection, 1006, "broken", this.now);
    this.#drain();
  }

  /** Lets time pass. @param {number} ms */
  run(ms) {
    const end = this.now + ms;
    for (let step = 0; this.#step(end); step += 1) {
      if (step === STEPS) throw new Error("no end in sight");
    }
    this.now = end;
  }

  /** Lets time pass until something holds. @param {() => boolean} condition */
  until(condition) {
    for (let step = 0; !condition(); step += 1) {
      if (step === STEPS || !this.#step(Infinity)) throw new Error("it never came");
    }
  }

  /** @param {string} type */
  count(type) {
    return this.events.filter((event) => event.type === type).length;
  }

  /** @param {number} end */
  #step(end) {
    this.#network.sort((a, b) => a.at - b.at);
    const delivery = this.#network[0]?.at ?? Infinity;
    const at = Math.min(delivery, this.link.pollTimeout());
    if (at > end || at === Infinity) return false;
    this.now = Math.max(this.now, at);
    if (delivery <= at) this.#network.shift()?.run();
    else this.link.handleTimeout(this.now);
    this.#drain();
    return true;
  }

  #drain() {
    const { link } = this;
    if (link.takeDirty()) {
      const record = link.export();
      this.stored = record === undefined ? null : recordToText(record);
    }
    for (let a = link.pollAction(this.now); a; a = link.pollAction(this.now)) this.#perform(a);
    for (let e = link.pollEvent(); e; e = link.pollEvent()) {
      this.events.push({ ...e, at: this.now });
    }
    for (let m = link.pollMessage(); m; m = link.pollMessage()) {
      this.got.push(decodeText(m.payload));
      link.handleHandled(m.seq, this.now);
      this.#drain();
    }
  }

  /** @param {import("../src/happenings.js").Action} action */
  #perform(action) {
    if (action.type === "connect") return this.#connect(action);
    const { pipe } = this;
    if (pipe?.connection !== action.connection) return;
    if (action.type === "send") {
      return this.#carry(pipe, () => pipe.line?.receive(action.bytes));
    }
    // What was sent before is still on its way.
    this.pipe = undefined;
    this.#later(() => {
      pipe.broken = true;
      pipe.line?.drop(0);
    });
  }

  /** @param {import("../src/happenings.js").Action & { type: "connect" }} action */
  #connect(action) {
    const { connection, url } = action;
    if (this.pipe !== undefined) throw new Error("a connection, and the last one is not closed");
    if ("body" in action) this.#checkStored(action.body);
    this.tries.push({ url, at: this.now });
    /** @type {Pipe} */
    const pipe = { connection, url, line: undefined, broken: false };
    this.pipe = pipe;
    this.#later(() => {
      if (pipe.broken || this.silent.has(url)) return;
      if (!this.reachable || this.dead.has(url)) return this.breakPipe();
      pipe.line = this.node.line(
        (bytes) => this.#carry(pipe, () => {
          this.link.handleBytes(connection, bytes, this.now);
        }),
        (code) => this.#carry(pipe, () => {
          pipe.broken = true;
          if (this.pipe === pipe) this.pipe = undefined;
          const status = code === 0 ? 1006 : statusOfCode(code);
          this.link.handleClosed(connection, status, "", this.now);
        }),
        url,
      );
      const first = "hello" in action
        ? action.hello
        : resumeFrame(action.body, prove(action.secret, action.body));
      this.link.handleOpened(connection);
      this.#carry(pipe, () => pipe.line?.receive(first));
    });
  }

  /** The attempt of a Resume is stored before it leaves. @param {Uint8Array} body */
  #checkStored(body) {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const attempt = Number(view.getBigUint64(ATTEMPT_AT));
    const stored = this.stored === null ? undefined : recordFromText(this.stored);
    if (stored?.attempt === attempt) return;
    throw new Error(`attempt ${attempt} leaves, and ${stored?.attempt} is stored`);
  }

  /** @param {Pipe} pipe @param {() => void} arrive */
  #carry(pipe, arrive) {
    this.#later(() => {
      if (pipe.broken || !this.passing) return;
      this.#deliveries += 1;
      const what = pipe === this.pipe ? this.breaks(this.#deliveries) : undefined;
      if (what === "cut") return this.breakPipe();
      if (what === "reload") return void this.reload();
      arrive();
    });
  }

  /** @param {() => void} run */
  #later(run) {
    this.#network.push({ at: this.now + DELAY, run });
  }
}

/** @param {Uint8Array} secret @param {Uint8Array} body */
function prove(secret, body) {
  const hmac = createHmac("sha256", secret).update("throughline-resume-1");
  return new Uint8Array(hmac.update(body).digest());
}
