/**
 * A small node, written from the protocol's page for the tests: sessions, resume with proof,
 * numbering, acks, retained messages. No sockets and no time.
 */

import { createHmac } from "node:crypto";

import { encodeText, toHex } from "../src/bytes.js";
import { FrameReader, encodeFrame } from "../src/frames.js";

/** @typedef {import("../src/frames.js").Known} Known */
/** @typedef {import("../src/frames.js").Frame} Frame */

/**
 * @typedef {object} ModelSession
 * @property {Uint8Array} id
 * @property {Uint8Array} secret
 * @property {number} attempt
 * @property {number} received
 * @property {Uint8Array[]} handled the client's messages, in the order they were handled
 * @property {Uint8Array[]} out all messages to the client
 * @property {number} acked
 * @property {Line | undefined} line
 * @property {{ code: number, text: string } | undefined} ended
 */

/** @typedef {{ code: number, retryAfter?: number, text?: string,
 *   extensions?: import("../src/extensions.js").Extension[] }} Refusal */

export class ModelNode {
  /** @type {Map<string, ModelSession>} */
  sessions = new Map();
  /** @type {Refusal[]} refusals of the next handshakes */
  refusals = [];
  /** @type {Map<string, Refusal[]>} the same of other nodes, by address; then they are this one */
  others = new Map();
  /** @type {import("../src/frames.js").Hello[]} */
  hellos = [];
  /** @type {(session: ModelSession, payload: Uint8Array) => void} the game */
  game = () => {};
  /** @type {Partial<import("../src/frames.js").Welcome>} what to answer differently */
  welcome = {};
  /** How many resumes were accepted. */
  resumes = 0;
  /** Whether acks are held back. */
  silent = false;

  /** The only session. */
  get session() {
    const [session] = this.sessions.values();
    if (session === undefined) throw new Error("no session yet");
    return session;
  }

  /**
   * @param {(bytes: Uint8Array) => void} send
   * @param {(code: number) => void} close
   * @param {string} [url] where the client went
   */
  line(send, close, url = "") {
    return new Line(this, send, close, url);
  }

  /** @param {ModelSession} session @param {Uint8Array} payload */
  send(session, payload) {
    session.out.push(payload);
    session.line?.data(session.out.length);
  }

  /** @param {ModelSession} session @param {number} code */
  end(session, code) {
    session.ended = { code, text: "the end" };
    session.line?.end(code, "the end");
  }
}

/** One connection at the node. */
export class Line {
  #node;
  #send;
  #close;
  #url;
  /** @type {ModelSession | undefined} */
  session;
  open = true;
  /** @type {Frame[]} */
  frames = [];

  /**
   * @param {ModelNode} node
   * @param {(bytes: Uint8Array) => void} send
   * @param {(code: number) => void} close
   * @param {string} url
   */
  constructor(node, send, close, url) {
    this.#node = node;
    this.#send = send;
    this.#close = close;
    this.#url = url;
  }

  /** @param {Known} frame */
  send(frame) {
    if (this.open) this.#send(encodeFrame(frame));
  }

  /** @param {number} code @param {string} text */
  end(code, text) {
    this.send({ type: "close", code, ack: this.session?.received ?? 0, text });
    this.drop(code);
  }

  /** @param {number} code */
  drop(code) {
    if (!this.open) return;
    this.open = false;
    if (this.session?.line === this) this.session.line = undefined;
    this.#close(code);
  }

  /** @param {number} seq */
  data(seq) {
    const { session } = this;
    const payload = session?.out[seq - 1];
    if (session === undefined || payload === undefined) return;
    this.send({ type: "data", seq, ack: session.received, payload });
  }

  /** @param {Uint8Array} message */
  receive(message) {
    const reader = new FrameReader(message, "client");
    for (let frame = reader.next(65_536); frame && this.open; frame = reader.next(65_536)) {
      this.frames.push(frame);
      this.#handle(frame, message);
    }
  }

