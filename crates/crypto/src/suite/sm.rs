//! The suite of national standards: SM2 (GB/T 32918), SM3, SM4-GCM, and the key derivation of
//! GM/T 0130-2023.
//!
//! * Elements are 33 bytes, SEC 1 compressed (tag 2 or 3); scalars 32 bytes, big endian.
//! * `KDF(Z, n)` of GB/T 32918.4: `SM3(Z ‖ 1) ‖ SM3(Z ‖ 2) ‖ …`, counter of four bytes. A hash to a
//!   scalar takes 64 bytes of it modulo the order.
//! * Credential challenge ([`gmt0130`]), with our attributes in the place of the identity:
//!   `H_A = SM3(ENTL ‖ ID ‖ a ‖ b ‖ x_G ‖ y_G ‖ x_A ‖ y_A)`, `λ = SM3(x_W ‖ y_W ‖ H_A) mod n`. The text of
//!   the standard was not at hand: the layout is that of the public implementation `sm2cl` 0.1.2,
//!   against which `tests/vectors/gmt0130.json` was computed, from the inputs that it attributes
//!   to the standard's annex.
//!
//! `sm4` looks its S-box up by secret bytes: an attacker who shares the processor's cache with
//! the device may learn a key. Each key of ours seals one message.

use std::iter;

use aes_gcm::{
    AesGcm, KeyInit,
    aead::{AeadInOut, consts::U12},
};
use elliptic_curve::{
    bigint::{ArrayEncoding, U256},
    ff::PrimeField,
    group::{Group, GroupEncoding},
    ops::{LinearCombination, Reduce},
    sec1::ToSec1Point,
};
use sm2::{ProjectivePoint, Scalar};
use sm3::{Digest as _, Sm3};
use sm4::Sm4;
use zeroize::Zeroizing;

use super::{Element, SCALAR_BYTES, Suite, TAG_BYTES};
use crate::transcript::Domain;

/// `a`, `b`, `x_G`, `y_G` of the recommended curve (GB/T 32918.5), as GM/T 0130 hashes them.
pub(crate) const CURVE: [u8; 128] = curve();

/// Suite of organisations under Chinese national standards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sm2;

/// `λ` of GM/T 0130 for an identity of at most 8,191 bytes, the KGC's key `P_pub` and the
/// declared key `W`.
///
/// # Panics
///
/// When the identity is longer; ours are the 20 bytes of a credential's attributes.
#[must_use]
pub fn gmt0130(identity: &[u8], issuer: &Element<Sm2>, w: &Element<Sm2>) -> Scalar {
    let bits = u16::try_from(identity.len() * 8).expect("ENTL has two bytes");
    let mut inner = Sm3::new();
    inner.update(bits.to_be_bytes());
    inner.update(identity);
    inner.update(CURVE);
    inner.update(coordinates(issuer));
    let mut outer = Sm3::new();
    outer.update(coordinates(w));
    outer.update(inner.finalize());
    Scalar::reduce(&U256::from_be_byte_array(outer.finalize()))
}

impl Suite for Sm2 {
    const NAME: &'static str = "Sm2";
    const ELEMENT_BYTES: usize = 33;

    type Scalar = Scalar;
    type Point = ProjectivePoint;
    type Encoding = [u8; 33];
    type Prepared = ProjectivePoint;

    fn encode(point: &ProjectivePoint) -> [u8; 33] {
        let mut bytes = [0; 33];
        bytes.copy_from_slice(&point.to_bytes());
        bytes
    }

    fn decode(bytes: &[u8; 33]) -> Option<ProjectivePoint> {
        // The curve crate takes the compact tag 5 too, and 33 zeros for the identity.
        if !matches!(bytes[0], 2 | 3) {
            return None;
        }
        ProjectivePoint::from_bytes(&(*bytes).into()).into()
    }

    fn encode_scalar(scalar: &Scalar) -> [u8; SCALAR_BYTES] {
        scalar.to_repr().into()
    }

    fn decode_scalar(bytes: &[u8; SCALAR_BYTES]) -> Option<Scalar> {
        Scalar::from_repr((*bytes).into()).into()
    }

