//! The vehicle (PROTOCOLS.md sections 3 to 5).
//!
//! ```text
//! receive(datagram, here, now) -> effects    beacons, proofs, answers
//! login(rid, now)              -> effects    to a believed RSU, see Trust::in_reach
//! handover(rid, now)           -> effects    with the session's token, or fully without one
//! login_over(line, …), handover_over(line, …)   the same through relays, see crate::relay
//! rekey(now)                   -> effects
//! wake(now), next_wakeup()     -> effects    repetitions and ends
//! speak(motion, time, now)     -> message    where the vehicle is, to everybody
//! ```
//!
//! 1. A beacon of an unknown RSU makes the vehicle ask for the proof; [`crate::trust`] judges both.
//! 2. `login` answers the last believed beacon. The same `Hello` is repeated every
//!    [`RETRY_MS`] until it is answered or its beacon is too old; a later try begins anew.
//! 3. `handover` shows the token of the session that it leaves ([`crate::token`]). The token is used
//!    up when it is sent: the same `Hello` is repeated, but no other RSU and no other `Hello` gets
//!    it, answered or not. Refused with [`Code::LogInFully`], the vehicle logs in fully at once; over relays,
//!    when it is told to again.
//! 4. A session lives until its validity ends or a login elsewhere takes its place. Then the old RSU's
//!    keys stay for [`SPEND_MARGIN_MS`](crate::token::SPEND_MARGIN_MS), while messages are under
//!    way and the new session may be provisional.
//!
//! Rules of an answer:
//! * `V-ACCEPT-1` a login is under way and the answer is addressed to it;
//! * `V-ACCEPT-2` it opens in that handshake; one that does not changes nothing;
//! * `V-ACCEPT-3` the granted validity is at most [`MAX_VALIDITY_MS`] and not zero;
//! * `V-COOKIE-1` at most [`MAX_COOKIES`] cookies for one `Hello`, because anybody can forge a demand.

mod login;
mod reports;
mod voice;
mod wallet;

use cairn_crypto::schnorr::SecretKey;
use cairn_ledger::{Position, Rid, Uid, light::Verified};
use rand_core::CryptoRng;

use login::{Attempt, Current, Previous, Repeat};
use voice::Voices;

pub use login::Line;
pub use reports::{Effect, Refusal};
pub use wallet::{MAX_SILENCE_MS, MIN_SILENCE_MS, Rotation, Wallet};