  /** @param {Frame} frame @param {Uint8Array} message */
  #handle(frame, message) {
    if (frame.type === "hello" || frame.type === "resume") {
      if (this.frames.length > 1) throw new Error("a second handshake on a connection");
      const { others, refusals } = this.#node;
      const refusal = others.get(this.#url)?.shift() ?? refusals.shift();
      if (refusal !== undefined) return this.#refuse(refusal);
      if (frame.type === "hello") return this.#hello(frame);
      return this.#resume(frame, message);
    }
    const { session } = this;
    if (session === undefined) throw new Error(`${frame.type} before Welcome`);
    switch (frame.type) {
      case "data": return this.#data(session, frame);
      case "ack": return this.#ack(session, frame.ack);
      case "ping": return this.send({ type: "pong", token: frame.token, time: 1_000_000 });
      case "close":
        this.#ack(session, frame.ack);
        if (frame.code === 101) session.ended = { code: 101, text: "" };
        return this.drop(frame.code);
      default:
    }
  }

  /** @param {Refusal} refusal */
  #refuse({ code, retryAfter = 0, text = "no", extensions = [] }) {
    this.send({ type: "refused", code, retryAfterMs: retryAfter, text, extensions });
    this.drop(code);
  }

  /** @param {import("../src/frames.js").Hello} hello */
  #hello(hello) {
    this.#node.hellos.push(hello);
    const n = this.#node.sessions.size + 1;
    /** @type {ModelSession} */
    const session = {
      id: new Uint8Array(16).fill(n), secret: new Uint8Array(32).fill(100 + n), attempt: 0,
      received: 0, handled: [], out: [], acked: 0, line: this, ended: undefined,
    };
    this.#node.sessions.set(toHex(session.id), session);
    this.session = session;
    this.#welcome(session, false, 0);
    this.#node.game(session, encodeText("hello"));
  }

  /** @param {import("../src/frames.js").Resume} resume @param {Uint8Array} message */
  #resume(resume, message) {
    const session = this.#node.sessions.get(toHex(resume.sessionId));
    if (session === undefined) return this.#refuse({ code: 300 });
    const proof = createHmac("sha256", session.secret).update("throughline-resume-1")
      .update(message.subarray(5, message.length - 32)).digest();
    if (!proof.equals(resume.proof)) return this.#refuse({ code: 301 });
    if (resume.attempt <= session.attempt) return this.#refuse({ code: 302 });
    session.attempt = resume.attempt;
    session.line?.end(202, "taken over");
    if (resume.acked > session.received || resume.received > session.out.length
      || resume.received < session.acked) {
      session.ended = { code: 109, text: "lost" };
      return this.#refuse({ code: 109, text: "lost" });
    }
    this.#node.resumes += 1;
    this.session = session;
    session.line = this;
    this.#welcome(session, true, resume.attempt);
    for (let seq = resume.received + 1; seq <= session.out.length; seq += 1) this.data(seq);
    if (session.ended !== undefined) this.end(session.ended.code, session.ended.text);
  }

  /**
   * @param {ModelSession} session
   * @param {boolean} resumed
   * @param {number} attempt
   */
  #welcome(session, resumed, attempt) {
    this.send({
      type: "welcome", version: 1, resumed, sessionId: session.id,
      secret: resumed ? null : session.secret, attempt,
      received: session.received, ack: session.received, time: 1_000_000, heartbeatMs: 2_500,
      timeoutMs: 60_000, windowMessages: 256, windowBytes: 1_048_576, maxFrame: 65_536,
      extensions: [], ...this.#node.welcome,
    });
  }

  /** @param {ModelSession} session @param {import("../src/frames.js").Data} data */
  #data(session, data) {
    this.#ack(session, data.ack);
    if (data.seq > session.received + 1) throw new Error("the client left a gap");
    if (data.seq === session.received + 1) {
      session.received = data.seq;
      session.handled.push(data.payload);
      this.#node.game(session, data.payload);
    }
    if (!this.#node.silent) this.send({ type: "ack", ack: session.received });
  }

  /** @param {ModelSession} session @param {number} ack */
  #ack(session, ack) {
    if (ack > session.out.length) throw new Error("the client acknowledged what was not sent");
    session.acked = Math.max(session.acked, ack);
  }
}
