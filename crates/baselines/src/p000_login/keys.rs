//! P-256 keys: ECDSA with SHA-256, deterministic nonces of RFC 6979.

use p256::{
    NonZeroScalar, PublicKey,
    ecdsa::{
        Signature, SigningKey, VerifyingKey,
        signature::{Signer, Verifier},
    },
    elliptic_curve::{Generate, sec1::ToSec1Point},
};
use rand_core::CryptoRng;

use crate::Refusal;

/// A compressed P-256 point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub [u8; 33]);

/// A signing and decryption key; the paper uses one for both.
pub struct KeyPair {
    pub(super) scalar: NonZeroScalar,
    signing: SigningKey,
    public: Key,
}

impl KeyPair {
    /// Draws a key pair.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let scalar = NonZeroScalar::generate_from_rng(rng);
        let mut public = [0; 33];
        public.copy_from_slice(
            PublicKey::from_secret_scalar(&scalar)
                .to_sec1_point(true)
                .as_bytes(),
        );
        Self {
            scalar,
            signing: SigningKey::from(scalar),
            public: Key(public),
        }
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> Key {
        self.public
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.signing.sign(message);
        signature.to_bytes().into()
    }
}

/// Checks a signature of 64 bytes, `r‖s`.
pub(super) fn verify(key: &Key, message: &[u8], signature: &[u8; 64]) -> Result<(), Refusal> {
    let key = VerifyingKey::from_sec1_bytes(&key.0).map_err(|_| Refusal::Point)?;
    let signature = Signature::from_slice(signature).map_err(|_| Refusal::Scalar)?;
    key.verify(message, &signature).map_err(|_| Refusal::Proof)
}
