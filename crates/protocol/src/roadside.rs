//! The RSU (PROTOCOLS.md sections 3 to 5).
//!
//! ```text
//! beacon(now)            -> datagram, every second
//! receive(datagram, now) -> Reply          send it back
//!                         | Login(opened)  read opened.needs(), then opened.needs_more(records),
//!                                          from a finalised state, then accept
//!                         | ProofWanted    send a proof (beacon::proof_datagram)
//!                         | Rekeyed        send it back; the agreement goes to the ledger
//! accept(opened, records, now) -> Accepted { reply, agreement, mint, spend, … }  for the next batch
//!                               | Rejected { reply, why }
//! accept_many(logins, now)     the same for many, with anonymous proofs checked together
//! pending_spends()  -> Provisional { asc, token, proof }
//! settle(asc, won)     when the batch is final: keeps or drops the session
//! ```
//!
//! Rules of a `Hello`, in this order, the cheap ones first:
//! * `V-HELLO-1` it answers a beacon of ours, at most THR old ([`Beacons::answerable`]);
//! * `V-HELLO-2` its `e_v` is new, or the whole `Hello` is one already answered: then the same answer
//!   goes out again, because radio loses packets. Remembered for 2·THR, longer than any beacon can
//!   be answered;
//! * `V-HELLO-3` under load it carries a right cookie ([`crate::cookie`]);
//! * `V-HELLO-4` it opens under that beacon's `E_r` and bytes;
//! * `V-HELLO-5`, `V-HELLO-6` it is a credential with canonical parts ([`Credential::decode`]);
//! * `V-HELLO-7` the UID is registered;
//! * `V-HELLO-8` the signature fits key and statement ([`crate::login::Context::registered`]);
//! * `V-HELLO-9` the key is valid now; `V-HELLO-10` it is not revoked;
//! * `V-HELLO-11` there is room for the session.
//!
//! For an anonymous credential, in place of 7 to 10:
//! * `V-ANON-1` the issuer key of its epoch is on the ledger;
//! * `V-ANON-2` its slot is one of the policy's and is on now: a vehicle has two that are on at any
//!   time, and the issuers give no third ([`crate::authority`]);
//! * `V-ANON-3` its linkage value is not revoked: one look-up, whatever the number of revoked vehicles;
//! * `V-ANON-4` the proof fits issuer key, certificate and statement.
//!
//! For a token, the rules of [`crate::token`] stand in place of 7 to 10. An [`Opened`] can only come
//! from rules 1–6, an [`Accepted`] only from an `Opened` and the later rules. Who fails 1–6 gets no
//! answer; who fails a later rule gets an authenticated [`Code`](crate::login::Code).
//!
//! What comes through relays ([`crate::relay`]) is judged as if it came directly, with the relays' keys in the
//! handshake's prologue; the answer goes back the same way.
//!
//! A crash loses sessions, provisional ones and what was shown. Nobody is served twice for it: the
//! sessions are gone too. Whoever was served and not recorded has a token that is on no ledger, and
//! logs in fully at the next RSU.

mod issuers;
mod judge;
mod memory;
mod reasons;
mod sessions;
mod shown;

use cairn_contracts::{
    credits,
    tokens::{Mint, Spend},
};
use cairn_crypto::{linkage::Revocation, noise};
use cairn_ledger::{Address, ChainId, PrivateKey, Record, Rid, StateKey};
use rand_core::CryptoRng;

use judge::Grant;
use memory::Memory;
use sessions::Sessions;
use shown::Shown;

pub use issuers::Issuers;
pub use judge::{Found, Opened};
pub use reasons::{AnonymousWhy, Refusal, TokenWhy, Why};
pub use shown::Provisional;

use crate::{
    THR_MS,
    beacon::Beacons,
    cookie::Jar,
    login::{Asc, Credential, Way, prologue_over},
    relay,
    session::{AgreementDigest, RoadsideSession},
    token::{self, Holder, MAX_HANDOVERS, SPEND_MARGIN_MS},
    wire::{Accept, Addressee, Cookie, Hello, Message, Path, Refused, Rekey, RouteId},
};

