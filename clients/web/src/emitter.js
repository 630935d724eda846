/**
 * Named events with listeners, each called in the order it was added.
 */

/**
 * @template {Record<string, unknown>} Events
 */
export class Emitter {
  /** @type {Map<keyof Events, Set<(value: any) => unknown>>} */
  #listeners = new Map();

  /**
   * Adds a listener; returns a function that takes it away again.
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(value: Events[Name]) => unknown} listener
   * @returns {() => void}
   */
  on(name, listener) {
    const all = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, all.add(listener));
    return () => void all.delete(listener);
  }

  /** @param {keyof Events} name */
  has(name) {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  /**
   * The listeners of an event, as they are now.
   * @template {keyof Events} Name
   * @param {Name} name
   * @returns {((value: Events[Name]) => unknown)[]}
   */
  of(name) {
    return [...(this.#listeners.get(name) ?? [])];
  }
}
