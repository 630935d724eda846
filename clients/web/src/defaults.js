/**
 * Every limit and time of the client, with its reason. All times are milliseconds.
 *
 * What a node tells in its Welcome (heartbeat, session timeout, window, frame limit) replaces the
 * value here for the rest of the session.
 */

/** The protocol version that this client speaks. */
export const VERSION = 1;

/** Longest frame (type and body) before a Welcome says otherwise: the protocol's default. */
export const MAX_FRAME = 65_536;

/** What a Data frame needs besides its payload: type, seq and ack. */
export const DATA_OVERHEAD = 17;

/** Bytes of the length field in front of every frame. */
export const LENGTH_BYTES = 4;

/** Messages a sender may have unacknowledged before a Welcome says otherwise. */
export const WINDOW_MESSAGES = 256;

/** Bytes of payload a sender may have unacknowledged before a Welcome says otherwise. */
export const WINDOW_BYTES = 1_048_576;

/**
 * Messages received and not yet handled. A node ends a session with `RetainedOverflow` at this
 * many by default, so a client that keeps up never gets here. Beyond it the connection is dropped
 * and the rest comes again with the next one: memory never follows the node.
 */
export const INBOX_MESSAGES = 1_024;

/** Bytes received and not yet handled; the reason is that of `INBOX_MESSAGES`. */
export const INBOX_BYTES = 4_194_304;

/** Calls of `send` that may wait for room in the window; one more is rejected (`WouldBlock`). */
export const WAITING_SENDS = 1_024;

/**
 * Bytes that the socket may hold unsent. Twice the largest amount an honest node can cause
 * (window, acknowledgements, answers to pings); beyond it the connection is dropped.
 */
export const SOCKET_BUFFER = 8_388_608;

/** Ping this often, until a Welcome says otherwise. */
export const HEARTBEAT_MS = 2_500;

/** Shortest heartbeat that is believed, so that a broken Welcome cannot cause a flood. */
export const HEARTBEAT_MIN_MS = 50;

/** Nothing received for so many heartbeats: the connection is half-open. */
export const SILENT_HEARTBEATS = 2;

/**
 * A ping or a message without an answer for a heartbeat means half-open, too; on a slow way it has
 * so many round trips: an answer leaves at once, and one lost packet is sent again within two.
 */
export const ANSWER_ROUND_TRIPS = 4;

/** And so long at least, where heartbeats are shorter: a busy node is not a dead one. */
export const ANSWER_MIN_MS = 1_000;

/**
 * A client that looks so much later than it meant to was held up itself: the answer may be there.
 * Longer than a page or a game stalls while it loads, it would be found in two heartbeats anyway.
 */
export const ANSWER_LATE_MS = 250;

/** Pings whose answer is still awaited; older ones are forgotten. Two are in use normally. */
export const PINGS_IN_FLIGHT = 8;

/** Bytes of answers to pings that wait to leave; further pings get none. */
export const PONG_BYTES = 16_384;

/** A session lives so long without a connection, until a Welcome says otherwise. */
export const SESSION_TIMEOUT_MS = 60_000;

/** An acknowledgement without a message leaves so long after the first handled message. */
export const ACK_DELAY_MS = 20;

/** An acknowledgement without a message leaves after so many handled messages. */
export const ACK_COUNT = 16;

/** A try that has neither Welcome nor Refused after so long has failed. */
export const TRY_TIMEOUT_MS = 5_000;

/**
 * The same for a try of a repair behind which there are others, at first: that at the node's
 * advertised address, those at addresses that nodes named, and those at several addresses of the
 * application. If that node is gone the player waits in vain, and any other can take the session.
 * Each time that all of the last were tried in vain theirs is doubled, up to `TRY_TIMEOUT_MS`.
 */
export const ADVERTISED_TRY_TIMEOUT_MS = 2_000;

/**
 * After silence such tries have so many round trips instead: opening a connection, encrypting it
 * and resuming take five, and the rest is the node's. Such a try is often at another node that no
 * way leads to, and the player waits.
 */
export const HURRIED_TRY_ROUND_TRIPS = 8;

/** At least this long, whatever the round trip, and at most `ADVERTISED_TRY_TIMEOUT_MS`. */
export const HURRIED_TRY_MIN_MS = 750;

/**
 * Tries at addresses that nodes named, in one repair, that do not count as tries: two full lists,
 * and no cluster needs more. Beyond it they count, so that no node keeps a client going for ever.
 */
export const NAMED_TRIES = 16;

/** Tries of a repair before the player is asked. */
export const TRIES = 8;

/** The second try comes after a random time below this; each later one doubles it. */
export const BACKOFF_MS = 100;

/** The random time before a try is never above this. */
export const BACKOFF_MAX_MS = 5_000;

/** Longest delay of a browser's timer (2^31 - 1); a longer one would fire at once. */
export const TIMER_MAX_MS = 2_147_483_647;

/** Addresses that a node may name in a refusal or a restart. */
export const ADDRESSES = 8;

/** Extensions of one frame. */
export const EXTENSIONS = 16;

/** Bytes of a secret. */
export const SECRET_BYTES = 32;

/** Bytes of a session id. */
export const ID_BYTES = 16;

/** Bytes of a proof (HMAC-SHA256). */
export const PROOF_BYTES = 32;

/** Bytes of a session kind or of a game version, at most; both have at least 1. */
export const NAME_BYTES = 64;

/** Bytes of the text of a refusal or a close, at most. */
export const TEXT_BYTES = 1_024;
