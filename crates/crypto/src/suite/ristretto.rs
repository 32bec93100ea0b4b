//! The default suite: ristretto255, SHA-512, HKDF-SHA-256, ChaCha20-Poly1305.

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use curve25519_dalek::{
    RistrettoPoint, Scalar,
    constants::RISTRETTO_BASEPOINT_POINT as BASE,
    ristretto::{CompressedRistretto, VartimeRistrettoPrecomputation},
    traits::{IsIdentity, VartimeMultiscalarMul, VartimePrecomputedMultiscalarMul},
};
use zeroize::Zeroizing;

use super::{Element, SCALAR_BYTES, Suite, TAG_BYTES};
use crate::schnorr;
use crate::transcript::{Digest, Domain, Transcript, derive};

const CREDENTIAL: Domain = Domain::new("cairn/1/credential/challenge");

/// Suite of vehicles, RSUs and authorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ristretto255;

impl Ristretto255 {
    fn digest(domain: Domain, fields: &[&[u8]]) -> Digest {
        let start = Transcript::new(domain).bytes(Self::NAME.as_bytes());
        let whole = fields.iter().fold(start, |t, field| t.bytes(field));
        whole.finish()
    }

    /// The key serves once, so the nonce is always zero.
    fn cipher(domain: Domain, shared: &[u8], context: &[&[u8]]) -> ChaCha20Poly1305 {
        let key = derive::<32>(domain, shared, context);
        ChaCha20Poly1305::new(&(*key).into())
    }
}

impl Suite for Ristretto255 {
    const NAME: &'static str = schnorr::SUITE;
    const ELEMENT_BYTES: usize = 32;

    type Scalar = Scalar;
    type Point = RistrettoPoint;
    type Encoding = [u8; 32];
    type Prepared = VartimeRistrettoPrecomputation;

    fn encode(point: &RistrettoPoint) -> [u8; 32] {
        point.compress().to_bytes()
    }

    fn decode(bytes: &[u8; 32]) -> Option<RistrettoPoint> {
        let point = CompressedRistretto(*bytes).decompress()?;
        (!point.is_identity()).then_some(point)
    }

    fn encode_scalar(scalar: &Scalar) -> [u8; SCALAR_BYTES] {
        scalar.to_bytes()
    }

    fn decode_scalar(bytes: &[u8; SCALAR_BYTES]) -> Option<Scalar> {
        Scalar::from_canonical_bytes(*bytes).into()
    }

    fn reduce(bytes: &[u8; 64]) -> Scalar {
        Scalar::from_bytes_mod_order_wide(bytes)
    }

    fn mul_base(scalar: &Scalar) -> RistrettoPoint {
        RistrettoPoint::mul_base(scalar)
    }

    fn sum(base: &Scalar, terms: &[(Scalar, RistrettoPoint)]) -> RistrettoPoint {
        if let [(scalar, point)] = terms {
            return RistrettoPoint::vartime_double_scalar_mul_basepoint(scalar, point, base);
        }
        let scalars = terms.iter().map(|(scalar, _)| scalar).chain([base]);
        let points = terms.iter().map(|(_, point)| point).chain([&BASE]);
        RistrettoPoint::vartime_multiscalar_mul(scalars, points)
    }

    fn prepare(issuer: &RistrettoPoint) -> VartimeRistrettoPrecomputation {
        VartimeRistrettoPrecomputation::new([&BASE, issuer])
    }

    fn sum_prepared(
        prepared: &VartimeRistrettoPrecomputation,
        base: &Scalar,
        issuer: &Scalar,
        (scalar, point): (Scalar, RistrettoPoint),
    ) -> RistrettoPoint {
        prepared.vartime_mixed_multiscalar_mul([base, issuer], [&scalar], [&point])
    }

    fn hash(domain: Domain, fields: &[&[u8]]) -> [u8; 32] {
        Self::digest(domain, fields).short()
    }

    fn hash_to_scalar(domain: Domain, fields: &[&[u8]]) -> Scalar {
        Self::digest(domain, fields).scalar()
    }

    fn credential_challenge(
        issuer: &Element<Self>,
        w: &Element<Self>,
        attributes: &[u8],
    ) -> Scalar {
        Self::hash_to_scalar(CREDENTIAL, &[issuer.as_bytes(), w.as_bytes(), attributes])
    }

    fn seal(domain: Domain, shared: &[u8], context: &[&[u8]], text: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(text.len() + TAG_BYTES);
        sealed.extend_from_slice(text);
        Self::cipher(domain, shared, context)
            .encrypt_in_place(&[0; 12].into(), &[], &mut sealed)
            .expect("our texts are far below the cipher's limit");
        sealed
    }

    fn open(
        domain: Domain,
        shared: &[u8],
        context: &[&[u8]],
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let mut text = Zeroizing::new(sealed.to_vec());
        Self::cipher(domain, shared, context)
            .decrypt_in_place(&[0; 12].into(), &[], &mut *text)
            .ok()?;
        Some(text)
    }
}
