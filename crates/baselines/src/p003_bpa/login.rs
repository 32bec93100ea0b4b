//! Authentication A1 to A4 and re-authentication RA.

use curve25519_dalek::{RistrettoPoint, Scalar};
use rand_core::CryptoRng;

use super::{
    Ledger, Params, Reading, Record, SessionKey, Vehicle, fresh, parse, parse_scalar, to_bytes,
    to_scalar, xor,
};
use crate::Refusal;

/// A1, vehicle to RSU.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// R.
    pub r: [u8; 32],
    /// X.
    pub x: [u8; 32],
    /// M.
    pub m: [u8; 32],
    /// z.
    pub z: [u8; 32],
    /// T1, milliseconds.
    pub sent: [u8; 8],
}

/// RA1, vehicle to RSU.
#[derive(Clone, Copy, Debug)]
pub struct FastRequest {
    /// A.
    pub a: [u8; 32],
    /// z.
    pub z: [u8; 32],
    /// T3, milliseconds.
    pub sent: [u8; 8],
}

/// A3, RSU to vehicle.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// N.
    pub n: [u8; 32],
    /// E.
    pub hidden: [u8; 32],
    /// V.
    pub check: [u8; 32],
    /// T2 or T4, milliseconds.
    pub sent: [u8; 8],
}

/// What both sides hold after a run.
#[derive(Clone, PartialEq, Eq)]
pub struct Established {
    /// K.
    pub key: [u8; 32],
    /// n, the secret of the next re-authentication; the RSU knows it too.
    pub next: Scalar,
}

/// A vehicle that waits for the answer.
pub struct Pending {
    secret: Scalar,
}

/// A road-side unit.
pub struct Rsu {
    secret: Scalar,
    public: [u8; 32],
}

impl Vehicle {
    /// A1.
    #[must_use]
    pub fn request(&self, now_ms: u64, rng: &mut (impl CryptoRng + ?Sized)) -> (Pending, Request) {
        request(&self.r, &self.x, &self.secret, now_ms, rng)
    }
}

/// A1 from its inputs; whoever knows the discrete logarithm of `PK_V` can send it.
pub(super) fn request(
    r: &[u8; 32],
    x: &[u8; 32],
    secret: &Scalar,
    now_ms: u64,
    rng: &mut (impl CryptoRng + ?Sized),
) -> (Pending, Request) {
    let commitment = Scalar::random(rng);
    let m = RistrettoPoint::mul_base(&commitment).compress().0;
    let mut request = Request {
        r: *r,
        x: *x,
        m,
        z: [0; 32],
        sent: now_ms.to_be_bytes(),
    };
    request.z = (commitment + challenge(&request) * secret).to_bytes();
    (Pending { secret: commitment }, request)
}

/// RA1: `next` is all that the vehicle needs.
#[must_use]
pub fn fast_request(
    next: &Scalar,
    now_ms: u64,
    rng: &mut (impl CryptoRng + ?Sized),
) -> (Pending, FastRequest) {
    let commitment = Scalar::random(rng);
    let a = RistrettoPoint::mul_base(&commitment).compress().0;
    let mut request = FastRequest {
        a,
        z: [0; 32],
        sent: now_ms.to_be_bytes(),
    };
    request.z = (commitment + fast_challenge(&request) * next).to_bytes();
    (Pending { secret: commitment }, request)
}

impl Established {
    /// RA1 at the next RSU.
    #[must_use]
    pub fn fast_request(
        &self,
        now_ms: u64,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> (Pending, FastRequest) {
        fast_request(&self.next, now_ms, rng)
    }
}

impl Pending {
    /// A4.
    ///
    /// # Errors
    ///
    /// [`Refusal::Late`], [`Refusal::Proof`] when V does not fit, and those of parsing.
    pub fn finish(
        self,
        reading: Reading,
        rsu: &[u8; 32],
        answer: &Answer,
        now_ms: u64,
    ) -> Result<Established, Refusal> {
        fresh(answer.sent, now_ms)?;
        let ephemeral = parse(&answer.n)? * self.secret;
        let fixed = match reading.session {
            SessionKey::WithRsuKey => Some(parse(rsu)? * self.secret),
            SessionKey::EphemeralOnly => None,
        };
        let key = session_key(&ephemeral, fixed.as_ref());
        let next = xor(&answer.hidden, &to_bytes(b"hide", &[&key, &answer.sent]));
        if check(&next, &key, &answer.n, answer.sent) != answer.check {
            return Err(Refusal::Proof);
        }
        Ok(Established {
            key,
            next: parse_scalar(&next)?,
        })
    }
}

impl Rsu {
    /// An RSU with the key that TA would make for it.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let secret = Scalar::random(rng);
        Self {
            secret,
            public: RistrettoPoint::mul_base(&secret).compress().0,
        }
    }

