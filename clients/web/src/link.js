/**
 * The client's side of one session: a state machine without socket, clock, randomness or
 * storage. Times are milliseconds of any monotonic clock.
 *
 * `handle*` tells it what happened, the player's acts are methods, and after each of them the
 * driver takes what `poll*` gives, in this order: `takeDirty` (store `export()` before anything
 * leaves), `pollAction` and `pollEvent` until `undefined`, `pollMessage`, `pollTimeout`.
 */

import { toHex } from "./bytes.js";
import { Code, codeOfStatus, entry } from "./codes.js";
import { DATA_OVERHEAD, SESSION_TIMEOUT_MS, VERSION } from "./defaults.js";
import { FrameError } from "./errors.js";
import { Tag, hasUnknownRequired, number, texts } from "./extensions.js";
import { FrameReader, encodeFrame, resumeBody } from "./frames.js";
import { clientExtensions } from "./handshake.js";
import { Tries } from "./tries.js";
import { judge } from "./welcome.js";
import { Wire } from "./wire.js";

/** @typedef {import("./happenings.js").State} State */
/** @typedef {import("./happenings.js").Cause} Cause */
/** @typedef {import("./happenings.js").LinkEvent} LinkEvent */
/** @typedef {import("./happenings.js").Action} Action */
/** @typedef {import("./happenings.js").LinkOptions} LinkOptions */

/** Refusals of a stored session after which the client simply logs in again. */
const FORGOTTEN = /** @type {readonly number[]} */ ([
  Code.Unknown, Code.BadProof, Code.OldAttempt,
]);

export class Link {
  #options;
  /** @type {State} */
  #state = "idle";
  /** @type {{ id: Uint8Array, secret: Uint8Array } | undefined} */
  #session;
  #attempt = 0;
  #wire;
  #tries;
  #repairs = 0;
  #timeout = SESSION_TIMEOUT_MS;
  /** Whether a Welcome has come since this object was made. */
  #opened = false;

  /** Counts connections; events of an older one are ignored. */
  #connection = 0;
  /**
   * `closing`: the node ended the session, and hears so when the game has its last messages.
   * @type {"none" | "opening" | "waiting" | "live" | "closing"}
   */
  #phase = "none";

  /** @type {Action[]} */
  #actions = [];
  /** @type {LinkEvent[]} */
  #events = [];
  /** @type {Cause | undefined} why a stored session could not be resumed */
  #previous;
  /** @type {Cause | undefined} */
  #ending;
  #dirty = false;

  /** @param {LinkOptions} options */
  constructor(options) {
    const { record } = options;
    this.#options = options;
    const { random, urls, usable } = options;
    this.#tries = new Tries(random, urls, usable, record?.home);
    this.#wire = new Wire(record);
    if (record !== undefined) {
      this.#session = { id: record.id, secret: record.secret };
      this.#attempt = record.attempt;
      this.#timeout = record.timeout;
      this.#repairs = record.repairs;
    }
  }

  get state() {
    return this.#state;
  }

  /** The session id as 32 hex digits, or `undefined` before the first Welcome. */
  get id() {
    return this.#session === undefined ? undefined : toHex(this.#session.id);
  }

  /** Why the session ended, once it has. */
  get ending() {
    return this.#ending;
  }

  /** Bytes of the longest message that may be sent. */
  get maxMessage() {
    return this.#wire.maxFrame - DATA_OVERHEAD;
  }

  get rtt() {
    return this.#wire.heartbeat.rtt;
  }

  /** @param {number} now */
  serverTime(now) {
    return this.#wire.heartbeat.serverTime(now);
  }

  get stats() {
    return {
      sent: this.#wire.outbox.last,
      retained: this.#wire.outbox.retained.length,
      acked: this.#wire.outbox.acked,
      received: this.#wire.inbox.received,
      repairs: this.#repairs,
    };
  }

  // The player's and the game's acts.

