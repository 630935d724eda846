//! The proofs of the cluster's secret: HMAC-SHA256 (RFC 2104) over what both sides said.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use throughline_cluster::Member;

use crate::peers::frame::member_bytes;
use crate::peers::wire::{ACCEPTOR_LABEL, DIALER_LABEL};

/// What every node of a cluster knows. The secret never crosses the wire.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) cluster: Arc<str>,
    pub(crate) secret: Arc<[u8]>,
}

/// Who proves something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Dialer,
    Acceptor,
}

/// What both sides said before the proofs. The versions are in it, so that nobody on the way can
/// make two new sides speak an old version; the members, so that a proof is good for this pair of
/// incarnations alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) version_min: u8,
    pub(crate) version_max: u8,
    pub(crate) version: u8,
    pub(crate) dialer_nonce: [u8; 32],
    pub(crate) acceptor_nonce: [u8; 32],
    pub(crate) from: Member,
    pub(crate) to: Member,
}

impl Transcript {
    /// The proof of one side.
    pub(crate) fn proof(&self, credentials: &Credentials, side: Side) -> [u8; 32] {
        self.mac(credentials, side).finalize().into_bytes().into()
    }

    /// Whether `proof` is that of the side, in constant time.
    pub(crate) fn verify(&self, credentials: &Credentials, side: Side, proof: &[u8; 32]) -> bool {
        self.mac(credentials, side).verify_slice(proof).is_ok()
    }

    fn mac(&self, credentials: &Credentials, side: Side) -> Hmac<Sha256> {
        let label = match side {
            Side::Dialer => DIALER_LABEL,
            Side::Acceptor => ACCEPTOR_LABEL,
        };
        // HMAC takes keys of any length, so this cannot fail.
        let mut mac = Hmac::<Sha256>::new_from_slice(&credentials.secret)
            .expect("HMAC takes a key of any length");
        mac.update(label);
        mac.update(&[self.version_min, self.version_max, self.version]);
        mac.update(&self.dialer_nonce);
        mac.update(&self.acceptor_nonce);
        mac.update(&member_bytes(self.from));
        mac.update(&member_bytes(self.to));
        // Last, so that its length need not be said.
        mac.update(credentials.cluster.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use throughline_cluster::NodeId;

    use super::*;

    const A: Member = Member { node: NodeId(1), incarnation: 10 };
    const B: Member = Member { node: NodeId(2), incarnation: 20 };
    const SAID: Transcript = Transcript {
        version_min: 1,
        version_max: 3,
        version: 2,
        dialer_nonce: [5; 32],
        acceptor_nonce: [6; 32],
        from: A,
        to: B,
    };

    fn credentials(cluster: &str, secret: u8) -> Credentials {
        Credentials { cluster: cluster.into(), secret: [secret; 16].into() }
    }

    #[test]
    fn a_proof_fits_its_side_its_secret_its_cluster_and_its_transcript_alone() {
        let ours = credentials("ours", 1);
        let proof = SAID.proof(&ours, Side::Dialer);
        assert!(SAID.verify(&ours, Side::Dialer, &proof));
        assert!(!SAID.verify(&ours, Side::Acceptor, &proof));
        assert!(!SAID.verify(&credentials("ours", 2), Side::Dialer, &proof));
        assert!(!SAID.verify(&credentials("theirs", 1), Side::Dialer, &proof));
        let others = [
            Transcript { version_min: 2, ..SAID },
            Transcript { version_max: 2, ..SAID },
            Transcript { version: 1, ..SAID },
            Transcript { dialer_nonce: [6; 32], ..SAID },
            Transcript { acceptor_nonce: [5; 32], ..SAID },
            Transcript { from: B, ..SAID },
            Transcript { to: A, ..SAID },
            Transcript { to: Member { incarnation: 21, ..B }, ..SAID },
        ];
        for other in others {
            assert!(!other.verify(&ours, Side::Dialer, &proof), "{other:?}");
        }
    }
}
