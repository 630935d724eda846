/**
 * When to ping, when a silent connection is half-open, and what the answers tell: the round trip
 * and the node's clock.
 */

import {
  ANSWER_LATE_MS, ANSWER_MIN_MS, ANSWER_ROUND_TRIPS, HEARTBEAT_MIN_MS, HEARTBEAT_MS,
  PINGS_IN_FLIGHT, SILENT_HEARTBEATS,
} from "./defaults.js";

export class Heartbeat {
  #interval = HEARTBEAT_MS;
  #pingAt = Infinity;
  #heardAt = Infinity;
  /** When something left that the node answers; nothing was heard since. */
  #askedAt = Infinity;
  /** Whether a ping was sent since then. */
  #pinged = false;
  #token = 0n;
  /** @type {Map<bigint, number>} when each ping without an answer was sent */
  #sent = new Map();
  /** @type {number | undefined} */
  #rtt;
  /** @type {number | undefined} the node's clock minus ours */
  #offset;

  /**
   * A connection is live. The first ping is due at once: its answer shows that the connection
   * works and tells the round trip.
   * @param {number} now
   * @param {number} interval
   * @param {number} time the node's clock
   */
  start(now, interval, time) {
    this.#interval = Math.max(interval, HEARTBEAT_MIN_MS);
    this.#pingAt = now;
    this.heard(now);
    this.#sent.clear();
    // Until a round trip is known the Welcome's own time is the best there is.
    if (this.#rtt === undefined) this.#offset = time - now;
  }

  stop() {
    this.#pingAt = Infinity;
    this.heard(Infinity);
    this.#sent.clear();
  }

  /** @param {number} now */
  heard(now) {
    this.#heardAt = now;
    this.#askedAt = Infinity;
    this.#pinged = false;
  }

  /**
   * Something leaves that the node answers.
   * @param {number} now
   */
  asked(now) {
    if (this.#askedAt === Infinity) this.#askedAt = now;
  }

  /** How long a silence means a half-open connection. */
  get silence() {
    return this.#interval * SILENT_HEARTBEATS;
  }

  /** When something is to be done next. */
  get dueAt() {
    return Math.min(this.#pingDueAt, this.#halfOpenAt);
  }

  /**
   * When the next ping is due: sooner if a message has no answer for half of a heartbeat. The
   * answer to a message may have to wait, that to a ping does not.
   */
  get #pingDueAt() {
    const waits = this.#pinged ? Infinity : this.#askedAt + this.#interval / 2;
    return Math.min(this.#pingAt, waits);
  }

  /** After two heartbeats in which nothing was heard, or one if something was asked before it. */
  get #halfOpenAt() {
    const trips = (this.#rtt ?? 0) * ANSWER_ROUND_TRIPS;
    const unanswered = this.#askedAt + Math.max(this.#interval, trips, ANSWER_MIN_MS);
    return Math.min(this.#heardAt + this.silence, unanswered);
  }

  /**
   * Whoever looks much later than it was due stood still itself, and the answer may wait to be
   * read: it is asked for once more.
   * @param {number} now
   */
  halfOpen(now) {
    const at = this.#halfOpenAt;
    if (now < at) return false;
    if (now >= this.#heardAt + this.silence || now - at < ANSWER_LATE_MS) return true;
    this.#askedAt = Infinity;
    this.#pinged = false;
    this.#pingAt = now;
    return false;
  }

  /**
   * The token of the ping that is due, or `undefined`.
   * @param {number} now
   */
  ping(now) {
    if (now < this.#pingDueAt) return undefined;
    this.#pingAt = now + this.#interval;
    this.asked(now);
    this.#pinged = true;
    this.#token += 1n;
    if (this.#sent.size === PINGS_IN_FLIGHT) {
      for (const oldest of this.#sent.keys()) {
        this.#sent.delete(oldest);
        break;
      }
    }
    this.#sent.set(this.#token, now);
    return this.#token;
  }

  /**
   * An answer. One to no ping of this connection tells nothing.
   * @param {bigint} token
   * @param {number} time the node's clock
   * @param {number} now
   */
  pong(token, time, now) {
    const sentAt = this.#sent.get(token);
    if (sentAt === undefined) return;
    this.#sent.delete(token);
    this.#rtt = now - sentAt;
    this.#offset = time + this.#rtt / 2 - now;
  }

  /** The latest round trip in milliseconds, or `undefined` before the first answer. */
  get rtt() {
    return this.#rtt;
  }

  /**
   * The node's clock now, in milliseconds since 1970, or `undefined` before the first Welcome.
   * @param {number} now
   */
  serverTime(now) {
    return this.#offset === undefined ? undefined : now + this.#offset;
  }
}