/// How long a `Hello` is remembered, in milliseconds (PROTOCOLS.md section 4).
pub const REPLAY_WINDOW_MS: u64 = 2 * THR_MS;

/// The most `Hello`s remembered at a time: 10,000 logins a second, the most that one core serves,
/// for the replay window. About 20 MiB. When it is full, new ones get no answer: forgetting early
/// would let replays in.
pub const MAX_REMEMBERED: usize = 40_000;

/// The most sessions at a time, one per vehicle. An RSU's reach holds some thousand at most.
pub const MAX_SESSIONS: usize = 16_384;

/// The most tokens remembered as shown, each until it expires: a hundred handovers a second for the
/// longest life of a token. About 10 MiB.
pub const MAX_SHOWN: usize = 60_000;

/// What an RSU is.
#[derive(Clone)]
pub struct Site {
    /// The road chain.
    pub chain: ChainId,
    /// The instance of contract `keys`.
    pub keys: Address,
    /// The instance of contract `tokens`.
    pub tokens: Address,
    /// The RSU's name.
    pub rid: Rid,
    /// Its registered key.
    pub signer: PrivateKey,
}

/// What a datagram came to.
pub enum Received {
    /// Send this back. A repeated answer, or a demand for a cookie.
    Reply(Vec<u8>),
    /// A login to be finished with [`Roadside::accept`].
    Login(Box<Opened>),
    /// Send a proof of this RSU's record back: with [`relay::returned`] when it is asked for
    /// through relays.
    ProofWanted(Option<RouteId>),
    /// A session has a new key.
    Rekeyed {
        /// Send this back.
        reply: Vec<u8>,
        /// The vehicle.
        holder: Holder,
        /// The session.
        asc: Asc,
        /// For the ledger; `None` when the answer is a repetition.
        agreement: Option<AgreementDigest>,
    },
}

/// A finished login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Send this back.
    pub reply: Vec<u8>,
    /// The vehicle.
    pub holder: Holder,
    /// Full login or handover.
    pub way: Way,
    /// Names its session here.
    pub asc: Asc,
    /// End of validity (exclusive), milliseconds since 1970.
    pub until_ms: u64,
    /// For the ledger (paper 000, key agreement, step 4).
    pub agreement: AgreementDigest,
    /// For the ledger: the next handover's token. `None` when it could not be used. Leave it out of
    /// a batch that is made when it has expired: contract `tokens` would refuse the whole batch.
    pub mint: Option<Mint>,
    /// For the ledger, when it came through relays: what they earn.
    pub credits: Vec<credits::Grant>,
    /// For the ledger, at a handover: the token shown. Until [`Roadside::settle`] the session is
    /// provisional.
    pub spend: Option<Spend>,
}

/// A refused login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Send this back.
    pub reply: Vec<u8>,
    /// For the operator.
    pub why: Why,
}

/// The state of an RSU.
pub struct Roadside {
    chain: ChainId,
    keys: Address,
    tokens: Address,
    beacons: Beacons,
    jar: Jar,
    under_load: bool,
    issuers: Option<Issuers>,
    memory: Memory,
    sessions: Sessions,
    shown: Shown,
}

impl Roadside {
    /// An RSU that has just started.
    #[must_use]
    pub fn new(site: Site, rng: &mut impl CryptoRng) -> Self {
        Self {
            chain: site.chain,
            keys: site.keys,
            tokens: site.tokens,
            beacons: Beacons::new(site.chain, site.rid, site.signer, rng),
            jar: Jar::new(rng),
            under_load: false,
            issuers: None,
            memory: Memory::default(),
            sessions: Sessions::default(),
            shown: Shown::default(),
        }
    }

    /// The RSU's name.
    #[must_use]
    pub const fn rid(&self) -> Rid {
        self.beacons.rid()
    }

