/**
 * The list of extensions at the end of Hello, Resume, Welcome and Refused.
 */

import { Reader, Writer, decodeText } from "./bytes.js";
import { ADDRESSES, EXTENSIONS } from "./defaults.js";
import { FrameError } from "./errors.js";

/** @typedef {{ tag: number, bytes: Uint8Array }} Extension */

/** The tags that are known. */
export const Tag = Object.freeze({
  GameVersion: 0x0001,
  Address: 0x0002,
  Elsewhere: 0x0003,
  GameCode: 0x0004,
});

/** A tag with this bit must be understood by whoever receives it. */
const REQUIRED = 0x8000;

/**
 * Reads a list to the end of the bytes. Unknown and repeated tags are kept: what to do with
 * them is the receiver's question.
 * @param {Uint8Array} bytes
 * @returns {Extension[]}
 */
export function decodeExtensions(bytes) {
  const reader = new Reader(bytes);
  /** @type {Extension[]} */
  const list = [];
  while (reader.left > 0) {
    if (list.length === EXTENSIONS) throw new FrameError("BadField", "too many extensions");
    const tag = reader.u16();
    const content = reader.bytes(reader.u16());
    list.push({ tag, bytes: content });
  }
  return list;
}

/**
 * @param {Writer} writer
 * @param {readonly Extension[]} list
 */
export function encodeExtensions(writer, list) {
  for (const { tag, bytes } of list) {
    writer.u16(tag);
    writer.u16(bytes.length);
    writer.bytes(bytes);
  }
}

/**
 * Whether the list has a tag that must be understood and is not.
 * @param {readonly Extension[]} list
 */
export function hasUnknownRequired(list) {
  return list.some(({ tag }) => (tag & REQUIRED) !== 0);
}

/**
 * The texts of the extensions with a tag, as many as a client is sent to at most.
 * @param {readonly Extension[]} list
 * @param {number} tag
 */
export function texts(list, tag) {
  return all(list, tag).slice(0, ADDRESSES).map(({ bytes }) => decodeText(bytes));
}

/**
 * The number in the extension with a tag, or `undefined` without one.
 * @param {readonly Extension[]} list
 * @param {number} tag
 */
export function number(list, tag) {
  const found = all(list, tag)[0];
  return found === undefined ? undefined : new Reader(found.bytes).u16();
}

/**
 * @param {readonly Extension[]} list
 * @param {number} tag
 */
function all(list, tag) {
  return list.filter((extension) => extension.tag === tag);
}
