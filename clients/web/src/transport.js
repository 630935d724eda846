/**
 * One WebSocket: opens it, sends the first frame, passes on what comes. Knows no frames.
 */

import { SOCKET_BUFFER } from "./defaults.js";
import { ConnectError } from "./errors.js";

/**
 * The part of the browser's WebSocket that is used; that of the package `ws` fits, too.
 * @typedef {object} SocketLike
 * @property {string} binaryType
 * @property {number} readyState
 * @property {number} bufferedAmount
 * @property {(bytes: Uint8Array<ArrayBuffer>) => void} send
 * @property {(code?: number) => void} close
 * @property {(type: any, listener: (event: any) => void) => void} addEventListener
 */

/** @typedef {new (url: string) => SocketLike} SocketClass */

/**
 * @typedef {object} TransportEvents
 * @property {() => void} opened the socket is open and the first frame is sent
 * @property {(message: Uint8Array) => void} bytes
 * @property {() => void} text
 * @property {(status: number, text: string) => void} closed once, and nothing after it
 */

/** WebSocket.OPEN */
const OPEN = 1;

/** The status that browsers report when a connection broke. */
const BROKEN = 1006;

/**
 * The WebSocket class to use. Fails if there is none.
 * @param {SocketClass | undefined} given
 * @returns {SocketClass}
 */
export function socketClass(given) {
  const found = given ?? /** @type {SocketClass | undefined} */ (globalThis.WebSocket);
  if (found !== undefined) return found;
  throw new ConnectError(
    "NoWebSocket",
    "there is no WebSocket here: Node has its own from version 22 on; before that give one, "
      + "such as the package `ws`, as option `WebSocket`",
  );
}

export class Transport {
  /** @type {SocketLike | undefined} */
  #socket;
  /** @type {TransportEvents | undefined} none once it is closed */
  #events;

  /**
   * @param {SocketClass} Socket
   * @param {string} url
   * @param {Promise<Uint8Array>} first the first frame
   * @param {TransportEvents} events
   */
  constructor(Socket, url, first, events) {
    this.#events = events;
    try {
      this.#socket = new Socket(url);
    } catch (error) {
      // A page on https may not open ws://, for instance. Reported like any failed try, and
      // not before the caller has this object.
      queueMicrotask(() => this.#closed(BROKEN, String(error)));
      first.catch(() => {});
      return;
    }
    const socket = this.#socket;
    socket.binaryType = "arraybuffer";
    const open = new Promise((resolve) => {
      socket.addEventListener("open", resolve);
    });
    socket.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer) this.#events?.bytes(new Uint8Array(data));
      else this.#events?.text();
    });
    socket.addEventListener("error", () => {});
    socket.addEventListener("close", ({ code, reason }) => this.#closed(code, reason));
    Promise.all([first, open]).then(
      ([bytes]) => {
        this.send(bytes);
        this.#events?.opened();
      },
      (error) => {
        this.#closed(BROKEN, String(error));
        socket.close();
      },
    );
  }

  /** @param {Uint8Array} bytes */
  send(bytes) {
    const socket = this.#socket;
    // What does not leave is retained: the close event, which must follow, makes it go again.
    if (this.#events === undefined || socket?.readyState !== OPEN) return;
    if (socket.bufferedAmount > SOCKET_BUFFER) {
      this.#closed(BROKEN, "the socket does not take what is sent");
      socket.close();
      return;
    }
    socket.send(/** @type {Uint8Array<ArrayBuffer>} */ (bytes));
  }

  /**
   * Closes the socket; no event comes any more.
   * @param {number | undefined} status
   */
  close(status) {
    this.#events = undefined;
    this.#socket?.close(status ?? 1000);
  }

  /** @param {number} status @param {string} text */
  #closed(status, text) {
    const events = this.#events;
    this.#events = undefined;
    events?.closed(status, text);
  }
}
