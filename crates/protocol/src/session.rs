//! Keys after a login (PROTOCOLS.md section 4, step 3; paper 000, key agreement).
//!
//! 1. A login gives both sides ASC, a basic key `BK_0`, a session key `SK_0` and an agreement digest.
//!    Everything ends, and is erased, when the validity (AVP) is over.
//! 2. V → RSU `RekeyRequest`: ASC, counter `i`, nonce `n1`, tag under `BK_(i−1)` over them.
//! 3. RSU → V `RekeyAnswer`: ASC, `i`, nonce `n2`, tag under `BK_(i−1)` over them and `n1`.
//! 4. Both: `SK_i = KDF(BK_(i−1), i, n1, n2)`, `BK_i = KDF'(BK_(i−1), i, n1, n2)`, `BK_(i−1)` erased.
//! 5. Lost request: the vehicle repeats it. Lost answer: the vehicle repeats its request, the RSU its
//!    answer. The RSU keeps `SK_(i−1)` beside `SK_i` until the next request shows that the vehicle
//!    has followed.
//! 6. Every agreement leaves `H(ASC, opening)` for the ledger. The opening is derived from the same
//!    secrets: outsiders cannot link the ledger's digests to what they heard on the radio, and
//!    either party can later show which agreement a digest belongs to without giving away a key.
//!
//! PROTOCOLS.md has the RSU keep the previous *basic key* for one step. We keep the answer instead:
//! it repairs the same loss, lets the old key be erased at once, and an older attempt of the
//! vehicle, replayed, cannot move the RSU to other keys.
//!
//! Rules:
//! * `V-REKEY-1` the session is alive; `V-REKEY-2` the message is for this session;
//! * `V-REKEY-3` the counter is the next one (or the answered one, repeated byte by byte);
//! * `V-REKEY-4` the tag is right; `V-REKEY-5` an answer fits an open request.

use cairn_crypto::{
    noise::Established,
    transcript::{Domain, Transcript, derive, mac},
};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{login::Asc, wire::Rekey};

const ASC: Domain = Domain::new("cairn/1/session/asc");
const SESSION: Domain = Domain::new("cairn/1/session/key");
const BASIC: Domain = Domain::new("cairn/1/session/basic-key");
const OPENING: Domain = Domain::new("cairn/1/session/opening");
const AGREEMENT: Domain = Domain::new("cairn/1/session/agreement");
const REKEY_SESSION: Domain = Domain::new("cairn/1/rekey/session-key");
const REKEY_BASIC: Domain = Domain::new("cairn/1/rekey/basic-key");
const REKEY_OPENING: Domain = Domain::new("cairn/1/rekey/opening");
const REQUEST: Domain = Domain::new("cairn/1/rekey/request");
const ANSWER: Domain = Domain::new("cairn/1/rekey/answer");

/// The longest validity of a login, in milliseconds: ten minutes, longer than a vehicle stays in
/// reach of one RSU in ordinary traffic.
pub const MAX_VALIDITY_MS: u32 = 600_000;

/// Why a rekey is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RekeyError {
    /// `V-REKEY-1`: its validity is over; log in again.
    #[error("session is over")]
    Over,
    /// `V-REKEY-2`.
    #[error("expected a message of this session")]
    OtherSession,
    /// `V-REKEY-3`.
    #[error("expected rekey {expected}, got {got}")]
    Counter {
        /// The next rekey.
        expected: u32,
        /// The counter of the message.
        got: u32,
    },
    /// `V-REKEY-4`.
    #[error("tag does not authenticate the message under the basic key")]
    Tag,
    /// `V-REKEY-5`.
    #[error("no rekey is open")]
    NotOpen,
}

/// A key that both sides share. Erased on drop; has no `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionKey([u8; 32]);

impl SessionKey {
    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What an agreement leaves on the ledger, 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgreementDigest(pub [u8; 32]);

/// The keys of one side between two rekeys.
struct Keys {
    asc: Asc,
    until_ms: u64,
    counter: u32,
    basic: Zeroizing<[u8; 32]>,
    session: SessionKey,
    agreement: AgreementDigest,
}

impl Keys {
    fn new(handshake: &Established, until_ms: u64) -> Self {
        let asc = Asc(*handshake.export(ASC));
        Self {
            asc,
            until_ms,
            counter: 0,
            basic: handshake.export(BASIC),
            session: SessionKey(*handshake.export(SESSION)),
            agreement: agreement(asc, &handshake.export(OPENING)),
        }
    }

