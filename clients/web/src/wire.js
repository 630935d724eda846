/**
 * What goes over the connections of one session, both ways: messages, acks, pings. Puts together
 * what is to leave next; the socket is somebody else's.
 */

import { concat } from "./bytes.js";
import { LENGTH_BYTES, MAX_FRAME, PONG_BYTES } from "./defaults.js";
import { encodeFrame } from "./frames.js";
import { Heartbeat } from "./heartbeat.js";
import { Inbox } from "./inbox.js";
import { Outbox } from "./outbox.js";

export class Wire {
  /** Longest frame, both ways. */
  maxFrame = MAX_FRAME;
  outbox;
  inbox;
  heartbeat = new Heartbeat();
  /** @type {Uint8Array[]} frames to leave before anything else */
  #answers = [];
  #answerBytes = 0;

  /** @param {import("./record.js").SessionRecord | undefined} record */
  constructor(record) {
    this.outbox = new Outbox(record?.acked, record?.unacked);
    this.inbox = new Inbox(record?.received);
  }

  /**
   * A node took the session.
   * @param {import("./frames.js").Welcome} welcome
   * @param {number} now
   */
  connected(welcome, now) {
    this.maxFrame = welcome.maxFrame;
    this.outbox.setWindow(welcome.windowMessages, welcome.windowBytes);
    this.outbox.connected(welcome.received);
    this.inbox.connected(now);
    this.heartbeat.start(now, welcome.heartbeatMs, welcome.time);
  }

  disconnected() {
    this.#answers = [];
    this.#answerBytes = 0;
    this.outbox.disconnected();
    this.heartbeat.stop();
  }

  get stats() {
    const { inbox, outbox } = this;
    const { last: sent, acked, retained } = outbox;
    return { sent, retained: retained.length, acked, received: inbox.received };
  }

  /** When something is due on a live connection. */
  get dueAt() {
    return Math.min(this.heartbeat.dueAt, this.inbox.ackAt);
  }

  /** Answers a ping. @param {bigint} token */
  answer(token) {
    const pong = encodeFrame({ type: "pong", token, time: 0 });
    if (this.#answerBytes + pong.length > PONG_BYTES) return;
    this.#answers.push(pong);
    this.#answerBytes += pong.length;
  }

  /**
   * One WebSocket message of what is to leave now, or `undefined`. No longer than the longest
   * frame, so that no receiver needs to take more at once.
   * @param {number} now
   */
  batch(now) {
    const most = this.maxFrame + LENGTH_BYTES;
    /** @type {Uint8Array[]} */
    const parts = [];
    let size = 0;
    /** @param {Uint8Array} bytes */
    const fits = (bytes) => {
      if (size > 0 && size + bytes.length > most) return false;
      parts.push(bytes);
      size += bytes.length;
      return true;
    };
    const token = this.heartbeat.ping(now);
    if (token !== undefined) fits(encodeFrame({ type: "ping", token }));
    for (let next = this.#answers[0]; next && fits(next); next = this.#answers[0]) {
      this.#answers.shift();
      this.#answerBytes -= next.length;
    }
    const { inbox, outbox } = this;
    let full = false;
    for (let next = outbox.waiting; next && !full; next = outbox.waiting) {
      full = !fits(encodeFrame({ type: "data", ...next, ack: inbox.handled }));
      if (full) break;
      outbox.wired();
      inbox.tell();
      this.heartbeat.asked(now);
    }
    const due = now >= inbox.ackAt;
    if (due && fits(encodeFrame({ type: "ack", ack: inbox.handled }))) inbox.tell();
    return parts.length === 0 ? undefined : concat(parts);
  }

  /**
   * The last frame of a connection.
   * @param {number} code
   * @param {string} text
   */
  close(code, text) {
    return encodeFrame({ type: "close", code, ack: this.inbox.tell(), text });
  }
}
