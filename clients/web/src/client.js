/**
 * The client of a Throughline node, for browsers and Node: `connect` gives a session whose
 * messages arrive exactly once and in order, whatever happens to its connections. This file
 * drives the state machine of link.js with sockets, timers, WebCrypto and a storage.
 */

import { statusOfCode, Code } from "./codes.js";
import { TIMER_MAX_MS, WAITING_SENDS } from "./defaults.js";
import { Emitter } from "./emitter.js";
import { SendError } from "./errors.js";
import { resumeFrame } from "./frames.js";
import { Link } from "./link.js";
import { checkOptions, resolve, usable } from "./options.js";
import { prove, requireWebCrypto } from "./proof.js";
import { SessionStore } from "./storage.js";
import { Transport } from "./transport.js";

export { CODES } from "./codes.js";
export { ConnectError, SendError } from "./errors.js";

/** @typedef {import("./options.js").ConnectOptions} ConnectOptions */
/** @typedef {import("./happenings.js").State} State */
/** @typedef {import("./happenings.js").Cause} Cause */

/**
 * Counters of the session, over all its connections and reloads.
 * @typedef {object} Stats
 * @property {number} sent messages sent
 * @property {number} retained of these, not yet acknowledged
 * @property {number} acked of these, acknowledged: the game's server has handled them
 * @property {number} received messages received
 * @property {number} repairs connections that broke and were replaced
 */

/**
 * The events and what their listeners get.
 *
 * A `message` counts as handled when its listeners have returned, or when the promises they
 * returned have settled; until then the next one waits, and so does `ended`. Without a listener
 * messages wait, too.
 * @typedef {object} SessionEvents
 * @property {{ id: string, resumed: boolean, previous: Cause | undefined }} open the session is
 *   there. `resumed`: it was stored before a reload. `previous`: a stored session was refused
 *   for this reason, and this one is new
 * @property {any} message from the game's server
 * @property {{ cause: Cause }} repairStarted the connection broke; the client repairs it
 * @property {{ repairs: number }} repaired all is as it was
 * @property {{ cause: Cause }} repairFailed all tries are used up: ask the player, then `retry`
 * @property {{ reconnectIn: number, addresses: string[] }} restarting the node restarts soon;
 *   the client moves by itself
 * @property {Cause} ended the session is over, here and for good
 * @property {Stats} stats a counter changed
 * @property {unknown} error a listener failed, a message was not readable, or the storage does
 *   not take the session. Without a listener it goes to the console
 */

/**
 * A message that waits for room.
 * @typedef {{ payload: Uint8Array, resolve: () => void, reject: (error: SendError) => void }} Wait
 */

/**
 * Opens a session, or resumes the stored one. Returns at once; `open` or `ended` follows.
 * Throws a `ConnectError` if the options are wrong or this place lacks WebSocket or WebCrypto.
 * @param {ConnectOptions} options
 * @returns {Session}
 */
export function connect(options) {
  requireWebCrypto();
  return new Session(options);
}

/** One session. Made by `connect`. */
export class Session {
  #codec;
  #Socket;
  #store;
  #link;
  /** @type {Emitter<SessionEvents>} */
  #emitter = new Emitter();
  /** @type {{ connection: number, transport: Transport } | undefined} */
  #current;
  /** @type {Wait[]} */
  #waiting = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #scheduled = false;
  #pumping = false;
  /** Whether the stored session is no longer ours to write. */
  #forgotten = false;
  #storageFailed = false;
  #endedTold = false;
  #shownStats = "";

  /** @param {ConnectOptions} options */
  constructor(options) {
    const { codec, Socket, storage, storageKey, ...link } = checkOptions(options);
    this.#codec = codec;
    this.#Socket = Socket;
    this.#store = new SessionStore(storage, storageKey);
    const record = this.#store.load(link.kind);
    this.#link = new Link({ ...link, usable, random: Math.random, record });
    this.#link.start(performance.now());
    this.#wake();
  }

  /** The session id, 32 hex digits; `undefined` before the first `open`. */
  get id() {
    return this.#link.id;
  }

  /** @returns {State} */
  get state() {
    return this.#link.state;
  }

  /** @returns {Stats} */
  get stats() {
    return this.#link.stats;
  }

  /** The latest round trip in milliseconds; `undefined` before there was one. */
  rtt() {
    return this.#link.rtt;
  }

  /** The node's clock, in milliseconds since 1970; `undefined` before the first `open`. */
  serverTime() {
    return this.#link.serverTime(performance.now());
  }

  /**
   * Adds a listener. Returns a function that takes it away again.
   * @template {keyof SessionEvents} Name
   * @param {Name} name
   * @param {(value: SessionEvents[Name]) => unknown} listener
   * @returns {() => void}
   */
  on(name, listener) {
    const off = this.#emitter.on(name, listener);
    this.#wake();
    return off;
  }

