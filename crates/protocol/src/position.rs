//! Position messages (PROTOCOLS.md section 6): where a vehicle is, signed, to everybody.
//!
//! 1. Once a second a vehicle broadcasts a [`Signed`] statement: credential id, count, time, position,
//!    speed, heading, acceleration, class, and a Schnorr signature `(M, z)` of its registered key over
//!    all of that and the chain. 100 bytes with the kind byte; the limit is [`MAX_BYTES`].
//! 2. The credential id of a registered vehicle is its UID, so that every message, the first one
//!    included, says where the key is to be looked up; nothing else rides along. A credential that is
//!    on no ledger would ride along under a message kind of its own and be named here by 8 bytes.
//! 3. Who hears messages collects them, fetches the records that they need ([`needs`]) from one
//!    finalised state and checks them in one batch ([`verify`]). A batch that fails is checked one by
//!    one and names the bad ones.
//! 4. The signed bytes are kept as they are: they are the [`crate::evidence`].
//!
//! Rules of a message, the cheap ones first:
//! * `V-POS-1` it has the one length and one encoding: heading below 360°, a class that exists, `z`
//!   canonical ([`Message::decode`](crate::wire::Message::decode));
//! * `V-POS-2` it is at most THR old by the receiver's clock. One from the future passes: RSUs hold
//!   it against its signer ([`plausibility`](crate::plausibility));
//! * `V-POS-3` its credential is registered, valid now and not revoked;
//! * `V-POS-4` the signature fits key and statement.
//!
//! A vehicle under a registered key can be followed by everybody who hears it. That is the price of
//! being recognised; who does not want to pay it needs credentials that change.

use std::collections::HashMap;

use bytes::BufMut;
use cairn_contracts::keys::{VehicleRecord, vehicle_key};
use cairn_crypto::{
    schnorr::{self, Batch, PublicKey, SecretKey, Signature},
    transcript::{Digest, Domain, Transcript},
};
use cairn_ledger::{Address, ChainId, Position, Record, StateKey, Uid};
use commonware_codec::{Buf, Encode as _, Error, FixedSize, Read, ReadExt, Write};
use rand_core::CryptoRng;
use thiserror::Error as ThisError;

use crate::{
    THR_MS,
    plausibility::{Claim, Class, Subject},
};

const STATEMENT: Domain = Domain::new("cairn/1/position/statement");

/// The most bytes of a message on the wire with its signature: what paper 000 measured
/// (section 5.1.3).
pub const MAX_BYTES: usize = 131;

/// The first moment that counts start from: 2026-01-01, in milliseconds since 1970.
const COUNT_EPOCH_MS: u64 = 1_767_225_600_000;

/// The shortest time between two honest messages, in milliseconds, on average over a start: ten a
/// second, the highest rate of CAMs.
const COUNT_UNIT_MS: u64 = 100;

/// A full circle in hundredths of a degree.
const CIRCLE_CDEG: u16 = 36_000;

/// Why a message is passed over. Nothing of it is held against anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum PositionError {
    /// `V-POS-2`.
    #[error("expected a message at most {THR_MS} ms old, got one of {0} ms")]
    Stale(u64),
    /// The caller did not look up what [`needs`] names. Our own bug.
    #[error("record {0} was not looked up")]
    RecordMissing(StateKey),
    /// The ledger's record does not decode. Our own bug.
    #[error("record {0} is no vehicle's record")]
    RecordMalformed(StateKey),
    /// `V-POS-3`.
    #[error("vehicle {0} is not registered")]
    NotRegistered(Uid),
    /// `V-POS-3`.
    #[error("key of vehicle {0} is not valid now, or revoked")]
    NotValid(Uid),
    /// `V-POS-4`.
    #[error("signature does not fit the key of vehicle {0}")]
    Signature(Uid),
}

/// Where a vehicle is and how it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Motion {
    /// Where it is.
    pub position: Position,
    /// Speed in cm/s.
    pub speed_cm_s: u16,
    /// Heading in hundredths of a degree, clockwise from north, below 36,000.
    pub heading_cdeg: u16,
    /// Acceleration along the heading in cm/s²; braking is negative.
    pub acceleration_cm_s2: i16,
    /// What kind of vehicle it is.
    pub class: Class,
}

/// What is signed, beside the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Names the credential: a registered vehicle's UID.
    pub credential: Uid,
    /// The signer's count of its messages.
    pub sequence: u32,
    /// When it was sent, in milliseconds since 1970.
    pub time_ms: u64,
    /// Where the vehicle is.
    pub motion: Motion,
}

