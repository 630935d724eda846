/**
 * The proof of a Resume: that this client knows the session's secret.
 */

import { concat, encodeText } from "./bytes.js";
import { ConnectError } from "./errors.js";

const LABEL = encodeText("throughline-resume-1");

/**
 * Fails if this place has no WebCrypto, without which no session could be resumed.
 */
export function requireWebCrypto() {
  if (globalThis.crypto?.subtle !== undefined) return;
  throw new ConnectError(
    "NoWebCrypto",
    "this page has no WebCrypto (crypto.subtle), which is needed to resume a session: browsers "
      + "offer it on https and on localhost only, so open the page there, not on plain http",
  );
}

/**
 * HMAC-SHA256 of the body of a Resume before its proof.
 * @param {Uint8Array} secret
 * @param {Uint8Array} body
 */
export async function prove(secret, body) {
  requireWebCrypto();
  const { subtle } = globalThis.crypto;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await subtle.importKey("raw", secret.slice(), algorithm, false, ["sign"]);
  return new Uint8Array(await subtle.sign("HMAC", key, concat([LABEL, body])));
}
