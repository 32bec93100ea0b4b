//! The RSU (PROTOCOLS.md sections 3 and 4).
//!
//! ```text
//! beacon(now)            -> datagram, every second
//! receive(datagram, now) -> Reply          send it back
//!                         | Login(opened)  read opened.needs() from a finalised state, then
//! accept(opened, records, now) -> Accepted { reply, agreement, … } | Rejected { reply, why }
//!                         | ProofWanted    send a proof (beacon::proof_datagram)
//!                         | Rekeyed        send it back; the agreement goes to the ledger
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
//! * `V-HELLO-8` the signature fits key and statement ([`Context::registered`]);
//! * `V-HELLO-9` the key is valid now; `V-HELLO-10` it is not revoked;
//! * `V-HELLO-11` there is room for the session.
//!
//! A [`Opened`] can only come from rules 1–6, an [`Accepted`] only from an `Opened` and rules 7–11. Who
//! fails 1–6 gets no answer; who fails a later rule gets an authenticated [`Code`].

mod memory;
mod sessions;

use cairn_crypto::noise;
use cairn_ledger::{
    Address, ChainId, PrivateKey, Record, Rid, StateKey, Uid,
    contracts::keys::{VehicleRecord, vehicle_key},
};
use rand_core::CryptoRng;
use thiserror::Error;

use memory::Memory;
use sessions::Sessions;

use crate::{
    THR_MS,
    beacon::Beacons,
    cookie::Jar,
    login::{Asc, Code, Context, Credential, CredentialError, Registered, prologue},
    session::{AgreementDigest, MAX_VALIDITY_MS, RekeyError, RoadsideSession},
    wire::{
        Accept, Addressee, Beacon, BeaconId, Cookie, Hello, Message, Refused, Rekey, WireError,
    },
};

/// How long a `Hello` is remembered, in milliseconds (PROTOCOLS.md section 4).
pub const REPLAY_WINDOW_MS: u64 = 2 * THR_MS;

/// The most `Hello`s remembered at a time: 10,000 logins a second, the most that one core serves,
/// for the replay window. About 20 MiB. When it is full, new ones get no answer: forgetting early
/// would let replays in.
pub const MAX_REMEMBERED: usize = 40_000;

/// The most sessions at a time, one per vehicle. An RSU's reach holds some thousand at most.
pub const MAX_SESSIONS: usize = 16_384;

/// What an RSU is.
pub struct Site {
    /// The road chain.
    pub chain: ChainId,
    /// The instance of contract `keys`.
    pub keys: Address,
    /// The RSU's name.
    pub rid: Rid,
    /// Its registered key.
    pub signer: PrivateKey,
}

/// Why a datagram is refused without an answer. The sender is at fault, if not stated otherwise.
#[derive(Debug, Error)]
pub enum Refusal {
    /// `V-WIRE-*`.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A message that only RSUs send.
    #[error("expected a message of a vehicle")]
    NotForRsus,
    /// A proof request for another RSU.
    #[error("proof of {0} wanted")]
    OtherRsu(Rid),
    /// `V-HELLO-1`: never ours, too old, or from before a restart. The vehicle hears a newer one.
    #[error("no answerable beacon {0:?}")]
    Beacon(BeaconId),
    /// `V-HELLO-2`.
    #[error("another login already used this ephemeral key")]
    EphemeralReused,
    /// `V-HELLO-2`: a repetition of a `Hello` that is being worked on. Nobody is at fault.
    #[error("login is in progress")]
    InProgress,
    /// `V-HELLO-2`: [`MAX_REMEMBERED`] is reached. Load or an attack is at fault.
    #[error("no room to remember another login")]
    Full,
    /// `V-HELLO-4`.
    #[error("login does not open: {0}")]
    Handshake(#[from] noise::Error),
    /// `V-HELLO-5`, `V-HELLO-6`.
    #[error("credential: {0}")]
    Credential(#[from] CredentialError),
    /// `V-REKEY-2`: no such session (any more).
    #[error("no session {0:?}")]
    NoSession(Asc),
    /// `V-REKEY-*`.
    #[error(transparent)]
    Rekey(#[from] RekeyError),
}

/// Why an opened login is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Why {
    /// The caller did not look up what [`Opened::needs`] names. Our own bug.
    #[error("record {0} was not looked up")]
    RecordMissing(StateKey),
    /// The ledger's record does not decode. Our own bug.
    #[error("record {0} is no vehicle's record")]
    RecordMalformed(StateKey),
    /// `V-HELLO-7`.
    #[error("vehicle {0} is not registered")]
    NotRegistered(Uid),
    /// `V-HELLO-8`.
    #[error("signature does not fit the key of vehicle {0}")]
    Signature(Uid),
    /// `V-HELLO-9`.
    #[error("key of vehicle {0} is not valid now")]
    NotValid(Uid),
    /// `V-HELLO-10`.
    #[error("key of vehicle {0} is revoked")]
    Revoked(Uid),
    /// `V-HELLO-11`: [`MAX_SESSIONS`] is reached.
    #[error("no room for another session")]
    Full,
}

impl Why {
    /// What the vehicle may learn of it.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::NotRegistered(_) | Self::Signature(_) => Code::NotRecognised,
            Self::NotValid(_) => Code::NotValid,
            Self::Revoked(_) => Code::Revoked,
            Self::RecordMissing(_) | Self::RecordMalformed(_) | Self::Full => Code::Busy,
        }
    }
}

