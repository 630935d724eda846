/**
 * When to try again, and when to stop: full jitter over a bounded number of tries, and the
 * node's own wish where it has one.
 */

import { BACKOFF_MAX_MS, BACKOFF_MS } from "./defaults.js";

export class Backoff {
  #random;
  #tries;
  /** Tries that failed one after the other. */
  #failures = 0;
  /** Refusals that may be retried, one after the other; they are not counted as tries. */
  #refusals = 0;

  /**
   * @param {() => number} random a number from 0 up to, not including, 1
   * @param {number} tries how many may fail
   */
  constructor(random, tries) {
    this.#random = random;
    this.#tries = tries;
  }

  /** Forget everything: the player asked, or the link works. */
  reset() {
    this.#failures = 0;
    this.welcomed();
  }

  /** A node took the session: its earlier refusals are over. */
  welcomed() {
    this.#refusals = 0;
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
    return this.#failures >= this.#tries;
  }

  /** How long to wait before the next try: at once after a success, then full jitter. */
  delay() {
    return this.#failures === 0 ? 0 : this.#jitter(this.#failures);
  }

  /** How long to wait after a failure that does not count: the next try is elsewhere. */
  get aside() {
    return this.#jitter(Math.max(1, this.#failures));
  }

  /**
   * Counts a refusal that may be retried and says how long to wait.
   * @param {number} retryAfter the node's wish; 0: none
   * @param {boolean} goesOn whether the node named another address to go to
   */
  refused(retryAfter, goesOn) {
    this.#refusals += 1;
    // Some of the time is drawn, so that those who were refused together do not come together.
    if (retryAfter > 0) return retryAfter + this.#random() * (retryAfter / 4 + BACKOFF_MS);
    return goesOn ? 0 : this.#jitter(this.#refusals);
  }

  /** @param {number} step from 1 */
  #jitter(step) {
    return this.#random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** (step - 1));
  }
}
