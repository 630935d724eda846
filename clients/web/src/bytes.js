/**
 * Reading and writing the protocol's integers, byte strings and texts. Big-endian throughout.
 */

import { FrameError } from "./errors.js";

const ENCODER = new TextEncoder();
// A byte order mark is text like any other here: stripping it would change what was sent.
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads fields from a body. Every read is checked against the end: `FrameError("Short")`. */
export class Reader {
  #bytes;
  #view;
  #at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** How many bytes have been read. */
  get at() {
    return this.#at;
  }

  /** How many bytes are left. */
  get left() {
    return this.#bytes.length - this.#at;
  }

  u8() {
    return this.#view.getUint8(this.#advance(1));
  }

  u16() {
    return this.#view.getUint16(this.#advance(2));
  }

  u32() {
    return this.#view.getUint32(this.#advance(4));
  }

  /** A u64 whose value is opaque. */
  u64() {
    return this.#view.getBigUint64(this.#advance(8));
  }

  /**
   * A u64 that counts something. No honest count comes near 2^53, so a number above what a
   * Number holds exactly is refused instead of rounded.
   */
  count() {
    const value = Number(this.u64());
    if (!Number.isSafeInteger(value)) throw new FrameError("BadField", "a number above 2^53 - 1");
    return value;
  }

  /**
   * A copy of the next bytes.
   * @param {number} length
   */
  bytes(length) {
    const from = this.#advance(length);
    return this.#bytes.slice(from, from + length);
  }

  /**
   * The next bytes as UTF-8.
   * @param {number} length
   */
  text(length) {
    return decodeText(this.bytes(length));
  }

  /** A copy of all that is left. */
  rest() {
    return this.bytes(this.left);
  }

  /** @param {number} length */
  #advance(length) {
    const from = this.#at;
    if (length > this.left) throw new FrameError("Short", "the body ends inside a field");
    this.#at += length;
    return from;
  }
}

/** Builds a byte string field by field. */
export class Writer {
  #bytes = new Uint8Array(64);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length() {
    return this.#length;
  }

  /** @param {number} value */
  u8(value) {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
  }

  /** @param {number} value */
  u16(value) {
    const at = this.#grow(2);
    this.#view.setUint16(at, value);
  }

  /** @param {number} value */
  u32(value) {
    const at = this.#grow(4);
    this.#view.setUint32(at, value);
  }

  /** @param {bigint} value */
  u64(value) {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, value);
  }

  /** @param {number} value a safe integer, not below 0 */
  count(value) {
    this.u64(BigInt(value));
  }

  /** @param {Uint8Array} value */
  bytes(value) {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
  }

  /**
   * Overwrites a u32 that was written before.
   * @param {number} at
   * @param {number} value
   */
  setU32(at, value) {
    this.#view.setUint32(at, value);
  }

  /** A copy of what was written. */
  finish() {
    return this.#bytes.slice(0, this.#length);
  }

  /**
   * Makes room and returns where it begins. It may replace the buffer: call it first.
   * @param {number} more
   */
  #grow(more) {
    const at = this.#length;
    this.#length += more;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

/** @param {string} text */
export function encodeText(text) {
  return ENCODER.encode(text);
}

/**
 * Fails with `FrameError("BadField")` if the bytes are not UTF-8.
 * @param {Uint8Array} bytes
 */
export function decodeText(bytes) {
  try {
    return DECODER.decode(bytes);
  } catch {
    throw new FrameError("BadField", "a text that is not UTF-8");
  }
}

/** @param {readonly Uint8Array[]} parts */
export function concat(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @param {Uint8Array} bytes */
export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The bytes of a hex text, or `undefined` if it is none.
 * @param {string} hex
 */
export function fromHex(hex) {
  if (hex.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(hex)) return undefined;
  const pairs = hex.match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}
