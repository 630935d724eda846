/**
 * The connection of a link as far as it has come, and what is to be done with its socket. There
 * is one at a time; what an older one still tells is not listened to.
 */

/** @typedef {import("./happenings.js").Action} Action */

/**
 * `closing`: the node ended the session, and hears so when the game has its last messages.
 * @typedef {"none" | "opening" | "waiting" | "live" | "closing"} Phase
 */

export class Connection {
  /** Counts connections. */
  #number = 0;
  /** @type {Phase} */
  #phase = "none";
  /** @type {Action[]} */
  #actions = [];

  get phase() {
    return this.#phase;
  }

  /** Whether the node takes frames. */
  get live() {
    return this.#phase === "live";
  }

  /** Whether this is the connection there is. @param {number} number */
  is(number) {
    return number === this.#number && this.#phase !== "none";
  }

  /** Whether frames of this connection are to be read. @param {number} number */
  listens(number) {
    return this.is(number) && (this.#phase === "waiting" || this.#phase === "live");
  }

  /**
   * A new connection, which begins with this frame.
   * @param {string} url
   * @param {import("./identity.js").FirstFrame} first
   */
  connect(url, first) {
    this.#number += 1;
    this.#phase = "opening";
    this.#actions.push({ type: "connect", connection: this.#number, url, ...first });
  }

  /** The socket is open and the first frame on its way. @param {number} number */
  opened(number) {
    if (this.is(number) && this.#phase === "opening") this.#phase = "waiting";
  }

  /** The Welcome has come. */
  welcomed() {
    this.#phase = "live";
  }

  /** The node ended the session. */
  closing() {
    this.#phase = "closing";
  }

  /** One WebSocket message. @param {Uint8Array} bytes @returns {Action} */
  message(bytes) {
    return { type: "send", connection: this.#number, bytes };
  }

  /** A message to leave, after what was pushed before. @param {Uint8Array} bytes */
  push(bytes) {
    this.#actions.push(this.message(bytes));
  }

  /** Closes the socket and forgets it. @param {number | undefined} code the reason, if told */
  close(code) {
    if (this.#phase === "none") return;
    this.#actions.push({ type: "close", connection: this.#number, code });
    this.#phase = "none";
  }

  /** The next thing to do. */
  poll() {
    return this.#actions.shift();
  }
}
