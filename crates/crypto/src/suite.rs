//! A suite: one prime-order group with its encodings, hash and AEAD (PROTOCOLS.md section 0).
//!
//! | suite | group | hash, KDF | AEAD | credential challenge |
//! |---|---|---|---|---|
//! | [`Ristretto255`] | ristretto255 | SHA-512, HKDF-SHA-256 | ChaCha20-Poly1305 | `H(domain, suite, A, W, attrs)` |
//! | [`Sm2`] | SM2 | SM3 and its KDF | SM4-GCM | GM/T 0130, to the byte |
//!
//! Threshold issuers and credentials are written once over [`Suite`]. What a suite decides is
//! only what differs: arithmetic, encodings, hashes. A caller's statement is a
//! [`transcript::Digest`](crate::transcript::Digest) (SHA-512) under both suites, because no
//! Chinese standard covers our login; what GM/T 0130 does cover, the key and its derivation, is
//! computed with SM3 alone.
//!
//! [`Element`] and [`Secret`] are the checked forms in which values cross a module: an element is
//! never the identity and its bytes are canonical; a secret is never zero and erased on drop.

use std::fmt::Debug;
use std::hash::Hash;

use elliptic_curve::{
    ff::{Field, PrimeField},
    group::Group,
};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::transcript::Domain;

mod proof;
mod ristretto;
mod sm;

pub use proof::Proof;
pub(crate) use proof::{challenge, prove};
pub use ristretto::Ristretto255;
pub(crate) use sm::{CURVE, coordinates};
pub use sm::{Sm2, gmt0130};

/// Length of an encoded scalar under either suite, in bytes.
pub const SCALAR_BYTES: usize = 32;

/// Length of an AEAD tag under either suite, in bytes.
pub const TAG_BYTES: usize = 16;

/// Why bytes are no value of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Truncated or extended.
    #[error("expected {expected} bytes, got {got}")]
    Length {
        /// Length that the type has under this suite, in bytes.
        expected: usize,
        /// Length that came, in bytes.
        got: usize,
    },
    /// Not a canonical encoding, or the identity.
    #[error("expected a canonical group element other than the identity")]
    Element,
    /// Not below the group order, or zero where a secret is expected.
    #[error("expected a canonical scalar below the group order")]
    Scalar,
}

mod sealed {
    /// Keeps the set of suites closed: what is generic was checked for these two.
    pub trait Sealed {}
    impl Sealed for super::Ristretto255 {}
    impl Sealed for super::Sm2 {}
}

/// Group, hash and AEAD. Implemented by [`Ristretto255`] and [`Sm2`] and nothing else.
pub trait Suite: sealed::Sealed + Copy + Debug + Eq + Send + Sync + 'static {
    /// Name, covered by every hash.
    const NAME: &'static str;
    /// Length of an encoded element, in bytes.
    const ELEMENT_BYTES: usize;

    /// Integers modulo the group order; equality and arithmetic take constant time.
    type Scalar: PrimeField + Zeroize;
    /// Elements; the operators take constant time.
    type Point: Group<Scalar = Self::Scalar>;
    /// [`Self::ELEMENT_BYTES`] bytes.
    type Encoding: AsRef<[u8]>
        + AsMut<[u8]>
        + Copy
        + Debug
        + Ord
        + Hash
        + Send
        + Sync
        + Zeroize
        + for<'a> TryFrom<&'a [u8]>;
    /// What speeds up repeated checks under one issuer key.
    type Prepared: Send + Sync;

    /// Encodes an element, the identity too.
    fn encode(point: &Self::Point) -> Self::Encoding;

    /// Decodes; `None` for what [`Self::encode`] does not write, and for the identity.
    fn decode(bytes: &Self::Encoding) -> Option<Self::Point>;

    /// Encodes a scalar.
    fn encode_scalar(scalar: &Self::Scalar) -> [u8; SCALAR_BYTES];

    /// Decodes; `None` when not below the group order.
    fn decode_scalar(bytes: &[u8; SCALAR_BYTES]) -> Option<Self::Scalar>;

    /// Reduces 512 bits, so that uniform bits give a scalar without noticeable bias.
    fn reduce(bytes: &[u8; 64]) -> Self::Scalar;

    /// `scalar·P` in constant time, from a table.
    fn mul_base(scalar: &Self::Scalar) -> Self::Point;

    /// `base·P + Σ scalar·point`. Variable time: for public values only.
    fn sum(base: &Self::Scalar, terms: &[(Self::Scalar, Self::Point)]) -> Self::Point;

    /// Prepares an issuer key for [`Self::sum_prepared`].
    fn prepare(issuer: &Self::Point) -> Self::Prepared;

    /// `base·P + issuer·A + scalar·point`. Variable time: for public values only.
    fn sum_prepared(
        prepared: &Self::Prepared,
        base: &Self::Scalar,
        issuer: &Self::Scalar,
        term: (Self::Scalar, Self::Point),
    ) -> Self::Point;

    /// Hash of the domain, [`Self::NAME`] and the fields, each length-prefixed.
    fn hash(domain: Domain, fields: &[&[u8]]) -> [u8; 32];

    /// As [`Self::hash`], to a scalar without noticeable bias.
    fn hash_to_scalar(domain: Domain, fields: &[&[u8]]) -> Self::Scalar;

    /// `c` of a credential: covers issuer key, `W` and the attributes.
    fn credential_challenge(
        issuer: &Element<Self>,
        w: &Element<Self>,
        attributes: &[u8],
    ) -> Self::Scalar;

    /// Seals `text` under a key derived from `shared` (used for one message only) and `context`;
    /// appends a tag of [`TAG_BYTES`].
    fn seal(domain: Domain, shared: &[u8], context: &[&[u8]], text: &[u8]) -> Vec<u8>;

    /// Opens what [`Self::seal`] sealed; `None` when it does not authenticate.
    fn open(
        domain: Domain,
        shared: &[u8],
        context: &[&[u8]],
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>>;
}

