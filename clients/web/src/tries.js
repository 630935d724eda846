/**
 * The tries to get a connection: when the next one is due, where it goes, when one is given up,
 * and when all are used up.
 */

import { Backoff } from "./backoff.js";
import { HURRIED_TRY_MIN_MS, HURRIED_TRY_ROUND_TRIPS } from "./defaults.js";
import { Route } from "./route.js";

/**
 * Where a client goes, how often and how long.
 * @typedef {object} Limits
 * @property {import("./route.js").AddressOrder} addressOrder
 * @property {number} tries
 * @property {number} tryTimeout
 * @property {number} advertisedTryTimeout
 * @property {number | undefined} totalTime the session's timeout by default
 */

/**
 * How a connection, or a try, came to its end.
 * @typedef {object} Break
 * @property {boolean} wasLive whether it had got its Welcome
 * @property {import("./codes.js").Action} action what the reason asks for
 * @property {number} retryAfter the node's wish; 0: none
 * @property {boolean} goesOn whether the node named another address to go to
 * @property {boolean} isStoreDown whether the node does not reach the store; another one may
 * @property {boolean} silent whether nothing came any more
 * @property {number} timeout how long a session lives without a connection
 * @property {number} silence how long a connection lives at least before it can be half-open
 */

export class Tries {
  #limits;
  #backoff;
  #route;
  #nextAt = Infinity;
  #giveUpAt = Infinity;
  /** Whether the present try, at an address of the application, has less than the whole time. */
  #isShort = false;
  #restartAt = Infinity;
  #offlineUntil = 0;
  #liveSince = 0;
  /** Since when there is no connection. */
  #brokenAt = 0;
  /** Whether anything came after the Welcome: until then a break counts as a failed try. */
  #proven = false;

  /**
   * @param {Limits} limits
   * @param {() => number} random
   * @param {readonly string[]} urls
   * @param {(address: string) => boolean} usable
   * @param {string} [home]
   */
  constructor(limits, random, urls, usable, home) {
    this.#limits = limits;
    this.#backoff = new Backoff(random, limits.tries);
    this.#route = new Route(urls, usable, limits.addressOrder, home);
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

  /** All tries are there: the client begins, or the player asked. @param {number} now */
  again(now) {
    this.#backoff.reset();
    this.#route.restart();
    this.#brokenAt = now;
    this.soon(now);
  }

  /** No try before this time. @param {number} until */
  stayAway(until) {
    this.#offlineUntil = until;
    if (this.#nextAt !== Infinity) this.#nextAt = Math.max(this.#nextAt, until);
  }

  /**
   * A try begins; returns where it goes.
   * @param {number} now
   * @param {number | undefined} rtt the usual round trip
   */
  begin(now, rtt) {
    this.#nextAt = Infinity;
    const url = this.#route.next();
    const time = this.#time(rtt);
    this.#isShort = this.#route.isConfigured && time < this.#limits.tryTimeout;
    this.#giveUpAt = now + time;
    return url;
  }

  /** How long the present try may take. @param {number | undefined} rtt */
  #time(rtt = Infinity) {
    const { tryTimeout, advertisedTryTimeout } = this.#limits;
    const shorter = Math.min(tryTimeout, advertisedTryTimeout);
    const { round, isSilent } = this.#route;
    if (round === undefined) return tryTimeout;
    const enough = Math.max(HURRIED_TRY_ROUND_TRIPS * rtt, HURRIED_TRY_MIN_MS);
    const first = isSilent ? Math.min(enough, shorter) : shorter;
    return Math.min(first * 2 ** round, tryTimeout);
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
    this.#route.arrived(address);
  }

  /** Something came after the Welcome: the connection works. */
  proven() {
    this.#proven = true;
  }

  /**
   * A node names other addresses. Returns whether to go there at once.
   * @param {readonly string[]} addresses
   */
  goTo(addresses) {
    return this.#route.goTo(addresses) && !this.#route.isLedAround;
  }

  /** The next try goes there. @param {string} url */
  goFirst(url) {
    this.#route.goFirst(url);
  }

  /**
   * The node restarts: leave it then, at the latest.
   * @param {number} at
   * @param {readonly string[]} addresses where to go instead
   */
  leaveAt(at, addresses) {
    this.#restartAt = at;
    this.#route.leaveFor(addresses);
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
  broke({ wasLive, action, retryAfter, goesOn, isStoreDown, silent, timeout, silence }, now) {
    // More time might have brought an answer.
    const wasShort = this.#isShort && this.givenUp(now);
    this.stop();
    // A connection that broke right after its Welcome, or that one side finds fault with each
    // time, is a failed try: else the client would come back for ever, at once.
    const worked = wasLive && this.#proven && action !== "strike";
    const settled = wasLive && now - this.#liveSince >= silence;
    if (worked || settled) this.#backoff.forgive();
    const counts = action !== "wait" && (wasLive || action === "strike" || (this.#route.counts && !wasShort));
    if (counts && !worked) this.#backoff.failed();
    if (wasLive) {
      this.#brokenAt = Math.max(now, this.#offlineUntil);
      this.#route.broke(!worked, silent);
    }
    const left = this.#brokenAt + (this.#limits.totalTime ?? timeout) - now;
    if (counts ? this.#backoff.exhausted : left <= 0) return false;
    const isAside = isStoreDown && this.#route.hasUntried;
    const uncounted = action === "wait" && !isAside
      ? Math.min(left, this.#backoff.refused(retryAfter, goesOn))
      : this.#backoff.aside;
    const wait = counts ? this.#backoff.delay() : uncounted;
    this.soon(now);
    this.#nextAt = Math.max(now + wait, this.#nextAt);
    return true;
  }
}
