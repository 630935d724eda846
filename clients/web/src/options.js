/**
 * The options of `connect`: what they mean, their defaults, and whether they make sense.
 */

import { encodeText } from "./bytes.js";
import { CODECS, encodeLogin } from "./codec.js";
import {
  ADVERTISED_TRY_TIMEOUT_MS, MAX_FRAME, NAME_BYTES, TRIES, TRY_TIMEOUT_MS,
} from "./defaults.js";
import { ConnectError } from "./errors.js";
import { encodeFrame } from "./frames.js";
import { clientExtensions } from "./handshake.js";
import { socketClass } from "./transport.js";

/**
 * All times are milliseconds.
 * @typedef {object} ConnectOptions
 * @property {string} kind the session kind, as the game's server names it; 1 to 64 bytes
 * @property {string | readonly string[]} [url] where nodes are: `/link` of this page by default;
 *   a path, `ws://`, `wss://`, `http://` or `https://`. Several are tried in turn
 * @property {import("./route.js").AddressOrder} [addressOrder] where to go after a break, behind
 *   what nodes name when they restart or refuse. `"advertisedFirst"`, the default: one try at the
 *   address that the node told as its own, then those of `url`. `"configuredOnly"`: those of
 *   `url` only
 * @property {number} [tries] tries until the player is asked; 8 by default
 * @property {number} [tryTimeout] a try without the node's yes or no has failed after so long;
 *   5,000 by default
 * @property {number} [advertisedTryTimeout] the same for the try at the address that the node
 *   told as its own; 2,000 by default, and never more than the other
 * @property {number} [totalTime] how long after a break the client goes on with what does not
 *   count as a try (refusals that may be retried, addresses that nodes name). By default as long
 *   as the node keeps a session without a connection, 60,000 before it has told
 * @property {unknown} [login] the login payload: a text, a Uint8Array, or a value that is sent
 *   as JSON. Empty by default
 * @property {string} [gameVersion] the version of the game's client, 1 to 64 bytes; a node may
 *   answer `UpgradeNeeded`
 * @property {"json" | "bytes"} [codec] how messages are encoded; `"json"` by default
 * @property {import("./storage.js").StorageLike} [storage] keeps the session over a reload, for
 *   instance `sessionStorage`. One client at a time may use a key. None by default
 * @property {string} [storageKey] `throughline:` and the kind by default. Put the player's name
 *   into it if several players share a storage
 * @property {import("./transport.js").SocketClass} [WebSocket] the class to use; the global one
 *   by default
 */

/**
 * @param {ConnectOptions} options
 */
export function checkOptions(options) {
  const { kind, gameVersion, codec = "json", storage } = options;
  checkName("kind", kind);
  if (gameVersion !== undefined) checkName("gameVersion", gameVersion);
  if (!Object.hasOwn(CODECS, codec)) {
    throw new ConnectError("Options", `option codec: found ${show(codec)}, expected "json" or `
      + '"bytes"');
  }
  const login = encodeLogin(options.login);
  const extensions = clientExtensions(gameVersion);
  const versions = { versionMin: 1, versionMax: 1 };
  const hello = encodeFrame({ type: "hello", ...versions, kind, login, extensions });
  if (hello.length > MAX_FRAME) {
    throw new ConnectError("Options", `option login: found ${login.length} bytes, expected at `
      + "most 16,384 unless the node allows more, and never more than a frame holds");
  }
  const url = options.url ?? "/link";
  const urls = (typeof url === "string" ? [url] : [...url]).map(resolve);
  if (urls.length === 0) throw new ConnectError("Options", "option url: found an empty list");
  const limits = checkLimits(options);
  return {
    kind,
    login,
    gameVersion,
    urls,
    limits,
    codec: CODECS[codec],
    storage,
    storageKey: options.storageKey ?? `throughline:${kind}`,
    Socket: socketClass(options.WebSocket),
  };
}

/**
 * @param {ConnectOptions} options
 * @returns {import("./tries.js").Limits}
 */
function checkLimits(options) {
  const {
    addressOrder = "advertisedFirst", tries = TRIES, tryTimeout = TRY_TIMEOUT_MS,
    advertisedTryTimeout = ADVERTISED_TRY_TIMEOUT_MS, totalTime,
  } = options;
  if (addressOrder !== "advertisedFirst" && addressOrder !== "configuredOnly") {
    throw new ConnectError("Options", `option addressOrder: found ${show(addressOrder)}, expected `
      + '"advertisedFirst" or "configuredOnly"');
  }
  const whole = Number.isSafeInteger(tries) && tries >= 1;
  if (!whole) throw new ConnectError("Options", `option tries: found ${show(tries)}, expected 1 `
    + "or more");
  for (const [name, time] of Object.entries({ tryTimeout, advertisedTryTimeout, totalTime })) {
    if (time === undefined || (Number.isFinite(time) && time > 0)) continue;
    throw new ConnectError("Options", `option ${name}: found ${show(time)}, expected milliseconds`);
  }
  return { addressOrder, tries, tryTimeout, advertisedTryTimeout, totalTime };
}

/**
 * Whether this client can connect to an address that a node names. `host:port` is for TCP, and
 * a page on https may open wss:// only.
 * @param {string} address
 */
export function usable(address) {
  const secure = globalThis.location?.protocol === "https:";
  const protocol = parse(address)?.protocol ?? "";
  return (secure ? ["wss:"] : ["ws:", "wss:"]).includes(protocol);
}

/**
 * The full address of one that the application gives. Fails with a `ConnectError`.
 * @param {string} url
 */
export function resolve(url) {
  const full = parse(url, globalThis.location?.href);
  if (full === undefined) {
    throw new ConnectError("Options", `option url: found ${show(url)}, expected ws:// or wss:// `
      + "and an address (a path is enough in a page)");
  }
  if (full.protocol === "http:") full.protocol = "ws:";
  if (full.protocol === "https:") full.protocol = "wss:";
  if (full.protocol !== "ws:" && full.protocol !== "wss:") {
    throw new ConnectError("Options", `option url: found ${show(url)}, expected ws:// or wss://`);
  }
  // A WebSocket address has no fragment.
  full.hash = "";
  return full.href;
}

/**
 * @param {string} url
 * @param {string} [base]
 */
function parse(url, base) {
  try {
    return new URL(url, base);
  } catch {
    return undefined;
  }
}

/**
 * @param {string} option
 * @param {unknown} value
 */
function checkName(option, value) {
  const length = typeof value === "string" ? encodeText(value).length : 0;
  if (length >= 1 && length <= NAME_BYTES) return;
  throw new ConnectError("Options", `option ${option}: found ${show(value)}, expected a text of `
    + `1 to ${NAME_BYTES} bytes`);
}

/** @param {unknown} value */
function show(value) {
  return JSON.stringify(value) ?? String(value);
}
