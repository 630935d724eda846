/**
 * The client's side of one session: a state machine without socket, clock, randomness or
 * storage. Times are milliseconds of any monotonic clock.
 *
 * `handle*` tells it what happened, the player's acts are methods, and after each of them the
 * driver takes what `poll*` gives, in this order: `takeDirty` (store `export()` before anything
 * leaves), `pollAction` and `pollEvent` until `undefined`, `pollMessage`, `pollTimeout`.
 */

import { Code, FORGOTTEN, codeOfStatus, entry } from "./codes.js";
import { Connection } from "./connection.js";
import { DATA_OVERHEAD } from "./defaults.js";
import { FrameError } from "./errors.js";
import { Tag, hasUnknownRequired, number, texts } from "./extensions.js";
import { FrameReader } from "./frames.js";
import { Identity } from "./identity.js";
import { Tries } from "./tries.js";
import { judge } from "./welcome.js";
import { Wire } from "./wire.js";

/** @typedef {import("./happenings.js").Cause} Cause */
/** @typedef {import("./happenings.js").LinkEvent} LinkEvent */

/**
 * What a refusal says besides its code.
 * @typedef {{ retryAfter: number, goesOn: boolean, gameCode: number | undefined }} Refusal
 */

/** @type {Refusal} */
const NO_REFUSAL = { retryAfter: 0, goesOn: false, gameCode: undefined };

export class Link {
  /** @type {import("./happenings.js").State} */
  #state = "idle";
  #identity;
  #wire;
  #tries;
  #connection = new Connection();
  /** Whether a Welcome has come since this object was made. */
  #opened = false;
  /** @type {LinkEvent[]} */
  #events = [];
  /** @type {Cause | undefined} why a stored session could not be resumed */
  #previous;
  /** @type {Cause | undefined} */
  #ending;
  #dirty = false;

  /** @param {import("./happenings.js").LinkOptions} options */
  constructor(options) {
    const { limits, random, urls, usable, record } = options;
    this.#identity = new Identity(options);
    this.#tries = new Tries(limits, random, urls, usable, record?.home);
    this.#wire = new Wire(record);
  }

  get state() {
    return this.#state;
  }

