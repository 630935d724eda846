/**
 * The bodies of Hello, Resume, Welcome and Refused.
 */

import { Reader, Writer, encodeText, toHex } from "./bytes.js";
import {
  ID_BYTES, NAME_BYTES, PROOF_BYTES, SECRET_BYTES, TEXT_BYTES, VERSION,
} from "./defaults.js";
import { FrameError } from "./errors.js";
import { Tag, decodeExtensions, encodeExtensions } from "./extensions.js";

/** @typedef {import("./extensions.js").Extension} Extension */

/**
 * @typedef {object} Hello
 * @property {"hello"} type
 * @property {number} versionMin
 * @property {number} versionMax
 * @property {string} kind
 * @property {Uint8Array} login
 * @property {Extension[]} extensions
 */

/**
 * @typedef {object} Resume
 * @property {"resume"} type
 * @property {number} versionMin
 * @property {number} versionMax
 * @property {Uint8Array} sessionId
 * @property {number} attempt
 * @property {number} received
 * @property {number} acked
 * @property {Extension[]} extensions
 * @property {Uint8Array} proof
 */

/**
 * @typedef {object} Welcome
 * @property {"welcome"} type
 * @property {number} version
 * @property {boolean} resumed
 * @property {Uint8Array} sessionId
 * @property {Uint8Array | null} secret in the answer to Hello only
 * @property {number} attempt
 * @property {number} received
 * @property {number} ack
 * @property {number} time
 * @property {number} heartbeatMs
 * @property {number} timeoutMs
 * @property {number} windowMessages
 * @property {number} windowBytes
 * @property {number} maxFrame
 * @property {Extension[]} extensions
 */

/**
 * @typedef {object} Refused
 * @property {"refused"} type
 * @property {number} code
 * @property {number} retryAfterMs
 * @property {string} text
 * @property {Extension[]} extensions
 */

/** Bit 0 of Welcome's flags: the session was resumed. */
const RESUMED = 1;

const MAGIC = encodeText("TLNK");

/**
 * The extensions that this client sends with Hello and Resume.
 * @param {string | undefined} gameVersion
 * @returns {Extension[]}
 */
export function clientExtensions(gameVersion) {
  if (gameVersion === undefined) return [];
  return [{ tag: Tag.GameVersion, bytes: encodeText(gameVersion) }];
}

/** @param {Writer} writer @param {Hello} hello */
export function encodeHello(writer, hello) {
  const kind = encodeText(hello.kind);
  writer.bytes(MAGIC);
  writer.u8(hello.versionMin);
  writer.u8(hello.versionMax);
  writer.u8(kind.length);
  writer.bytes(kind);
  writer.u32(hello.login.length);
  writer.bytes(hello.login);
  encodeExtensions(writer, hello.extensions);
}

/** @param {Reader} reader @returns {Hello} */
export function decodeHello(reader) {
  const { versionMin, versionMax } = decodeVersions(reader);
  const length = reader.u8();
  if (length < 1 || length > NAME_BYTES) throw new FrameError("BadField", "length of the kind");
  const kind = reader.text(length);
  const login = reader.bytes(reader.u32());
  const extensions = decodeExtensions(reader.rest());
  return { type: "hello", versionMin, versionMax, kind, login, extensions };
}

/**
 * The body of a Resume up to its proof: what the proof is made over.
 * @param {Writer} writer
 * @param {Omit<Resume, "proof" | "type">} resume
 */
export function encodeResumeUnproved(writer, resume) {
  const extensions = new Writer();
  encodeExtensions(extensions, resume.extensions);
  writer.bytes(MAGIC);
  writer.u8(resume.versionMin);
  writer.u8(resume.versionMax);
  writer.bytes(resume.sessionId);
  writer.count(resume.attempt);
  writer.count(resume.received);
  writer.count(resume.acked);
  writer.u16(extensions.length);
  writer.bytes(extensions.finish());
}

/** @param {Writer} writer @param {Resume} resume */
export function encodeResume(writer, resume) {
  encodeResumeUnproved(writer, resume);
  writer.bytes(resume.proof);
}

