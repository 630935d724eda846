/**
 * The golden vectors of the protocol, which every implementation reads.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { fromHex, toHex } from "../src/bytes.js";
import { MAX_FRAME } from "../src/defaults.js";
import { FrameError } from "../src/errors.js";
import { FrameReader, encodeFrame } from "../src/frames.js";
import { prove } from "../src/proof.js";

/** The fields that are u64: decimal texts in the vectors. */
const COUNTS = ["seq", "ack", "attempt", "received", "acked", "time"];
/** The fields that are byte strings: hex in the vectors. */
const BYTES = ["login", "sessionId", "secret", "proof", "payload", "hex"];
/** The frames that only clients send. */
const CLIENT_ONLY = ["hello", "resume"];

/** @param {string} name @returns {any[]} */
function vectors(name) {
  const list = JSON.parse(readFileSync(new URL(`../../../tests/vectors/${name}`, import.meta.url),
    "utf8"));
  assert.ok(list.length > 0);
  return list;
}

/** @param {string} hex */
function bytes(hex) {
  const found = fromHex(hex);
  assert.ok(found, `hex: ${hex}`);
  return found;
}

/** A frame of the vectors as this client has it. @param {any} value @returns {any} */
function fromVector(value) {
  return Object.fromEntries(Object.entries(value).map(([name, field]) => {
    if (name === "token") return [name, BigInt(field)];
    if (COUNTS.includes(name)) return [name, Number(field)];
    if (BYTES.includes(name) && field !== null) {
      return [name === "hex" ? "bytes" : name, bytes(field)];
    }
    return [name, name === "extensions" ? field.map(fromVector) : field];
  }));
}

for (const { name, hex, frame, decodeOnly } of vectors("frames.json")) {
  test(`frame ${name}`, () => {
    const reader = new FrameReader(bytes(hex),
      CLIENT_ONLY.includes(frame.type) ? "client" : "node");
    const decoded = reader.next(MAX_FRAME);
    assert.deepEqual(decoded, fromVector(frame));
    assert.equal(reader.next(MAX_FRAME), undefined, "nothing is left");
    if (decodeOnly) return;
    assert.ok(decoded !== undefined && decoded.type !== "ignored");
    assert.equal(toHex(encodeFrame(decoded)), hex);
  });
}

for (const { name, hex, from, error } of vectors("rejects.json")) {
  test(`reject ${name}`, () => {
    const reader = new FrameReader(bytes(hex), from);
    assert.throws(() => reader.next(MAX_FRAME), (thrown) => {
      assert.ok(thrown instanceof FrameError, String(thrown));
      assert.equal(thrown.kind, error);
      return true;
    });
  });
}

for (const { name, secret, body, proof } of vectors("proofs.json")) {
  test(`proof ${name}`, async () => {
    assert.equal(toHex(await prove(bytes(secret), bytes(body))), proof);
  });
}

test("a frame cut at any byte is refused, never misread", () => {
  for (const { hex, frame } of vectors("frames.json")) {
    const whole = bytes(hex);
    for (let length = 1; length < whole.length; length += 1) {
      const from = CLIENT_ONLY.includes(frame.type) ? "client" : "node";
      const reader = new FrameReader(whole.subarray(0, length), from);
      assert.throws(() => reader.next(MAX_FRAME), { kind: "Short" });
    }
  }
});

test("any bytes are read or refused, and nothing else happens", () => {
  let state = 1;
  for (let round = 0; round < 20_000; round += 1) {
    const message = Uint8Array.from({ length: 5 + (round % 60) }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    });
    // A fitting length and a known type, so that the bodies are reached, too.
    new DataView(message.buffer).setUint32(0, message.length - 4);
    message[4] = [1, 2, 3, 4, 16, 17, 18, 19, 20, 21, 128][round % 11] ?? 0;
    for (const from of /** @type {const} */ (["client", "node"])) {
      try {
        new FrameReader(message, from).next(MAX_FRAME);
      } catch (error) {
        assert.ok(error instanceof FrameError, String(error));
      }
    }
  }
});
