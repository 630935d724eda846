/**
 * What a client knows of its session, and proves: id, secret, attempts. It outlives connections,
 * and with a storage the page.
 */

import { toHex } from "./bytes.js";
import { SESSION_TIMEOUT_MS, VERSION } from "./defaults.js";
import { encodeFrame, resumeBody } from "./frames.js";
import { clientExtensions } from "./handshake.js";

/** @typedef {import("./happenings.js").LinkOptions} LinkOptions */

/**
 * The first frame of a connection: Hello, or a Resume that needs its proof.
 * @typedef {{ hello: Uint8Array } | { body: Uint8Array, secret: Uint8Array }} FirstFrame
 */

export class Identity {
  #options;
  /** @type {{ id: Uint8Array, secret: Uint8Array } | undefined} */
  #session;
  /** Of the last Resume; each one has a higher number. */
  #attempt = 0;
  /** How long the session lives without a connection. */
  timeout = SESSION_TIMEOUT_MS;
  /** Connections that broke and were replaced. */
  repairs = 0;

  /** @param {LinkOptions} options */
  constructor(options) {
    const { record } = options;
    this.#options = options;
    if (record === undefined) return;
    this.#session = { id: record.id, secret: record.secret };
    this.#attempt = record.attempt;
    this.timeout = record.timeout;
    this.repairs = record.repairs;
  }

  /** Whether there is a session to resume. */
  get known() {
    return this.#session !== undefined;
  }

  /** The session id as 32 hex digits. */
  get id() {
    return this.#session === undefined ? undefined : toHex(this.#session.id);
  }

  get attempt() {
    return this.#attempt;
  }

  /**
   * The first frame of the next connection. A Resume raises the attempt, which is to be stored
   * before the frame leaves.
   * @param {import("./wire.js").Wire} wire
   * @returns {FirstFrame}
   */
  firstFrame({ inbox, outbox }) {
    const { kind, login, gameVersion } = this.#options;
    const versions = { versionMin: VERSION, versionMax: VERSION };
    const extensions = clientExtensions(gameVersion);
    if (this.#session === undefined) {
      return { hello: encodeFrame({ type: "hello", ...versions, kind, login, extensions }) };
    }
    this.#attempt += 1;
    const { id: sessionId, secret } = this.#session;
    const { received } = inbox;
    const { acked } = outbox;
    const numbers = { attempt: this.#attempt, received, acked };
    return { body: resumeBody({ ...versions, sessionId, ...numbers, extensions }), secret };
  }

  /** A node took the session, or made it. @param {import("./frames.js").Welcome} welcome */
  welcomed({ sessionId: id, secret, timeoutMs }) {
    if (secret !== null) this.#session ??= { id, secret };
    this.timeout = timeoutMs;
  }

  /** The session is gone: the next connection begins a new one. */
  forget() {
    this.#session = undefined;
    this.#attempt = 0;
    this.repairs = 0;
  }

  /**
   * What a copy of this client needs to resume the session, or `undefined` without one.
   * @param {import("./wire.js").Wire} wire
   * @param {string | undefined} home where the session was last
   * @returns {import("./record.js").SessionRecord | undefined}
   */
  record({ inbox, outbox }, home) {
    if (this.#session === undefined) return undefined;
    return {
      kind: this.#options.kind,
      ...this.#session,
      attempt: this.#attempt,
      // What was received and not handled is lost with this object, so it must come again.
      received: inbox.handled,
      acked: outbox.acked,
      unacked: outbox.retained.map(({ payload }) => payload),
      timeout: this.timeout,
      repairs: this.repairs,
      home,
    };
  }
}