/** @param {Reader} reader @returns {Resume} */
export function decodeResume(reader) {
  const { versionMin, versionMax } = decodeVersions(reader);
  const sessionId = reader.bytes(ID_BYTES);
  const attempt = reader.count();
  const received = reader.count();
  const acked = reader.count();
  const extensions = decodeExtensions(reader.bytes(reader.u16()));
  const proof = reader.bytes(PROOF_BYTES);
  if (reader.left > 0) throw new FrameError("BadField", "bytes behind the proof");
  return {
    type: "resume", versionMin, versionMax, sessionId, attempt, received, acked, extensions, proof,
  };
}

/** @param {Writer} writer @param {Welcome} welcome */
export function encodeWelcome(writer, welcome) {
  writer.u8(welcome.version);
  const secret = welcome.secret ?? new Uint8Array();
  writer.u8(welcome.resumed ? RESUMED : 0);
  writer.bytes(welcome.sessionId);
  writer.u8(secret.length);
  writer.bytes(secret);
  writer.count(welcome.attempt);
  writer.count(welcome.received);
  writer.count(welcome.ack);
  writer.count(welcome.time);
  writer.u32(welcome.heartbeatMs);
  writer.u32(welcome.timeoutMs);
  writer.u32(welcome.windowMessages);
  writer.u32(welcome.windowBytes);
  writer.u32(welcome.maxFrame);
  encodeExtensions(writer, welcome.extensions);
}

/** @param {Reader} reader @returns {Welcome} */
export function decodeWelcome(reader) {
  const version = reader.u8();
  if (version !== VERSION) throw new FrameError("UnsupportedVersion", `version ${version}`);
  const resumed = (reader.u8() & RESUMED) !== 0;
  const sessionId = reader.bytes(ID_BYTES);
  const secret = reader.bytes(reader.u8());
  // The secret crosses the wire once.
  if (secret.length !== (resumed ? 0 : SECRET_BYTES)) {
    throw new FrameError("BadField", `a secret of ${secret.length} bytes`);
  }
  return {
    type: "welcome",
    version,
    resumed,
    sessionId,
    secret: resumed ? null : secret,
    attempt: reader.count(),
    received: reader.count(),
    ack: reader.count(),
    time: reader.count(),
    heartbeatMs: reader.u32(),
    timeoutMs: reader.u32(),
    windowMessages: reader.u32(),
    windowBytes: reader.u32(),
    maxFrame: reader.u32(),
    extensions: decodeExtensions(reader.rest()),
  };
}

/** @param {Writer} writer @param {Refused} refused */
export function encodeRefused(writer, refused) {
  const text = encodeText(refused.text);
  writer.u16(refused.code);
  writer.u32(refused.retryAfterMs);
  writer.u16(text.length);
  writer.bytes(text);
  encodeExtensions(writer, refused.extensions);
}

/** @param {Reader} reader @returns {Refused} */
export function decodeRefused(reader) {
  return {
    type: "refused",
    code: reader.u16(),
    retryAfterMs: reader.u32(),
    text: decodeShortText(reader),
    extensions: decodeExtensions(reader.rest()),
  };
}

/**
 * The text for a person in Refused and Close; what is beyond the limit is cut off.
 * @param {Reader} reader
 */
export function decodeShortText(reader) {
  const bytes = reader.bytes(reader.u16());
  // Shown, never acted upon: so it is made readable instead of refused. As a stream, since a
  // character that is cut off at the end is left out.
  return new TextDecoder().decode(bytes.subarray(0, TEXT_BYTES), { stream: true });
}

/**
 * Magic and versions. Nothing behind them is looked at unless a version is common.
 * @param {Reader} reader
 */
function decodeVersions(reader) {
  const magic = reader.bytes(Math.min(MAGIC.length, reader.left));
  if (toHex(magic) !== toHex(MAGIC)) throw new FrameError("WrongMagic");
  const versionMin = reader.u8();
  const versionMax = reader.u8();
  if (versionMin > VERSION || versionMax < VERSION) throw new FrameError("UnsupportedVersion");
  return { versionMin, versionMax };
}