  /** The session id as 32 hex digits, or `undefined` before the first Welcome. */
  get id() {
    return this.#identity.id;
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
    return { ...this.#wire.stats, repairs: this.#identity.repairs };
  }

  // The player's and the game's acts.

  /** @param {number} now */
  start(now) {
    if (this.#state !== "idle") return;
    this.#state = "opening";
    this.#tries.again(now);
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
    if (this.#connection.live) {
      for (let bytes = this.#wire.batch(now); bytes; bytes = this.#wire.batch(now)) {
        this.#connection.push(bytes);
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
    if (this.#connection.phase === "none" || this.#state === "ended") return;
    // Whoever cuts on purpose, and often, is not to be asked for it after eight times.
    this.#tries.proven();
    this.#lost({ code: undefined, name: "Cut", text: "" }, now);
  }

  /**
   * Drops the connection, or the try under way, and goes on at this address first. After a failed
   * repair the next `retry` does so.
   * @param {string} url
   * @param {number} now
   */
  moveTo(url, now) {
    if (this.#state === "ended") return;
    this.#tries.goFirst(url);
    if (this.#state === "repairFailed") return;
    if (this.#connection.live) {
      // Whoever moves on purpose, and often, is not to be asked for it after eight times.
      this.#tries.proven();
      this.#lost({ code: undefined, name: "Moved", text: "" }, now);
      return;
    }
    this.#disconnect(undefined);
    this.#tries.stop();
    this.#tries.soon(now);
    this.handleTimeout(now);
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
    this.#connection.opened(connection);
  }

  /**
   * A WebSocket message came.
   * @param {number} connection
   * @param {Uint8Array} message
   * @param {number} now
   */
  handleBytes(connection, message, now) {
    if (!this.#connection.listens(connection)) return;
    this.#wire.heartbeat.heard(now);
    const frames = new FrameReader(message, "node");
    try {
      // A frame may end the connection: what follows it is no longer ours to read.
      while (this.#connection.listens(connection)) {
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
    if (this.#connection.listens(connection)) this.#fail(Code.TextFrame, "a text message", now);
  }

  /**
   * The socket is closed, or never opened.
   * @param {number} connection
   * @param {number} status the WebSocket close status
   * @param {string} text what is known about it
   * @param {number} now
   */
  handleClosed(connection, status, text, now) {
    if (!this.#connection.is(connection)) return;
    if (this.#connection.phase === "closing") return this.#disconnect(undefined);
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
    if (this.#connection.live && this.#wire.heartbeat.halfOpen(now)) {
      this.#fail(Code.HalfOpen, "the node does not answer any more", now);
    }
    if (this.#tries.leaves(now)) {
      this.#lost({ code: undefined, name: "Restarting", text: "" }, now);
    }
    if (this.#tries.due(now)) this.#connect(now);
  }

  // What is to be done.

  /** When `handleTimeout` is due; `Infinity`: never. */
  pollTimeout() {
    return Math.min(this.#connection.live ? this.#wire.dueAt : Infinity, this.#tries.dueAt);
  }

  /**
   * @param {number} now
   * @returns {import("./happenings.js").Action | undefined}
   */
  pollAction(now) {
    const action = this.#connection.poll();
    if (action !== undefined || !this.#connection.live) return action;
    const bytes = this.#wire.batch(now);
    return bytes && this.#connection.message(bytes);
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
    return this.#identity.record(this.#wire, this.#tries.home);
  }

  // Inside.

  /** @param {number} now */
  #connect(now) {
    // The attempt that a Resume raises is stored before it leaves.
    this.#dirty ||= this.#identity.known;
    this.#connection.connect(this.#tries.begin(now, this.rtt), this.#identity.firstFrame(this.#wire));
  }

  /** @param {import("./frames.js").Frame} frame @param {number} now */
  #handleFrame(frame, now) {
    if (frame.type === "close") return this.#handleClose(frame, now);
    if (this.#connection.phase === "waiting") {
      if (frame.type === "welcome") return this.#handleWelcome(frame, now);
      if (frame.type === "refused") return this.#handleRefused(frame, now);
      throw new FrameError("Order", `${frame.type} before Welcome`);
    }
    // A node that welcomes only to send away is of no use, or two of them could go on for ever.
    if (frame.type !== "restarting") this.#tries.proven();
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
    const { known: resumed, id, attempt } = this.#identity;
    const end = judge(frame, id, attempt, this.#wire.outbox);
    if (end !== undefined) {
      // The Welcome has come, so the node may be told.
      this.#connection.welcomed();
      this.#sayClose(end.code, end.text);
      return this.#end(end.code, end.text);
    }
    this.#acknowledge(frame.ack);
    this.#state = "live";
    this.#dirty = true;
    this.#connection.welcomed();
    this.#identity.welcomed(frame);
    this.#wire.connected(frame, now);
    this.#tries.welcomed(texts(frame.extensions, Tag.Address)[0], now);
    if (!this.#opened) {
      this.#events.push({ type: "open", resumed, previous: this.#previous });
    } else {
      this.#identity.repairs += 1;
      this.#events.push({ type: "repaired" });
    }
    this.#opened = true;
  }

  /** @param {import("./frames.js").Refused} frame @param {number} now */
  #handleRefused(frame, now) {
    const { code, text, extensions, retryAfterMs } = frame;
    if (hasUnknownRequired(extensions)) {
      return this.#end(Code.UnknownExtension, "the node is not compatible");
    }
    const named = this.#tries.goTo(texts(extensions, Tag.Elsewhere));
    const goesOn = named && code === Code.GoElsewhere;
    const gameCode = number(extensions, Tag.GameCode);
    this.#closed(code, text, now, { retryAfter: retryAfterMs, goesOn, gameCode });
  }

  /** @param {import("./frames.js").Data} frame @param {number} now */
  #handleData(frame, now) {
    this.#acknowledge(frame.ack);
    const taken = this.#wire.inbox.take(frame.seq, frame.payload, now);
    if (taken === "full") this.#fail(Code.ProtocolError, "more than the game can take", now);
    if (taken !== "gap") return;
    throw new FrameError("Gap", `message ${frame.seq} after ${this.#wire.inbox.received}`);
  }

  /** @param {number} ack */
  #acknowledge(ack) {
    if (ack > this.#wire.outbox.acked) this.#dirty = true;
    if (this.#wire.outbox.acknowledge(ack)) return;
    throw new FrameError("Ack", "an ack beyond what was sent");
  }

  /** @param {import("./frames.js").Restarting} frame @param {number} now */
  #handleRestarting(frame, now) {
    const { reconnectInMs: reconnectIn, addresses } = frame;
    this.#tries.leaveAt(now + reconnectIn, addresses);
    // A copy of this client must not begin at that node either.
    this.#dirty = true;
    this.#events.push({ type: "restarting", reconnectIn, addresses });
  }

  /** @param {import("./frames.js").Close} frame @param {number} now */
  #handleClose(frame, now) {
    const wasLive = this.#connection.live;
    if (wasLive) this.#acknowledge(frame.ack);
    if (!wasLive || entry(frame.code).action !== "end" || frame.code >= 200) {
      return this.#closed(frame.code, frame.text, now);
    }
    this.#finish(frame.code, frame.text);
    this.#connection.closing();
    this.#answerClose();
  }

  /**
   * A node that ended the session forgets it when the client has said so, too: not before the
   * game has its last messages, since until then a reload needs them again.
   */
  #answerClose() {
    const { inbox } = this.#wire;
    if (this.#connection.phase !== "closing" || inbox.handled < inbox.received) return;
    const code = this.#ending?.code ?? Code.Left;
    this.#sayClose(code, "");
    this.#disconnect(code);
  }

  /**
   * The node gave a reason for ending the connection, or more.
   * @param {number} code
   * @param {string} text
   * @param {number} now
   * @param {Refusal} [refusal]
   */
  #closed(code, text, now, refusal = NO_REFUSAL) {
    const { name, action } = entry(code);
    const { gameCode } = refusal;
    const cause = { code, name, text, gameCode };
    if (action !== "end") return this.#lost(cause, now, refusal);
    const stored = !this.#opened && this.#identity.known;
    if (!stored || !FORGOTTEN.includes(code)) return this.#end(code, text, gameCode);
    // The stored session is gone, and this page has shown nothing of it yet: log in.
    this.#disconnect(undefined);
    this.#previous = cause;
    this.#identity.forget();
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
    this.#lost({ code, name: entry(code).name, text }, now);
  }

  /**
   * The connection is over, the session is not.
   * @param {Cause} cause
   * @param {number} now
   * @param {Refusal} [refusal]
   */
  #lost(cause, now, { retryAfter, goesOn } = NO_REFUSAL) {
    const action = cause.code === undefined ? "repair" : entry(cause.code).action;
    const wasLive = this.#connection.live;
    this.#disconnect(cause.code);
    if (wasLive) {
      this.#state = "repairing";
      this.#events.push({ type: "repairStarted", cause });
    }
    const { silence } = this.#wire.heartbeat;
    const { timeout } = this.#identity;
    const silent = cause.code === Code.HalfOpen;
    const isStoreDown = cause.code === Code.StoreDown;
    const end = { wasLive, action, retryAfter, goesOn, isStoreDown, silent, timeout, silence };
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
    const { live, phase } = this.#connection;
    if (live || phase === "closing") this.#connection.push(this.#wire.close(code, text));
  }

  /** @param {number | undefined} code */
  #disconnect(code) {
    this.#connection.close(code);
    this.#wire.disconnected();
  }
}
