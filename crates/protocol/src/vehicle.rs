//! The vehicle (PROTOCOLS.md sections 3 and 4).
//!
//! ```text
//! receive(datagram, here, now) -> effects    beacons, proofs, answers
//! login(rid, now)              -> effects    to a believed RSU, see Trust::in_reach
//! rekey(now)                   -> effects
//! wake(now), next_wakeup()     -> effects    repetitions and ends
//! ```
//!
//! 1. A beacon of an unknown RSU makes the vehicle ask for the proof; [`crate::trust`] judges both.
//! 2. `login` answers the last believed beacon. The same `Hello` is repeated every
//!    [`RETRY_MS`] until it is answered or its beacon is too old; a later try begins anew.
//! 3. A session lives until its validity ends or a login elsewhere takes its place.
//!
//! Rules of an answer:
//! * `V-ACCEPT-1` a login is under way and the answer is addressed to it;
//! * `V-ACCEPT-2` it opens in that handshake; one that does not changes nothing;
//! * `V-ACCEPT-3` the granted validity is at most [`MAX_VALIDITY_MS`] and not zero;
//! * `V-COOKIE-1` at most [`MAX_COOKIES`] cookies for one `Hello`, because anybody can forge a demand.

use cairn_crypto::{noise, schnorr::SecretKey};
use cairn_ledger::{Position, Rid, Uid, light::Verified};
use rand_core::CryptoRng;
use thiserror::Error;

use crate::{
    THR_MS,
    login::{Asc, Code, Context, Credential, Registered, prologue},
    session::{AgreementDigest, MAX_VALIDITY_MS, RekeyError, VehicleSession},
    trust::{BeaconError, ProofError, Road, Trust},
    wire::{Accept, Addressee, Beacon, Cookie, Hello, Message, Refused, Rekey, WireError},
};

/// Time between repetitions of an unanswered message, in milliseconds: several times the answer
/// time of a loaded RSU, several tries within THR.
pub const RETRY_MS: u64 = 300;

/// Cookies used for one `Hello`: one for the load, two for forgers.
pub const MAX_COOKIES: u32 = 3;

/// Repetitions of a rekey request before the vehicle waits for the next call of
/// [`Vehicle::rekey`]: three seconds.
pub const MAX_REKEY_TRIES: u32 = 10;

/// Who the vehicle is.
pub struct Identity {
    /// Its registered name.
    pub uid: Uid,
    /// Its registered key, born in the vehicle.
    pub key: SecretKey,
}

