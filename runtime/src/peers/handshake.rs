//! The handshake of two nodes, as pure machines: a struct per state, named for what it awaits.
//!
//! ```text
//! dialer                                  acceptor
//!    | Hello(versions, nonce)                 |
//!    |--------------------------------------->|
//!    |              Challenge(version, nonce) |
//!    |<---------------------------------------|
//!    | Proof(from, to, proof)                 |
//!    |--------------------------------------->|
//!    |                  Welcome(clock, proof) |
//!    |<---------------------------------------|
//! ```

use std::ops::RangeInclusive;

use throughline_cluster::Member;

use crate::peers::frame::{Frame, FrameError};
use crate::peers::proof::{Credentials, Side, Transcript};
use crate::peers::wire::{self, VERSION_MAX, VERSION_MIN};

#[cfg(test)]
mod tests;

/// The versions that this node speaks.
pub(crate) const VERSIONS: RangeInclusive<u8> = VERSION_MIN..=VERSION_MAX;

/// Why a dialed connection does not get to its first call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DialError {
    #[error("{0}")]
    Io(String),
    #[error("it sent {0}")]
    Frame(#[from] FrameError),
    #[error("it sent a frame that does not belong in a handshake")]
    Misplaced,
    #[error("it cannot prove the secret: it is no node of this cluster")]
    NotOurs,
    #[error("it refuses the proof: its secret or the name of its cluster is another one")]
    ProofRefused,
    #[error("it speaks another version of the protocol")]
    Version,
    #[error("another incarnation, or another node, is at this address")]
    WrongPeer,
    #[error("it has as many connections as a node takes")]
    Full,
    #[error("it refused, with the code {0}")]
    Refused(u8),
    #[error("it did not answer in time")]
    TooSlow,
}

/// Why an accepted connection does not get to its first call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the secret or the name of the cluster is another one")]
    Proof,
    #[error("no version in common: this node speaks {VERSION_MIN} to {VERSION_MAX}")]
    Version,
    #[error("as many nodes are connected as this one takes")]
    Full,
    #[error("not the frame that belongs here")]
    Misplaced,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("it wanted {wanted}, which is not here")]
    WrongPeer { wanted: Member },
    #[error("{0}")]
    Io(String),
    #[error("no proof in time")]
    TooSlow,
    #[error("this node stops")]
    Stopped,
}

/// A dialer that has said Hello.
pub(crate) struct AwaitChallenge {
    credentials: Credentials,
    versions: RangeInclusive<u8>,
    nonce: [u8; 32],
    from: Member,
    to: Member,
}

/// A dialer that has proved itself.
pub(crate) struct AwaitWelcome {
    credentials: Credentials,
    said: Transcript,
}

impl AwaitChallenge {
    /// Begins, with 32 random bytes: the Hello to be sent.
    pub(crate) fn start(
        credentials: Credentials,
        versions: RangeInclusive<u8>,
        nonce: [u8; 32],
        from: Member,
        to: Member,
    ) -> (Self, Frame) {
        let (version_min, version_max) = (*versions.start(), *versions.end());
        let hello = Frame::Hello { version_min, version_max, nonce };
        (Self { credentials, versions, nonce, from, to }, hello)
    }

    /// The Proof to be sent.
    pub(crate) fn handle_frame(self, frame: Frame) -> Result<(AwaitWelcome, Frame), DialError> {
        let Frame::Challenge { version, nonce: acceptor_nonce } = frame else {
            return Err(refused(&frame));
        };
        if !self.versions.contains(&version) {
            return Err(DialError::Version);
        }
        let Self { credentials, versions, nonce, from, to } = self;
        let said = Transcript {
            version_min: *versions.start(),
            version_max: *versions.end(),
            version,
            dialer_nonce: nonce,
            acceptor_nonce,
            from,
            to,
        };
        let proof = said.proof(&credentials, Side::Dialer);
        Ok((AwaitWelcome { credentials, said }, Frame::Proof { from, to, proof }))
    }
}