    /// The next beacon; call it every [`crate::beacon::BEACON_INTERVAL_MS`].
    pub fn beacon(&mut self, now_ms: u64, rng: &mut impl CryptoRng) -> Vec<u8> {
        Message::Beacon(self.beacons.make(now_ms, rng)).encode()
    }

    /// Says whether logins need a cookie (`V-HELLO-3`). The caller knows its load.
    pub const fn set_under_load(&mut self, under_load: bool) {
        self.under_load = under_load;
    }

    /// Takes anonymous logins from now on, by what is known of the issuers.
    pub fn set_issuers(&mut self, issuers: Issuers) {
        self.issuers = Some(issuers);
    }

    /// What is known of the issuers; `None`: anonymous logins are refused.
    pub const fn issuers(&mut self) -> Option<&mut Issuers> {
        self.issuers.as_mut()
    }

    /// Refuses a vehicle's credentials from now on and ends its sessions, as soon as its seeds are
    /// published in a final state. Returns how many sessions there were.
    pub fn revoke(&mut self, revocation: Revocation, now_ms: u64) -> usize {
        let Some(issuers) = &mut self.issuers else {
            return 0;
        };
        let values = issuers.revoke(revocation, now_ms).into_iter();
        let dropped = values.filter(|value| self.sessions.remove_of(&Holder::Anonymous(*value)));
        dropped.count()
    }