/// What a datagram came to.
pub enum Received {
    /// Send this back. A repeated answer, or a demand for a cookie.
    Reply(Vec<u8>),
    /// A login to be finished with [`Roadside::accept`].
    Login(Box<Opened>),
    /// Send a proof of this RSU's record back.
    ProofWanted,
    /// A session has a new key.
    Rekeyed {
        /// Send this back.
        reply: Vec<u8>,
        /// The vehicle.
        uid: Uid,
        /// The session.
        asc: Asc,
        /// For the ledger; `None` when the answer is a repetition.
        agreement: Option<AgreementDigest>,
    },
}

/// A login that passed the rules up to `V-HELLO-6`.
pub struct Opened {
    responder: noise::Responder,
    beacon: Beacon,
    credential: Registered,
    needs: StateKey,
}

impl Opened {
    /// The records that [`Roadside::accept`] needs, from one finalised state.
    #[must_use]
    pub fn needs(&self) -> Vec<StateKey> {
        vec![self.needs]
    }

    /// Who the vehicle says it is. Not checked yet.
    #[must_use]
    pub const fn claimed(&self) -> Uid {
        self.credential.uid
    }
}

/// A finished login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Send this back.
    pub reply: Vec<u8>,
    /// The vehicle.
    pub uid: Uid,
    /// Names its session here.
    pub asc: Asc,
    /// End of validity (exclusive), milliseconds since 1970.
    pub until_ms: u64,
    /// For the ledger (paper 000, key agreement, step 4).
    pub agreement: AgreementDigest,
    /// `Q'`, for the ledger: the next handover's token.
    pub next_token: [u8; 32],
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
    beacons: Beacons,
    jar: Jar,
    under_load: bool,
    memory: Memory,
    sessions: Sessions,
}

impl Roadside {
    /// An RSU that has just started.
    #[must_use]
    pub fn new(site: Site, rng: &mut impl CryptoRng) -> Self {
        Self {
            chain: site.chain,
            keys: site.keys,
            beacons: Beacons::new(site.chain, site.rid, site.signer, rng),
            jar: Jar::new(rng),
            under_load: false,
            memory: Memory::default(),
            sessions: Sessions::default(),
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

    /// When [`Roadside::tick`] next has something to erase.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<u64> {
        let parts = [
            self.beacons.next_wakeup(),
            self.memory.next_wakeup(),
            self.sessions.next_wakeup(),
        ];
        parts.into_iter().flatten().min()
    }

    /// Erases what is over: beacon keys, remembered logins, sessions.
    pub fn tick(&mut self, now_ms: u64) {
        self.beacons.forget(now_ms);
        self.memory.forget(now_ms);
        self.sessions.expire(now_ms);
    }

    /// Number of sessions.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// The living session `asc` and whose it is.
    #[must_use]
    pub fn session(&self, asc: Asc, now_ms: u64) -> Option<(Uid, &RoadsideSession)> {
        self.sessions.get(asc, now_ms)
    }

    /// Ends the session of a vehicle, as soon as its revocation is final. Returns whether there
    /// was one.
    pub fn drop_session_of(&mut self, uid: &Uid) -> bool {
        self.sessions.remove_of(uid)
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
            Message::ProofRequest(rid) if rid == self.rid() => Ok(Received::ProofWanted),
            Message::ProofRequest(rid) => Err(Refusal::OtherRsu(rid)),
            Message::Hello(hello) => self.hello(source, hello, None, now_ms),
            Message::HelloWithCookie(cookie, hello) => {
                self.hello(source, hello, Some(cookie), now_ms)
            }
            Message::RekeyRequest(request) => self.rekey(&request, now_ms, rng),
            _ => Err(Refusal::NotForRsus),
        }
    }

