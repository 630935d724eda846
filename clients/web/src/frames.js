/**
 * The frames of the link protocol: bytes to values and back. All wire numbers are here.
 */

import { Reader, Writer, encodeText } from "./bytes.js";
import { ADDRESSES, LENGTH_BYTES } from "./defaults.js";
import { FrameError } from "./errors.js";
import {
  decodeHello, decodeRefused, decodeResume, decodeShortText, decodeWelcome,
  encodeHello, encodeRefused, encodeResume, encodeResumeUnproved, encodeWelcome,
} from "./handshake.js";

/**
 * @typedef {{ type: "data", seq: number, ack: number, payload: Uint8Array }} Data
 * @typedef {{ type: "ack", ack: number }} Ack
 * @typedef {{ type: "ping", token: bigint }} Ping
 * @typedef {{ type: "pong", token: bigint, time: number }} Pong
 * @typedef {{ type: "restarting", reconnectInMs: number, addresses: string[] }} Restarting
 * @typedef {{ type: "close", code: number, ack: number, text: string }} Close
 * @typedef {{ type: "ignored", number: number }} Ignored of a later version, to be skipped
 * @typedef {import("./handshake.js").Hello} Hello
 * @typedef {import("./handshake.js").Resume} Resume
 * @typedef {import("./handshake.js").Welcome} Welcome
 * @typedef {import("./handshake.js").Refused} Refused
 * @typedef {Hello | Resume | Welcome | Refused
 *   | Data | Ack | Ping | Pong | Restarting | Close} Known
 * @typedef {Known | Ignored} Frame
 */

/** The type byte of every frame. A number that was ever used stays listed here. */
export const Type = Object.freeze({
  hello: 0x01,
  resume: 0x02,
  welcome: 0x03,
  refused: 0x04,
  data: 0x10,
  ack: 0x11,
  ping: 0x12,
  pong: 0x13,
  restarting: 0x14,
  close: 0x15,
});

/** Types from here on may be skipped by who does not know them. */
const IGNORABLE = 0x80;

/**
 * Who sent the bytes: each side takes only what the other may send.
 * @typedef {"client" | "node"} Side
 */

/** @type {ReadonlyMap<number, { from: readonly Side[], decode: (reader: Reader) => Known }>} */
const DECODERS = new Map([
  [Type.hello, { from: ["client"], decode: decodeHello }],
  [Type.resume, { from: ["client"], decode: decodeResume }],
  [Type.welcome, { from: ["node"], decode: decodeWelcome }],
  [Type.refused, { from: ["node"], decode: decodeRefused }],
  [Type.data, { from: ["client", "node"], decode: decodeData }],
  [Type.ack, { from: ["client", "node"], decode: decodeAck }],
  [Type.ping, { from: ["client", "node"], decode: decodePing }],
  [Type.pong, { from: ["client", "node"], decode: decodePong }],
  [Type.restarting, { from: ["node"], decode: decodeRestarting }],
  [Type.close, { from: ["client", "node"], decode: decodeClose }],
]);

/** Takes the frames out of one WebSocket message, which holds whole frames only. */
export class FrameReader {
  #reader;
  #from;

  /**
   * @param {Uint8Array} message
   * @param {Side} from who sent it
   */
  constructor(message, from) {
    this.#reader = new Reader(message);
    this.#from = from;
  }

