//! What the hub answers.

use bytes::{BufMut, Bytes, BytesMut};
use throughline_store::Entry;

use crate::frame::{Frame, Reader, failure, frame, put_key, put_value};
use crate::{FrameError, wire};

pub(super) fn read(kind: u8, body: &mut Reader<'_>) -> Result<Frame, FrameError> {
    Ok(match kind {
        wire::VALUE => {
            let call = body.u64()?;
            let value = if body.flag()? { Some(body.value()?) } else { None };
            Frame::Value { call, value }
        }
        wire::PAGE => {
            let call = body.u64()?;
            let next = if body.flag()? { Some(body.key()?) } else { None };
            let mut entries = Vec::new();
            for _ in 0..body.u16()? {
                entries.push(Entry { key: body.key()?, value: body.value()? });
            }
            Frame::Page { call, entries, next }
        }
        wire::DONE => Frame::Done { call: body.u64()? },
        wire::FAILED => Frame::Failed { call: body.u64()?, failure: failure::read(body)? },
        wire::HINT => Frame::Hint { watch: body.u32()? },
        wire::WATCH_REFUSED => Frame::WatchRefused { watch: body.u32()? },
        kind => return Err(FrameError::UnknownType { kind }),
    })
}

pub(crate) fn write_value(out: &mut BytesMut, call: u64, value: Option<&[u8]>) {
    frame(out, wire::VALUE, |out| {
        out.put_u64(call);
        out.put_u8(value.is_some().into());
        if let Some(value) = value {
            put_value(out, value);
        }
    });
}

/// A page of a store has few enough entries for their field.
pub(crate) fn write_page(out: &mut BytesMut, call: u64, entries: &[Entry], next: Option<&Bytes>) {
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
    frame(out, wire::PAGE, |out| {
        out.put_u64(call);
        out.put_u8(next.is_some().into());
        if let Some(next) = next {
            put_key(out, next);
        }
        out.put_u16(count);
        for entry in &entries[..count.into()] {
            put_key(out, &entry.key);
            put_value(out, &entry.value);
        }
    });
}

pub(crate) fn write_done(out: &mut BytesMut, call: u64) {
    frame(out, wire::DONE, |out| out.put_u64(call));
}

pub(crate) fn write_hint(out: &mut BytesMut, watch: u32) {
    frame(out, wire::HINT, |out| out.put_u32(watch));
}

pub(crate) fn write_watch_refused(out: &mut BytesMut, watch: u32) {
    frame(out, wire::WATCH_REFUSED, |out| out.put_u32(watch));
}