/// A group element with its canonical encoding; never the identity.
#[derive(Clone, Copy, Debug)]
pub struct Element<S: Suite> {
    point: S::Point,
    bytes: S::Encoding,
}

impl<S: Suite> Element<S> {
    /// Reads [`Suite::ELEMENT_BYTES`] bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Length`]; [`Error::Element`] for the identity and what is not canonical.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let length = Error::Length {
            expected: S::ELEMENT_BYTES,
            got: bytes.len(),
        };
        let bytes = S::Encoding::try_from(bytes).map_err(|_| length)?;
        let point = S::decode(&bytes).ok_or(Error::Element)?;
        Ok(Self { point, bytes })
    }

    /// The canonical encoding.
    #[must_use]
    pub fn to_bytes(&self) -> S::Encoding {
        self.bytes
    }

    pub(crate) fn from_point(point: S::Point) -> Result<Self, Error> {
        if point.is_identity().into() {
            return Err(Error::Element);
        }
        let bytes = S::encode(&point);
        Ok(Self { point, bytes })
    }

    pub(crate) fn point(&self) -> S::Point {
        self.point
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl<S: Suite> PartialEq for Element<S> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<S: Suite> Eq for Element<S> {}

/// A secret scalar, never zero. Erased on drop; has no `Debug`.
pub struct Secret<S: Suite>(S::Scalar);

impl<S: Suite> Secret<S> {
    /// Draws one.
    #[must_use]
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        loop {
            let mut wide = Zeroizing::new([0; 64]);
            rng.fill_bytes(wide.as_mut_slice());
            if let Ok(secret) = Self::from_scalar(S::reduce(&wide)) {
                return secret;
            }
        }
    }

    /// Reads one from an owner-only key file.
    ///
    /// # Errors
    ///
    /// [`Error::Scalar`] when the bytes are not canonical, or zero.
    pub fn from_bytes(bytes: &[u8; SCALAR_BYTES]) -> Result<Self, Error> {
        Self::from_scalar(S::decode_scalar(bytes).ok_or(Error::Scalar)?)
    }

    /// The canonical bytes, for an owner-only key file.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; SCALAR_BYTES]> {
        Zeroizing::new(S::encode_scalar(&self.0))
    }

    /// `secret·P`.
    #[must_use]
    pub fn public(&self) -> Element<S> {
        Element::from_point(S::mul_base(&self.0))
            .expect("a multiple of a generator of prime order by a non-zero scalar")
    }

    pub(crate) fn from_scalar(scalar: S::Scalar) -> Result<Self, Error> {
        if scalar.is_zero().into() {
            return Err(Error::Scalar);
        }
        Ok(Self(scalar))
    }

    pub(crate) fn scalar(&self) -> S::Scalar {
        self.0
    }
}

impl<S: Suite> Drop for Secret<S> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Reads fixed-size fields from bytes whose whole length was checked first.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Takes exactly `expected` bytes.
    pub(crate) fn new(bytes: &'a [u8], expected: usize) -> Result<Self, Error> {
        if bytes.len() == expected {
            Ok(Self(bytes))
        } else {
            Err(Error::Length {
                expected,
                got: bytes.len(),
            })
        }
    }

    pub(crate) fn slice(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(Error::Length {
            expected: length,
            got: self.0.len(),
        })?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(N)?);
        Ok(array)
    }

    pub(crate) fn element<S: Suite>(&mut self) -> Result<Element<S>, Error> {
        Element::from_bytes(self.slice(S::ELEMENT_BYTES)?)
    }

    pub(crate) fn scalar<S: Suite>(&mut self) -> Result<S::Scalar, Error> {
        S::decode_scalar(&self.array()?).ok_or(Error::Scalar)
    }
}
