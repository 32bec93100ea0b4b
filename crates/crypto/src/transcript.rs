//! Canonical hashing and key derivation (PROTOCOLS.md section 0).
//!
//! Every input of a hash is written as `length (u32, big endian) ‖ bytes`, the domain string
//! first, so that two different lists of inputs never give the same bytes. Every use has its own
//! [`Domain`], `cairn/1/<protocol>/<step>`.
//!
//! Hash of the suite `Ristretto255`: SHA-512 (challenges are 64 bytes, reduced modulo the group
//! order without bias). Keys: HKDF-SHA-256. Message authentication: HMAC-SHA-256.

use curve25519_dalek::Scalar;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

/// A domain string, `cairn/1/<protocol>/<step>`, fixed at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain(&'static str);

impl Domain {
    /// Names a domain.
    ///
    /// # Panics
    ///
    /// When `name` does not begin with `cairn/1/`; in a `const` this is a compile error.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        const PREFIX: &[u8] = b"cairn/1/";
        let bytes = name.as_bytes();
        assert!(
            bytes.len() > PREFIX.len(),
            "a domain has a protocol and a step"
        );
        let mut i = 0;
        while i < PREFIX.len() {
            assert!(bytes[i] == PREFIX[i], "a domain begins with cairn/1/");
            i += 1;
        }
        Self(name)
    }

    /// The string itself, for signatures that take a namespace.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// A finished transcript: 64 bytes of SHA-512.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub [u8; 64]);

impl Digest {
    /// The first 32 bytes, for places that keep digests.
    #[must_use]
    pub fn short(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(&self.0[..32]);
        out
    }

    /// The digest as a scalar, without noticeable bias (512 bits modulo a 252-bit order).
    pub(crate) fn scalar(&self) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&self.0)
    }
}

/// A running, length-prefixed hash under one domain.
#[derive(Clone)]
pub struct Transcript(Sha512);

impl Transcript {
    /// Starts a transcript.
    #[must_use]
    pub fn new(domain: Domain) -> Self {
        Self(Sha512::new()).bytes(domain.0.as_bytes())
    }

    /// Appends one field.
    ///
    /// # Panics
    ///
    /// When the field has 4 GiB or more; every field of ours is bounded far below.
    #[must_use]
    pub fn bytes(mut self, field: &[u8]) -> Self {
        self.0.update(length(field));
        self.0.update(field);
        self
    }

    /// Appends an integer as eight big-endian bytes.
    #[must_use]
    pub fn number(self, value: u64) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Finishes.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// Derives `N` bytes of key from `secret` for one purpose: HKDF-SHA-256 without salt, `info` =
/// the domain and the context fields, each length-prefixed.
///
/// # Panics
///
/// When `N` exceeds 8,160, the limit of HKDF-SHA-256; `N` is a constant of the caller.
#[must_use]
pub fn derive<const N: usize>(
    domain: Domain,
    secret: &[u8],
    context: &[&[u8]],
) -> Zeroizing<[u8; N]> {
    let mut info = Vec::with_capacity(128);
    for field in std::iter::once(&domain.0.as_bytes()).chain(context) {
        info.extend_from_slice(&length(field));
        info.extend_from_slice(field);
    }
    let mut key = Zeroizing::new([0; N]);
    Hkdf::<Sha256>::new(None, secret)
        .expand(&info, key.as_mut_slice())
        .expect("N is a constant within the limit of HKDF");
    key
}

/// HMAC-SHA-256 of the length-prefixed domain and fields.
///
/// Compare the result with [`subtle::ConstantTimeEq`], never with `==`, where it authenticates.
#[must_use]
pub fn mac(domain: Domain, key: &[u8; 32], fields: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for field in std::iter::once(&domain.0.as_bytes()).chain(fields) {
        mac.update(&length(field));
        mac.update(field);
    }
    mac.finalize().into_bytes().into()
}

fn length(field: &[u8]) -> [u8; 4] {
    u32::try_from(field.len())
        .expect("fields are far below 4 GiB")
        .to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: Domain = Domain::new("cairn/1/test/a");
    const B: Domain = Domain::new("cairn/1/test/b");

    fn hash(domain: Domain, fields: &[Vec<u8>]) -> Digest {
        fields
            .iter()
            .fold(Transcript::new(domain), |t, f| t.bytes(f))
            .finish()
    }

    proptest! {
        #[test]
        fn different_lists_of_fields_differ(
            left in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..4),
            right in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..4),
        ) {
            prop_assert_eq!(hash(A, &left) == hash(A, &right), left == right);
        }
    }

    #[test]
    fn domains_separate() {
        let key = [7; 32];
        assert_ne!(hash(A, &[]), hash(B, &[]));
        assert_ne!(mac(A, &key, &[]), mac(B, &key, &[]));
        assert_ne!(*derive::<32>(A, &key, &[]), *derive::<32>(B, &key, &[]));
        assert_ne!(
            *derive::<32>(A, &key, &[b"ab"]),
            *derive::<32>(A, &key, &[b"a", b"b"])
        );
    }

    #[test]
    fn sha512_of_the_written_layout() {
        let mut by_hand = Vec::new();
        by_hand.extend_from_slice(&[0, 0, 0, 14]);
        by_hand.extend_from_slice(b"cairn/1/test/a");
        by_hand.extend_from_slice(&[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2]);
        let expected: [u8; 64] = Sha512::digest(&by_hand).into();
        assert_eq!(Transcript::new(A).number(258).finish().0, expected);
    }
}