/// Why a datagram is refused, or an order cannot be followed.
#[derive(Debug, Error)]
pub enum Refusal {
    /// `V-WIRE-*`.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A message that only vehicles send.
    #[error("expected a message of an RSU")]
    NotForVehicles,
    /// `V-BEACON-*`.
    #[error(transparent)]
    Beacon(#[from] BeaconError),
    /// `V-PROOF-*`.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// `V-ACCEPT-1`: late, repeated, or for another vehicle.
    #[error("expected an answer to a login of ours")]
    NotAsked,
    /// `V-ACCEPT-2`, and the RSU's own key when logging in.
    #[error("answer does not open: {0}")]
    Handshake(#[from] noise::Error),
    /// `V-ACCEPT-3`.
    #[error("expected a validity of 1 to {MAX_VALIDITY_MS} ms, got {0}")]
    Validity(u32),
    /// `V-ACCEPT-2`.
    #[error("expected a code of refusal, got {0}")]
    Code(u8),
    /// `V-COOKIE-1`.
    #[error("more than {MAX_COOKIES} cookies for one login")]
    Cookies,
    /// `V-REKEY-*`.
    #[error(transparent)]
    Rekey(#[from] RekeyError),
    /// Our own order: no beacon of this RSU is both believed and fresh.
    #[error("no fresh and believed beacon of {0}")]
    NotInReach(Rid),
    /// Our own order: there is no session.
    #[error("no session")]
    NoSession,
}

/// What the caller is to do or to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this to the RSU.
    Send {
        /// The RSU.
        to: Rid,
        /// The datagram.
        datagram: Vec<u8>,
    },
    /// A beacon of this RSU was believed: it can be logged in to.
    Believed(Rid),
    /// A session has begun.
    LoggedIn {
        /// The RSU.
        rid: Rid,
        /// Names the session there.
        asc: Asc,
        /// End of validity (exclusive), milliseconds since 1970.
        until_ms: u64,
        /// What the RSU puts on the ledger.
        agreement: AgreementDigest,
    },
    /// The RSU refused the login, and it was the RSU.
    LoginRefused {
        /// The RSU.
        rid: Rid,
        /// Its reason.
        code: Code,
    },
    /// The login got no answer while its beacon was fresh.
    LoginUnanswered(Rid),
    /// The session has a new key.
    Rekeyed {
        /// The RSU.
        rid: Rid,
        /// What the RSU puts on the ledger.
        agreement: AgreementDigest,
    },
    /// The rekey got no answer; the session goes on under its old key.
    RekeyUnanswered(Rid),
    /// The session's validity is over, its keys are erased.
    SessionOver(Rid),
}

/// A login under way.
struct Attempt {
    rid: Rid,
    hello: Hello,
    waiting: noise::Waiting,
    next_token: SecretKey,
    cookie: Option<Cookie>,
    cookies: u32,
    retry_ms: u64,
    ends_ms: u64,
}

impl Attempt {
    fn send(&self) -> Effect {
        let message = match self.cookie {
            None => Message::Hello(self.hello.clone()),
            Some(cookie) => Message::HelloWithCookie(cookie, self.hello.clone()),
        };
        Effect::Send {
            to: self.rid,
            datagram: message.encode(),
        }
    }
}

/// A session and what belongs to it.
struct Current {
    rid: Rid,
    session: VehicleSession,
    next_token: SecretKey,
    rekey: Option<Repeat>,
}

/// An open rekey.
struct Repeat {
    at_ms: u64,
    left: u32,
}

/// The state of a vehicle.
pub struct Vehicle {
    identity: Identity,
    trust: Trust,
    attempt: Option<Attempt>,
    current: Option<Current>,
}

impl Vehicle {
    /// A vehicle that has just started.
    #[must_use]
    pub fn new(identity: Identity, road: Road) -> Self {
        Self {
            identity,
            trust: Trust::new(road),
            attempt: None,
            current: None,
        }
    }

    /// What the vehicle believes of RSUs.
    #[must_use]
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The RSU and session that the vehicle is logged in to.
    #[must_use]
    pub fn session(&self) -> Option<(Rid, &VehicleSession)> {
        self.current
            .as_ref()
            .map(|current| (current.rid, &current.session))
    }

    /// `n'` of the current session: the secret of the next handover's token.
    #[must_use]
    pub fn next_token(&self) -> Option<&SecretKey> {
        self.current.as_ref().map(|current| &current.next_token)
    }

    /// The RSU that a login is under way to.
    #[must_use]
    pub fn logging_in_to(&self) -> Option<Rid> {
        self.attempt.as_ref().map(|attempt| attempt.rid)
    }

    /// Takes a datagram heard at `here`.
    ///
    /// # Errors
    ///
    /// See [`Refusal`]; the state is as before.
    pub fn receive(
        &mut self,
        datagram: &[u8],
        here: &Position,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Effect>, Refusal> {
        match Message::decode(datagram)? {
            Message::Beacon(beacon) => self.beacon(&beacon, here, now_ms),
            Message::Proof(proof) => {
                let news = self.trust.proof(&proof, now_ms, rng)?;
                Ok(self.take_up(news, here, now_ms))
            }
            Message::Accept(accept) => self.accepted(&accept, now_ms),
            Message::Refused(refused) => self.refused(&refused),
            Message::CookieReply(to, cookie) => self.cookie(to, cookie, now_ms),
            Message::RekeyAnswer(answer) => self.rekeyed(&answer, now_ms),
            _ => Err(Refusal::NotForVehicles),
        }
    }

    /// Takes what a light client has already verified, in place of a proof datagram.
    ///
    /// # Errors
    ///
    /// [`Refusal::Proof`].
    pub fn learn(
        &mut self,
        verified: &Verified,
        here: &Position,
        now_ms: u64,
    ) -> Result<Vec<Effect>, Refusal> {
        let news = self.trust.learn(verified, now_ms)?;
        Ok(self.take_up(news, here, now_ms))
    }

    /// Begins a login, in place of one under way. The session, if any, goes on until the new one
    /// is accepted.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotInReach`]; [`Refusal::Handshake`] when the RSU's key is of small order.
    pub fn login(
        &mut self,
        rid: Rid,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Effect>, Refusal> {
        let beacon = self
            .trust
            .answerable(rid, now_ms)
            .ok_or(Refusal::NotInReach(rid))?;
        let initiator = noise::Initiator::new(beacon.ephemeral, &prologue(beacon), rng);
        let ephemeral = initiator.ephemeral();
        let next_token = SecretKey::random(rng);
        let chain = &self.trust.road().chain;
        let credential = Credential::Registered(Registered::sign(
            &Context {
                chain,
                beacon,
                ephemeral: &ephemeral,
            },
            self.identity.uid,
            &self.identity.key,
            next_token.public(),
            rng,
        ));
        let (handshake, waiting) = initiator.hello(&credential.encode())?;
        let handshake = handshake.try_into().expect("key, credential and a tag");
        let attempt = Attempt {
            rid,
            hello: Hello {
                beacon: beacon.id,
                handshake,
            },
            waiting,
            next_token,
            cookie: None,
            cookies: 0,
            retry_ms: now_ms + RETRY_MS,
            ends_ms: beacon.time_ms + THR_MS,
        };
        let send = attempt.send();
        self.attempt = Some(attempt);
        Ok(vec![send])
    }

    /// Asks for a new session key, or again for the one asked for before.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSession`], [`Refusal::Rekey`].
    pub fn rekey(&mut self, now_ms: u64, rng: &mut impl CryptoRng) -> Result<Vec<Effect>, Refusal> {
        let current = self.current.as_mut().ok_or(Refusal::NoSession)?;
        let request = current.session.request(now_ms, rng)?;
        current.rekey = Some(Repeat {
            at_ms: now_ms + RETRY_MS,
            left: MAX_REKEY_TRIES,
        });
        Ok(vec![Effect::Send {
            to: current.rid,
            datagram: Message::RekeyRequest(request).encode(),
        }])
    }

    /// Ends the session and erases its keys.
    pub fn leave(&mut self) {
        self.current = None;
    }

    /// When [`Vehicle::wake`] next has something to do.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<u64> {
        let attempt = self.attempt.as_ref().map(|attempt| attempt.retry_ms);
        let session = self
            .current
            .as_ref()
            .map(|current| current.session.until_ms());
        let rekey = self
            .current
            .as_ref()
            .and_then(|current| current.rekey.as_ref());
        [attempt, session, rekey.map(|rekey| rekey.at_ms)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Repeats what is due and ends what is over.
    pub fn wake(&mut self, now_ms: u64, rng: &mut impl CryptoRng) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(over) = self.attempt.take_if(|attempt| now_ms > attempt.ends_ms) {
            effects.push(Effect::LoginUnanswered(over.rid));
        }
        if let Some(attempt) = self
            .attempt
            .as_mut()
            .filter(|attempt| now_ms >= attempt.retry_ms)
        {
            attempt.retry_ms = now_ms + RETRY_MS;
            effects.push(attempt.send());
        }
        if let Some(over) = self
            .current
            .take_if(|current| now_ms >= current.session.until_ms())
        {
            effects.push(Effect::SessionOver(over.rid));
        }
        if let Some(current) = &mut self.current {
            effects.extend(current.repeat_rekey(now_ms, rng));
        }
        effects
    }

    fn beacon(
        &mut self,
        beacon: &Beacon,
        here: &Position,
        now_ms: u64,
    ) -> Result<Vec<Effect>, Refusal> {
        match self.trust.beacon(beacon, here, now_ms) {
            Ok(()) => Ok(vec![Effect::Believed(beacon.rid)]),
            Err(BeaconError::Unknown(rid)) if self.trust.should_ask(rid, now_ms) => {
                let datagram = Message::ProofRequest(rid).encode();
                Ok(vec![Effect::Send { to: rid, datagram }])
            }
            // Already asked for.
            Err(BeaconError::Unknown(_)) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Judges the beacons that waited for a proof. Those that are bad are not worth an error: the
    /// proof was good, and whoever sent it is not at fault.
    fn take_up(
        &mut self,
        news: Vec<(Rid, Option<Beacon>)>,
        here: &Position,
        now_ms: u64,
    ) -> Vec<Effect> {
        let waited = news.into_iter().filter_map(|(_, beacon)| beacon);
        waited
            .filter(|beacon| self.trust.beacon(beacon, here, now_ms).is_ok())
            .map(|beacon| Effect::Believed(beacon.rid))
            .collect()
    }

    fn attempt_of(&self, to: Addressee) -> Result<&Attempt, Refusal> {
        let attempt = self.attempt.as_ref().ok_or(Refusal::NotAsked)?;
        if Addressee::of(&attempt.hello.ephemeral()) != to {
            return Err(Refusal::NotAsked);
        }
        Ok(attempt)
    }

    fn accepted(&mut self, accept: &Accept, now_ms: u64) -> Result<Vec<Effect>, Refusal> {
        let attempt = self.attempt_of(accept.to)?;
        let (payload, keys) = attempt.waiting.accept(&accept.handshake)?;
        let avp = payload
            .as_slice()
            .try_into()
            .map_err(|_| Refusal::Validity(0))?;
        let validity_ms = u32::from_be_bytes(avp);
        if !(1..=MAX_VALIDITY_MS).contains(&validity_ms) {
            return Err(Refusal::Validity(validity_ms));
        }
        let Some(Attempt {
            rid, next_token, ..
        }) = self.attempt.take()
        else {
            return Err(Refusal::NotAsked);
        };
        let session = VehicleSession::new(&keys, now_ms + u64::from(validity_ms));
        let logged_in = Effect::LoggedIn {
            rid,
            asc: session.asc(),
            until_ms: session.until_ms(),
            agreement: session.agreement(),
        };
        self.current = Some(Current {
            rid,
            session,
            next_token,
            rekey: None,
        });
        Ok(vec![logged_in])
    }

    fn refused(&mut self, refused: &Refused) -> Result<Vec<Effect>, Refusal> {
        let attempt = self.attempt_of(refused.to)?;
        let payload = attempt.waiting.refused(&refused.sealed)?;
        let byte = payload.first().copied().unwrap_or(0);
        let code = Code::from_byte(byte).ok_or(Refusal::Code(byte))?;
        let rid = attempt.rid;
        self.attempt = None;
        Ok(vec![Effect::LoginRefused { rid, code }])
    }

    fn cookie(
        &mut self,
        to: Addressee,
        cookie: Cookie,
        now_ms: u64,
    ) -> Result<Vec<Effect>, Refusal> {
        self.attempt_of(to)?;
        let attempt = self.attempt.as_mut().ok_or(Refusal::NotAsked)?;
        if attempt.cookies >= MAX_COOKIES {
            return Err(Refusal::Cookies);
        }
        attempt.cookies += 1;
        attempt.cookie = Some(cookie);
        attempt.retry_ms = now_ms + RETRY_MS;
        Ok(vec![attempt.send()])
    }

    fn rekeyed(&mut self, answer: &Rekey, now_ms: u64) -> Result<Vec<Effect>, Refusal> {
        let current = self.current.as_mut().ok_or(Refusal::NoSession)?;
        let agreement = current.session.answered(answer, now_ms)?;
        current.rekey = None;
        Ok(vec![Effect::Rekeyed {
            rid: current.rid,
            agreement,
        }])
    }
}

impl Current {
    fn repeat_rekey(&mut self, now_ms: u64, rng: &mut impl CryptoRng) -> Option<Effect> {
        let repeat = self
            .rekey
            .as_mut()
            .filter(|repeat| now_ms >= repeat.at_ms)?;
        if repeat.left == 0 {
            self.rekey = None;
            return Some(Effect::RekeyUnanswered(self.rid));
        }
        repeat.left -= 1;
        repeat.at_ms = now_ms + RETRY_MS;
        // The session is alive here: `wake` has just ended those that are over.
        let request = self.session.request(now_ms, rng).ok()?;
        let datagram = Message::RekeyRequest(request).encode();
        Some(Effect::Send {
            to: self.rid,
            datagram,
        })
    }
}
