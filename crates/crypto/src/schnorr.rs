//! Schnorr signatures over Ristretto255: the vehicles' registered keys.
//!
//! One construction serves signatures and proofs of knowledge, so that every kind of login can
//! be checked in the same batch.
//!
//! 1. Key: `x` random and not zero, `Y = xP`.
//! 2. The statement is a finished [`Transcript`]: the caller puts
//!    in role, kind, both parties, freshness and payload under its own domain.
//! 3. `k = H(x, 32 random bytes, statement)`: a broken generator repeats a nonce only together
//!    with its statement, and a fault-free deterministic signer leaks nothing more.
//! 4. `M = kP`, `c = H(domain, suite, Y, M, statement)`, `z = k + c·x`. The challenge is
//!    key-prefixed, because keys of ours can be additively related (PROTOCOLS.md section 0).
//! 5. Verify: `zP − cY = M`.
//! 6. Batch: with random 128-bit weights `w_i`, `(Σ w_i z_i)P − Σ w_i c_i Y_i − Σ w_i M_i = 0`, one
//!    multi-scalar multiplication; if it fails, single checks name the bad ones.
//!
//! Encodings are canonical (RFC 9496), `z` is below the group order, and the identity is
//! neither a key nor a commitment. The group has prime order: there is no small-order input, and
//! single and batch verification accept exactly the same signatures.

use curve25519_dalek::{
    RistrettoPoint, Scalar,
    constants::RISTRETTO_BASEPOINT_POINT as BASE,
    ristretto::CompressedRistretto,
    traits::{IsIdentity, VartimeMultiscalarMul},
};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::transcript::{Digest, Domain, Transcript};

/// Name of the suite, covered by every challenge.
pub const SUITE: &str = "Ristretto255";

/// Length of an encoded public key, in bytes.
pub const PUBLIC_KEY_BYTES: usize = 32;

/// Length of an encoded signature, in bytes: commitment 32, response 32.
pub const SIGNATURE_BYTES: usize = 64;

const CHALLENGE: Domain = Domain::new("cairn/1/schnorr/challenge");
const NONCE: Domain = Domain::new("cairn/1/schnorr/nonce");

/// Why an encoding or a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The bytes are no canonical encoding of a group element.
    #[error("expected a canonical Ristretto255 element")]
    Point,
    /// The identity stands where a key or a commitment is expected.
    #[error("expected a group element other than the identity")]
    Identity,
    /// The bytes are no canonical encoding of a scalar, or zero where a secret is expected.
    #[error("expected a canonical scalar below the group order")]
    Scalar,
    /// The signature does not fit key and statement.
    #[error("signature does not fit key and statement")]
    Signature,
}

/// A secret scalar, never zero. Erased on drop; has no `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey {
    scalar: Scalar,
    #[zeroize(skip)]
    public: PublicKey,
}

impl SecretKey {
    /// Draws a key.
    #[must_use]
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        loop {
            if let Ok(key) = Self::from_scalar(Scalar::random(rng)) {
                return key;
            }
        }
    }

    /// Reads a key of a key file.
    ///
    /// # Errors
    ///
    /// [`Error::Scalar`] when the bytes are not canonical or zero.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        Self::from_scalar(
            Option::<Scalar>::from(Scalar::from_canonical_bytes(*bytes)).ok_or(Error::Scalar)?,
        )
    }

    /// The scalar's 32 little-endian bytes, for an owner-only key file.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.scalar.to_bytes())
    }

    /// The public key `xP`.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a statement. `rng` hedges the nonce; see the module documentation, step 3.
    #[must_use]
    pub fn sign(&self, statement: &Digest, rng: &mut (impl CryptoRng + ?Sized)) -> Signature {
        let mut random = Zeroizing::new([0; 32]);
        rng.fill_bytes(random.as_mut_slice());
        let nonce = Zeroizing::new(
            Transcript::new(NONCE)
                .bytes(self.to_bytes().as_slice())
                .bytes(random.as_slice())
                .bytes(&statement.0)
                .finish()
                .scalar(),
        );
        let commitment = RistrettoPoint::mul_base(&nonce).compress().to_bytes();
        let c = challenge(&self.public, &commitment, statement);
        Signature {
            commitment,
            response: *nonce + c * self.scalar,
        }
    }

    fn from_scalar(scalar: Scalar) -> Result<Self, Error> {
        if bool::from(scalar.ct_eq(&Scalar::ZERO)) {
            return Err(Error::Scalar);
        }
        let public = PublicKey::from_point(RistrettoPoint::mul_base(&scalar))?;
        Ok(Self { scalar, public })
    }
}

/// A public key, never the identity.
#[derive(Clone, Copy, Debug)]
pub struct PublicKey {
    point: RistrettoPoint,
    bytes: [u8; PUBLIC_KEY_BYTES],
}

