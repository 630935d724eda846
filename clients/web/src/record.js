/**
 * What a stored session consists of, and its form as text. A text that is not exactly that form
 * is no record: a session is never resumed from a guess.
 */

import { fromHex, toHex } from "./bytes.js";
import { ID_BYTES, SECRET_BYTES, SESSION_TIMEOUT_MS } from "./defaults.js";

/**
 * @typedef {object} SessionRecord
 * @property {string} kind the session kind it was opened with
 * @property {Uint8Array} id
 * @property {Uint8Array} secret
 * @property {number} attempt the highest that was used
 * @property {number} received the highest message that the game was done with
 * @property {number} acked the highest own message that was acknowledged
 * @property {readonly Uint8Array[]} unacked the own messages after that one
 * @property {number} timeout how long it lives without a connection, milliseconds
 * @property {number} repairs
 * @property {string | undefined} home
 */

/** Raised when the form changes; a record of another form is ignored. */
const FORM = 1;

/**
 * A message is written again with every change until it is acknowledged: its text is made once.
 * @type {WeakMap<Uint8Array, string>}
 */
const TEXTS = new WeakMap();

/** @param {SessionRecord} record */
export function recordToText(record) {
  return JSON.stringify({
    ...record,
    form: FORM,
    id: toHex(record.id),
    secret: toHex(record.secret),
    unacked: record.unacked.map(toBase64),
  });
}

/**
 * @param {string} text
 * @returns {SessionRecord | undefined}
 */
export function recordFromText(text) {
  /** @type {unknown} */
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  /** @type {Record<string, unknown>} */
  const fields = { ...value };
  const { form, kind, home } = fields;
  const id = bytes(fields["id"], ID_BYTES);
  const secret = bytes(fields["secret"], SECRET_BYTES);
  const attempt = count(fields["attempt"]);
  const received = count(fields["received"]);
  const acked = count(fields["acked"]);
  const unacked = payloads(fields["unacked"]);
  const good = form === FORM && typeof kind === "string"
    && (home === undefined || typeof home === "string");
  if (!good || id === undefined || secret === undefined || unacked === undefined) return undefined;
  if (attempt === undefined || received === undefined || acked === undefined) return undefined;
  const timeout = count(fields["timeout"]) ?? SESSION_TIMEOUT_MS;
  const repairs = count(fields["repairs"]) ?? 0;
  return { kind, id, secret, attempt, received, acked, unacked, timeout, repairs, home };
}

/**
 * @param {unknown} value
 * @returns {number | undefined}
 */
function count(value) {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
    ? value
    : undefined;
}

/**
 * @param {unknown} value
 * @param {number} length
 */
function bytes(value, length) {
  const found = typeof value === "string" ? fromHex(value) : undefined;
  return found?.length === length ? found : undefined;
}

/**
 * @param {unknown} value
 * @returns {Uint8Array[] | undefined}
 */
function payloads(value) {
  if (!Array.isArray(value)) return undefined;
  /** @type {Uint8Array[]} */
  const list = [];
  for (const text of value) {
    const payload = typeof text === "string" ? fromBase64(text) : undefined;
    if (payload === undefined) return undefined;
    list.push(payload);
  }
  return list;
}

/** @param {Uint8Array} payload */
function toBase64(payload) {
  let text = TEXTS.get(payload);
  if (text === undefined) {
    text = btoa(Array.from(payload, (byte) => String.fromCharCode(byte)).join(""));
    TEXTS.set(payload, text);
  }
  return text;
}

/**
 * @param {string} text
 * @returns {Uint8Array | undefined}
 */
function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
