//! Signatures and key encapsulation with a suite's keys, for messages between organisations
//! (PROTOCOLS.md section 9).
//!
//! | suite | signature | encapsulation of a content key |
//! |---|---|---|
//! | `Sm2` | SM2, GB/T 32918.2 ([`gbt32918`]), 64 bytes `r ‖ s` | SM2, GB/T 32918.4, `C1‖C3‖C2`, 129 bytes |
//! | `Ristretto255` | Schnorr proof ([`Proof`]), 64 bytes `M ‖ z` | [`seal_to`], 80 bytes |
//!
//! Both cover the signer's key and name. What is signed names everything else: parties, request,
//! payload. The encapsulated key serves for one message, whose header is hashed into every key
//! derived from it; so the encapsulation itself needs no context.

use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    credential::{open_sealed, seal_to},
    suite::{Element, Proof, Ristretto255, Secret, Sm2, Suite, prove},
    transcript::Domain,
};

pub mod gbt32918;

/// Length of a signature under either suite, in bytes.
pub const SIGNATURE_BYTES: usize = 64;

/// Length of a content key under either suite, in bytes.
pub const CONTENT_KEY_BYTES: usize = 32;

const SIGNATURE: Domain = Domain::new("cairn/1/message/signature");
const CONTENT_KEY: Domain = Domain::new("cairn/1/message/content-key");

/// Why a message is refused. Its sender is at fault, or whoever changed it on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The signature does not fit key, name and message.
    #[error("signature does not fit the signer's key, name and message")]
    Signature,
    /// The content key was encapsulated for another key, or changed.
    #[error("content key does not open under this key")]
    ContentKey,
}

/// A key that encrypts one message. Erased on drop.
pub type ContentKey = Zeroizing<[u8; CONTENT_KEY_BYTES]>;

/// A suite that can sign and encapsulate. [`Sm2`] and [`Ristretto255`].
pub trait MessageSuite: Suite {
    /// Number of the suite in encodings.
    const CODE: u8;
    /// Length of an encapsulated content key, in bytes.
    const ENCAPSULATED_BYTES: usize;

    /// Signs `message` in the name `id`, of at most 8,191 bytes.
    fn sign(
        secret: &Secret<Self>,
        id: &[u8],
        message: &[u8],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> [u8; SIGNATURE_BYTES];

    /// Checks a signature.
    ///
    /// # Errors
    ///
    /// [`Error::Signature`].
    fn verify(
        key: &Element<Self>,
        id: &[u8],
        message: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), Error>;

    /// Encapsulates a content key to `to`: [`Self::ENCAPSULATED_BYTES`] bytes.
    fn encapsulate(
        to: &Element<Self>,
        key: &ContentKey,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Vec<u8>;

    /// Opens what [`Self::encapsulate`] made for the public key of `secret`.
    ///
    /// # Errors
    ///
    /// [`Error::ContentKey`].
    fn decapsulate(secret: &Secret<Self>, encapsulated: &[u8]) -> Result<ContentKey, Error>;
}

impl MessageSuite for Sm2 {
    const CODE: u8 = 2;
    const ENCAPSULATED_BYTES: usize = gbt32918::OVERHEAD + CONTENT_KEY_BYTES;

    fn sign(
        secret: &Secret<Self>,
        id: &[u8],
        message: &[u8],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> [u8; SIGNATURE_BYTES] {
        gbt32918::sign(secret, id, message, rng)
    }

    fn verify(
        key: &Element<Self>,
        id: &[u8],
        message: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), Error> {
        gbt32918::verify(key, id, message, signature)
    }

    fn encapsulate(
        to: &Element<Self>,
        key: &ContentKey,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Vec<u8> {
        gbt32918::encrypt(to, key.as_slice(), rng)
    }

    fn decapsulate(secret: &Secret<Self>, encapsulated: &[u8]) -> Result<ContentKey, Error> {
        content_key(&gbt32918::decrypt(secret, encapsulated)?)
    }
}

impl MessageSuite for Ristretto255 {
    const CODE: u8 = 1;
    const ENCAPSULATED_BYTES: usize = 32 + CONTENT_KEY_BYTES + crate::suite::TAG_BYTES;

    fn sign(
        secret: &Secret<Self>,
        id: &[u8],
        message: &[u8],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> [u8; SIGNATURE_BYTES] {
        let key = secret.public();
        let proof = prove(SIGNATURE, &[key.as_bytes(), id, message], secret, rng);
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(&proof.to_bytes());
        signature
    }

    fn verify(
        key: &Element<Self>,
        id: &[u8],
        message: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), Error> {
        let proof = Proof::<Self>::from_bytes(signature).map_err(|_| Error::Signature)?;
        let fits = proof.fits(SIGNATURE, &[key.as_bytes(), id, message], key);
        fits.then_some(()).ok_or(Error::Signature)
    }

    fn encapsulate(
        to: &Element<Self>,
        key: &ContentKey,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Vec<u8> {
        seal_to(CONTENT_KEY, to, &[], key.as_slice(), rng)
    }

    fn decapsulate(secret: &Secret<Self>, encapsulated: &[u8]) -> Result<ContentKey, Error> {
        let key = open_sealed(CONTENT_KEY, secret, &[], encapsulated);
        content_key(&key.map_err(|_| Error::ContentKey)?)
    }
}

fn content_key(bytes: &[u8]) -> Result<ContentKey, Error> {
    let mut key = ContentKey::default();
    if bytes.len() != CONTENT_KEY_BYTES {
        return Err(Error::ContentKey);
    }
    key.copy_from_slice(bytes);
    Ok(key)
}
