/**
 * Keeps one session in a storage of the application's choice, so that it survives a reload.
 */

import { recordFromText, recordToText } from "./record.js";

/** @typedef {import("./record.js").SessionRecord} SessionRecord */

/**
 * `sessionStorage`, `localStorage`, or anything like them.
 * @typedef {object} StorageLike
 * @property {(key: string) => string | null} getItem
 * @property {(key: string, value: string) => void} setItem
 * @property {(key: string) => void} removeItem
 */

export class SessionStore {
  #storage;
  #key;

  /**
   * @param {StorageLike | undefined} storage without one nothing is kept
   * @param {string} key
   */
  constructor(storage, key) {
    this.#storage = storage;
    this.#key = key;
  }

  /**
   * The stored session of a kind. What cannot be read, or is of another kind, counts as none.
   * @param {string} kind
   * @returns {SessionRecord | undefined}
   */
  load(kind) {
    const record = this.#read();
    return record?.kind === kind ? record : undefined;
  }

  /**
   * Writes the session, or removes it if there is none. Returns what went wrong: the game goes
   * on without, but a reload then starts anew.
   * @param {SessionRecord | undefined} record
   * @returns {unknown} `undefined` if it is stored
   */
  save(record) {
    if (record === undefined) return this.#remove();
    try {
      this.#storage?.setItem(this.#key, recordToText(record));
      return undefined;
    } catch (error) {
      // What is stored is now too old: resuming from it would lose or repeat messages.
      this.#remove();
      return error;
    }
  }

  /**
   * The session is over: removes it, unless a newer copy of this client has resumed it and the
   * stored session is that copy's.
   * @param {SessionRecord | undefined} last
   */
  forget(last) {
    const stored = this.#read();
    const newer = stored !== undefined && last !== undefined
      && stored.id.every((byte, at) => byte === last.id[at]) && stored.attempt > last.attempt;
    if (!newer) this.#remove();
  }

  #read() {
    try {
      const text = this.#storage?.getItem(this.#key) ?? undefined;
      return text === undefined ? undefined : recordFromText(text);
    } catch {
      return undefined;
    }
  }

  /** @returns {unknown} */
  #remove() {
    try {
      this.#storage?.removeItem(this.#key);
      return undefined;
    } catch (error) {
      return error;
    }
  }
}