    fn check(&self, message: &Rekey, now_ms: u64) -> Result<(), RekeyError> {
        self.check_alive(now_ms)?;
        if message.asc != self.asc {
            return Err(RekeyError::OtherSession);
        }
        Ok(())
    }

    fn check_alive(&self, now_ms: u64) -> Result<(), RekeyError> {
        if now_ms < self.until_ms {
            Ok(())
        } else {
            Err(RekeyError::Over)
        }
    }

    /// The counter of the next rekey. It cannot overflow within [`MAX_VALIDITY_MS`] at any rate
    /// that a radio link carries; if it did, the session would be over.
    fn next(&self) -> Result<u32, RekeyError> {
        self.counter.checked_add(1).ok_or(RekeyError::Over)
    }

    fn request(&self, counter: u32, n1: [u8; 16]) -> Rekey {
        let tag = self.tag(REQUEST, counter, &[&n1]);
        Rekey {
            asc: self.asc,
            counter,
            nonce: n1,
            tag,
        }
    }

    fn answer(&self, counter: u32, n1: &[u8; 16], n2: [u8; 16]) -> Rekey {
        let tag = self.tag(ANSWER, counter, &[n1, &n2]);
        Rekey {
            asc: self.asc,
            counter,
            nonce: n2,
            tag,
        }
    }

    fn tag(&self, domain: Domain, counter: u32, nonces: &[&[u8]]) -> [u8; 16] {
        let counter = counter.to_be_bytes();
        let fields: Vec<&[u8]> = [&self.asc.0[..], &counter]
            .into_iter()
            .chain(nonces.iter().copied())
            .collect();
        let mut tag = [0; 16];
        tag.copy_from_slice(&mac(domain, &self.basic, &fields)[..16]);
        tag
    }

    /// Step 4.
    fn advance(&mut self, counter: u32, n1: &[u8; 16], n2: &[u8; 16]) -> SessionKey {
        let number = counter.to_be_bytes();
        let context: [&[u8]; 4] = [&self.asc.0, &number, n1, n2];
        let session = SessionKey(*derive(REKEY_SESSION, self.basic.as_slice(), &context));
        let basic = derive(REKEY_BASIC, self.basic.as_slice(), &context);
        let opening = derive(REKEY_OPENING, self.basic.as_slice(), &context);
        self.agreement = agreement(self.asc, &opening);
        self.basic = basic;
        self.counter = counter;
        std::mem::replace(&mut self.session, session)
    }
}

fn agreement(asc: Asc, opening: &[u8; 32]) -> AgreementDigest {
    AgreementDigest(
        Transcript::new(AGREEMENT)
            .bytes(&asc.0)
            .bytes(opening)
            .finish()
            .short(),
    )
}

fn same_tag(left: &Rekey, right: &Rekey) -> bool {
    left.tag.ct_eq(&right.tag).into()
}

/// The vehicle's side of a session.
pub struct VehicleSession {
    keys: Keys,
    open: Option<Rekey>,
}

impl VehicleSession {
    /// The session of a finished handshake, valid before `until_ms`.
    #[must_use]
    pub fn new(handshake: &Established, until_ms: u64) -> Self {
        Self {
            keys: Keys::new(handshake, until_ms),
            open: None,
        }
    }

    /// Names the session at its RSU.
    #[must_use]
    pub const fn asc(&self) -> Asc {
        self.keys.asc
    }

    /// End of validity (exclusive), milliseconds since 1970.
    #[must_use]
    pub const fn until_ms(&self) -> u64 {
        self.keys.until_ms
    }

    /// The current session key.
    #[must_use]
    pub const fn key(&self) -> &SessionKey {
        &self.keys.session
    }

    /// Digest of the latest agreement.
    #[must_use]
    pub const fn agreement(&self) -> AgreementDigest {
        self.keys.agreement
    }

