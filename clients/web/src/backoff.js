/**
 * When to try again, and when to stop: full jitter over a bounded number of tries, and the
 * node's own wish where it has one.
 */

import { BACKOFF_MAX_MS, BACKOFF_MS, TRIES } from "./defaults.js";

export class Backoff {
  #random;
  /** Tries that failed one after the other. */
  #failures = 0;
  /** Refusals that may be retried, one after the other; they are not counted as tries. */
  #refusals = 0;
  /** @type {number | undefined} when the first of those refusals came */
  #refusedAt;

  /** @param {() => number} random a number from 0 up to, not including, 1 */
  constructor(random) {
    this.#random = random;
  }

  /** Forget everything: the player asked, or the link works. */
  reset() {
    this.#failures = 0;
    this.welcomed();
  }

  /** A node took the session: its earlier refusals are over. */
  welcomed() {
    this.#refusals = 0;
    this.#refusedAt = undefined;
  }

  /** Failures are over, since a connection worked. */
  forgive() {
    this.#failures = 0;
  }

  /** Counts a failed try. */
  failed() {
    this.#failures += 1;
  }

  /** Whether all tries are used up. */
  get exhausted() {
    return this.#failures >= TRIES;
  }

  /** How long to wait before the next try: at once after a success, then full jitter. */
  delay() {
    return this.#failures === 0 ? 0 : this.#jitter(this.#failures);
  }

  /**
   * Counts a refusal that may be retried and says how long to wait, or `undefined` if refusals
   * have gone on for as long as a session lives.
   * @param {number} now
   * @param {number} retryAfter the node's wish; 0: none
   * @param {number} timeout how long a session lives without a connection
   * @returns {number | undefined}
   */
  refused(now, retryAfter, timeout) {
    this.#refusedAt ??= now;
    this.#refusals += 1;
    const left = this.#refusedAt + timeout - now;
    if (left <= 0) return undefined;
    return Math.min(left, retryAfter > 0 ? retryAfter : this.#jitter(this.#refusals));
  }

  /** @param {number} step from 1 */
  #jitter(step) {
    return this.#random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** (step - 1));
  }
}