impl AwaitWelcome {
    /// The clock of the acceptor, now that it has proved who it is.
    pub(crate) fn handle_frame(self, frame: Frame) -> Result<u64, DialError> {
        let Frame::Welcome { clock, proof } = frame else { return Err(refused(&frame)) };
        match self.said.verify(&self.credentials, Side::Acceptor, &proof) {
            true => Ok(clock),
            false => Err(DialError::NotOurs),
        }
    }
}

fn refused(frame: &Frame) -> DialError {
    match frame {
        Frame::Refused { code } => match *code {
            wire::REFUSED_PROOF => DialError::ProofRefused,
            wire::REFUSED_VERSION => DialError::Version,
            wire::REFUSED_WRONG_PEER => DialError::WrongPeer,
            wire::REFUSED_FULL => DialError::Full,
            code => DialError::Refused(code),
        },
        _ => DialError::Misplaced,
    }
}

/// An acceptor that was dialed.
pub(crate) struct AwaitHello {
    pub(crate) credentials: Credentials,
    pub(crate) versions: RangeInclusive<u8>,
    pub(crate) nonce: [u8; 32],
}

/// An acceptor that has asked for a proof.
pub(crate) struct AwaitProof {
    credentials: Credentials,
    version: u8,
    versions: RangeInclusive<u8>,
    dialer_nonce: [u8; 32],
    nonce: [u8; 32],
}

/// A dialer that has proved who it is.
pub(crate) struct Proved {
    /// Who it is.
    pub(crate) from: Member,
    credentials: Credentials,
    said: Transcript,
}

impl AwaitHello {
    /// The Challenge to be sent.
    pub(crate) fn handle_frame(self, frame: Frame) -> Result<(AwaitProof, Frame), Refusal> {
        let Frame::Hello { version_min, version_max, nonce: dialer_nonce } = frame else {
            return Err(Refusal::Misplaced);
        };
        let Self { credentials, versions, nonce } = self;
        let version = version_max.min(*versions.end());
        if version < version_min.max(*versions.start()) {
            return Err(Refusal::Version);
        }
        let versions = version_min..=version_max;
        let challenge = Frame::Challenge { version, nonce };
        Ok((AwaitProof { credentials, version, versions, dialer_nonce, nonce }, challenge))
    }
}

impl AwaitProof {
    /// Who it is, if it knows the secret, and wants `me`. Nothing about this node is said to
    /// anybody else.
    pub(crate) fn handle_frame(self, frame: Frame, me: Member) -> Result<Proved, Refusal> {
        let Frame::Proof { from, to, proof } = frame else { return Err(Refusal::Misplaced) };
        let said = Transcript {
            version_min: *self.versions.start(),
            version_max: *self.versions.end(),
            version: self.version,
            dialer_nonce: self.dialer_nonce,
            acceptor_nonce: self.nonce,
            from,
            to,
        };
        if !said.verify(&self.credentials, Side::Dialer, &proof) {
            return Err(Refusal::Proof);
        }
        if to != me {
            return Err(Refusal::WrongPeer { wanted: to });
        }
        Ok(Proved { from, credentials: self.credentials, said })
    }
}

impl Proved {
    /// The Welcome to be sent, with the clock of this node.
    pub(crate) fn welcome(self, clock: u64) -> Frame {
        Frame::Welcome { clock, proof: self.said.proof(&self.credentials, Side::Acceptor) }
    }
}

impl Refusal {
    /// What is told to the dialer.
    pub(crate) fn frame(&self) -> Frame {
        let code = match self {
            Self::Proof => wire::REFUSED_PROOF,
            Self::Version => wire::REFUSED_VERSION,
            Self::Full => wire::REFUSED_FULL,
            Self::WrongPeer { .. } => wire::REFUSED_WRONG_PEER,
            Self::Stopped => wire::REFUSED_STOPPED,
            Self::Misplaced | Self::Frame(_) | Self::Io(_) | Self::TooSlow => {
                wire::REFUSED_MALFORMED
            }
        };
        Frame::Refused { code }
    }
}
