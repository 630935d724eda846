/**
 * Where the next try goes: first where the node said, then where the session was, then the
 * application's own addresses, round and round.
 */

export class Route {
  #urls;
  #usable;
  /** @type {string[]} named by a node that restarts or refuses */
  #named = [];
  /** @type {string | undefined} where the session was last */
  #home;
  #step = 0;

  /**
   * @param {readonly string[]} urls at least one
   * @param {(address: string) => boolean} usable whether this client can connect to an address
   *   that a node names
   * @param {string} [home] of a stored session
   */
  constructor(urls, usable, home) {
    this.#urls = urls;
    this.#usable = usable;
    this.#home = home !== undefined && (urls.includes(home) || usable(home)) ? home : undefined;
  }

  get home() {
    return this.#home;
  }

  /**
   * A node took the session: the next repair begins at its own address, or else at the one that
   * led to it.
   * @param {string | undefined} address told by the node
   * @param {string} url that was used
   */
  arrived(address, url) {
    this.#named = [];
    this.#home = address !== undefined && this.#usable(address) ? address : url;
  }

  /** @param {readonly string[]} addresses */
  goTo(addresses) {
    this.#named = addresses.filter(this.#usable);
    this.#step = 0;
  }

  /** A new repair begins with the first address. */
  restart() {
    this.#step = 0;
  }

  /** @returns {string} */
  next() {
    const home = this.#home === undefined ? [] : [this.#home];
    const all = [...new Set([...this.#named, ...home, ...this.#urls])];
    const url = all[this.#step % all.length];
    this.#step += 1;
    if (url === undefined) throw new Error("a route has at least one address");
    return url;
  }
}