    /// PK_j.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// A2 alone: returns M.
    ///
    /// # Errors
    ///
    /// [`Refusal::Late`], [`Refusal::Token`] for a revoked R, [`Refusal::Proof`], and those of
    /// parsing.
    pub fn check(
        &self,
        params: &Params,
        ledger: &Ledger,
        request: &Request,
        now_ms: u64,
    ) -> Result<RistrettoPoint, Refusal> {
        fresh(request.sent, now_ms)?;
        if ledger.is_revoked(&request.r) {
            return Err(Refusal::Token);
        }
        let m = parse(&request.m)?;
        let z = parse_scalar(&request.z)?;
        let certified = params.certified(&request.r, &request.x);
        let key = parse(&request.x)? + parse(&request.r)? + certified;
        let c = challenge(request);
        if RistrettoPoint::vartime_double_scalar_mul_basepoint(&c, &-key, &z) == m {
            Ok(m)
        } else {
            Err(Refusal::Proof)
        }
    }

    /// A2 and A3.
    ///
    /// # Errors
    ///
    /// Those of [`Rsu::check`].
    pub fn authenticate(
        &self,
        params: &Params,
        ledger: &mut Ledger,
        request: &Request,
        now_ms: u64,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<(Answer, Established), Refusal> {
        let m = self.check(params, ledger, request, now_ms)?;
        Ok(self.respond(params.reading, ledger, &m, request.r, now_ms, rng))
    }

    /// RA2 and RA3.
    ///
    /// # Errors
    ///
    /// [`Refusal::Late`], [`Refusal::Token`] when no legal record fits, and those of parsing.
    pub fn reauthenticate(
        &self,
        params: &Params,
        ledger: &mut Ledger,
        request: &FastRequest,
        now_ms: u64,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<(Answer, Established), Refusal> {
        fresh(request.sent, now_ms)?;
        let a = parse(&request.a)?;
        // Q = c⁻¹(zP − A) = (c⁻¹z)P + (−c⁻¹)A
        let inverse = fast_challenge(request).invert();
        let token = RistrettoPoint::vartime_double_scalar_mul_basepoint(
            &-inverse,
            &a,
            &(inverse * parse_scalar(&request.z)?),
        );
        let record = ledger
            .tokens
            .get(&token.compress().0)
            .filter(|record| record.legal);
        let r = record.ok_or(Refusal::Token)?.r;
        Ok(self.respond(params.reading, ledger, &a, r, now_ms, rng))
    }

    fn respond(
        &self,
        reading: Reading,
        ledger: &mut Ledger,
        m: &RistrettoPoint,
        r: [u8; 32],
        now_ms: u64,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> (Answer, Established) {
        let fixed = match reading.session {
            SessionKey::WithRsuKey => Some(m * self.secret),
            SessionKey::EphemeralOnly => None,
        };
        let (answer, established) = answer(m, fixed.as_ref(), now_ms, rng);
        let token = RistrettoPoint::mul_base(&established.next).compress().0;
        ledger.tokens.insert(token, Record { r, legal: true });
        (answer, established)
    }
}

/// A3 without the ledger; `fixed` is `sk_j·M` where the reading has it.
pub(super) fn answer(
    m: &RistrettoPoint,
    fixed: Option<&RistrettoPoint>,
    now_ms: u64,
    rng: &mut (impl CryptoRng + ?Sized),
) -> (Answer, Established) {
    let (k, next) = (Scalar::random(rng), Scalar::random(rng));
    let key = session_key(&(m * k), fixed);
    let n = RistrettoPoint::mul_base(&k).compress().0;
    let sent = now_ms.to_be_bytes();
    let hidden = xor(&next.to_bytes(), &to_bytes(b"hide", &[&key, &sent]));
    let check = check(&next.to_bytes(), &key, &n, sent);
    (
        Answer {
            n,
            hidden,
            check,
            sent,
        },
        Established { key, next },
    )
}

fn challenge(request: &Request) -> Scalar {
    to_scalar(
        b"login",
        &[&request.r, &request.x, &request.m, &request.sent],
    )
}

fn fast_challenge(request: &FastRequest) -> Scalar {
    to_scalar(b"again", &[&request.a, &request.sent])
}

fn session_key(ephemeral: &RistrettoPoint, fixed: Option<&RistrettoPoint>) -> [u8; 32] {
    let fixed = fixed.map(|point| point.compress().0);
    let fixed = fixed.as_ref().map_or(&[][..], |bytes| &bytes[..]);
    to_bytes(b"session", &[&ephemeral.compress().0, fixed])
}

fn check(next: &[u8; 32], key: &[u8; 32], n: &[u8; 32], sent: [u8; 8]) -> [u8; 32] {
    to_bytes(b"check", &[next, key, n, &sent])
}
