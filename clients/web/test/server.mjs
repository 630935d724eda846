/**
 * The model node behind a real WebSocket, for tests of the client as games use it.
 */

import { once } from "node:events";

import { WebSocket, WebSocketServer } from "ws";

import { statusOfCode } from "../src/codes.js";
import { connect } from "../src/client.js";
import { ModelNode } from "./model-node.mjs";

/** @typedef {import("../src/client.js").ConnectOptions} ConnectOptions */
/** @typedef {import("../src/client.js").SessionEvents} SessionEvents */

/** A storage that is kept in memory. */
export class Memory {
  /** @type {Map<string, string>} */
  map = new Map();
  writes = 0;

  /** @param {string} key */
  getItem(key) {
    return this.map.get(key) ?? null;
  }

  /** @param {string} key @param {string} value */
  setItem(key, value) {
    this.writes += 1;
    this.map.set(key, value);
  }

  /** @param {string} key */
  removeItem(key) {
    this.map.delete(key);
  }
}

/**
 * A node and a way to connect to it; all is closed at the end of the test.
 * @param {{ after: (close: () => void) => void }} context the test
 * @param {ModelNode} [node] the same sessions at another address, as in a cluster
 */
export async function serve(context, node = new ModelNode()) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  server.on("connection", (socket) => {
    const line = node.line(
      (bytes) => socket.send(bytes),
      (code) => socket.close(code === 0 ? 1000 : statusOfCode(code)),
    );
    socket.on("message", (/** @type {Buffer} */ data) => line.receive(new Uint8Array(data)));
    socket.on("close", () => line.drop(0));
    socket.on("error", () => {});
  });
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  /** @type {import("../src/client.js").Session[]} */
  const sessions = [];
  context.after(() => {
    for (const session of sessions) session.leave();
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  const url = `ws://127.0.0.1:${port}/link`;
  /** @param {Partial<ConnectOptions>} [options] */
  const open = (options = {}) => {
    const Socket = /** @type {import("../src/transport.js").SocketClass} */ (
      /** @type {unknown} */ (WebSocket));
    const session = connect({ url, kind: "test", login: "ann", WebSocket: Socket, ...options });
    sessions.push(session);
    return session;
  };
  return { node, url, open, server };
}

/**
 * The next event of a name.
 * @template {keyof SessionEvents} Name
 * @param {import("../src/client.js").Session} session
 * @param {Name} name
 * @returns {Promise<SessionEvents[Name]>}
 */
export function next(session, name) {
  return new Promise((resolve) => {
    const off = session.on(name, (value) => {
      off();
      resolve(value);
    });
  });
}

/**
 * The next so many messages.
 * @param {import("../src/client.js").Session} session
 * @param {number} count
 * @returns {Promise<any[]>}
 */
export function messages(session, count) {
  /** @type {any[]} */
  const list = [];
  return new Promise((resolve) => {
    const off = session.on("message", (message) => {
      list.push(message);
      if (list.length < count) return;
      off();
      resolve(list);
    });
  });
}
