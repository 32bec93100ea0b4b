//! Paper 002: exchange of records between organisations with certificateless SM2 keys of several
//! authorities, SM2 and SM4 (Yang, Liu, Zhang, *Application Research of Computers* 2024(12)).
//!
//! The section of the paper that holds the key scheme is missing from every copy we could read.
//! Its prose fixes: own part and authorities' part of a private key, several authorities (KGC) in
//! the random number and in the key, node state inside, no certificates. In its place stands the
//! construction of GM/T 0130-2023, extended to several authorities \[reconstructed\].
//!
//! **Keys**
//! 1. KGC j: `P_j = ms_j·G`; `P_pub = Σ P_j`, without proof of possession.
//! 2. User: `d'` random, `U = d'·G`.
//! 3. Each KGC draws `w_j`, publishes `SM3(W_j)`, then opens `W_j = w_j·G`; `W = U + Σ W_j`.
//! 4. `H_A = SM3(ENTL‖ID‖state‖a‖b‖G‖P_pub)`, `λ = SM3(W‖H_A) mod n`.
//! 5. KGC j: `t_j = w_j + λ·ms_j`; the user tests `t_j·G = W_j + λ·P_j`.
//! 6. User: `d = d' + Σ t_j`. Anyone: `P_A = W + λ·P_pub = d·G`. Another state is another key.
//!
//! **Storage** \[paper\]: `SHA-256(Did‖Datatimestamp‖Datacontent)` on the organisation's chain, plain
//! concatenation.
//!
//! **Exchange** \[paper: SM2 steps; reconstructed: SM4 in counter mode, the paper names no mode\]: `K`
//! of 128 bits, `SM2.Enc(P_B, K)` in the paper's order `C1‖C2‖C3`, `SM4-CTR(K, iv, data)`. The
//! receiver decrypts and compares the digest with the chain. Nothing is signed.
//!
//! Attacks: [`attack_e1`], [`attack_e2`], [`attack_e3`], [`attack_e5`].

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use sm2::{
    FieldBytes, NonZeroScalar, ProjectivePoint, PublicKey, Scalar,
    elliptic_curve::{Generate, ops::Reduce, sec1::ToSec1Point},
};
use sm3::Sm3;

use crate::Refusal;

mod attacks;
mod envelope;

pub use attacks::{attack_e1, attack_e2, attack_e3, attack_e5};
pub use envelope::{ENVELOPE_BYTES, Envelope, decrypt, encrypt, sm4_ctr};

/// Curve coefficients a and b, as GB/T 32918.5 prints them.
const CURVE: [[u8; 32]; 2] = [
    hex(b"FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC"),
    hex(b"28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93"),
];

/// Bytes of an encoded public point: `4‖x‖y`.
pub const POINT_BYTES: usize = 65;

/// An encoded public point.
pub type Point = [u8; POINT_BYTES];

/// Bytes of an organisation's name.
pub const ID_BYTES: usize = 16;

/// ENTL: length of a name in bits.
const ENTL: [u8; 2] = [0, 128];

/// A name and the node state to which its key is tied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Name \[length reconstructed\].
    pub id: [u8; ID_BYTES],
    /// State and epoch.
    pub state: &'a [u8],
}

/// An authority.
pub struct Kgc {
    secret: Scalar,
    public: Point,
}

/// An authority's random part for one enrolment.
pub struct Nonce {
    secret: Scalar,
    /// `W_j`, opened in the second round.
    pub opening: Point,
    /// `SM3(W_j)`, sent in the first round.
    pub commitment: [u8; 32],
}

impl Kgc {
    /// Draws an authority's key.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let secret = random(rng);
        Self {
            secret,
            public: encode(&(ProjectivePoint::GENERATOR * secret)),
        }
    }

    /// `P_j`.
    #[must_use]
    pub fn public(&self) -> Point {
        self.public
    }

    /// Step 3.
    pub fn nonce(&self, rng: &mut (impl CryptoRng + ?Sized)) -> Nonce {
        let secret = random(rng);
        let opening = encode(&(ProjectivePoint::GENERATOR * secret));
        Nonce {
            secret,
            opening,
            commitment: sm3(&[&opening[1..]]),
        }
    }

    /// Step 5: `t_j`.
    #[must_use]
    pub fn share(&self, nonce: &Nonce, lambda: &Scalar) -> [u8; 32] {
        (nonce.secret + *lambda * self.secret).to_bytes().into()
    }
}

/// `P_pub` from the authorities' keys, as the scheme adds them up.
///
/// # Errors
///
/// [`Refusal::Point`] when a key or the sum is no point.
pub fn master_public(keys: &[Point]) -> Result<Point, Refusal> {
    let mut sum = ProjectivePoint::IDENTITY;
    for key in keys {
        sum += decode(key)?;
    }
    let sum = encode(&sum);
    decode(&sum).map(|_| sum)
}

/// λ of a declared `W`.
#[must_use]
pub fn lambda(w: &Point, identity: &Identity<'_>, master: &Point) -> Scalar {
    let generator = encode(&ProjectivePoint::GENERATOR);
    let h_a = sm3(&[
        &ENTL,
        &identity.id,
        identity.state,
        &CURVE[0],
        &CURVE[1],
        &generator[1..],
        &master[1..],
    ]);
    <Scalar as Reduce<FieldBytes>>::reduce(&sm3(&[&w[1..], &h_a]).into())
}