    /// Rules `V-HELLO-1` to `V-HELLO-6`.
    fn hello(
        &mut self,
        source: &[u8],
        hello: Hello,
        cookie: Option<Cookie>,
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
        let opened = noise::Responder::hello(secret, &prologue(beacon), &hello.handshake)?;
        let (payload, responder) = opened;
        let Credential::Registered(credential) = Credential::decode(&payload)?;
        let opened = Opened {
            responder,
            beacon: beacon.clone(),
            needs: vehicle_key(&self.keys, &credential.uid),
            credential,
        };
        self.memory.begin(hello, now_ms);
        Ok(Received::Login(Box::new(opened)))
    }

    /// Finishes a login with the records of a finalised state: rules `V-HELLO-7` to `V-HELLO-11`.
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
        let ephemeral = opened.responder.ephemeral();
        let to = Addressee::of(&ephemeral);
        let result = match self.judge(&opened, records, now_ms) {
            Ok(validity_ms) => Ok(self.welcome(opened, validity_ms, now_ms, rng)),
            Err(why) => {
                let sealed = opened.responder.refuse(&[why.code().to_byte()]);
                let sealed = sealed.try_into().expect("one byte and a tag");
                Err(Rejected {
                    reply: Message::Refused(Refused { to, sealed }).encode(),
                    why,
                })
            }
        };
        let reply = match &result {
            Ok(accepted) => &accepted.reply,
            Err(rejected) => &rejected.reply,
        };
        self.memory.answered(&ephemeral, reply);
        result
    }

    /// The validity to grant, in milliseconds.
    fn judge(
        &self,
        opened: &Opened,
        records: &[(StateKey, Option<Record>)],
        now_ms: u64,
    ) -> Result<u32, Why> {
        let Registered {
            uid,
            next_token,
            signature,
        } = &opened.credential;
        let key = opened.needs;
        let found = records.iter().find(|(shown, _)| *shown == key);
        let (_, record) = found.ok_or(Why::RecordMissing(key))?;
        let record = record.as_ref().ok_or(Why::NotRegistered(*uid))?;
        let record: VehicleRecord = record.decode_as().map_err(|_| Why::RecordMalformed(key))?;
        let public = cairn_crypto::schnorr::PublicKey::from_bytes(&record.key);
        let public = public.map_err(|_| Why::RecordMalformed(key))?;
        let ephemeral = opened.responder.ephemeral();
        let context = Context {
            chain: &self.chain,
            beacon: &opened.beacon,
            ephemeral: &ephemeral,
        };
        public
            .verify(&context.registered(uid, next_token), signature)
            .map_err(|_| Why::Signature(*uid))?;
        if record.revoked_ms.is_some() {
            return Err(Why::Revoked(*uid));
        }
        if !record.is_valid_at(now_ms) {
            return Err(Why::NotValid(*uid));
        }
        if !self.sessions.has_room_for(uid) {
            return Err(Why::Full);
        }
        let left_ms = record.valid_until_ms - now_ms;
        Ok(u32::try_from(left_ms)
            .unwrap_or(u32::MAX)
            .min(MAX_VALIDITY_MS))
    }

    fn welcome(
        &mut self,
        opened: Opened,
        validity_ms: u32,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Accepted {
        let Opened {
            responder,
            credential,
            ..
        } = opened;
        let to = Addressee::of(&responder.ephemeral());
        let (handshake, keys) = responder
            .accept(&validity_ms.to_be_bytes(), rng)
            .expect("an ephemeral of small order was refused with the hello");
        let handshake = handshake.try_into().expect("key, four bytes and a tag");
        let until_ms = now_ms + u64::from(validity_ms);
        let session = RoadsideSession::new(&keys, until_ms);
        let accepted = Accepted {
            reply: Message::Accept(Accept { to, handshake }).encode(),
            uid: credential.uid,
            asc: session.asc(),
            until_ms,
            agreement: session.agreement(),
            next_token: credential.next_token.to_bytes(),
        };
        self.sessions.insert(credential.uid, session);
        accepted
    }

    fn rekey(
        &mut self,
        request: &Rekey,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Received, Refusal> {
        let found = self.sessions.get_mut(request.asc);
        let (uid, session) = found.ok_or(Refusal::NoSession(request.asc))?;
        let answered = session.answer(request, now_ms, rng)?;
        Ok(Received::Rekeyed {
            reply: Message::RekeyAnswer(answered.answer).encode(),
            uid,
            asc: request.asc,
            agreement: answered.agreement,
        })
    }
}
