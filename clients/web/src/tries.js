/**
 * The tries to get a connection: when the next one is due, where it goes, when one is given up,
 * and when all are used up.
 */

import { Backoff } from "./backoff.js";
import { ANSWER_MS } from "./defaults.js";
import { Route } from "./route.js";

/**
 * How a connection, or a try, came to its end.
 * @typedef {object} Break
 * @property {boolean} wasLive whether it had got its Welcome
 * @property {import("./codes.js").Action} action what the reason asks for
 * @property {number} retryAfter the node's wish; 0: none
 * @property {number} timeout how long a session lives without a connection
 * @property {number} silence how long a connection lives at least before it can be half-open
 */

export class Tries {
  #backoff;
  #route;
  #url = "";
  #nextAt = Infinity;
  #giveUpAt = Infinity;
  #restartAt = Infinity;
  #offlineUntil = 0;
  #liveSince = 0;
  /** Whether anything came after the Welcome: until then a break counts as a failed try. */
  #proven = false;

  /**
   * @param {() => number} random
   * @param {ConstructorParameters<typeof Route>} route
   */
  constructor(random, ...route) {
    this.#backoff = new Backoff(random);
    this.#route = new Route(...route);
  }

  /** Where the session was last. */
  get home() {
    return this.#route.home;
  }

  /** When something is due. */
  get dueAt() {
    return Math.min(this.#nextAt, this.#giveUpAt, this.#restartAt);
  }

  /** Whether the next try is due. @param {number} now */
  due(now) {
    return now >= this.#nextAt;
  }

  /** Whether the try under way has had its time. @param {number} now */
  givenUp(now) {
    return now >= this.#giveUpAt;
  }

  /** Whether it is time to leave a node that restarts. @param {number} now */
  leaves(now) {
    return now >= this.#restartAt;
  }

  /** The next try is for now. @param {number} now */
  soon(now) {
    this.#nextAt = Math.max(now, this.#offlineUntil);
  }

  /** All tries are there again: the player asked. @param {number} now */
  again(now) {
    this.#backoff.reset();
    this.#route.restart();
    this.soon(now);
  }

  /** No try before this time. @param {number} until */
  stayAway(until) {
    this.#offlineUntil = until;
    if (this.#nextAt !== Infinity) this.#nextAt = Math.max(this.#nextAt, until);
  }

  /** A try begins; returns where it goes. @param {number} now */
  begin(now) {
    this.#nextAt = Infinity;
    this.#giveUpAt = now + ANSWER_MS;
    this.#url = this.#route.next();
    return this.#url;
  }

  /**
   * A node took the session.
   * @param {string | undefined} address its own
   * @param {number} now
   */
  welcomed(address, now) {
    this.#giveUpAt = Infinity;
    this.#liveSince = now;
    this.#proven = false;
    this.#backoff.welcomed();
    this.#route.arrived(address, this.#url);
  }

  /** Something came after the Welcome: the connection works. */
  proven() {
    this.#proven = true;
  }

  /** A node names other addresses. @param {readonly string[]} addresses */
  goTo(addresses) {
    this.#route.goTo(addresses);
  }

  /** The node restarts: leave it then, at the latest. @param {number} at */
  leaveAt(at) {
    this.#restartAt = at;
  }

  /** There is nothing more to try, or to wait for. */
  stop() {
    this.#nextAt = Infinity;
    this.#giveUpAt = Infinity;
    this.#restartAt = Infinity;
  }

  /**
   * A connection or a try is over. Returns false if no further try is due.
   * @param {Break} end
   * @param {number} now
   */
  broke({ wasLive, action, retryAfter, timeout, silence }, now) {
    this.stop();
    if (wasLive) this.#route.restart();
    // A connection that broke right after its Welcome, or that one side finds fault with each
    // time, is a failed try: else the client would come back for ever, at once.
    const worked = wasLive && this.#proven && action !== "strike";
    const settled = wasLive && now - this.#liveSince >= silence;
    if (worked || settled) this.#backoff.forgive();
    if (!worked && action !== "wait") this.#backoff.failed();
    const wait = this.#wait(action, retryAfter, timeout, now);
    if (wait === undefined) return false;
    this.soon(now);
    this.#nextAt = Math.max(now + wait, this.#nextAt);
    return true;
  }

  /**
   * @param {import("./codes.js").Action} action
   * @param {number} retryAfter
   * @param {number} timeout
   * @param {number} now
   */
  #wait(action, retryAfter, timeout, now) {
    if (action === "wait") return this.#backoff.refused(now, retryAfter, timeout);
    return this.#backoff.exhausted ? undefined : this.#backoff.delay();
  }
}