/// `P_A`: what a sender computes from the declared `W`, name and state.
///
/// # Errors
///
/// [`Refusal::Point`].
pub fn public_key(w: &Point, identity: &Identity<'_>, master: &Point) -> Result<Point, Refusal> {
    let key = decode(w)? + decode(master)? * lambda(w, identity, master);
    let key = encode(&key);
    decode(&key).map(|_| key)
}

/// A user during enrolment.
pub struct Applicant {
    secret: Scalar,
}

/// `W` and λ after the authorities opened.
pub struct Declaration {
    /// `W`, to be published.
    pub w: Point,
    /// λ.
    pub lambda: Scalar,
    openings: Vec<ProjectivePoint>,
}

/// An enrolled user's key.
pub struct PrivateKey {
    pub(crate) d: Scalar,
    /// `W`, as published.
    pub w: Point,
}

impl Applicant {
    /// Step 2.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self {
            secret: random(rng),
        }
    }

    /// Steps 3 and 4 after the second round.
    ///
    /// # Errors
    ///
    /// [`Refusal::Commitment`] names an authority that opened another value (or none);
    /// [`Refusal::Point`].
    pub fn declare(
        &self,
        identity: &Identity<'_>,
        master: &Point,
        commitments: &[[u8; 32]],
        openings: &[Point],
    ) -> Result<Declaration, Refusal> {
        let mut w = ProjectivePoint::GENERATOR * self.secret;
        let mut points = Vec::new();
        for (number, commitment) in commitments.iter().enumerate() {
            let opening = openings.get(number).ok_or(Refusal::Commitment(number))?;
            if sm3(&[&opening[1..]]) != *commitment {
                return Err(Refusal::Commitment(number));
            }
            let point = decode(opening)?;
            w += point;
            points.push(point);
        }
        let w = encode(&w);
        Ok(Declaration {
            w,
            lambda: lambda(&w, identity, master),
            openings: points,
        })
    }

    /// Steps 5 and 6.
    ///
    /// # Errors
    ///
    /// [`Refusal::Share`] names an authority whose share does not fit; [`Refusal::Point`],
    /// [`Refusal::Scalar`].
    pub fn finish(
        &self,
        declaration: &Declaration,
        keys: &[Point],
        shares: &[[u8; 32]],
    ) -> Result<PrivateKey, Refusal> {
        let mut d = self.secret;
        for (number, opening) in declaration.openings.iter().enumerate() {
            let refused = Refusal::Share(number);
            let share = shares.get(number).ok_or(refused)?;
            let share = NonZeroScalar::try_from(&share[..]).map_err(|_| Refusal::Scalar)?;
            let key = decode(keys.get(number).ok_or(refused)?)?;
            if ProjectivePoint::GENERATOR * *share != *opening + key * declaration.lambda {
                return Err(refused);
            }
            d += *share;
        }
        Ok(PrivateKey {
            d,
            w: declaration.w,
        })
    }
}

/// An honest enrolment, all sides in one process.
///
/// # Errors
///
/// Those of [`Applicant::declare`] and [`Applicant::finish`].
pub fn enrol(
    kgcs: &[Kgc],
    identity: &Identity<'_>,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<PrivateKey, Refusal> {
    let keys: Vec<_> = kgcs.iter().map(Kgc::public).collect();
    let master = master_public(&keys)?;
    let applicant = Applicant::random(rng);
    let nonces: Vec<_> = kgcs.iter().map(|kgc| kgc.nonce(rng)).collect();
    let commitments: Vec<_> = nonces.iter().map(|nonce| nonce.commitment).collect();
    let openings: Vec<_> = nonces.iter().map(|nonce| nonce.opening).collect();
    let declaration = applicant.declare(identity, &master, &commitments, &openings)?;
    let shares: Vec<_> = kgcs
        .iter()
        .zip(&nonces)
        .map(|(kgc, nonce)| kgc.share(nonce, &declaration.lambda))
        .collect();
    applicant.finish(&declaration, &keys, &shares)
}

/// The digest on the chain: plain concatenation, as printed.
#[must_use]
pub fn record_digest(did: &[u8], timestamp: &[u8], content: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(did)
        .chain_update(timestamp)
        .chain_update(content)
        .finalize()
        .into()
}

pub(crate) fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Scalar {
    *NonZeroScalar::generate_from_rng(rng)
}

/// The identity is encoded as zeros, which [`decode`] refuses.
pub(crate) fn encode(point: &ProjectivePoint) -> Point {
    let encoded = point.to_affine().to_sec1_point(false);
    let mut out = [0; POINT_BYTES];
    out[..encoded.as_bytes().len()].copy_from_slice(encoded.as_bytes());
    out
}

pub(crate) fn decode(point: &Point) -> Result<ProjectivePoint, Refusal> {
    let key = PublicKey::from_sec1_bytes(point).map_err(|_| Refusal::Point)?;
    Ok(key.to_projective())
}

fn sm3(parts: &[&[u8]]) -> [u8; 32] {
    parts
        .iter()
        .fold(Sm3::new(), |hash, part| hash.chain_update(part))
        .finalize()
        .into()
}

const fn hex(digits: &[u8; 64]) -> [u8; 32] {
    const fn digit(c: u8) -> u8 {
        if c <= b'9' { c - b'0' } else { c - b'A' + 10 }
    }
    let mut out = [0; 32];
    let mut i = 0;
    while i < 32 {
        out[i] = digit(digits[2 * i]) << 4 | digit(digits[2 * i + 1]);
        i += 1;
    }
    out
}