  /**
   * Sends a message. Resolves when it is taken, which waits for the first `open` and for room in
   * the window; from then on it arrives once, or the session ends. Rejects with a `SendError`.
   * @param {unknown} value
   * @returns {Promise<void>}
   */
  send(value) {
    /** @type {Promise<void>} */
    const sent = new Promise((resolve, fail) => {
      /** @param {SendError} error */
      const reject = (error) => {
        fail(error);
        // Who does not await a send hears of the end by `ended`; all other errors are mistakes
        // of the caller and stay visible.
        if (error.code === "Ended") queueMicrotask(() => sent.catch(() => {}));
      };
      const wait = { payload: this.#codec.encode(value), resolve, reject };
      if (this.#waiting.length > 0 || !this.#offer(wait)) this.#enqueue(wait);
    });
    return sent;
  }

  /**
   * Sends a message if it need not wait. Returns false if it would have to, or if the session has
   * ended; throws a `SendError` if it is too large.
   * @param {unknown} value
   */
  trySend(value) {
    const payload = this.#codec.encode(value);
    const result = this.#waiting.length > 0 ? "wouldBlock" : this.#link.send(payload);
    if (result === "tooLarge") throw this.#tooLarge(payload);
    this.#wake();
    return result === "sent";
  }

  /** After `repairFailed`: tries again, as the player asked. Returns false in other states. */
  retry() {
    const retried = this.#link.retry(performance.now());
    this.#wake();
    return retried;
  }

  /**
   * Ends the session. What was sent before goes out if the connection is live; what was received
   * and not handled is dropped.
   */
  leave() {
    if (this.#link.state === "ended") return;
    this.#link.leave(performance.now());
    this.#forget();
    this.#wake();
  }

  /**
   * Drops the connection and goes on at this address first; if it does not answer, where a repair
   * goes. Nothing is lost. After `repairFailed` the next `retry` goes there. For load, tests and
   * demonstrations: a game has no need of it. Throws a `ConnectError` if the address is wrong.
   * @param {string} url as in the options
   */
  moveTo(url) {
    this.#link.moveTo(resolve(url), performance.now());
    this.#wake();
  }

  /** For development: drops the connection, as if it had broken. */
  cut() {
    this.#link.cut(performance.now());
    this.#wake();
  }

  /**
   * For development: drops the connection and does not try again for a time.
   * @param {number} ms
   */
  offline(ms) {
    this.#link.offline(ms, performance.now());
    this.#wake();
  }

  /** Everything that happens ends here; once per microtask, however much happened. */
  #wake() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#drain();
    });
  }

  #drain() {
    const now = performance.now();
    // Browsers slow the timers of hidden pages down, so every event looks at the clock.
    this.#link.handleTimeout(now);
    this.#releaseSends();
    // Stored before anything leaves: what the node has heard of must never be forgotten here.
    if (this.#link.takeDirty()) this.#save();
    for (let next = this.#link.pollAction(now); next; next = this.#link.pollAction(now)) {
      this.#perform(next);
    }
    for (let next = this.#link.pollEvent(); next; next = this.#link.pollEvent()) {
      this.#tell(next);
    }
    void this.#pump();
    this.#tellStats();
    this.#setTimer(now);
  }

  #save() {
    if (this.#forgotten) return;
    if (this.#link.ending?.code === Code.TakenOver) return;
    const error = this.#store.save(this.#link.export());
    if (error !== undefined && !this.#storageFailed) this.#report(error);
    this.#storageFailed = error !== undefined;
  }

  #forget() {
    if (!this.#forgotten) this.#store.forget(this.#link.export());
    this.#forgotten = true;
  }

  /** @param {import("./happenings.js").Action} action */
  #perform(action) {
    if (action.type === "connect") return this.#connect(action);
    if (this.#current?.connection !== action.connection) return;
    if (action.type === "send") return this.#current.transport.send(action.bytes);
    const { code } = action;
    this.#current.transport.close(code === undefined ? undefined : statusOfCode(code));
    this.#current = undefined;
  }

  /** @param {import("./happenings.js").Action & { type: "connect" }} action */
  #connect(action) {
    const { connection, url } = action;
    const first = "hello" in action
      ? Promise.resolve(action.hello)
      : prove(action.secret, action.body).then((proof) => resumeFrame(action.body, proof));
    const link = this.#link;
    /** @param {(now: number) => void} handle */
    const then = (handle) => {
      handle(performance.now());
      this.#wake();
    };
    const transport = new Transport(this.#Socket, url, first, {
      opened: () => then(() => link.handleOpened(connection)),
      bytes: (message) => then((now) => link.handleBytes(connection, message, now)),
      text: () => then((now) => link.handleText(connection, now)),
      closed: (status, text) => then((now) => link.handleClosed(connection, status, text, now)),
    });
    this.#current = { connection, transport };
  }

