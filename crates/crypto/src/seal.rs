//! The registrar's register at rest (PROTOCOLS.md section 1): fields sealed, look-ups through
//! keyed hashes, so that a copied disk without the key file tells neither who is registered nor
//! whether a given person is.
//!
//! 1. One 32-byte key lies in an owner-only key file; HKDF splits it in a sealing key and a
//!    look-up key.
//! 2. A field is sealed with XChaCha20-Poly1305 under a random 24-byte nonce (long enough to be
//!    drawn for every write without ever meeting again). Its context (which record, which
//!    field) is authenticated, so that sealed fields cannot be moved between records.
//! 3. A look-up value is `HMAC(look-up key, field name, value)`. The key plays the part of the salt;
//!    unlike a public salt it also stops guessing of short values such as number plates.

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::transcript::{Domain, derive, mac};

const SEALING: Domain = Domain::new("cairn/1/register/seal");
const LOOKUP: Domain = Domain::new("cairn/1/register/lookup");

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Bytes that sealing adds: nonce and tag.
pub const OVERHEAD: usize = NONCE_BYTES + TAG_BYTES;

/// Largest field, in bytes: a register holds names and document numbers, not scans.
pub const MAX_FIELD: usize = 16 * 1024;

/// Why a field cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The field is above [`MAX_FIELD`], or a sealed one too short or too long.
    #[error("expected a field of at most {MAX_FIELD} bytes, got {0}")]
    Length(usize),
    /// Wrong key, wrong context, or changed bytes.
    #[error("sealed field does not authenticate under this key and context")]
    Tag,
}

/// The register's keys. Erased on drop; has no `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RegisterKey {
    sealing: [u8; 32],
    lookup: [u8; 32],
}

impl RegisterKey {
    /// Splits the key of the key file.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self {
            sealing: *derive(SEALING, key, &[]),
            lookup: *derive(LOOKUP, key, &[]),
        }
    }

    /// Seals a field: `nonce ‖ ciphertext ‖ tag`.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for a field above [`MAX_FIELD`].
    pub fn seal(
        &self,
        context: &[u8],
        field: &[u8],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Vec<u8>, Error> {
        if field.len() > MAX_FIELD {
            return Err(Error::Length(field.len()));
        }
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let mut sealed = Vec::with_capacity(OVERHEAD + field.len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(field);
        let text = &mut sealed[NONCE_BYTES..];
        let tag = XChaCha20Poly1305::new(&self.sealing.into())
            .encrypt_inout_detached(&nonce.into(), context, text.into())
            .map_err(|_| Error::Length(field.len()))?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens a sealed field.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] and [`Error::Tag`].
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let length = Error::Length(sealed.len());
        if sealed.len() > OVERHEAD + MAX_FIELD {
            return Err(length);
        }
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(length)?;
        let (text, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(length)?;
        let mut field = Zeroizing::new(text.to_vec());
        XChaCha20Poly1305::new(&self.sealing.into())
            .decrypt_inout_detached(
                &(*nonce).into(),
                context,
                field.as_mut_slice().into(),
                &(*tag).into(),
            )
            .map_err(|_| Error::Tag)?;
        Ok(field)
    }

    /// The value under which a field is found again without opening anything.
    #[must_use]
    pub fn lookup(&self, name: &str, value: &[u8]) -> [u8; 32] {
        mac(LOOKUP, &self.lookup, &[name.as_bytes(), value])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    fn key() -> RegisterKey {
        RegisterKey::new(&[3; 32])
    }

    proptest! {
        #[test]
        fn sealed_fields_open_and_any_changed_byte_is_refused(
            field in prop::collection::vec(any::<u8>(), 0..64),
            at in any::<prop::sample::Index>(),
            flip in 1..=u8::MAX,
        ) {
            let mut rng = StdRng::seed_from_u64(1);
            let mut sealed = key().seal(b"record 1/name", &field, &mut rng).unwrap();
            prop_assert_eq!(&*key().open(b"record 1/name", &sealed).unwrap(), &field);
            prop_assert_eq!(sealed.len(), field.len() + OVERHEAD);
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert_eq!(key().open(b"record 1/name", &sealed).err(), Some(Error::Tag));
        }
    }

    #[test]
    fn a_field_moved_to_another_record_or_register_is_refused() {
        let mut rng = StdRng::seed_from_u64(1);
        let sealed = key().seal(b"record 1/name", b"Ada", &mut rng).unwrap();
        assert_eq!(
            key().open(b"record 2/name", &sealed).err(),
            Some(Error::Tag)
        );
        let other = RegisterKey::new(&[4; 32]);
        assert_eq!(
            other.open(b"record 1/name", &sealed).err(),
            Some(Error::Tag)
        );
        assert_ne!(
            key().lookup("plate", b"HH-A 1"),
            other.lookup("plate", b"HH-A 1")
        );
        assert_ne!(
            key().lookup("plate", b"HH-A 1"),
            key().lookup("name", b"HH-A 1")
        );
    }

    #[test]
    fn two_writes_of_one_field_differ() {
        let mut rng = StdRng::seed_from_u64(1);
        let first = key().seal(b"c", b"Ada", &mut rng).unwrap();
        assert_ne!(first, key().seal(b"c", b"Ada", &mut rng).unwrap());
    }

    #[test]
    fn short_and_oversized_fields_are_refused() {
        let mut rng = StdRng::seed_from_u64(1);
        let big = vec![0; MAX_FIELD + 1];
        assert_eq!(
            key().seal(b"c", &big, &mut rng).err(),
            Some(Error::Length(big.len()))
        );
        assert_eq!(key().open(b"c", &[0; 39]).err(), Some(Error::Length(39)));
        let big = vec![0; MAX_FIELD + OVERHEAD + 1];
        assert_eq!(key().open(b"c", &big).err(), Some(Error::Length(big.len())));
    }
}