impl PublicKey {
    /// Takes a computed group element as a key.
    ///
    /// # Errors
    ///
    /// [`Error::Identity`] for the identity.
    pub fn from_point(point: RistrettoPoint) -> Result<Self, Error> {
        if point.is_identity() {
            return Err(Error::Identity);
        }
        Ok(Self {
            point,
            bytes: point.compress().to_bytes(),
        })
    }

    /// Reads 32 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Point`] for a non-canonical encoding, [`Error::Identity`] for the identity.
    pub fn from_bytes(bytes: &[u8; PUBLIC_KEY_BYTES]) -> Result<Self, Error> {
        let point = CompressedRistretto(*bytes)
            .decompress()
            .ok_or(Error::Point)?;
        if point.is_identity() {
            return Err(Error::Identity);
        }
        Ok(Self {
            point,
            bytes: *bytes,
        })
    }

    /// The canonical 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PUBLIC_KEY_BYTES] {
        self.bytes
    }

    /// Checks one signature (module documentation, step 5).
    ///
    /// # Errors
    ///
    /// [`Error::Signature`] when it does not fit.
    pub fn verify(&self, statement: &Digest, signature: &Signature) -> Result<(), Error> {
        let c = challenge(self, &signature.commitment, statement);
        let commitment = RistrettoPoint::vartime_double_scalar_mul_basepoint(
            &-c,
            &self.point,
            &signature.response,
        );
        // Comparing encodings also refuses every commitment that is not canonical.
        if commitment.is_identity() || commitment.compress().as_bytes() != &signature.commitment {
            return Err(Error::Signature);
        }
        Ok(())
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PublicKey {}

/// A signature `(M, z)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    commitment: [u8; 32],
    response: Scalar,
}

impl Signature {
    /// Reads 64 bytes. The commitment is checked when the signature is.
    ///
    /// # Errors
    ///
    /// [`Error::Scalar`] when `z` is not canonical.
    pub fn from_bytes(bytes: &[u8; SIGNATURE_BYTES]) -> Result<Self, Error> {
        let (mut commitment, mut response) = ([0; 32], [0; 32]);
        commitment.copy_from_slice(&bytes[..32]);
        response.copy_from_slice(&bytes[32..]);
        let response = Option::<Scalar>::from(Scalar::from_canonical_bytes(response));
        Ok(Self {
            commitment,
            response: response.ok_or(Error::Scalar)?,
        })
    }

    /// The 64 bytes `M ‖ z`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SIGNATURE_BYTES] {
        let mut bytes = [0; SIGNATURE_BYTES];
        bytes[..32].copy_from_slice(&self.commitment);
        bytes[32..].copy_from_slice(self.response.as_bytes());
        bytes
    }
}

/// Signatures that wait for one common check.
#[derive(Default)]
pub struct Batch(Vec<(PublicKey, Digest, Signature)>);

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a signature and returns its index.
    pub fn push(&mut self, key: PublicKey, statement: Digest, signature: Signature) -> usize {
        self.0.push((key, statement, signature));
        self.0.len() - 1
    }

    /// Number of signatures.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks all (module documentation, step 6). The weights are drawn from `rng` after all
    /// signatures are fixed; a batch with a bad signature passes with probability 2⁻¹²⁸.
    ///
    /// # Errors
    ///
    /// The indices of the signatures that do not fit, ascending.
    pub fn verify(self, rng: &mut (impl CryptoRng + ?Sized)) -> Result<(), Vec<usize>> {
        if self.passes(rng) {
            return Ok(());
        }
        let bad = self.0.iter().enumerate();
        let bad = bad.filter(|(_, (key, statement, s))| key.verify(statement, s).is_err());
        Err(bad.map(|(index, _)| index).collect())
    }

    fn passes(&self, rng: &mut (impl CryptoRng + ?Sized)) -> bool {
        let mut scalars = Vec::with_capacity(2 * self.0.len() + 1);
        let mut points = Vec::with_capacity(2 * self.0.len() + 1);
        let mut base = Scalar::ZERO;
        for (key, statement, signature) in &self.0 {
            let commitment = CompressedRistretto(signature.commitment).decompress();
            let Some(commitment) = commitment.filter(|m| !m.is_identity()) else {
                return false;
            };
            let mut weight = [0; 32];
            rng.fill_bytes(&mut weight[..16]);
            let weight = Scalar::from_bytes_mod_order(weight);
            base += weight * signature.response;
            scalars.push(-(weight * challenge(key, &signature.commitment, statement)));
            points.push(key.point);
            scalars.push(-weight);
            points.push(commitment);
        }
        scalars.push(base);
        points.push(BASE);
        RistrettoPoint::vartime_multiscalar_mul(scalars, points).is_identity()
    }
}

fn challenge(key: &PublicKey, commitment: &[u8; 32], statement: &Digest) -> Scalar {
    Transcript::new(CHALLENGE)
        .bytes(SUITE.as_bytes())
        .bytes(&key.bytes)
        .bytes(commitment)
        .bytes(&statement.0)
        .finish()
        .scalar()
}
