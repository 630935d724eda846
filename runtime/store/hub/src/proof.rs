//! The shared secret, and the proofs of it: HMAC-SHA256 (RFC 2104) over what both sides said.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::limits::SECRET_BYTES_MIN;
use crate::wire::{CLIENT_LABEL, HUB_LABEL};

/// What every process that may use a hub knows. It never crosses the wire.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// A secret has at least [`SECRET_BYTES_MIN`] bytes, of good randomness. The caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hub's secret has {bytes} bytes, at least {SECRET_BYTES_MIN}")]
pub struct SecretTooShort {
    /// How many it has.
    pub bytes: usize,
}

impl Secret {
    /// A secret of these bytes.
    ///
    /// # Errors
    /// Fewer than [`SECRET_BYTES_MIN`] bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, SecretTooShort> {
        let bytes = bytes.into();
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(SecretTooShort { bytes: bytes.len() });
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Who proves something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Hub,
}

/// What both sides said before the proofs. The versions are in it, so that nobody on the way can
/// make two new sides speak an old version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) version_min: u8,
    pub(crate) version_max: u8,
    pub(crate) version: u8,
    pub(crate) client_nonce: [u8; 32],
    pub(crate) hub_nonce: [u8; 32],
}

impl Transcript {
    /// The proof of one side.
    pub(crate) fn proof(&self, secret: &Secret, side: Side) -> [u8; 32] {
        self.mac(secret, side).finalize().into_bytes().into()
    }

    /// Whether `proof` is that of the side, in constant time.
    pub(crate) fn verify(&self, secret: &Secret, side: Side, proof: &[u8; 32]) -> bool {
        self.mac(secret, side).verify_slice(proof).is_ok()
    }

    fn mac(&self, secret: &Secret, side: Side) -> Hmac<Sha256> {
        let label = match side {
            Side::Client => CLIENT_LABEL,
            Side::Hub => HUB_LABEL,
        };
        // HMAC takes keys of any length, so this cannot fail.
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).expect("HMAC takes any key length");
        mac.update(label);
        mac.update(&[self.version_min, self.version_max, self.version]);
        mac.update(&self.client_nonce);
        mac.update(&self.hub_nonce);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: Transcript = Transcript {
        version_min: 1,
        version_max: 3,
        version: 2,
        client_nonce: [5; 32],
        hub_nonce: [6; 32],
    };

    #[test]
    fn a_proof_fits_its_side_its_secret_and_its_transcript_alone() {
        let secret = Secret::new([1; 16]).unwrap();
        let proof = SAID.proof(&secret, Side::Client);
        assert!(SAID.verify(&secret, Side::Client, &proof));
        assert!(!SAID.verify(&secret, Side::Hub, &proof));
        assert!(!SAID.verify(&Secret::new([2; 16]).unwrap(), Side::Client, &proof));
        let others = [
            Transcript { version_min: 2, ..SAID },
            Transcript { version_max: 2, ..SAID },
            Transcript { version: 1, ..SAID },
            Transcript { client_nonce: [6; 32], ..SAID },
            Transcript { hub_nonce: [5; 32], ..SAID },
        ];
        for other in others {
            assert!(!other.verify(&secret, Side::Client, &proof), "{other:?}");
        }
    }

    #[test]
    fn a_secret_is_long_enough_and_never_shown() {
        assert_eq!(Secret::new(*b"short").unwrap_err().bytes, 5);
        assert_eq!(format!("{:?}", Secret::new([7; 16]).unwrap()), "Secret(..)");
    }
}
