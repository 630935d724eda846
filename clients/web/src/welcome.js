/**
 * What a client checks in a Welcome before it believes it.
 */

import { toHex } from "./bytes.js";
import { Code } from "./codes.js";
import { FrameError } from "./errors.js";
import { hasUnknownRequired } from "./extensions.js";

/**
 * Returns why the session cannot go on, or `undefined` if all is well. Fails with a `FrameError`
 * if the Welcome breaks the protocol.
 * @param {import("./frames.js").Welcome} welcome
 * @param {string | undefined} id of the session that was to be resumed, in hex
 * @param {number} attempt of the Resume that is answered
 * @param {import("./outbox.js").Outbox} outbox
 * @returns {{ code: number, text: string } | undefined}
 */
export function judge(welcome, id, attempt, outbox) {
  if (hasUnknownRequired(welcome.extensions)) {
    return { code: Code.UnknownExtension, text: "the node is not compatible" };
  }
  const fits = id === undefined
    ? !welcome.resumed && welcome.attempt === 0
    : welcome.resumed && welcome.attempt === attempt && toHex(welcome.sessionId) === id;
  if (!fits) throw new FrameError("Order", "a Welcome that answers something else");
  if (welcome.received < outbox.acked || !outbox.canHave(welcome.received)) {
    return { code: Code.Lost, text: "the node holds other messages than were sent" };
  }
  if (welcome.ack > welcome.received) throw new FrameError("Ack", "an ack above what is held");
  return undefined;
}