use crate::{
    login::{Anonymous, Code, Context, Credential, Registered, Way},
    session::{MAX_VALIDITY_MS, VehicleSession},
    token::{Holder, Token},
    trust::{BeaconError, Road, Trust},
    wire::{Accept, Addressee, Beacon, Cookie, Message, Path, Refused, Rekey},
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

/// What a vehicle logs in with.
pub enum Papers {
    /// A registered key: the vehicle wants to be recognised.
    Registered(Identity),
    /// Credentials that do not tell who it is.
    Anonymous(Wallet),
}

impl From<Identity> for Papers {
    fn from(identity: Identity) -> Self {
        Self::Registered(identity)
    }
}

impl From<Wallet> for Papers {
    fn from(wallet: Wallet) -> Self {
        Self::Anonymous(wallet)
    }
}

/// The state of a vehicle.
pub struct Vehicle {
    papers: Papers,
    trust: Trust,
    attempt: Option<Attempt>,
    current: Option<Current>,
    previous: Option<Previous>,
    voices: Voices,
}

impl Vehicle {
    /// A vehicle that has just started.
    #[must_use]
    pub fn new(papers: impl Into<Papers>, road: Road) -> Self {
        Self {
            papers: papers.into(),
            trust: Trust::new(road),
            attempt: None,
            current: None,
            previous: None,
            voices: Voices::default(),
        }
    }

    /// What the vehicle believes of RSUs.
    #[must_use]
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// What the vehicle logs in with.
    #[must_use]
    pub const fn papers(&self) -> &Papers {
        &self.papers
    }

    /// The same, for new credentials before the last ones are used up.
    pub const fn papers_mut(&mut self) -> &mut Papers {
        &mut self.papers
    }

    /// The RSU and session that the vehicle is logged in to.
    #[must_use]
    pub fn session(&self) -> Option<(Rid, &VehicleSession)> {
        self.current
            .as_ref()
            .map(|current| (current.rid, &current.session))
    }

    /// The RSU that the vehicle has just left and its session there, which can still be used.
    #[must_use]
    pub fn previous_session(&self) -> Option<(Rid, &VehicleSession)> {
        self.previous
            .as_ref()
            .map(|previous| (previous.rid, &previous.session))
    }

    /// `n'` of the current session: the secret of the next handover's token. `None` without a
    /// session and after the token was shown.
    #[must_use]
    pub fn next_token(&self) -> Option<&SecretKey> {
        let token = self.current.as_ref()?.next_token.as_ref()?;
        Some(&token.secret)
    }

    /// The RSU that a login is under way to.
    #[must_use]
    pub fn logging_in_to(&self) -> Option<Rid> {
        self.attempt.as_ref().map(|attempt| attempt.rid)
    }

    /// How the login that is under way is made.
    pub fn login_way(&self) -> Option<Way> {
        self.attempt.as_ref().map(|attempt| attempt.way)
    }

    /// Notes where the vehicle is, for [`Rotation`]; so does every datagram.
    pub fn moved(&mut self, here: &Position) {
        if let Papers::Anonymous(wallet) = &mut self.papers {
            wallet.moved(here);
        }
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
        self.moved(here);
        match Message::decode(datagram)? {
            Message::Beacon(beacon) => self.beacon(&beacon, here, now_ms),
            Message::Proof(proof) => {
                let news = self.trust.proof(&proof, now_ms, rng)?;
                Ok(self.take_up(news, here, now_ms))
            }
            Message::Accept(accept) => self.accepted(&accept, now_ms),
            Message::Refused(refused) => self.refused(&refused, now_ms, rng),
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
    /// [`Refusal::NotInReach`]; [`Refusal::Handshake`] when the RSU's key is of small order;
    /// [`Refusal::Exhausted`] and [`Refusal::Silent`] of anonymous vehicles.
    pub fn login(
        &mut self,
        rid: Rid,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Effect>, Refusal> {
        self.full(None, rid, now_ms, rng)
    }

    /// As [`Vehicle::login`], to an RSU that is reached through relays ([`crate::relay`]).
    ///
    /// # Errors
    ///
    /// As [`Vehicle::login`].
    pub fn login_over(
        &mut self,
        line: Line<'_>,
        rid: Rid,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Effect>, Refusal> {
        self.full(Some(line), rid, now_ms, rng)
    }

    /// Begins a login with the token of the current session, in place of a login under way; or a
    /// full login, if there is no token that an RSU would take. Which it was, [`Effect::LoggedIn`]
    /// says. The session goes on until the new one is accepted.
    ///
    /// # Errors
    ///
    /// As [`Vehicle::login`]; then the token is not used up.
    pub fn handover(
        &mut self,
        rid: Rid,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Effect>, Refusal> {
        self.with_token(None, rid, now_ms, rng)
    }

    /// As [`Vehicle::handover`], to an RSU that is reached through relays ([`crate::relay`]).
    ///
    /// # Errors
    ///
    /// As [`Vehicle::handover`].
    pub fn handover_over(
        &mut self,
        line: Line<'_>,
        rid: Rid,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Effect>, Refusal> {
        self.with_token(Some(line), rid, now_ms, rng)
    }

    /// A full login; without a line, to an RSU that the vehicle hears.
    fn full(
        &mut self,
        line: Option<Line<'_>>,
        rid: Rid,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Effect>, Refusal> {
        let line = line.unwrap_or(Line {
            trust: &self.trust,
            path: Path::DIRECT,
        });
        let attempt = match &mut self.papers {
            Papers::Registered(Identity { uid, key }) => {
                let credential = |context: &Context<'_>, next_token, rng: &mut _| {
                    Credential::Registered(Registered::sign(context, *uid, key, next_token, rng))
                };
                Attempt::begin(line, rid, 0, now_ms, rng, credential)
            }
            Papers::Anonymous(wallet) => {
                let chosen = wallet.choose(now_ms, rng)?;
                let credential = |context: &Context<'_>, next_token, rng: &mut _| {
                    Credential::Anonymous(Anonymous::show(context, chosen, next_token, rng))
                };
                Attempt::begin(line, rid, 0, now_ms, rng, credential)
            }
        }?;
        Ok(self.start(attempt))
    }

    fn with_token(
        &mut self,
        line: Option<Line<'_>>,
        rid: Rid,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Effect>, Refusal> {
        let holder = match &mut self.papers {
            Papers::Registered(identity) => Holder::Registered(identity.uid),
            Papers::Anonymous(wallet) => {
                let chosen = wallet.choose(now_ms, rng)?.certificate();
                Holder::Anonymous(chosen.attributes().linkage)
            }
        };
        let current = self.current.as_ref();
        let current = current.filter(|current| current.holder == holder);
        let Some(token) = current.and_then(|current| current.usable_token(now_ms)) else {
            return self.full(line, rid, now_ms, rng);
        };
        let attempt = Attempt::begin(
            line.unwrap_or(Line {
                trust: &self.trust,
                path: Path::DIRECT,
            }),
            rid,
            token.hops + 1,
            now_ms,
            rng,
            |context, next_token, rng| {
                Credential::Token(Token::show(context, &token.secret, holder, next_token, rng))
            },
        )?;
        if let Some(current) = &mut self.current {
            current.next_token = None;
        }
        Ok(self.start(attempt))
    }

    fn start(&mut self, attempt: Attempt) -> Vec<Effect> {
        let send = attempt.send();
        self.attempt = Some(attempt);
        vec![send]
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

    /// Ends the session, and the one left before, and erases their keys.
    pub fn leave(&mut self) {
        self.current = None;
        self.previous = None;
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
        let previous = self.previous.as_ref().map(|previous| previous.ends_ms);
        [attempt, session, rekey.map(|rekey| rekey.at_ms), previous]
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
        self.previous.take_if(|previous| now_ms >= previous.ends_ms);
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
        let attempt = self.attempt.take().ok_or(Refusal::NotAsked)?;
        let session = VehicleSession::new(&keys, now_ms + u64::from(validity_ms));
        let logged_in = Effect::LoggedIn {
            rid: attempt.rid,
            way: attempt.way,
            asc: session.asc(),
            until_ms: session.until_ms(),
            agreement: session.agreement(),
        };
        let new = attempt.succeed(session);
        // An RSU keeps one session per vehicle: one that was left at the same RSU is over.
        self.previous.take_if(|previous| previous.rid == new.rid);
        let old = self.current.take().filter(|old| old.rid != new.rid);
        if let Some(old) = old {
            self.previous = Some(Previous::of(old, now_ms));
        }
        self.current = Some(new);
        Ok(vec![logged_in])
    }

    fn refused(
        &mut self,
        refused: &Refused,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Effect>, Refusal> {
        let attempt = self.attempt_of(refused.to)?;
        let payload = attempt.waiting.refused(&refused.sealed)?;
        let byte = payload.first().copied().unwrap_or(0);
        let code = Code::from_byte(byte).ok_or(Refusal::Code(byte))?;
        let (rid, way, is_relayed) = (attempt.rid, attempt.way, attempt.is_relayed);
        self.attempt = None;
        if (way, code) != (Way::Token, Code::LogInFully) {
            return Ok(vec![Effect::LoginRefused { rid, code }]);
        }
        let mut effects = vec![Effect::TokenRefused(rid)];
        if is_relayed {
            return Ok(effects);
        }
        match self.login(rid, now_ms, rng) {
            Ok(login) => effects.extend(login),
            // Its beacon has become too old meanwhile; the next one can be answered.
            Err(_) => effects.push(Effect::LoginUnanswered(rid)),
        }
        Ok(effects)
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