    /// Starts a rekey, or repeats the request of an open one.
    ///
    /// # Errors
    ///
    /// [`RekeyError::Over`].
    pub fn request(&mut self, now_ms: u64, rng: &mut impl CryptoRng) -> Result<Rekey, RekeyError> {
        self.keys.check_alive(now_ms)?;
        if let Some(request) = &self.open {
            return Ok(request.clone());
        }
        let mut n1 = [0; 16];
        rng.fill_bytes(&mut n1);
        let request = self.keys.request(self.keys.next()?, n1);
        self.open = Some(request.clone());
        Ok(request)
    }

    /// Takes the answer. A refused one leaves the open request as it was.
    ///
    /// # Errors
    ///
    /// See [`RekeyError`].
    pub fn answered(&mut self, answer: &Rekey, now_ms: u64) -> Result<AgreementDigest, RekeyError> {
        self.keys.check(answer, now_ms)?;
        let request = self.open.as_ref().ok_or(RekeyError::NotOpen)?;
        if answer.counter != request.counter {
            let (expected, got) = (request.counter, answer.counter);
            return Err(RekeyError::Counter { expected, got });
        }
        let expected = self
            .keys
            .answer(request.counter, &request.nonce, answer.nonce);
        if !same_tag(&expected, answer) {
            return Err(RekeyError::Tag);
        }
        let n1 = request.nonce;
        self.keys.advance(answer.counter, &n1, &answer.nonce);
        self.open = None;
        Ok(self.keys.agreement)
    }
}

/// The RSU's side of a session.
pub struct RoadsideSession {
    keys: Keys,
    last: Option<Answered>,
}

/// The last rekey, until the vehicle shows that it has followed.
struct Answered {
    request: Rekey,
    answer: Rekey,
    previous: SessionKey,
}

/// What came of a rekey request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RekeyAnswered {
    /// To be sent.
    pub answer: Rekey,
    /// For the ledger; `None` when the answer is a repetition.
    pub agreement: Option<AgreementDigest>,
}

impl RoadsideSession {
    /// The session of a finished handshake, valid before `until_ms`.
    #[must_use]
    pub fn new(handshake: &Established, until_ms: u64) -> Self {
        Self {
            keys: Keys::new(handshake, until_ms),
            last: None,
        }
    }

    /// Names the session at this RSU.
    #[must_use]
    pub const fn asc(&self) -> Asc {
        self.keys.asc
    }

    /// End of validity (exclusive), milliseconds since 1970.
    #[must_use]
    pub const fn until_ms(&self) -> u64 {
        self.keys.until_ms
    }

    /// The current session key.
    #[must_use]
    pub const fn key(&self) -> &SessionKey {
        &self.keys.session
    }

    /// The session key that the vehicle still uses if the last answer was lost.
    #[must_use]
    pub fn previous_key(&self) -> Option<&SessionKey> {
        self.last.as_ref().map(|last| &last.previous)
    }

    /// Digest of the latest agreement.
    #[must_use]
    pub const fn agreement(&self) -> AgreementDigest {
        self.keys.agreement
    }

    /// Answers a request.
    ///
    /// # Errors
    ///
    /// See [`RekeyError`].
    pub fn answer(
        &mut self,
        request: &Rekey,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<RekeyAnswered, RekeyError> {
        self.keys.check(request, now_ms)?;
        if let Some(last) = self.last.as_ref().filter(|last| last.request == *request) {
            return Ok(RekeyAnswered {
                answer: last.answer.clone(),
                agreement: None,
            });
        }
        let expected = self.keys.next()?;
        if request.counter != expected {
            return Err(RekeyError::Counter {
                expected,
                got: request.counter,
            });
        }
        if !same_tag(&self.keys.request(expected, request.nonce), request) {
            return Err(RekeyError::Tag);
        }
        let mut n2 = [0; 16];
        rng.fill_bytes(&mut n2);
        let answer = self.keys.answer(expected, &request.nonce, n2);
        let previous = self.keys.advance(expected, &request.nonce, &n2);
        self.last = Some(Answered {
            request: request.clone(),
            answer: answer.clone(),
            previous,
        });
        Ok(RekeyAnswered {
            answer,
            agreement: Some(self.keys.agreement),
        })
    }
}
