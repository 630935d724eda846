//! Resume: comes back to a session.

use throughline_canary::canary;

use super::{FrameError, preamble};
use crate::{
    extension::{self, Extensions},
    id::{Secret, SessionId},
    proof::{proof, verify},
    reader::{Reader, Short},
    wire, writer,
};

/// What a client says first to come back to its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume<'a> {
    /// The lowest version the client speaks.
    pub version_min: u8,
    /// The highest version the client speaks.
    pub version_max: u8,
    /// The session.
    pub session_id: SessionId,
    /// Greater than in every resume before.
    pub attempt: u64,
    /// The highest number received.
    pub received: u64,
    /// The highest own number seen acknowledged.
    pub acked: u64,
    /// More; see [`wire`].
    pub extensions: Extensions<'a>,
    /// HMAC-SHA256 over the body before it.
    pub proof: [u8; 32],
    /// What the proof is over.
    body: &'a [u8],
}

impl<'a> Resume<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, FrameError> {
        let short = |Short| FrameError::Short { kind: wire::RESUME };
        let mut reader = Reader::new(body);
        let (version_min, version_max) = preamble(&mut reader, wire::RESUME)?;
        let session_id = reader.session_id().map_err(short)?;
        let attempt = reader.u64().map_err(short)?;
        let received = reader.u64().map_err(short)?;
        let acked = reader.u64().map_err(short)?;
        let extension_bytes = reader.u16().map_err(short)?;
        let extensions = reader.bytes(usize::from(extension_bytes)).map_err(short)?;
        let extensions = Extensions::read(extensions, wire::RESUME)?;
        let proved = &body[..body.len() - reader.rest().len()];
        let proof = reader.array().map_err(short)?;
        if !reader.is_empty() {
            return Err(FrameError::BadField { kind: wire::RESUME, field: "end" });
        }
        Ok(Self {
            version_min,
            version_max,
            session_id,
            attempt,
            received,
            acked,
            extensions,
            proof,
            body: proved,
        })
    }

    /// Whether whoever wrote this knows the secret.
    #[must_use]
    pub fn is_proved(&self, secret: &Secret) -> bool {
        canary!(ProofUnchecked) || verify(secret, self.body, &self.proof)
    }

    /// The game version the client told, if any.
    #[must_use]
    pub fn game_version(&self) -> Option<&'a str> {
        self.extensions.text(wire::TAG_GAME_VERSION)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        writer::frame(out, wire::RESUME, |out| {
            out.extend_from_slice(self.body);
            out.extend_from_slice(&self.proof);
        });
    }

    /// Writes a resume with the proof that `secret` gives.
    pub(crate) fn write_proved(
        out: &mut Vec<u8>,
        secret: &Secret,
        session_id: SessionId,
        numbers: [u64; 3],
        game_version: Option<&str>,
    ) {
        writer::frame(out, wire::RESUME, |out| {
            let start = out.len();
            out.extend_from_slice(&wire::MAGIC);
            out.extend_from_slice(&[wire::VERSION, wire::VERSION]);
            out.extend_from_slice(&session_id.0);
            for number in numbers {
                out.extend_from_slice(&number.to_be_bytes());
            }
            let mut extensions = Vec::new();
            if let Some(version) = game_version {
                let version = writer::clipped(version, wire::GAME_VERSION_MAX);
                extension::write(&mut extensions, wire::TAG_GAME_VERSION, version.as_bytes());
            }
            // One extension of at most 64 bytes.
            let length = u16::try_from(extensions.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&extensions);
            let proof = proof(secret, &out[start..]);
            out.extend_from_slice(&proof);
        });
    }
}
