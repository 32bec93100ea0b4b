//! Schnorr proofs of knowledge over any suite.
//!
//! 1. `k = H(x, 32 random bytes, fields)`: a broken generator repeats a nonce only together with
//!    everything that is proved.
//! 2. `M = kP`, `h = H(domain, suite, fields, M)`, `z = k + h·x`; the proof is `(M, z)`.
//! 3. Check: `zP − hX = M`. The fields begin with what fixes `X`, so that proofs cannot be moved
//!    between additively related keys.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Element, Error, Reader, SCALAR_BYTES, Secret, Suite};
use crate::transcript::Domain;

const NONCE: Domain = Domain::new("cairn/1/proof/nonce");

/// A proof `(M, z)`. What it proves, and for which key, is the business of who checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof<S: Suite> {
    pub(crate) commitment: S::Encoding,
    pub(crate) response: S::Scalar,
}

impl<S: Suite> Proof<S> {
    /// Length of the encoding, in bytes: commitment and response.
    pub const BYTES: usize = S::ELEMENT_BYTES + SCALAR_BYTES;

    /// Reads [`Self::BYTES`] bytes. The commitment is checked when the proof is.
    ///
    /// # Errors
    ///
    /// [`Error::Length`]; [`Error::Scalar`] when `z` is not canonical.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Self::BYTES)?;
        let commitment = reader.slice(S::ELEMENT_BYTES)?;
        Ok(Self {
            commitment: S::Encoding::try_from(commitment).map_err(|_| Error::Element)?,
            response: reader.scalar::<S>()?,
        })
    }

    /// The bytes `M ‖ z`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let response = S::encode_scalar(&self.response);
        [self.commitment.as_ref(), response.as_slice()].concat()
    }

    /// Checks `zP − hX = M`. Comparing encodings also refuses every commitment that is not
    /// canonical.
    pub(crate) fn fits(&self, domain: Domain, fields: &[&[u8]], key: &Element<S>) -> bool {
        let h = challenge::<S>(domain, fields, &self.commitment);
        let commitment = S::sum(&self.response, &[(-h, key.point())]);
        Element::<S>::from_point(commitment).is_ok_and(|m| m.to_bytes() == self.commitment)
    }
}

/// Proves knowledge of `secret`.
pub(crate) fn prove<S: Suite>(
    domain: Domain,
    fields: &[&[u8]],
    secret: &Secret<S>,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Proof<S> {
    let mut random = Zeroizing::new([0; 32]);
    rng.fill_bytes(random.as_mut_slice());
    let key = secret.to_bytes();
    let mut hedged: Vec<&[u8]> = vec![key.as_slice(), random.as_slice(), domain.name().as_bytes()];
    hedged.extend_from_slice(fields);
    let nonce = Zeroizing::new(S::hash_to_scalar(NONCE, &hedged));
    let commitment = S::encode(&S::mul_base(&nonce));
    let h = challenge::<S>(domain, fields, &commitment);
    Proof {
        commitment,
        response: *nonce + h * secret.scalar(),
    }
}

/// `h = H(domain, suite, fields, M)`.
pub(crate) fn challenge<S: Suite>(
    domain: Domain,
    fields: &[&[u8]],
    commitment: &S::Encoding,
) -> S::Scalar {
    let mut all = Vec::with_capacity(fields.len() + 1);
    all.extend_from_slice(fields);
    all.push(commitment.as_ref());
    S::hash_to_scalar(domain, &all)
}
