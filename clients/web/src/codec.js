/**
 * How a game's values become the payloads of messages, and back.
 */

import { decodeText, encodeText } from "./bytes.js";

/**
 * @typedef {object} Codec
 * @property {(value: unknown) => Uint8Array} encode throws if the value cannot be sent
 * @property {(payload: Uint8Array) => unknown} decode throws if the payload is not readable
 */

/** @type {Codec} values as JSON text */
const json = {
  encode(value) {
    // The declared type hides that functions, symbols and `undefined` have no JSON.
    const text = /** @type {string | undefined} */ (JSON.stringify(value));
    if (text === undefined) throw new TypeError("this value has no JSON form");
    return encodeText(text);
  },
  decode(payload) {
    return JSON.parse(decodeText(payload));
  },
};

/** @type {Codec} payloads as they are: a Uint8Array */
const bytes = {
  encode(value) {
    if (!(value instanceof Uint8Array)) {
      throw new TypeError("with codec \"bytes\" a message is a Uint8Array; see option `codec`");
    }
    // A copy: the message may have to be sent again after the game reused its buffer.
    return value.slice();
  },
  decode(payload) {
    return payload;
  },
};

/** @type {Readonly<Record<"json" | "bytes", Codec>>} */
export const CODECS = { json, bytes };

/**
 * The bytes of a login: a text as UTF-8, bytes as they are, anything else as JSON.
 * @param {unknown} login
 */
export function encodeLogin(login) {
  if (login === undefined) return new Uint8Array();
  if (typeof login === "string") return encodeText(login);
  return login instanceof Uint8Array ? bytes.encode(login) : json.encode(login);
}
