/**
 * The network between a page and its node: a TCP proxy that breaks connections when told to.
 */

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Proxy {
  #server = createServer((client) => this.#join(client));
  /** @type {Set<import("node:net").Socket>} */
  #sockets = new Set();
  #port;
  #down = false;

  /** @param {number} port of the node */
  constructor(port) {
    this.#port = port;
  }

  /** @param {number} port of the node */
  static async start(port) {
    const proxy = new Proxy(port);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    // A test that failed does not come to `stop`.
    proxy.#server.unref();
    return proxy;
  }

  get port() {
    return /** @type {import("node:net").AddressInfo} */ (this.#server.address()).port;
  }

  /** Breaks every connection, with whatever is under way in them. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** From now on no connection works. */
  down() {
    this.#down = true;
    this.cut();
  }

  /** Connections work again; they lead to this port from now on. @param {number} [port] */
  up(port = this.#port) {
    this.#port = port;
    this.#down = false;
  }

  stop() {
    this.cut();
    this.#server.close();
  }

  /** @param {import("node:net").Socket} client */
  #join(client) {
    if (this.#down) {
      client.destroy();
      return;
    }
    const node = connect(this.#port, "127.0.0.1");
    for (const [socket, other] of [[client, node], [node, client]]) {
      if (socket === undefined || other === undefined) continue;
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}
