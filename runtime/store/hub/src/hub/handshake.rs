//! The proofs, on the hub's side.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::BytesMut;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::frame::Frame;
use crate::hub::Shared;
use crate::hub::connection::Connection;
use crate::limits::{CONNECTIONS_MAX, HANDSHAKE_TIMEOUT};
use crate::proof::{Side, Transcript};
use crate::stream::{ReceiveError, Stream};
use crate::wire::{
    REFUSED_FULL, REFUSED_MALFORMED, REFUSED_SECRET, REFUSED_VERSION, VERSION_MAX, VERSION_MIN,
};

/// Why a connection does not get to its first call.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("wrong secret")]
    WrongSecret,
    #[error("no version in common: the hub speaks {VERSION_MIN} to {VERSION_MAX}")]
    Version,
    #[error("{CONNECTIONS_MAX} clients are connected, which is the limit")]
    Full,
    #[error("not the frame that belongs here")]
    Misplaced,
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    #[error("no proof within {HANDSHAKE_TIMEOUT:?}")]
    TooSlow,
}

/// Serves one connection, from its first byte to its last.
pub(super) async fn serve(
    stream: io::Result<Stream>,
    handshake_place: OwnedSemaphorePermit,
    shared: Arc<Shared>,
) {
    let stream = match stream {
        Ok(stream) => stream,
        // No descriptors, most likely. The place is kept a while, so that accepting slows down.
        Err(error) => {
            shared.counters.count_refusal(&shared.counters.refused, &error.to_string());
            tokio::time::sleep(HANDSHAKE_TIMEOUT).await;
            return;
        }
    };
    let mut input = BytesMut::new();
    let welcome = timeout(HANDSHAKE_TIMEOUT, welcome(&stream, &mut input, &shared));
    match welcome.await.unwrap_or(Err(Refusal::TooSlow)) {
        Ok(place) => {
            drop(handshake_place);
            shared.counters.welcomed.fetch_add(1, Relaxed);
            Connection::new(stream, input, shared).run().await;
            drop(place);
        }
        Err(refusal) => refuse(&stream, &refusal, &shared).await,
    }
}

/// Proves and asks for proof; answers with a place for the connection.
async fn welcome(
    stream: &Stream,
    input: &mut BytesMut,
    shared: &Shared,
) -> Result<OwnedSemaphorePermit, Refusal> {
    let hello = stream.receive(input).await?;
    let Frame::Hello { version_min, version_max, nonce: client_nonce } = hello else {
        return Err(Refusal::Misplaced);
    };
    let version = version_max.min(VERSION_MAX);
    if version < version_min.max(VERSION_MIN) {
        return Err(Refusal::Version);
    }
    let mut hub_nonce = [0; 32];
    getrandom::fill(&mut hub_nonce).map_err(|error| ReceiveError::Io(io::Error::other(error)))?;
    let challenge = Frame::Challenge { version, nonce: hub_nonce };
    stream.send(&challenge).await.map_err(ReceiveError::Io)?;

    let said = Transcript { version_min, version_max, version, client_nonce, hub_nonce };
    let Frame::Proof { proof } = stream.receive(input).await? else {
        return Err(Refusal::Misplaced);
    };
    if !said.verify(&shared.secret, Side::Client, &proof) {
        return Err(Refusal::WrongSecret);
    }
    // Only now, so that a stranger learns nothing of how busy the hub is.
    let place = shared.places.clone().try_acquire_owned().map_err(|_| Refusal::Full)?;
    let proof = said.proof(&shared.secret, Side::Hub);
    stream.send(&Frame::Welcome { proof }).await.map_err(ReceiveError::Io)?;
    Ok(place)
}

async fn refuse(stream: &Stream, refusal: &Refusal, shared: &Shared) {
    let counters = &shared.counters;
    let (code, counter) = match refusal {
        Refusal::WrongSecret => (REFUSED_SECRET, &counters.wrong_secrets),
        Refusal::Version => (REFUSED_VERSION, &counters.refused),
        Refusal::Full => (REFUSED_FULL, &counters.refused),
        _ => (REFUSED_MALFORMED, &counters.refused),
    };
    let text = refusal.to_string();
    counters.count_refusal(counter, &text);
    // Small enough for the empty buffer of any socket, so one that does not take it is not helped.
    let _ = timeout(HANDSHAKE_TIMEOUT, stream.send(&Frame::Refused { code, text })).await;
}