/// A position message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub statement: Statement,
    /// `(M, z)`.
    pub signature: Signature,
}

impl Statement {
    /// What the signature covers (step 1).
    #[must_use]
    pub fn digest(&self, chain: &ChainId) -> Digest {
        Transcript::new(STATEMENT)
            .bytes(b"vehicle")
            .bytes(schnorr::SUITE.as_bytes())
            .bytes(chain)
            .bytes(&self.encode())
            .finish()
    }

    /// The statement as a claim of the key that signed it.
    #[must_use]
    pub fn claim(&self, key: &PublicKey) -> Claim {
        let Motion {
            position,
            speed_cm_s,
            heading_cdeg,
            acceleration_cm_s2,
            class,
        } = self.motion;
        Claim {
            subject: Subject(key.to_bytes()),
            sequence: self.sequence,
            time_ms: self.time_ms,
            position,
            speed_cm_s,
            heading_cdeg,
            acceleration_cm_s2,
            class,
        }
    }
}

impl Signed {
    /// `V-POS-2`.
    ///
    /// # Errors
    ///
    /// [`PositionError::Stale`].
    pub fn check_age(&self, now_ms: u64) -> Result<(), PositionError> {
        let age_ms = now_ms.saturating_sub(self.statement.time_ms);
        if age_ms > THR_MS {
            return Err(PositionError::Stale(age_ms));
        }
        Ok(())
    }

    /// `V-POS-4` for one message.
    ///
    /// # Errors
    ///
    /// [`PositionError::Signature`].
    pub fn verify(&self, chain: &ChainId, key: &PublicKey) -> Result<Claim, PositionError> {
        key.verify(&self.statement.digest(chain), &self.signature)
            .map_err(|_| PositionError::Signature(self.statement.credential))?;
        Ok(self.statement.claim(key))
    }
}

/// The records that [`verify`] needs, from one finalised state; each once.
#[must_use]
pub fn needs(keys: &Address, messages: &[Signed]) -> Vec<StateKey> {
    let named = messages.iter().map(|signed| &signed.statement.credential);
    let mut needed: Vec<StateKey> = named.map(|uid| vehicle_key(keys, uid)).collect();
    needed.sort_unstable();
    needed.dedup();
    needed
}

/// The most keys remembered, some 2 MB. When they are more, all are decompressed again.
const MAX_KNOWN: usize = 8_192;

/// Registered keys that were decompressed before. That is a fifth of the work of checking a message, and
/// whoever is heard is heard again a second later.
#[derive(Default)]
pub struct KnownKeys(HashMap<[u8; schnorr::PUBLIC_KEY_BYTES], PublicKey>);

impl KnownKeys {
    /// The key with this encoding; `None` if there is none.
    pub fn get(&mut self, bytes: &[u8; schnorr::PUBLIC_KEY_BYTES]) -> Option<PublicKey> {
        if let Some(known) = self.0.get(bytes) {
            return Some(*known);
        }
        let key = PublicKey::from_bytes(bytes).ok()?;
        if self.0.len() >= MAX_KNOWN {
            self.0.clear();
        }
        self.0.insert(*bytes, key);
        Some(key)
    }
}

/// Rules `V-POS-3` and `V-POS-4` for many messages at once; one result for each, in order.
///
/// `keys` is the instance of contract `keys`, `records` what a finalised state says of [`needs`]; what is
/// `known` saves time, and is never trusted instead of a record.
/// The caller has checked ages when the messages came ([`Signed::check_age`]).
pub fn verify(
    chain: &ChainId,
    keys: &Address,
    messages: &[Signed],
    records: &[(StateKey, Option<Record>)],
    now_ms: u64,
    known: &mut KnownKeys,
    rng: &mut impl CryptoRng,
) -> Vec<Result<Claim, PositionError>> {
    let records: HashMap<&StateKey, Option<&Record>> = records
        .iter()
        .map(|(key, record)| (key, record.as_ref()))
        .collect();
    let mut batch = Batch::new();
    let mut places = Vec::with_capacity(messages.len());
    let mut results: Vec<Result<Claim, PositionError>> = Vec::with_capacity(messages.len());
    for (place, signed) in messages.iter().enumerate() {
        let uid = signed.statement.credential;
        let key = key_of(&records, keys, &uid, now_ms, known);
        results.push(key.map(|key| {
            batch.push(key, signed.statement.digest(chain), signed.signature);
            places.push(place);
            signed.statement.claim(&key)
        }));
    }
    if let Err(bad) = batch.verify(rng) {
        for place in bad.into_iter().map(|index| places[index]) {
            let uid = messages[place].statement.credential;
            results[place] = Err(PositionError::Signature(uid));
        }
    }
    results
}

