//! The proof of a resume: HMAC-SHA256 (RFC 2104) with the session's secret.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{id::Secret, wire::PROOF_LABEL};

fn mac(secret: &Secret, body: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length, so this cannot fail.
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).expect("HMAC takes any key length");
    mac.update(PROOF_LABEL);
    mac.update(body);
    mac
}

/// The proof for a Resume whose body, up to the proof, is `body`.
#[must_use]
pub fn proof(secret: &Secret, body: &[u8]) -> [u8; 32] {
    mac(secret, body).finalize().into_bytes().into()
}

/// Whether `proof` fits `body`, in constant time.
#[must_use]
pub fn verify(secret: &Secret, body: &[u8], proof: &[u8; 32]) -> bool {
    mac(secret, body).verify_slice(proof).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_bit_breaks_the_proof() {
        let secret = Secret([3; 32]);
        let body = *b"session id, attempt, received, acked";
        let good = proof(&secret, &body);
        assert!(verify(&secret, &body, &good));
        for bit in 0..body.len() * 8 {
            let mut other = body;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(&secret, &other, &good));
        }
        assert!(!verify(&Secret([4; 32]), &body, &good));
    }
}
