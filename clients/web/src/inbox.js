/**
 * The messages from the node: each is taken once and in order, handed to the game one at a time,
 * and acknowledged when the game is done with it.
 */

import { ACK_COUNT, ACK_DELAY_MS, INBOX_BYTES, INBOX_MESSAGES } from "./defaults.js";

/** @typedef {{ seq: number, payload: Uint8Array }} Received */

export class Inbox {
  /** @type {Received[]} received, not yet given to the game */
  #queue = [];
  #bytes = 0;
  #received;
  #handled;
  /** The highest number that was acknowledged on this connection. */
  #told = 0;
  /** When to acknowledge without a message to ride on. */
  #ackAt = Infinity;

  /** @param {number} [handled] of a stored session */
  constructor(handled = 0) {
    this.#received = handled;
    this.#handled = handled;
  }

  /** The highest number that was received. */
  get received() {
    return this.#received;
  }

  /** The highest number that the game is done with: what an ack says. */
  get handled() {
    return this.#handled;
  }

  /**
   * A message came. `gap` breaks the protocol. At `full` it was not taken: it comes again.
   * @param {number} seq
   * @param {Uint8Array} payload
   * @param {number} now
   * @returns {"taken" | "duplicate" | "gap" | "full"}
   */
  take(seq, payload, now) {
    if (seq <= this.#received) {
      // Whoever sends it again may not have seen its ack.
      if (seq > 0) this.#ackAt = now;
      return seq > 0 ? "duplicate" : "gap";
    }
    if (seq !== this.#received + 1) return "gap";
    const waiting = this.#received - this.#handled;
    if (waiting >= INBOX_MESSAGES || this.#bytes + payload.length > INBOX_BYTES) return "full";
    this.#received = seq;
    this.#bytes += payload.length;
    this.#queue.push({ seq, payload });
    return "taken";
  }

  /** The next message for the game; `handled` says when it is done. */
  poll() {
    const message = this.#queue.shift();
    if (message !== undefined) this.#bytes -= message.payload.length;
    return message;
  }

  /** Whether nothing waits for the game. */
  get empty() {
    return this.#queue.length === 0;
  }

  /** Drops what waits for the game: it left. */
  clear() {
    this.#queue = [];
    this.#bytes = 0;
  }

  /**
   * The game is done with a message.
   * @param {number} seq
   * @param {number} now
   */
  done(seq, now) {
    this.#handled = seq;
    const untold = seq - this.#told;
    this.#ackAt = Math.min(this.#ackAt, untold >= ACK_COUNT ? now : now + ACK_DELAY_MS);
  }

  /**
   * A new connection is live; what the node knows of our acks is not known.
   * @param {number} now
   */
  connected(now) {
    this.#told = 0;
    if (this.#handled > 0) this.#ackAt = now;
  }

  /** When an ack is due if no message carries it. */
  get ackAt() {
    return this.#ackAt;
  }

  /** An ack of all that is handled leaves with a frame; returns it. */
  tell() {
    this.#told = this.#handled;
    this.#ackAt = Infinity;
    return this.#handled;
  }
}
