/**
 * The one table of close codes: used by Close, Refused and the WebSocket close status.
 */

/**
 * What this client does by itself on a code:
 * - `end`: the session is over here, reported as `ended`;
 * - `repair`: a new connection, the session stays;
 * - `strike`: as `repair`, and it counts as a failed try;
 * - `wait`: tries again, not counted as a try.
 * @typedef {"end" | "repair" | "strike" | "wait"} Action
 */

/**
 * @typedef {object} Entry
 * @property {string} name as in the protocol's table
 * @property {Action} action what this client does
 */

/** @type {ReadonlyMap<number, Entry>} */
export const CODES = new Map([
  [100, { name: "Ended", action: "end" }],
  [101, { name: "Left", action: "end" }],
  [102, { name: "Expired", action: "end" }],
  [103, { name: "Idle", action: "end" }],
  [104, { name: "RetainedOverflow", action: "end" }],
  [105, { name: "SlowConsumer", action: "end" }],
  [106, { name: "HandlerFailed", action: "end" }],
  [107, { name: "KeyTaken", action: "end" }],
  [108, { name: "Kicked", action: "end" }],
  [109, { name: "Lost", action: "end" }],
  [110, { name: "BadMessage", action: "end" }],
  [111, { name: "Flooded", action: "end" }],
  [112, { name: "NodeStopped", action: "end" }],
  [200, { name: "ProtocolError", action: "strike" }],
  [201, { name: "TooLarge", action: "strike" }],
  [202, { name: "TakenOver", action: "end" }],
  [203, { name: "HalfOpen", action: "repair" }],
  [204, { name: "TextFrame", action: "strike" }],
  [205, { name: "NotLink", action: "end" }],
  [300, { name: "Unknown", action: "end" }],
  [301, { name: "BadProof", action: "end" }],
  [302, { name: "OldAttempt", action: "end" }],
  [303, { name: "Banned", action: "end" }],
  [304, { name: "UpgradeNeeded", action: "end" }],
  [305, { name: "LoginRefused", action: "end" }],
  [306, { name: "UnknownKind", action: "end" }],
  [307, { name: "UnsupportedVersion", action: "end" }],
  [308, { name: "UnknownExtension", action: "end" }],
  [309, { name: "LoginTooLarge", action: "end" }],
  [310, { name: "BadHandshake", action: "end" }],
  [320, { name: "NotYet", action: "wait" }],
  [321, { name: "GoElsewhere", action: "wait" }],
  [322, { name: "StoreDown", action: "wait" }],
  [323, { name: "Overloaded", action: "wait" }],
  [324, { name: "LoadFailed", action: "wait" }],
  [325, { name: "HandshakeTimeout", action: "wait" }],
]);

/** The codes that this client itself sends or reports. */
export const Code = Object.freeze({
  Left: 101,
  Lost: 109,
  ProtocolError: 200,
  TooLarge: 201,
  TakenOver: 202,
  HalfOpen: 203,
  TextFrame: 204,
  Unknown: 300,
  BadProof: 301,
  OldAttempt: 302,
  UnsupportedVersion: 307,
  UnknownExtension: 308,
  GoElsewhere: 321,
  StoreDown: 322,
});

/** Refusals of a stored session after which the client simply logs in again. */
export const FORGOTTEN = /** @type {readonly number[]} */ ([
  Code.Unknown, Code.BadProof, Code.OldAttempt,
]);

/** WebSocket close status = this + code. */
const STATUS_BASE = 4_000;

/**
 * The table's entry of a code. An unknown code is treated as the first of its hundred; a number
 * that is no code at all as `ProtocolError`.
 * @param {number} code
 * @returns {Entry}
 */
export function entry(code) {
  const found = CODES.get(code) ?? CODES.get(Math.floor(code / 100) * 100);
  return found ?? { name: "ProtocolError", action: "strike" };
}

/**
 * The code in a WebSocket close status, or `undefined` if there is none (the connection broke).
 * @param {number} status
 * @returns {number | undefined}
 */
export function codeOfStatus(status) {
  const code = status - STATUS_BASE;
  return code >= 100 && code < 400 ? code : undefined;
}

/**
 * The WebSocket close status of a code.
 * @param {number} code
 */
export function statusOfCode(code) {
  return STATUS_BASE + code;
}
