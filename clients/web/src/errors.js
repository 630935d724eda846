/**
 * The errors of this client. Each says whose fault it is and whether trying again helps.
 */

/**
 * A frame that cannot be read: the other side's fault. Never reaches the game; the connection
 * is closed and repaired.
 */
export class FrameError extends Error {
  /**
   * @param {string} kind one word: what is wrong
   * @param {string} [detail]
   */
  constructor(kind, detail) {
    super(detail ?? kind);
    this.name = "FrameError";
    this.kind = kind;
  }
}

/**
 * `send` was called with what cannot be sent, or when it cannot be. `code` is one of
 * - `TooLarge`: the message is above the frame limit; the caller's fault, trying again is useless;
 * - `WouldBlock`: too many calls of `send` wait already; await them, then try again;
 * - `Ended`: the session is over; connect again.
 */
export class SendError extends Error {
  /**
   * @param {"TooLarge" | "WouldBlock" | "Ended"} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.name = "SendError";
    this.code = code;
  }
}

/**
 * `connect` was called in a place or with options that cannot work; the caller's fault. `code` is
 * one of `Options`, `NoWebSocket`, `NoWebCrypto`. The message says what to do.
 */
export class ConnectError extends Error {
  /**
   * @param {"Options" | "NoWebSocket" | "NoWebCrypto"} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.name = "ConnectError";
    this.code = code;
  }
}
