//! Registration, steps R1 to R3, and tracing.

use std::collections::HashMap;

use curve25519_dalek::{RistrettoPoint, Scalar, ristretto::CompressedRistretto};
use rand_core::CryptoRng;

use super::{Params, Reading, Vid, fresh, parse, parse_scalar, to_bytes, xor};
use crate::Refusal;

/// The trusted authority.
pub struct Ta {
    secret: Scalar,
    members: HashMap<[u8; 32], Vid>,
}

/// R1, vehicle to TA.
#[derive(Clone, Copy, Debug)]
pub struct Application {
    /// X.
    pub x: [u8; 32],
    /// C2.
    pub vid: [u8; 32],
    /// T, milliseconds.
    pub sent: [u8; 8],
}

/// R2, TA to vehicle.
#[derive(Clone, Copy, Debug)]
pub struct Issued {
    /// R.
    pub r: [u8; 32],
    /// S.
    pub masked: [u8; 32],
}

/// A vehicle that waits for R2.
pub struct Applicant {
    vid: Vid,
    secret: Scalar,
    x: [u8; 32],
}

/// A registered vehicle.
pub struct Vehicle {
    pub(crate) r: [u8; 32],
    pub(crate) x: [u8; 32],
    pub(crate) secret: Scalar,
}

impl Ta {
    /// A new authority and its parameters.
    pub fn random(reading: Reading, rng: &mut (impl CryptoRng + ?Sized)) -> (Self, Params) {
        let secret = Scalar::random(rng);
        let params = Params::new(reading, &RistrettoPoint::mul_base(&secret));
        (
            Self {
                secret,
                members: HashMap::new(),
            },
            params,
        )
    }

    /// R2.
    ///
    /// # Errors
    ///
    /// [`Refusal::Late`], [`Refusal::Point`] (also when no VID is embedded).
    pub fn register(
        &mut self,
        params: &Params,
        application: &Application,
        now_ms: u64,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Issued, Refusal> {
        fresh(application.sent, now_ms)?;
        let embedded = parse(&application.vid)? - parse(&application.x)? * self.secret;
        let vid = extract(&embedded).ok_or(Refusal::Point)?;
        let r_secret = Scalar::random(rng);
        let r = RistrettoPoint::mul_base(&r_secret).compress().0;
        let s = r_secret + params.h(&r, &application.x) * self.secret;
        self.members.insert(r, vid);
        Ok(Issued {
            r,
            masked: xor(&s.to_bytes(), &mask(vid)),
        })
    }

    /// T: whose credential has this R.
    #[must_use]
    pub fn trace(&self, r: &[u8; 32]) -> Option<Vid> {
        self.members.get(r).copied()
    }
}

impl Applicant {
    /// R1.
    ///
    /// # Errors
    ///
    /// [`Refusal::Point`] when [`embed`] finds no point for the VID.
    pub fn apply(
        params: &Params,
        vid: Vid,
        now_ms: u64,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<(Self, Application), Refusal> {
        let secret = Scalar::random(rng);
        let x = RistrettoPoint::mul_base(&secret).compress().0;
        let hidden = embed(vid).ok_or(Refusal::Point)? + &secret * &params.ta;
        let application = Application {
            x,
            vid: hidden.compress().0,
            sent: now_ms.to_be_bytes(),
        };
        Ok((Self { vid, secret, x }, application))
    }

    /// R3.
    ///
    /// # Errors
    ///
    /// [`Refusal::Proof`] when the issued key does not fit, [`Refusal::Point`],
    /// [`Refusal::Scalar`].
    pub fn finish(self, params: &Params, issued: &Issued) -> Result<Vehicle, Refusal> {
        let s = unmask(params, self.vid, &self.x, issued)?;
        Ok(Vehicle {
            r: issued.r,
            x: self.x,
            secret: s + self.secret,
        })
    }
}

impl Vehicle {
    /// R, which TA maps to the vehicle's identity.
    #[must_use]
    pub fn r(&self) -> [u8; 32] {
        self.r
    }
}

/// The issued key, if `vid` is the identity that masks it. Public values suffice: attack B2.
pub(super) fn unmask(
    params: &Params,
    vid: Vid,
    x: &[u8; 32],
    issued: &Issued,
) -> Result<Scalar, Refusal> {
    let s = parse_scalar(&xor(&issued.masked, &mask(vid)))?;
    if RistrettoPoint::mul_base(&s) == parse(&issued.r)? + params.certified(&issued.r, x) {
        Ok(s)
    } else {
        Err(Refusal::Proof)
    }
}

fn mask(vid: Vid) -> [u8; 32] {
    to_bytes(b"mask", &[&vid.0])
}

/// First byte of an embedded VID inside an encoding.
const AT: usize = 8;

/// M_VID: the first valid encoding with VID in its bytes 8 to 15 and a counter in byte 1. About
/// one encoding in four is valid, so no counter fits with probability 2^-106 for a random VID.
#[must_use]
pub fn embed(vid: Vid) -> Option<RistrettoPoint> {
    (0..=u8::MAX).find_map(|counter| {
        let mut bytes = [0; 32];
        bytes[1] = counter;
        bytes[AT..AT + 8].copy_from_slice(&vid.0);
        CompressedRistretto(bytes).decompress()
    })
}

/// The VID of an embedded point; `None` for a point that [`embed`] does not make.
#[must_use]
pub fn extract(point: &RistrettoPoint) -> Option<Vid> {
    let mut vid = [0; 8];
    vid.copy_from_slice(&point.compress().0[AT..AT + 8]);
    let vid = Vid(vid);
    (embed(vid)? == *point).then_some(vid)
}
