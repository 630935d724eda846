/**
 * The messages to the node: numbered, retained until acknowledged, sent again after a repair.
 */

import { WINDOW_BYTES, WINDOW_MESSAGES } from "./defaults.js";

/** @typedef {{ seq: number, payload: Uint8Array }} Retained */

export class Outbox {
  /** @type {Retained[]} unacknowledged, in order, without a gap */
  #retained = [];
  #bytes = 0;
  /** @type {number} */
  #last;
  /** @type {number} */
  #acked;
  /**
   * The highest number that has ever been on the wire.
   * @type {number}
   */
  #wired;
  /** The next number to put on the wire of this connection. */
  #next = Infinity;
  #windowMessages = WINDOW_MESSAGES;
  #windowBytes = WINDOW_BYTES;

  /**
   * @param {number} [acked] of a stored session
   * @param {readonly Uint8Array[]} [payloads] its unacknowledged messages
   */
  constructor(acked = 0, payloads = []) {
    this.#acked = acked;
    this.#last = acked;
    for (const payload of payloads) this.#retain(payload);
    // What was on the wire before a reload is not known: any of it may have been.
    this.#wired = this.#last;
  }

  /** The number of the last message that was taken. */
  get last() {
    return this.#last;
  }

  /** The highest number that the node acknowledged. */
  get acked() {
    return this.#acked;
  }

  /** @returns {readonly Retained[]} */
  get retained() {
    return this.#retained;
  }

  /**
   * @param {number} messages
   * @param {number} bytes
   */
  setWindow(messages, bytes) {
    this.#windowMessages = messages;
    this.#windowBytes = bytes;
  }

  /**
   * Whether the window has room for a message. One message may always be sent.
   * @param {number} length
   */
  hasRoom(length) {
    if (this.#retained.length === 0) return true;
    return this.#retained.length < this.#windowMessages
      && this.#bytes + length <= this.#windowBytes;
  }

  /**
   * Takes a message; the caller has asked `hasRoom`.
   * @param {Uint8Array} payload
   */
  push(payload) {
    return this.#retain(payload);
  }

  /**
   * A connection is live and the node holds all up to `received`: what is higher goes out again.
   * @param {number} received
   */
  connected(received) {
    this.#next = received + 1;
  }

  disconnected() {
    this.#next = Infinity;
  }

  /** @returns {Retained | undefined} what to put on the wire next; it stays until `wired` */
  get waiting() {
    return this.#retained[this.#next - this.#acked - 1];
  }

  /** The message that was waiting is on the wire. */
  wired() {
    this.#wired = Math.max(this.#wired, this.#next);
    this.#next += 1;
  }

  /** Whether the node can have a message with this number. @param {number} seq */
  canHave(seq) {
    return seq <= this.#wired;
  }

  /**
   * All up to `ack` has been handled. Returns false if that was never sent, which breaks the
   * protocol; a lower ack than an earlier one says nothing new.
   * @param {number} ack
   */
  acknowledge(ack) {
    if (!this.canHave(ack)) return false;
    while (this.#acked < ack) {
      const done = this.#retained.shift();
      if (done === undefined) return false;
      this.#bytes -= done.payload.length;
      this.#acked += 1;
    }
    this.#next = Math.max(this.#next, this.#acked + 1);
    return true;
  }

  /** @param {Uint8Array} payload */
  #retain(payload) {
    this.#last += 1;
    this.#bytes += payload.length;
    this.#retained.push({ seq: this.#last, payload });
    return this.#last;
  }
}
