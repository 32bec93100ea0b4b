//! Our suites as ciphersuites of `frost-core`.
//!
//! What differs from RFC 9591 is one hash: the challenge of a credential replaces `H2`
//! ([`Ciphersuite::challenge`]). The message of the signing run is `handle ‖ attributes ‖ U`; from
//! it and the group commitment `R` the challenge computes `W = U + R` and `c` of the suite. The
//! binding factors hash the whole message, so `R`, and with it `W`, is fixed by `U` and cannot be
//! steered through it.
//!
//! `frost-core` multiplies the generator like any other element. [`Elem`] remembers that it is
//! the generator, so that these multiplications take the suite's table: twice as fast.

use std::marker::PhantomData;
use std::ops::{Add, Mul, Sub};

use elliptic_curve::{ff::Field as _, group::Group as _};
use frost_core::{
    Challenge, Ciphersuite, Error, Field, FieldError, Group, GroupError, VerifyingKey,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::Message;
use crate::suite::{Element, SCALAR_BYTES, Suite};
use crate::transcript::Domain;

const BINDING: Domain = Domain::new("cairn/1/issuer/binding");
const PLAIN: Domain = Domain::new("cairn/1/issuer/plain");
const NONCE: Domain = Domain::new("cairn/1/issuer/nonce");
const MESSAGE: Domain = Domain::new("cairn/1/issuer/message");
const COMMITMENTS: Domain = Domain::new("cairn/1/issuer/commitments");
const POSSESSION: Domain = Domain::new("cairn/1/issuer/possession");

/// A suite as `frost-core` sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frost<S: Suite>(PhantomData<S>);

/// An injected generator (`rand_core` 0.10) for `frost-core` (`rand_core` 0.6).
pub(super) struct Rng<'a, R: CryptoRng + ?Sized>(pub(super) &'a mut R);

impl<R: CryptoRng + ?Sized> rand_core_06::RngCore for Rng<'_, R> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core_06::Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl<R: CryptoRng + ?Sized> rand_core_06::CryptoRng for Rng<'_, R> {}

/// A group element, possibly the identity, that knows whether it is the generator.
#[derive(Clone, Copy)]
pub(super) struct Elem<S: Suite> {
    pub(super) point: S::Point,
    generator: bool,
}

impl<S: Suite> Elem<S> {
    pub(super) fn new(point: S::Point) -> Self {
        let generator = false;
        Self { point, generator }
    }
}

impl<S: Suite> PartialEq for Elem<S> {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl<S: Suite> Eq for Elem<S> {}

impl<S: Suite> Add for Elem<S> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.point + other.point)
    }
}

impl<S: Suite> Sub for Elem<S> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::new(self.point - other.point)
    }
}

impl<S: Suite> Mul<S::Scalar> for Elem<S> {
    type Output = Self;

    fn mul(self, scalar: S::Scalar) -> Self {
        Self::new(if self.generator {
            S::mul_base(&scalar)
        } else {
            self.point * scalar
        })
    }
}

impl<S: Suite> Field for Frost<S> {
    type Scalar = S::Scalar;
    type Serialization = [u8; SCALAR_BYTES];

    fn zero() -> S::Scalar {
        S::Scalar::ZERO
    }

    fn one() -> S::Scalar {
        S::Scalar::ONE
    }

    fn invert(scalar: &S::Scalar) -> Result<S::Scalar, FieldError> {
        Option::from(scalar.invert()).ok_or(FieldError::InvalidZeroScalar)
    }

    fn random<R: rand_core_06::RngCore + rand_core_06::CryptoRng>(rng: &mut R) -> S::Scalar {
        let mut wide = Zeroizing::new([0; 64]);
        rng.fill_bytes(wide.as_mut_slice());
        S::reduce(&wide)
    }

    fn serialize(scalar: &S::Scalar) -> [u8; SCALAR_BYTES] {
        S::encode_scalar(scalar)
    }

    fn little_endian_serialize(scalar: &S::Scalar) -> [u8; SCALAR_BYTES] {
        let mut bytes = S::encode_scalar(scalar);
        if S::encode_scalar(&S::Scalar::ONE)[0] == 0 {
            bytes.reverse();
        }
        bytes
    }

    fn deserialize(bytes: &[u8; SCALAR_BYTES]) -> Result<S::Scalar, FieldError> {
        S::decode_scalar(bytes).ok_or(FieldError::MalformedScalar)
    }
}

impl<S: Suite> Group for Frost<S> {
    type Field = Self;
    type Element = Elem<S>;
    type Serialization = S::Encoding;

    fn cofactor() -> S::Scalar {
        S::Scalar::ONE
    }

    fn identity() -> Elem<S> {
        Elem::new(S::Point::identity())
    }

    fn generator() -> Elem<S> {
        Elem {
            point: S::Point::generator(),
            generator: true,
        }
    }

    fn serialize(element: &Elem<S>) -> Result<S::Encoding, GroupError> {
        if element.point.is_identity().into() {
            return Err(GroupError::InvalidIdentityElement);
        }
        Ok(S::encode(&element.point))
    }

    fn deserialize(bytes: &S::Encoding) -> Result<Elem<S>, GroupError> {
        let point = S::decode(bytes).ok_or(GroupError::MalformedElement)?;
        Ok(Elem::new(point))
    }
}

#[allow(non_snake_case, reason = "names of RFC 9591")]
impl<S: Suite> Ciphersuite for Frost<S> {
    const ID: &'static str = S::NAME;

    type Group = Self;
    type HashOutput = [u8; 32];
    /// Only serialisation of whole signatures would use it, and we send none.
    type SignatureSerialization = S::Encoding;

    fn H1(m: &[u8]) -> S::Scalar {
        S::hash_to_scalar(BINDING, &[m])
    }

    fn H2(m: &[u8]) -> S::Scalar {
        S::hash_to_scalar(PLAIN, &[m])
    }

    fn H3(m: &[u8]) -> S::Scalar {
        S::hash_to_scalar(NONCE, &[m])
    }

    fn H4(m: &[u8]) -> [u8; 32] {
        S::hash(MESSAGE, &[m])
    }

    fn H5(m: &[u8]) -> [u8; 32] {
        S::hash(COMMITMENTS, &[m])
    }

    fn HDKG(m: &[u8]) -> Option<S::Scalar> {
        Some(S::hash_to_scalar(POSSESSION, &[m]))
    }

    fn challenge(
        r: &Elem<S>,
        key: &VerifyingKey<Self>,
        message: &[u8],
    ) -> Result<Challenge<Self>, Error<Self>> {
        let message = Message::<S>::from_bytes(message).map_err(|_| Error::DeserializationError)?;
        let element = |point| {
            Element::<S>::from_point(point)
                .map_err(|_| Error::GroupError(GroupError::InvalidIdentityElement))
        };
        let issuer = element(key.to_element().point)?;
        let w = element(message.key.point() + r.point)?;
        let attributes = message.attributes.to_bytes();
        let c = S::credential_challenge(&issuer, &w, &attributes);
        Ok(Challenge::from_scalar(c))
    }
}