    /// When [`Roadside::tick`] next has something to erase.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<u64> {
        let parts = [
            self.beacons.next_wakeup(),
            self.memory.next_wakeup(),
            self.sessions.next_wakeup(),
            self.shown.next_wakeup(),
        ];
        parts.into_iter().flatten().min()
    }

    /// Erases what is over: beacon keys, remembered logins, sessions, provisional ones whose spend
    /// was not settled before the token expired.
    pub fn tick(&mut self, now_ms: u64) {
        if let Some(issuers) = &mut self.issuers {
            issuers.advance(now_ms);
        }
        self.beacons.forget(now_ms);
        self.memory.forget(now_ms);
        self.sessions.expire(now_ms);
        for asc in self.shown.expire(now_ms) {
            self.sessions.remove(asc);
        }
    }

    /// Number of sessions.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// The living session `asc` and whose it is.
    #[must_use]
    pub fn session(&self, asc: Asc, now_ms: u64) -> Option<(Holder, &RoadsideSession)> {
        self.sessions.get(asc, now_ms)
    }

    /// Ends the session of a vehicle, as soon as its revocation is final. Returns whether there
    /// was one.
    pub fn drop_session_of(&mut self, holder: &Holder) -> bool {
        self.sessions.remove_of(holder)
    }

    /// The spends that wait for [`Roadside::settle`], in no particular order.
    pub fn pending_spends(&self) -> impl Iterator<Item = &Provisional> {
        self.shown.open()
    }

    /// Says whether a provisional session's spend came first in ledger order, once that is final
    /// ([`Provisional::has_won`]). A session whose spend lost is dropped. Returns whether one was:
    /// it may have ended, or been replaced by a later login, before.
    pub fn settle(&mut self, asc: Asc, won: bool) -> bool {
        self.shown.settle(asc) && !won && self.sessions.remove(asc)
    }

    /// Takes a datagram. `source` is the sender's address in any fixed encoding.
    ///
    /// # Errors
    ///
    /// See [`Refusal`]: nothing is to be sent back.
    pub fn receive(
        &mut self,
        source: &[u8],
        datagram: &[u8],
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Received, Refusal> {
        match Message::decode(datagram)? {
            Message::Up(up) => {
                let message = Message::decode(&up.datagram)?;
                self.message(source, message, Some((up.route, up.path)), now_ms, rng)
            }
            message => self.message(source, message, None, now_ms, rng),
        }
    }

    /// Takes a message that came `over` relays, or directly.
    fn message(
        &mut self,
        source: &[u8],
        message: Message,
        over: Option<(RouteId, Path)>,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Received, Refusal> {
        let route = over.map(|(route, _)| route);
        let received = match message {
            Message::ProofRequest(rid) if rid == self.rid() => Ok(Received::ProofWanted(route)),
            Message::ProofRequest(rid) => Err(Refusal::OtherRsu(rid)),
            Message::Hello(hello) => self.hello(source, hello, None, over, now_ms),
            Message::HelloWithCookie(cookie, hello) => {
                self.hello(source, hello, Some(cookie), over, now_ms)
            }
            Message::RekeyRequest(request) => self.rekey(&request, now_ms, rng),
            _ => Err(Refusal::NotForRsus),
        };
        Ok(match received? {
            Received::Reply(reply) => Received::Reply(relay::returned(route, reply)),
            Received::Rekeyed {
                reply,
                holder,
                asc,
                agreement,
            } => Received::Rekeyed {
                reply: relay::returned(route, reply),
                holder,
                asc,
                agreement,
            },
            other => other,
        })
    }

    /// Rules `V-HELLO-1` to `V-HELLO-6`.
    fn hello(
        &mut self,
        source: &[u8],
        hello: Hello,
        cookie: Option<Cookie>,
        over: Option<(RouteId, Path)>,
        now_ms: u64,
    ) -> Result<Received, Refusal> {
        self.memory.forget(now_ms);
        if let Some(reply) = self.memory.look_up(&hello)? {
            return Ok(Received::Reply(reply));
        }
        let answerable = self.beacons.answerable(hello.beacon, now_ms);
        let (beacon, secret) = answerable.ok_or(Refusal::Beacon(hello.beacon))?;
        let checked = |cookie| self.jar.check(&cookie, source, &hello, now_ms);
        if self.under_load && !cookie.is_some_and(checked) {
            let cookie = self.jar.bake(source, &hello, now_ms);
            let reply = Message::CookieReply(Addressee::of(&hello.ephemeral()), cookie);
            return Ok(Received::Reply(reply.encode()));
        }
        if self.memory.is_full() {
            return Err(Refusal::Full);
        }
        let path = over.map_or(Path::DIRECT, |(_, path)| path);
        let prologue = prologue_over(beacon, &path);
        let opened = noise::Responder::hello(secret, &prologue, hello.handshake.as_bytes())?;
        let (payload, responder) = opened;
        let opened = Opened {
            keys: self.keys,
            tokens: self.tokens,
            responder,
            beacon: beacon.clone(),
            credential: Credential::decode(&payload)?,
            over,
        };
        self.memory.begin(hello, now_ms);
        Ok(Received::Login(Box::new(opened)))
    }

    /// Finishes a login with the records of a finalised state: rules `V-HELLO-7` to `V-HELLO-11`,
    /// `V-ANON-1` to `V-ANON-4` or `V-TOKEN-1` to `V-TOKEN-9`. Records of [`Opened::needs_more`] may be of a
    /// later state.
    ///
    /// # Errors
    ///
    /// [`Rejected`], whose reply is to be sent.
    pub fn accept(
        &mut self,
        opened: Opened,
        records: &[(StateKey, Option<Record>)],
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Accepted, Rejected> {
        self.finish(opened, records, None, now_ms, rng)
    }

    /// As [`Roadside::accept`] for many logins at once: anonymous proofs are checked together, which
    /// takes about a quarter of the time of single checks. A bad one is named and spoils no other.
    pub fn accept_many(
        &mut self,
        logins: Vec<(Opened, Found)>,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Vec<Result<Accepted, Rejected>> {
        let issuers = self.issuers.as_ref();
        let shown: Vec<_> = logins
            .iter()
            .map(|(opened, _)| opened.unproven(&self.chain, issuers, now_ms))
            .collect();
        let proofs = issuers::check_proofs(&shown, rng);
        drop(shown);
        let logins = logins.into_iter().zip(proofs);
        logins
            .map(|((opened, records), proof)| self.finish(opened, &records, proof, now_ms, rng))
            .collect()
    }

    fn finish(
        &mut self,
        opened: Opened,
        records: &[(StateKey, Option<Record>)],
        proof: Option<bool>,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Accepted, Rejected> {
        let ephemeral = opened.responder.ephemeral();
        let to = Addressee::of(&ephemeral);
        let route = opened.over.map(|(route, _)| route);
        let issuers = self.issuers.as_ref();
        let grant = opened.judge(&self.chain, issuers, records, proof, now_ms);
        let mut result = match grant.and_then(|grant| self.admit(&opened, grant)) {
            Ok(grant) => Ok(self.welcome(opened, grant, now_ms, rng)),
            Err(why) => {
                let sealed = opened.responder.refuse(&[why.code().to_byte()]);
                let sealed = sealed.try_into().expect("one byte and a tag");
                Err(Rejected {
                    reply: Message::Refused(Refused { to, sealed }).encode(),
                    why,
                })
            }
        };
        let reply = match &mut result {
            Ok(accepted) => &mut accepted.reply,
            Err(rejected) => &mut rejected.reply,
        };
        self.memory.answered(&ephemeral, reply);
        *reply = relay::returned(route, std::mem::take(reply));
        result
    }

    /// The rules that depend on what else happens at this RSU: `V-TOKEN-9`, `V-HELLO-11`.
    fn admit(&self, opened: &Opened, grant: Grant) -> Result<Grant, Why> {
        let holder = opened.claimed();
        if let Some(shown) = &grant.shown {
            if self.shown.contains(&shown.spend.id) {
                return Err(Why::Token(holder, TokenWhy::Shown));
            }
            if self.shown.is_full() {
                return Err(Why::Full);
            }
        }
        if self.sessions.has_room_for(&holder) {
            Ok(grant)
        } else {
            Err(Why::Full)
        }
    }

    fn welcome(
        &mut self,
        opened: Opened,
        grant: Grant,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Accepted {
        let Opened {
            responder,
            credential,
            over,
            ..
        } = opened;
        let to = Addressee::of(&responder.ephemeral());
        let holder = credential.claimed();
        let (handshake, keys) = responder
            .accept(&grant.validity_ms.to_be_bytes(), rng)
            .expect("an ephemeral of small order was refused with the hello");
        let handshake = handshake.try_into().expect("key, four bytes and a tag");
        let until_ms = now_ms + u64::from(grant.validity_ms);
        let session = RoadsideSession::new(&keys, until_ms);
        let asc = session.asc();
        let agreement = session.agreement();
        self.sessions.insert(holder, session);
        let spend = grant.shown.as_ref().map(|shown| {
            self.shown.insert(asc, shown);
            shown.spend
        });
        Accepted {
            reply: Message::Accept(Accept { to, handshake }).encode(),
            holder,
            way: credential.way(),
            asc,
            until_ms,
            agreement,
            mint: mint(&credential, &grant, until_ms),
            credits: over.map_or_else(Vec::new, |(_, path)| relay::grants(&path)),
            spend,
        }
    }

    fn rekey(
        &mut self,
        request: &Rekey,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Received, Refusal> {
        let found = self.sessions.get_mut(request.asc);
        let (holder, session) = found.ok_or(Refusal::NoSession(request.asc))?;
        let answered = session.answer(request, now_ms, rng)?;
        Ok(Received::Rekeyed {
            reply: Message::RekeyAnswer(answered.answer).encode(),
            holder,
            asc: request.asc,
            agreement: answered.agreement,
        })
    }
}

/// The token that a login mints, unless nobody could use it: after the last handover, or when the
/// vehicle's key ends too soon.
fn mint(credential: &Credential, grant: &Grant, until_ms: u64) -> Option<Mint> {
    let point = credential.next_token();
    let is_usable =
        grant.next_hops < MAX_HANDOVERS && u64::from(grant.validity_ms) > SPEND_MARGIN_MS;
    is_usable.then(|| Mint {
        id: token::id(point),
        commitment: token::commitment(point, &grant.holder),
        expires_ms: until_ms,
        hops: grant.next_hops,
    })
}
