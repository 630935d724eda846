/**
 * The types in which a link tells what is and what is to be done. No code.
 */

/**
 * @typedef {"idle" | "opening" | "live" | "repairing" | "repairFailed" | "ended"} State
 */

/**
 * Why a connection or a session is over.
 * @typedef {object} Cause
 * @property {number | undefined} code of the protocol's table; none if the connection just broke
 * @property {string} name the code's name, or what happened here
 * @property {string} text for a person; may be empty
 * @property {number | undefined} [gameCode] the game's own number for a refused login
 */

/**
 * @typedef {{ type: "open", resumed: boolean, previous: Cause | undefined }
 *   | { type: "repairStarted", cause: Cause }
 *   | { type: "repaired" }
 *   | { type: "repairFailed", cause: Cause }
 *   | { type: "restarting", reconnectIn: number, addresses: string[] }} LinkEvent
 */

/**
 * `connect`: open a socket and send the first frame: Hello, or a Resume that needs its proof.
 * `send`: one WebSocket message. `close`: close the socket and forget it; with a code, say it.
 * @typedef {{ type: "connect", connection: number, url: string, hello: Uint8Array }
 *   | { type: "connect", connection: number, url: string, body: Uint8Array, secret: Uint8Array }
 *   | { type: "send", connection: number, bytes: Uint8Array }
 *   | { type: "close", connection: number, code: number | undefined }} Action
 */

/**
 * @typedef {object} LinkOptions
 * @property {string} kind
 * @property {Uint8Array} login
 * @property {string | undefined} gameVersion
 * @property {readonly string[]} urls
 * @property {(address: string) => boolean} usable whether a node's address can be used
 * @property {import("./tries.js").Limits} limits
 * @property {() => number} random
 * @property {import("./record.js").SessionRecord | undefined} record
 */

export {};