  /** @param {number} now */
  start(now) {
    if (this.#state !== "idle") return;
    this.#state = "opening";
    this.#tries.soon(now);
    this.handleTimeout(now);
  }

  /**
   * Takes a message, if the window has room. Never before the first Welcome, which tells the
   * window.
   * @param {Uint8Array} payload
   * @returns {"sent" | "wouldBlock" | "tooLarge" | "ended"}
   */
  send(payload) {
    if (this.#state === "ended") return "ended";
    if (payload.length > this.maxMessage) return "tooLarge";
    if (!this.#opened || !this.#wire.outbox.hasRoom(payload.length)) return "wouldBlock";
    this.#wire.outbox.push(payload);
    this.#dirty = true;
    return "sent";
  }

  /**
   * The player asks to try again after the repair failed. Returns whether that was the state.
   * @param {number} now
   */
  retry(now) {
    if (this.#state !== "repairFailed") return false;
    this.#state = this.#opened ? "repairing" : "opening";
    if (this.#opened) {
      const cause = { code: undefined, name: "Retry", text: "" };
      this.#events.push({ type: "repairStarted", cause });
    }
    this.#tries.again(now);
    this.handleTimeout(now);
    return true;
  }

  /**
   * The game ends the session. What was sent before still goes out over a live connection.
   * @param {number} now
   */
  leave(now) {
    if (this.#state === "ended") return;
    this.#wire.inbox.clear();
    if (this.#phase === "live") {
      for (let bytes = this.#wire.batch(now); bytes; bytes = this.#wire.batch(now)) {
        this.#actions.push({ type: "send", connection: this.#connection, bytes });
      }
      this.#sayClose(Code.Left, "");
    }
    this.#end(Code.Left, "");
  }

  /**
   * For development: drops the connection, as if it had broken.
   * @param {number} now
   */
  cut(now) {
    if (this.#phase === "none" || this.#state === "ended") return;
    // Whoever cuts on purpose, and often, is not to be asked for it after eight times.
    this.#tries.proven();
    this.#lost({ code: undefined, name: "Cut", text: "" }, now);
  }

  /**
   * For development: drops the connection and stays away for a time.
   * @param {number} ms
   * @param {number} now
   */
  offline(ms, now) {
    this.#tries.stayAway(now + ms);
    this.cut(now);
  }

  // What happened outside.

  /**
   * The socket is open and the first frame is on its way.
   * @param {number} connection
   */
  handleOpened(connection) {
    if (connection === this.#connection && this.#phase === "opening") this.#phase = "waiting";
  }

  /**
   * A WebSocket message came.
   * @param {number} connection
   * @param {Uint8Array} message
   * @param {number} now
   */
  handleBytes(connection, message, now) {
    if (!this.#listens(connection)) return;
    this.#wire.heartbeat.heard(now);
    const frames = new FrameReader(message, "node");
    try {
      // A frame may end the connection: what follows it is no longer ours to read.
      while (this.#listens(connection)) {
        const frame = frames.next(this.#wire.maxFrame);
        if (frame === undefined) break;
        this.#handleFrame(frame, now);
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      if (error.kind === "UnsupportedVersion") {
        return this.#end(Code.UnsupportedVersion, `protocol ${error.message}`);
      }
      const code = error.kind === "TooLarge" ? Code.TooLarge : Code.ProtocolError;
      this.#fail(code, error.message, now);
    }
  }

  /**
   * A WebSocket text message came, which the protocol does not have.
   * @param {number} connection
   * @param {number} now
   */
  handleText(connection, now) {
    if (this.#listens(connection)) this.#fail(Code.TextFrame, "a text message", now);
  }

  /**
   * The socket is closed, or never opened.
   * @param {number} connection
   * @param {number} status the WebSocket close status
   * @param {string} text what is known about it
   * @param {number} now
   */
  handleClosed(connection, status, text, now) {
    if (connection !== this.#connection || this.#phase === "none") return;
    if (this.#phase === "closing") return this.#disconnect(undefined);
    const code = codeOfStatus(status);
    if (code === undefined) this.#lost({ code, name: "Broken", text }, now);
    else this.#closed(code, text, now);
  }

  /**
   * The game is done with a message of `pollMessage`.
   * @param {number} seq
   * @param {number} now
   */
  handleHandled(seq, now) {
    this.#wire.inbox.done(seq, now);
    this.#dirty = true;
    this.#answerClose();
  }

  /**
   * The time of `pollTimeout` has come; harmless at any other time.
   * @param {number} now
   */
  handleTimeout(now) {
    if (this.#tries.givenUp(now)) {
      this.#lost({ code: undefined, name: "NoAnswer", text: "the node does not answer" }, now);
    }
    if (this.#phase === "live" && this.#wire.heartbeat.halfOpen(now)) {
      this.#fail(Code.HalfOpen, "nothing heard for two heartbeats", now);
    }
    if (this.#tries.leaves(now)) {
      this.#lost({ code: undefined, name: "Restarting", text: "" }, now);
    }
    if (this.#tries.due(now)) this.#connect(now);
  }

  // What is to be done.

  /** When `handleTimeout` is due; `Infinity`: never. */
  pollTimeout() {
    const connected = this.#phase === "live" ? this.#wire.dueAt : Infinity;
    return Math.min(connected, this.#tries.dueAt);
  }

  /**
   * @param {number} now
   * @returns {Action | undefined}
   */
  pollAction(now) {
    const action = this.#actions.shift();
    if (action !== undefined || this.#phase !== "live") return action;
    const bytes = this.#wire.batch(now);
    return bytes && { type: "send", connection: this.#connection, bytes };
  }

  /** @returns {LinkEvent | undefined} */
  pollEvent() {
    return this.#events.shift();
  }

  /** The next message for the game; it is to be answered with `handleHandled`. */
  pollMessage() {
    return this.#wire.inbox.poll();
  }

  /** Whether `export()` has changed since the last call. */
  takeDirty() {
    const dirty = this.#dirty;
    this.#dirty = false;
    return dirty;
  }

  /**
   * What a copy of this link needs to resume the session, or `undefined` without one.
   * @returns {import("./record.js").SessionRecord | undefined}
   */
  export() {
    if (this.#session === undefined) return undefined;
    return {
      kind: this.#options.kind,
      ...this.#session,
      attempt: this.#attempt,
      // What was received and not handled is lost with this object, so it must come again.
      received: this.#wire.inbox.handled,
      acked: this.#wire.outbox.acked,
      unacked: this.#wire.outbox.retained.map(({ payload }) => payload),
      timeout: this.#timeout,
      repairs: this.#repairs,
      home: this.#tries.home,
    };
  }

  // Inside.

  /** @param {number} connection */
  #listens(connection) {
    return connection === this.#connection
      && (this.#phase === "waiting" || this.#phase === "live");
  }

  /** @param {number} now */
  #connect(now) {
    this.#connection += 1;
    this.#phase = "opening";
    const to = {
      type: /** @type {const} */ ("connect"),
      connection: this.#connection,
      url: this.#tries.begin(now),
    };
    const versions = { versionMin: VERSION, versionMax: VERSION };
    const extensions = clientExtensions(this.#options.gameVersion);
    if (this.#session === undefined) {
      const { kind, login } = this.#options;
      const hello = encodeFrame({ type: "hello", ...versions, kind, login, extensions });
      this.#actions.push({ ...to, hello });
      return;
    }
    this.#attempt += 1;
    this.#dirty = true;
    const body = resumeBody({
      ...versions,
      sessionId: this.#session.id,
      attempt: this.#attempt,
      received: this.#wire.inbox.received,
      acked: this.#wire.outbox.acked,
      extensions,
    });
    this.#actions.push({ ...to, body, secret: this.#session.secret });
  }

  /** @param {import("./frames.js").Frame} frame @param {number} now */
  #handleFrame(frame, now) {
    if (frame.type === "close") return this.#handleClose(frame, now);
    if (this.#phase === "waiting") {
      if (frame.type === "welcome") return this.#handleWelcome(frame, now);
      if (frame.type === "refused") return this.#handleRefused(frame, now);
      throw new FrameError("Order", `${frame.type} before Welcome`);
    }
    this.#tries.proven();
    switch (frame.type) {
      case "ignored": return;
      case "data": return this.#handleData(frame, now);
      case "ack": return this.#acknowledge(frame.ack);
      case "ping": return this.#wire.answer(frame.token);
      case "pong": return this.#wire.heartbeat.pong(frame.token, frame.time, now);
      case "restarting": return this.#handleRestarting(frame, now);
      default: throw new FrameError("Order", `${frame.type} after Welcome`);
    }
  }

  /** @param {import("./frames.js").Welcome} frame @param {number} now */
  #handleWelcome(frame, now) {
    const known = this.#session;
    const end = judge(frame, known?.id, this.#attempt, this.#wire.outbox);
    if (end !== undefined) {
      // The Welcome has come, so the node may be told.
      this.#phase = "live";
      this.#sayClose(end.code, end.text);
      return this.#end(end.code, end.text);
    }
    this.#acknowledge(frame.ack);
    const { sessionId: id, secret } = frame;
    if (secret !== null) this.#session ??= { id, secret };
    this.#live(frame, now);
    if (!this.#opened) {
      const previous = this.#previous;
      this.#events.push({ type: "open", resumed: known !== undefined, previous });
    } else {
      this.#repairs += 1;
      this.#events.push({ type: "repaired" });
    }
    this.#opened = true;
  }

  /** @param {import("./frames.js").Welcome} frame @param {number} now */
  #live(frame, now) {
    this.#state = "live";
    this.#phase = "live";
    this.#dirty = true;
    this.#timeout = frame.timeoutMs;
    this.#wire.connected(frame, now);
    this.#tries.welcomed(texts(frame.extensions, Tag.Address)[0], now);
  }

  /** @param {import("./frames.js").Refused} frame @param {number} now */
  #handleRefused(frame, now) {
    const { code, text, extensions, retryAfterMs } = frame;
    if (hasUnknownRequired(extensions)) {
      return this.#end(Code.UnknownExtension, "the node is not compatible");
    }
    if (code === Code.GoElsewhere) this.#tries.goTo(texts(extensions, Tag.Elsewhere));
    this.#closed(code, text, now, retryAfterMs, number(extensions, Tag.GameCode));
  }

  /** @param {import("./frames.js").Data} frame @param {number} now */
  #handleData(frame, now) {
    this.#acknowledge(frame.ack);
    switch (this.#wire.inbox.take(frame.seq, frame.payload, now)) {
      case "gap":
        throw new FrameError("Gap", `message ${frame.seq} after ${this.#wire.inbox.received}`);
      case "full":
        return this.#fail(Code.ProtocolError, "more messages than the game can take", now);
      default:
    }
  }

  /** @param {number} ack */
  #acknowledge(ack) {
    if (ack > this.#wire.outbox.acked) this.#dirty = true;
    const sent = this.#wire.outbox.acknowledge(ack);
    if (!sent) throw new FrameError("Ack", "an ack beyond what was sent");
  }

  /** @param {import("./frames.js").Restarting} frame @param {number} now */
  #handleRestarting(frame, now) {
    const { reconnectInMs: reconnectIn, addresses } = frame;
    this.#tries.leaveAt(now + reconnectIn);
    this.#tries.goTo(addresses);
    this.#events.push({ type: "restarting", reconnectIn, addresses });
  }

  /** @param {import("./frames.js").Close} frame @param {number} now */
  #handleClose(frame, now) {
    const wasLive = this.#phase === "live";
    if (wasLive) this.#acknowledge(frame.ack);
    if (!wasLive || entry(frame.code).action !== "end" || frame.code >= 200) {
      return this.#closed(frame.code, frame.text, now);
    }
    this.#finish(frame.code, frame.text);
    this.#phase = "closing";
    this.#answerClose();
  }

  /**
   * A node that ended the session forgets it when the client has said so, too: not before the
   * game has its last messages, since until then a reload needs them again.
   */
  #answerClose() {
    const { inbox } = this.#wire;
    if (this.#phase !== "closing" || inbox.handled < inbox.received) return;
    const code = this.#ending?.code ?? Code.Left;
    this.#sayClose(code, "");
    this.#disconnect(code);
  }

  /**
   * The node gave a reason for ending the connection, or more.
   * @param {number} code
   * @param {string} text
   * @param {number} now
   * @param {number} [retryAfter]
   * @param {number} [gameCode]
   */
  #closed(code, text, now, retryAfter = 0, gameCode = undefined) {
    const { name, action } = entry(code);
    const cause = { code, name, text, gameCode };
    if (action !== "end") return this.#lost(cause, now, retryAfter);
    const stored = !this.#opened && this.#session !== undefined;
    if (!stored || !FORGOTTEN.includes(code)) return this.#end(code, text, gameCode);
    // The stored session is gone, and this page has shown nothing of it yet: log in.
    this.#disconnect(undefined);
    this.#previous = cause;
    this.#session = undefined;
    this.#attempt = 0;
    this.#repairs = 0;
    this.#wire = new Wire(undefined);
    this.#dirty = true;
    this.#tries.stop();
    this.#tries.soon(now);
    this.handleTimeout(now);
  }

  /**
   * The other side broke a rule, or is silent: tell it and repair.
   * @param {number} code
   * @param {string} text
   * @param {number} now
   */
  #fail(code, text, now) {
    this.#sayClose(code, text);
    this.#lost({ code, name: entry(code).name, text }, now, 0);
  }

  /**
   * The connection is over, the session is not.
   * @param {Cause} cause
   * @param {number} now
   * @param {number} [retryAfter]
   */
  #lost(cause, now, retryAfter = 0) {
    const action = cause.code === undefined ? "repair" : entry(cause.code).action;
    const wasLive = this.#phase === "live";
    this.#disconnect(cause.code);
    if (wasLive) {
      this.#state = "repairing";
      this.#events.push({ type: "repairStarted", cause });
    }
    const { silence } = this.#wire.heartbeat;
    const end = { wasLive, action, retryAfter, timeout: this.#timeout, silence };
    if (this.#tries.broke(end, now)) return this.handleTimeout(now);
    this.#state = "repairFailed";
    this.#events.push({ type: "repairFailed", cause });
  }

  /**
   * The session is over at this client.
   * @param {number} code
   * @param {string} text
   * @param {number} [gameCode]
   */
  #end(code, text, gameCode = undefined) {
    this.#disconnect(code);
    this.#finish(code, text, gameCode);
  }

  /**
   * @param {number} code
   * @param {string} text
   * @param {number} [gameCode]
   */
  #finish(code, text, gameCode = undefined) {
    this.#tries.stop();
    // Another copy of this client goes on with the session: what waits here is its to handle.
    if (code === Code.TakenOver || code === Code.OldAttempt) this.#wire.inbox.clear();
    this.#state = "ended";
    this.#ending = { code, name: entry(code).name, text, gameCode };
  }

  /**
   * A Close is the last frame of a connection; before Welcome a client sends none.
   * @param {number} code
   * @param {string} text
   */
  #sayClose(code, text) {
    if (this.#phase !== "live" && this.#phase !== "closing") return;
    const bytes = this.#wire.close(code, text);
    this.#actions.push({ type: "send", connection: this.#connection, bytes });
  }

  /** @param {number | undefined} code */
  #disconnect(code) {
    if (this.#phase !== "none") {
      this.#actions.push({ type: "close", connection: this.#connection, code });
    }
    this.#phase = "none";
    this.#wire.disconnected();
  }
}