  /**
   * The next frame, or `undefined` at the end. Fails with a `FrameError`; what came before the
   * broken frame is good.
   * @param {number} limit what `length` may be at most, now
   * @returns {Frame | undefined}
   */
  next(limit) {
    if (this.#reader.left === 0) return undefined;
    const length = this.#reader.u32();
    if (length === 0) throw new FrameError("Empty", "a frame of length 0");
    if (length > limit) throw new FrameError("TooLarge", "a frame above the limit");
    const number = this.#reader.u8();
    const body = this.#reader.bytes(length - 1);
    const decoder = DECODERS.get(number);
    if (decoder === undefined) {
      if (number >= IGNORABLE) return { type: "ignored", number };
      throw new FrameError("UnknownType", `unknown frame type ${number}`);
    }
    if (!decoder.from.includes(this.#from)) {
      throw new FrameError("WrongSide", `frame type ${number} from the wrong side`);
    }
    return decoder.decode(new Reader(body));
  }
}

/**
 * The bytes of a frame, with its length and type.
 * @param {Known} frame
 */
export function encodeFrame(frame) {
  const writer = new Writer();
  writer.u32(0);
  writer.u8(Type[frame.type]);
  encodeBody(writer, frame);
  writer.setU32(0, writer.length - LENGTH_BYTES);
  return writer.finish();
}

/**
 * The body of a Resume before its proof, over which the proof is made.
 * @param {Omit<Resume, "type" | "proof">} resume
 */
export function resumeBody(resume) {
  const writer = new Writer();
  encodeResumeUnproved(writer, resume);
  return writer.finish();
}

/**
 * The Resume frame of a body and its proof.
 * @param {Uint8Array} body
 * @param {Uint8Array} proof
 */
export function resumeFrame(body, proof) {
  const writer = new Writer();
  writer.u32(1 + body.length + proof.length);
  writer.u8(Type.resume);
  writer.bytes(body);
  writer.bytes(proof);
  return writer.finish();
}

/** @param {Writer} writer @param {Known} frame */
function encodeBody(writer, frame) {
  switch (frame.type) {
    case "hello": return encodeHello(writer, frame);
    case "resume": return encodeResume(writer, frame);
    case "welcome": return encodeWelcome(writer, frame);
    case "refused": return encodeRefused(writer, frame);
    case "data": return encodeData(writer, frame);
    case "ack": return writer.count(frame.ack);
    case "ping": return writer.u64(frame.token);
    case "pong": return encodePong(writer, frame);
    case "restarting": return encodeRestarting(writer, frame);
    case "close": return encodeClose(writer, frame);
  }
}

/** @param {Writer} writer @param {Data} data */
function encodeData(writer, data) {
  writer.count(data.seq);
  writer.count(data.ack);
  writer.bytes(data.payload);
}

/** @param {Reader} reader @returns {Data} */
function decodeData(reader) {
  return { type: "data", seq: reader.count(), ack: reader.count(), payload: reader.rest() };
}

/** @param {Reader} reader @returns {Ack} */
function decodeAck(reader) {
  return { type: "ack", ack: reader.count() };
}

/** @param {Reader} reader @returns {Ping} */
function decodePing(reader) {
  return { type: "ping", token: reader.u64() };
}

/** @param {Writer} writer @param {Pong} pong */
function encodePong(writer, pong) {
  writer.u64(pong.token);
  writer.count(pong.time);
}

/** @param {Reader} reader @returns {Pong} */
function decodePong(reader) {
  return { type: "pong", token: reader.u64(), time: reader.count() };
}

/** @param {Writer} writer @param {Restarting} restarting */
function encodeRestarting(writer, restarting) {
  writer.u32(restarting.reconnectInMs);
  writer.u8(restarting.addresses.length);
  for (const address of restarting.addresses) {
    const text = encodeText(address);
    writer.u8(text.length);
    writer.bytes(text);
  }
}

/** @param {Reader} reader @returns {Restarting} */
function decodeRestarting(reader) {
  const reconnectInMs = reader.u32();
  const count = reader.u8();
  if (count > ADDRESSES) throw new FrameError("BadField", "too many addresses");
  const addresses = Array.from({ length: count }, () => reader.text(reader.u8()));
  return { type: "restarting", reconnectInMs, addresses };
}

/** @param {Writer} writer @param {Close} close */
function encodeClose(writer, close) {
  const text = encodeText(close.text);
  writer.u16(close.code);
  writer.count(close.ack);
  writer.u16(text.length);
  writer.bytes(text);
}

/** @param {Reader} reader @returns {Close} */
function decodeClose(reader) {
  return {
    type: "close", code: reader.u16(), ack: reader.count(), text: decodeShortText(reader),
  };
}