  /** @param {import("./happenings.js").LinkEvent} event */
  #tell(event) {
    const { type, ...value } = event;
    const extra = type === "open" ? { id: this.id } : { repairs: this.stats.repairs };
    const full = type === "open" || type === "repaired" ? { ...value, ...extra } : value;
    this.#emit(type, /** @type {any} */ (full));
  }

  /**
   * @template {keyof SessionEvents} Name
   * @param {Name} name
   * @param {SessionEvents[Name]} value
   */
  #emit(name, value) {
    for (const listener of this.#emitter.of(name)) {
      try {
        listener(value);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  /** @param {unknown} error */
  #report(error) {
    const listeners = this.#emitter.of("error");
    if (listeners.length === 0) console.error("throughline:", error);
    for (const listener of listeners) {
      try {
        listener(error);
      } catch (worse) {
        console.error("throughline:", worse);
      }
    }
  }

  /** Hands messages to the game, one at a time, and the end after the last. */
  async #pump() {
    if (this.#pumping) return;
    this.#pumping = true;
    const seen = this.#emitter;
    while (seen.has("message") || this.#link.ending !== undefined) {
      const message = this.#link.pollMessage();
      if (message === undefined) break;
      const handling = this.#handle(message.payload);
      // No await for a listener that has returned: then one write stores many messages.
      if (handling.length > 0) await Promise.allSettled(handling);
      this.#link.handleHandled(message.seq, performance.now());
      this.#wake();
    }
    this.#pumping = false;
    if (this.#link.ending !== undefined) this.#finish(this.#link.ending);
  }

  /**
   * Calls the listeners with a message; returns the promises to wait for.
   * @param {Uint8Array} payload
   */
  #handle(payload) {
    /** @type {Promise<unknown>[]} */
    const promises = [];
    try {
      const value = this.#codec.decode(payload);
      for (const listener of this.#emitter.of("message")) {
        promises.push(...this.#call(listener, value));
      }
    } catch (error) {
      this.#report(error);
    }
    return promises;
  }

  /**
   * @param {(value: any) => unknown} listener
   * @param {unknown} value
   * @returns {Promise<unknown>[]}
   */
  #call(listener, value) {
    try {
      const result = listener(value);
      if (typeof result !== "object" || result === null || !("then" in result)) return [];
      return [Promise.resolve(result).catch((error) => this.#report(error))];
    } catch (error) {
      this.#report(error);
      return [];
    }
  }

  /** @param {Cause} ending */
  #finish(ending) {
    if (this.#endedTold) return;
    this.#endedTold = true;
    this.#forget();
    this.#emit("ended", ending);
  }

  #tellStats() {
    if (!this.#emitter.has("stats")) return;
    const stats = this.stats;
    const shown = Object.values(stats).join();
    if (shown === this.#shownStats) return;
    this.#shownStats = shown;
    this.#emit("stats", stats);
  }

  /** @param {number} now */
  #setTimer(now) {
    clearTimeout(this.#timer);
    const at = this.#link.pollTimeout();
    if (at === Infinity) return;
    const wait = Math.min(Math.max(0, Math.ceil(at - now)), TIMER_MAX_MS);
    this.#timer = setTimeout(() => this.#wake(), wait);
  }

  /**
   * Offers a message to the link; returns false if it has to wait.
   * @param {Wait} wait
   */
  #offer(wait) {
    const result = this.#link.send(wait.payload);
    if (result === "wouldBlock") return false;
    if (result === "tooLarge") wait.reject(this.#tooLarge(wait.payload));
    else if (result === "ended") wait.reject(new SendError("Ended", "the session has ended"));
    else wait.resolve();
    this.#wake();
    return true;
  }

  /** @param {Wait} wait */
  #enqueue(wait) {
    if (this.#waiting.length >= WAITING_SENDS) {
      const message = `${WAITING_SENDS} messages wait already; await send, or use trySend`;
      wait.reject(new SendError("WouldBlock", message));
      return;
    }
    this.#waiting.push(wait);
  }

  #releaseSends() {
    for (let next = this.#waiting[0]; next && this.#offer(next); next = this.#waiting[0]) {
      this.#waiting.shift();
    }
  }

  /** @param {Uint8Array} payload */
  #tooLarge(payload) {
    const most = this.#link.maxMessage;
    return new SendError("TooLarge", `a message of ${payload.length} bytes; at most ${most}`);
  }
}