/// `V-POS-3`.
fn key_of(
    records: &HashMap<&StateKey, Option<&Record>>,
    keys: &Address,
    uid: &Uid,
    now_ms: u64,
    known: &mut KnownKeys,
) -> Result<PublicKey, PositionError> {
    let name = vehicle_key(keys, uid);
    let record = records
        .get(&name)
        .ok_or(PositionError::RecordMissing(name))?;
    let record = record.ok_or(PositionError::NotRegistered(*uid))?;
    let record: VehicleRecord = record
        .decode_as()
        .map_err(|_| PositionError::RecordMalformed(name))?;
    if !record.is_valid_at(now_ms) {
        return Err(PositionError::NotValid(*uid));
    }
    known
        .get(&record.key)
        .ok_or(PositionError::RecordMalformed(name))
}

/// A vehicle's voice: signs and counts its messages.
pub struct Speaker {
    chain: ChainId,
    uid: Uid,
    key: SecretKey,
    next: u32,
}

impl Speaker {
    /// The voice of the vehicle `uid` under its registered key, from `now_ms` on.
    ///
    /// The count starts at tenths of seconds since 2026, so that a vehicle that forgets its count
    /// over a restart does not count back, if it has sent at most ten messages a second.
    #[must_use]
    pub fn new(chain: ChainId, uid: Uid, key: SecretKey, now_ms: u64) -> Self {
        let tenths = now_ms.saturating_sub(COUNT_EPOCH_MS) / COUNT_UNIT_MS;
        Self {
            chain,
            uid,
            key,
            // Lasts until 2039; afterwards vehicles that restart need their memory.
            next: u32::try_from(tenths).unwrap_or(u32::MAX / 2),
        }
    }

    /// The next message.
    pub fn speak(&mut self, motion: Motion, time_ms: u64, rng: &mut impl CryptoRng) -> Signed {
        let statement = Statement {
            credential: self.uid,
            sequence: self.next,
            time_ms,
            motion,
        };
        self.next = self.next.wrapping_add(1);
        let signature = self.key.sign(&statement.digest(&self.chain), rng);
        Signed {
            statement,
            signature,
        }
    }
}

impl Write for Statement {
    fn write(&self, buf: &mut impl BufMut) {
        let motion = &self.motion;
        self.credential.write(buf);
        self.sequence.write(buf);
        self.time_ms.write(buf);
        motion.position.write(buf);
        motion.speed_cm_s.write(buf);
        motion.heading_cdeg.write(buf);
        motion.acceleration_cm_s2.write(buf);
        let class: u8 = match motion.class {
            Class::Car => 0,
            Class::Truck => 1,
            Class::Bus => 2,
        };
        class.write(buf);
    }
}

impl FixedSize for Statement {
    const SIZE: usize = Uid::SIZE + 4 + 8 + Position::SIZE + 2 + 2 + 2 + 1;
}

impl Read for Statement {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let (credential, sequence, time_ms) = (Uid::read(buf)?, u32::read(buf)?, u64::read(buf)?);
        let (position, speed_cm_s) = (Position::read(buf)?, u16::read(buf)?);
        let (heading_cdeg, acceleration_cm_s2) = (u16::read(buf)?, i16::read(buf)?);
        if heading_cdeg >= CIRCLE_CDEG {
            return Err(Error::Invalid("Statement", "heading is not below 360°"));
        }
        let class = match u8::read(buf)? {
            0 => Class::Car,
            1 => Class::Truck,
            2 => Class::Bus,
            other => return Err(Error::InvalidEnum(other)),
        };
        Ok(Self {
            credential,
            sequence,
            time_ms,
            motion: Motion {
                position,
                speed_cm_s,
                heading_cdeg,
                acceleration_cm_s2,
                class,
            },
        })
    }
}

impl Write for Signed {
    fn write(&self, buf: &mut impl BufMut) {
        self.statement.write(buf);
        self.signature.to_bytes().write(buf);
    }
}

impl FixedSize for Signed {
    const SIZE: usize = Statement::SIZE + schnorr::SIGNATURE_BYTES;
}

impl Read for Signed {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let statement = Statement::read(buf)?;
        let signature = Signature::from_bytes(&ReadExt::read(buf)?);
        Ok(Self {
            statement,
            signature: signature
                .map_err(|_| Error::Invalid("Signed", "signature is not canonical"))?,
        })
    }
}
