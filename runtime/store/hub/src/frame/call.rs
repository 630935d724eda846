//! What clients ask.

use bytes::{BufMut, Bytes, BytesMut};
use throughline_store::{Batch, Check, Scan, Write};

use crate::frame::{Frame, Reader, frame, put_key, put_value};
use crate::{FrameError, wire};

mod bounds;

pub(super) fn read(kind: u8, body: &mut Reader<'_>) -> Result<Frame, FrameError> {
    Ok(match kind {
        wire::GET => Frame::Get { call: body.u64()?, key: body.key()? },
        wire::SCAN => Frame::Scan { call: body.u64()?, scan: read_scan(body)? },
        wire::COMMIT => Frame::Commit { call: body.u64()?, batch: read_batch(body)? },
        wire::WATCH => Frame::Watch { watch: body.u32()?, prefix: body.key()? },
        wire::UNWATCH => Frame::Unwatch { watch: body.u32()? },
        kind => return Err(FrameError::UnknownType { kind }),
    })
}

fn read_scan(body: &mut Reader<'_>) -> Result<Scan, FrameError> {
    let entries_max = body.u32()? as usize;
    let bytes_max = body.u32()? as usize;
    let from = body.key()?;
    let to = if body.flag()? { Some(body.key()?) } else { None };
    Ok(Scan::range(from, to).entries_max(entries_max).bytes_max(bytes_max))
}

fn read_batch(body: &mut Reader<'_>) -> Result<Batch, FrameError> {
    let (checks, writes) = (body.u16()?, body.u16()?);
    let mut batch = Batch::new();
    for _ in 0..checks {
        let (is_there, key) = (body.flag()?, body.key()?);
        batch.push_check(match is_there {
            true => Check::Equals { key, value: body.value()? },
            false => Check::Absent { key },
        });
    }
    for _ in 0..writes {
        let (is_put, key) = (body.flag()?, body.key()?);
        batch.push_write(match is_put {
            true => Write::Put { key, value: body.value()? },
            false => Write::Delete { key },
        });
    }
    Ok(batch)
}

pub(crate) fn write_get(out: &mut BytesMut, call: u64, key: &Bytes) {
    frame(out, wire::GET, |out| {
        out.put_u64(call);
        put_key(out, key);
    });
}

pub(crate) fn write_scan(out: &mut BytesMut, call: u64, scan: &Scan) {
    let (entries_max, bytes_max) = bounds::of(scan);
    frame(out, wire::SCAN, |out| {
        out.put_u64(call);
        out.put_u32(entries_max);
        out.put_u32(bytes_max);
        put_key(out, scan.from());
        out.put_u8(scan.to().is_some().into());
        if let Some(to) = scan.to() {
            put_key(out, to);
        }
    });
}

/// The batch was validated, so both counts fit their fields.
pub(crate) fn write_commit(out: &mut BytesMut, call: u64, batch: &Batch) {
    let count = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
    let (checks, writes) = (count(batch.checks().len()), count(batch.writes().len()));
    frame(out, wire::COMMIT, |out| {
        out.put_u64(call);
        out.put_u16(checks);
        out.put_u16(writes);
        for check in &batch.checks()[..checks.into()] {
            let value = match check {
                Check::Equals { value, .. } => Some(value),
                Check::Absent { .. } => None,
            };
            put_pair(out, check.key(), value);
        }
        for write in &batch.writes()[..writes.into()] {
            put_pair(out, write.key(), write.value());
        }
    });
}

fn put_pair(out: &mut BytesMut, key: &Bytes, value: Option<&Bytes>) {
    out.put_u8(value.is_some().into());
    put_key(out, key);
    if let Some(value) = value {
        put_value(out, value);
    }
}

pub(crate) fn write_watch(out: &mut BytesMut, watch: u32, prefix: &Bytes) {
    frame(out, wire::WATCH, |out| {
        out.put_u32(watch);
        put_key(out, prefix);
    });
}

pub(crate) fn write_unwatch(out: &mut BytesMut, watch: u32) {
    frame(out, wire::UNWATCH, |out| out.put_u32(watch));
}
