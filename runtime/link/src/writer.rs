//! Writing of frames: the length is filled in when the body is complete.

use crate::wire::LENGTH_BYTES;

/// Appends one frame of type `kind` to `out`; `body` appends its body.
pub(crate) fn frame(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind]);
    body(out);
    // Senders check their payloads against `max_frame`, a u32, before they get here.
    let length = u32::try_from(out.len() - start - LENGTH_BYTES).unwrap_or(u32::MAX);
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
}

/// The longest beginning of `text` with at most `limit` bytes that ends between characters.
pub(crate) fn clipped(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// Appends `text`, clipped to `limit`, behind a length of one byte.
pub(crate) fn short_text(out: &mut Vec<u8>, text: &str, limit: usize) {
    let text = clipped(text, limit.min(usize::from(u8::MAX)));
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes());
}

/// Appends `text`, clipped to `limit`, behind a length of two bytes.
pub(crate) fn long_text(out: &mut Vec<u8>, text: &str, limit: usize) {
    let text = clipped(text, limit.min(usize::from(u16::MAX)));
    out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}
