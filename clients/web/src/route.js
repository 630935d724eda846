/**
 * Where the next try goes: first where a node sent the client, then to the address that its node
 * advertised, then to the application's own addresses, round and round.
 */

import { ADDRESSES, NAMED_TRIES } from "./defaults.js";

/** @typedef {"advertisedFirst" | "configuredOnly"} AddressOrder */

export class Route {
  #urls;
  #usable;
  #order;
  /** @type {string[]} where to go before anything else */
  #named = [];
  /** Tries at such addresses in this repair. */
  #namedTries = 0;
  /** @type {string | undefined} told in the last Welcome */
  #advertised;
  /** Whether a try at that one is due: one after each break. */
  #due = false;
  /** @type {string | undefined} of the application's own, the one that led to a node last */
  #worked;
  /** @type {"named" | "advertised" | "configured" | undefined} what the present try goes to */
  #goal;
  /** Which of the application's own addresses comes next. */
  #next = 0;
  /** Tries at them since the connection broke; many if none ever did. */
  #tried = Infinity;
  /** Whether it fell silent. */
  #silent = false;

  /**
   * @param {readonly string[]} urls at least one
   * @param {(address: string) => boolean} usable whether this client can connect to an address
   *   that a node names
   * @param {AddressOrder} order
   * @param {string} [home] of a stored session
   */
  constructor(urls, usable, order, home) {
    this.#urls = urls;
    this.#usable = usable;
    this.#order = order;
    if (home === undefined) return;
    if (urls.includes(home)) this.#next = urls.indexOf(home);
    else this.#advertise(home);
    this.#due = true;
  }

  /** Where a copy of this client begins. */
  get home() {
    return this.#advertised ?? this.#worked;
  }

  /** The tries begin, because the player asked for it. */
  restart() {
    this.#namedTries = 0;
  }

  /**
   * A node took the session.
   * @param {string | undefined} advertised its own address
   */
  arrived(advertised) {
    this.#named = [];
    this.#advertise(advertised);
    this.#due = false;
    this.#worked = this.#goal === "configured" ? this.#url(this.#next - 1) : undefined;
  }

  /**
   * A live connection broke.
   * @param {boolean} spent whether it was of no use: not the first to go to
   * @param {boolean} silent whether it fell silent: its node may stand still, so nothing of it is
   *   the first to go to, its advertised address neither
   */
  broke(spent, silent) {
    this.#namedTries = 0;
    this.#due = !silent;
    this.#tried = 0;
    this.#silent = silent;
    if (!spent && !silent && this.#worked !== undefined) this.#next = this.#urls.indexOf(this.#worked);
  }

  /**
   * The node is about to go: whatever happens next, it is not tried again.
   * @param {readonly string[]} addresses
   */
  leaveFor(addresses) {
    this.#advertised = undefined;
    this.#worked = undefined;
    this.#named = addresses.filter(this.#usable).slice(0, ADDRESSES);
  }

  /**
   * A node names other addresses; they go before those named earlier. Returns whether any of them
   * can be used.
   * @param {readonly string[]} addresses
   */
  goTo(addresses) {
    const fresh = addresses.filter(this.#usable);
    this.#named = [...new Set([...fresh, ...this.#named])].slice(0, ADDRESSES);
    return fresh.length > 0;
  }

  /** This address comes first. @param {string} url */
  goFirst(url) {
    this.#named = [url, ...this.#named.filter((known) => known !== url)].slice(0, ADDRESSES);
  }

  /** Whether a failure of the present try counts. */
  get counts() {
    return this.#goal === "named" ? this.isLedAround : this.#goal !== "advertised";
  }

  /** Whether nodes have named more addresses than any cluster needs. */
  get isLedAround() {
    return this.#namedTries > NAMED_TRIES;
  }

  /** Whether the present try goes to one of the application's own addresses. */
  get isConfigured() {
    return this.#goal === "configured";
  }

  /** Whether the connection fell silent. */
  get isSilent() {
    return this.#silent;
  }

  /** Whether one of the application's own addresses was not tried since the connection broke. */
  get hasUntried() {
    return this.#tried < this.#urls.length;
  }

  /**
   * How often all addresses were tried in vain since the connection broke, before the present try,
   * if there are others behind that; `undefined` if it has its whole time. A login has: its game
   * decides about it.
   */
  get round() {
    if (this.#goal === "advertised") return 0;
    if (this.#tried === Infinity) return undefined;
    if (this.#goal === "named") return 0;
    return this.#urls.length > 1 ? Math.floor((this.#tried - 1) / this.#urls.length) : undefined;
  }

  /** @returns {string} */
  next() {
    const named = this.#named.shift();
    if (named !== undefined) {
      this.#goal = "named";
      this.#namedTries += 1;
      return named;
    }
    if (this.#due && this.#advertised !== undefined) {
      this.#due = false;
      this.#goal = "advertised";
      return this.#advertised;
    }
    this.#goal = "configured";
    this.#tried += 1;
    this.#next += 1;
    return this.#url(this.#next - 1);
  }

  /** @param {number} index */
  #url(index) {
    const url = this.#urls[index % this.#urls.length];
    if (url === undefined) throw new Error("a route has at least one address");
    return url;
  }

  /** @param {string | undefined} address */
  #advertise(address) {
    const followed = this.#order === "advertisedFirst" && address !== undefined;
    this.#advertised = followed && this.#usable(address) ? address : undefined;
  }
}