    fn reduce(bytes: &[u8; 64]) -> Scalar {
        let half = |range: std::ops::Range<usize>| -> Scalar {
            Scalar::reduce(&U256::from_be_slice(&bytes[range]))
        };
        let shift = <Scalar as Reduce<U256>>::reduce(&U256::MAX) + Scalar::ONE; // 2²⁵⁶
        half(0..32) * shift + half(32..64)
    }

    fn mul_base(scalar: &Scalar) -> ProjectivePoint {
        ProjectivePoint::mul_by_generator(scalar)
    }

    fn sum(base: &Scalar, terms: &[(Scalar, ProjectivePoint)]) -> ProjectivePoint {
        let terms = terms.iter().map(|(scalar, point)| (*point, *scalar));
        let terms: Vec<_> = iter::once((ProjectivePoint::GENERATOR, *base))
            .chain(terms)
            .collect();
        ProjectivePoint::lincomb_vartime(terms.as_slice())
    }

    fn prepare(issuer: &ProjectivePoint) -> ProjectivePoint {
        *issuer
    }

    fn sum_prepared(
        prepared: &ProjectivePoint,
        base: &Scalar,
        issuer: &Scalar,
        (scalar, point): (Scalar, ProjectivePoint),
    ) -> ProjectivePoint {
        ProjectivePoint::lincomb_vartime(&[
            (ProjectivePoint::GENERATOR, *base),
            (*prepared, *issuer),
            (point, scalar),
        ])
    }

    fn hash(domain: Domain, fields: &[&[u8]]) -> [u8; 32] {
        start(domain, fields).finalize().into()
    }

    fn hash_to_scalar(domain: Domain, fields: &[&[u8]]) -> Scalar {
        Self::reduce(&kdf(&start(domain, fields)))
    }

    fn credential_challenge(
        issuer: &Element<Self>,
        w: &Element<Self>,
        attributes: &[u8],
    ) -> Scalar {
        gmt0130(attributes, issuer, w)
    }

    fn seal(domain: Domain, shared: &[u8], context: &[&[u8]], text: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(text.len() + TAG_BYTES);
        sealed.extend_from_slice(text);
        cipher(domain, shared, context)
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
        cipher(domain, shared, context)
            .decrypt_in_place(&[0; 12].into(), &[], &mut *text)
            .ok()?;
        Some(text)
    }
}

/// SM3 over the domain, the suite and the fields, each with its length (u32, big endian) before
/// it, as in [`transcript`](crate::transcript).
fn start(domain: Domain, fields: &[&[u8]]) -> Sm3 {
    let head = [domain.name().as_bytes(), Sm2::NAME.as_bytes()];
    let mut hash = Sm3::new();
    for field in head.iter().chain(fields) {
        let length = u32::try_from(field.len()).expect("fields are far below 4 GiB");
        hash.update(length.to_be_bytes());
        hash.update(field);
    }
    hash
}

/// `KDF(Z, N)` of GB/T 32918.4, where `z` has taken in `Z`.
fn kdf<const N: usize>(z: &Sm3) -> [u8; N] {
    let mut key = [0; N];
    for (counter, block) in (1u32..).zip(key.chunks_mut(32)) {
        let digest = z.clone().chain_update(counter.to_be_bytes()).finalize();
        block.copy_from_slice(&digest[..block.len()]);
    }
    key
}

/// The key serves once, so the nonce is always zero.
fn cipher(domain: Domain, shared: &[u8], context: &[&[u8]]) -> AesGcm<Sm4, U12> {
    let mut fields = vec![shared];
    fields.extend_from_slice(context);
    let key = Zeroizing::new(kdf::<16>(&start(domain, &fields)));
    AesGcm::new(&(*key).into())
}

/// `x ‖ y`.
pub(crate) fn coordinates(element: &Element<Sm2>) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes.copy_from_slice(&element.point().to_sec1_point(false).as_bytes()[1..]);
    bytes
}

const fn curve() -> [u8; 128] {
    const HEX: &[u8; 256] = b"\
        FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC\
        28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93\
        32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7\
        BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0";
    const fn digit(hex: u8) -> u8 {
        match hex {
            b'0'..=b'9' => hex - b'0',
            _ => hex - b'A' + 10,
        }
    }
    let mut bytes = [0; 128];
    let mut i = 0;
    while i < 128 {
        bytes[i] = digit(HEX[2 * i]) << 4 | digit(HEX[2 * i + 1]);
        i += 1;
    }
    bytes
}
