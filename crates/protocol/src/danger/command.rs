//! Commands to vehicles, and what makes a vehicle believe one.
//!
//! 1. The RSU takes what the ledger holds of the trip ([`TripRecord`]) with its inclusion proof and
//!    certificate, or, when the ledger is too slow or silent, the same record signed by
//!    `f_r + 1` RSUs ([`Command`]).
//! 2. It seals the command under the session key, bound to the session's ASC ([`seal`]).
//! 3. The vehicle opens it and checks, the cheap rules first ([`Receiver::receive`]):
//!
//! | id | rule | who is kept out |
//! |---|---|---|
//! | `V-CMD-1` | it opens under this session's key and ASC | outsiders, other sessions |
//! | `V-CMD-2` | it decodes, and is at most [`MAX_BYTES`] long | |
//! | `V-CMD-3` | it is for this trip | commands for others |
//! | `V-CMD-4` | it rests on a report that this vehicle made, and has its class | evaluations of invented reports |
//! | `V-CMD-5` | it is newer than the last one | replays |
//! | `V-CMD-6` | its block time is within its life, and not from the future | old commands |
//! | `V-CMD-7` | danger, state and action are what the model makes of inputs and J | wrong evaluations |
//! | `V-CMD-8` | certificate and inclusion proof show this record; or `f_r + 1` different registered RSUs signed it | up to `f_r` lying RSUs, forged ledgers |
//!
//! 4. What is refused leaves a [`Refused`] for the next report.
//!
//! A believed command is advice: the on-board controller obeys it gently and trusts own sensors first.
//! What the inputs say of the road ahead rests on the word of the RSU that evaluated; a lying one can
//! make a vehicle slow down where its sensors do not see, and leaves its name in the record.

use bytes::BufMut;
use cairn_contracts::danger::{
    Class, MIN_SATISFACTION, Parameters, Trip, TripRecord, trip_key, weigh,
};
use cairn_crypto::{
    seal::{OVERHEAD, RegisterKey},
    transcript::{Domain, Transcript, derive},
};
use cairn_ledger::{
    Address, ChainId, PrivateKey, PublicKey, Rid, Signature,
    light::{LedgerProof, LightError, Verified},
};
use commonware_codec::{
    Buf, Copying, Decode as _, Encode as _, EncodeSize, Error as CodecError, FixedSize, RangeCfg,
    Read, ReadExt, Write,
};
use commonware_cryptography::{Signer as _, Verifier as _};
use rand_core::CryptoRng;
use std::collections::VecDeque;
use thiserror::Error;

use super::report::MAX_REFUSED;
use crate::{THR_MS, login::Asc, session::SessionKey};

const SEAL: Domain = Domain::new("cairn/1/danger/command");
const WITNESS: &[u8] = b"cairn/1/danger/witness/";

/// The largest sealed command: a proof has 128 digests at most.
pub const MAX_BYTES: usize = 8 * 1024;

/// The most witnesses that a command names; `f_r + 1` is 3 by default.
pub const MAX_WITNESSES: usize = 8;

/// Reports that a vehicle remembers, to know those that commands rest on: half a minute of them.
const REMEMBERED: usize = 64;

/// What an RSU tells a vehicle.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The ledger's record of the trip, proved.
    Proven(Box<LedgerProof>),
    /// The same, signed by RSUs.
    Witnessed {
        /// What they evaluated.
        record: TripRecord,
        /// Who signed it.
        witnesses: Vec<(Rid, Signature)>,
    },
}

/// Why a command is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// `V-CMD-1`.
    #[error("does not open under this session's key")]
    Sealed,
    /// `V-CMD-2`.
    #[error("expected a command of at most {MAX_BYTES} bytes")]
    Malformed,
    /// `V-CMD-3`.
    #[error("is for another trip")]
    Foreign,
    /// `V-CMD-4`.
    #[error("rests on a report that this vehicle did not make")]
    Invented,
    /// `V-CMD-5`.
    #[error("is not newer than the last one")]
    Replayed,
    /// `V-CMD-6`.
    #[error("was made at {0} ms, which is too long ago or in the future")]
    Expired(u64),
    /// `V-CMD-7`.
    #[error("danger or action are not what the model makes of the inputs")]
    Wrong,
    /// `V-CMD-8`.
    #[error("ledger proof: {0}")]
    Proof(#[from] LightError),
    /// `V-CMD-8`.
    #[error("the proof does not show a record of this trip")]
    NotShown,
    /// `V-CMD-8`.
    #[error("expected the signatures of {expected} registered RSUs, got {got}")]
    Witnesses {
        /// `f_r + 1`.
        expected: u8,
        /// Different registered RSUs whose signature is right.
        got: usize,
    },
}

impl CommandError {
    /// The rule's number, for reports.
    #[must_use]
    pub const fn rule(&self) -> u8 {
        match self {
            Self::Sealed => 1,
            Self::Malformed => 2,
            Self::Foreign => 3,
            Self::Invented => 4,
            Self::Replayed => 5,
            Self::Expired(_) => 6,
            Self::Wrong => 7,
            Self::Proof(_) | Self::NotShown | Self::Witnesses { .. } => 8,
        }
    }
}

/// A refused command, for the next report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The rule that it broke: `V-CMD-` this number, 0 when own sensors contradicted it.
    pub rule: u8,
    /// Digest of the sealed bytes.
    pub digest: [u8; 32],
}

impl Refused {
    /// The note of a command that broke this rule.
    #[must_use]
    pub fn of(rule: u8, sealed: &[u8]) -> Self {
        let digest = Transcript::new(SEAL).bytes(sealed).finish().short();
        Self { rule, digest }
    }
}

/// Signs a record as a witness: the signer evaluated the same report and found the same.
#[must_use]
pub fn witness(
    chain: &ChainId,
    contract: &Address,
    trip: &Trip,
    record: &TripRecord,
    signer: &PrivateKey,
) -> Signature {
    let message = (*contract, *trip, *record).encode();
    signer.sign(&[WITNESS, chain].concat(), &message)
}

/// Step 2.
#[must_use]
pub fn seal(
    session: &SessionKey,
    asc: Asc,
    trip: &Trip,
    command: &Command,
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let mut plain = trip.encode().to_vec();
    plain.extend_from_slice(&command.encode());
    let sealed = key(session, asc).seal(&asc.0, &plain, rng);
    sealed.expect("a command is smaller than a field")
}

fn key(session: &SessionKey, asc: Asc) -> RegisterKey {
    RegisterKey::new(&derive(SEAL, session.as_bytes(), &[&asc.0]))
}

/// What a vehicle needs to know of the road to judge commands.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The road chain.
    pub chain: ChainId,
    /// The instance of contract `danger`.
    pub contract: Address,
    /// What it was deployed with.
    pub parameters: Parameters,
}

/// The vehicle's side, for one trip.
pub struct Receiver {
    terms: Terms,
    trip: Trip,
    class: Class,
    /// Time and commitment of the last reports, the newest last.
    reports: VecDeque<(u64, [u8; 32])>,
    /// The report behind the last accepted command.
    last_ms: u64,
    refused: Vec<Refused>,
}

impl Receiver {
    /// A receiver that was told nothing yet.
    #[must_use]
    pub fn new(terms: Terms, trip: Trip, class: Class) -> Self {
        Self {
            terms,
            trip,
            class,
            reports: VecDeque::new(),
            last_ms: 0,
            refused: Vec::new(),
        }
    }

    /// Remembers a report that the vehicle made.
    pub fn reported(&mut self, time_ms: u64, commitment: [u8; 32]) {
        if self.reports.len() == REMEMBERED {
            self.reports.pop_front();
        }
        self.reports.push_back((time_ms, commitment));
    }

    /// The commands refused since the last call, for the next report.
    pub fn take_refused(&mut self) -> Vec<Refused> {
        core::mem::take(&mut self.refused)
    }

    /// Notes that the controller refused a believed command: own sensors contradict it.
    pub fn contradicted(&mut self, sealed: &[u8]) {
        self.refuse(0, sealed);
    }

    /// Step 3. `verify` checks a ledger proof (a [`cairn_ledger::light::Client`]), `rsu` knows the keys
    /// of registered RSUs.
    ///
    /// # Errors
    ///
    /// [`CommandError`], also noted for the next report.
    pub fn receive(
        &mut self,
        (session, asc): (&SessionKey, Asc),
        sealed: &[u8],
        now_ms: u64,
        verify: impl FnOnce(&LedgerProof) -> Result<Verified, LightError>,
        rsu: impl Fn(Rid) -> Option<PublicKey>,
    ) -> Result<TripRecord, CommandError> {
        let judged = self.judge((session, asc), sealed, now_ms, verify, rsu);
        match &judged {
            Ok(record) => self.last_ms = record.reported_ms,
            Err(error) => self.refuse(error.rule(), sealed),
        }
        judged
    }

    fn judge(
        &self,
        (session, asc): (&SessionKey, Asc),
        sealed: &[u8],
        now_ms: u64,
        verify: impl FnOnce(&LedgerProof) -> Result<Verified, LightError>,
        rsu: impl Fn(Rid) -> Option<PublicKey>,
    ) -> Result<TripRecord, CommandError> {
        if sealed.len() > MAX_BYTES + OVERHEAD {
            return Err(CommandError::Malformed);
        }
        let plain = key(session, asc).open(&asc.0, sealed);
        let plain = plain.map_err(|_| CommandError::Sealed)?;
        let (trip, command) = <(Trip, Command)>::decode_cfg(Copying(&plain), &((), ()))
            .map_err(|_| CommandError::Malformed)?;
        if trip != self.trip {
            return Err(CommandError::Foreign);
        }
        match command {
            // What a proof shows is judged before the proof, which costs a thousand times more.
            Command::Proven(proof) => {
                let key = trip_key(&self.terms.contract, &trip);
                let claimed = proof.entries.iter().find_map(|entry| match entry {
                    cairn_ledger::light::Entry::Present(shown, record, _) if *shown == key => {
                        record.decode_as().ok()
                    }
                    _ => None,
                });
                self.plausible(&claimed.ok_or(CommandError::NotShown)?, now_ms)?;
                self.shown(&verify(&proof)?)
            }
            Command::Witnessed { record, witnesses } => {
                self.plausible(&record, now_ms)?;
                self.witnessed(&record, &witnesses, rsu)?;
                Ok(record)
            }
        }
    }

    /// `V-CMD-4` to `V-CMD-7`.
    fn plausible(&self, record: &TripRecord, now_ms: u64) -> Result<(), CommandError> {
        let made = self
            .reports
            .contains(&(record.reported_ms, record.commitment));
        if !made || record.inputs.class != self.class {
            return Err(CommandError::Invented);
        }
        if record.reported_ms <= self.last_ms {
            return Err(CommandError::Replayed);
        }
        let life_ms = u64::from(self.terms.parameters.life_ms);
        let is_over = now_ms.saturating_sub(record.time_ms) >= life_ms;
        if is_over || record.time_ms > now_ms.saturating_add(THR_MS) {
            return Err(CommandError::Expired(record.time_ms));
        }
        let model = &self.terms.parameters.model;
        let danger = weigh(model.danger(&record.inputs), record.satisfaction);
        let right = model.conclude(&record.inputs, danger) == record.evaluation;
        if !right || record.satisfaction < MIN_SATISFACTION {
            return Err(CommandError::Wrong);
        }
        Ok(())
    }

    /// The record that a verified proof shows of this trip (`V-CMD-8`).
    ///
    /// # Errors
    ///
    /// [`CommandError::NotShown`].
    fn shown(&self, verified: &Verified) -> Result<TripRecord, CommandError> {
        let key = trip_key(&self.terms.contract, &self.trip);
        let record = verified.record(&key).flatten();
        let record = record.and_then(|record| record.decode_as().ok());
        record.ok_or(CommandError::NotShown)
    }

    /// `V-CMD-8` without the ledger.
    fn witnessed(
        &self,
        record: &TripRecord,
        witnesses: &[(Rid, Signature)],
        rsu: impl Fn(Rid) -> Option<PublicKey>,
    ) -> Result<(), CommandError> {
        let Terms {
            chain,
            contract,
            parameters,
        } = &self.terms;
        let namespace = [WITNESS, chain].concat();
        let message = (*contract, self.trip, *record).encode();
        let mut rids: Vec<Rid> = witnesses
            .iter()
            .filter(|(rid, signature)| {
                rsu(*rid).is_some_and(|key| key.verify(&namespace, &message, signature))
            })
            .map(|(rid, _)| *rid)
            .collect();
        rids.sort_unstable();
        rids.dedup();
        if rids.len() < usize::from(parameters.witnesses) {
            return Err(CommandError::Witnesses {
                expected: parameters.witnesses,
                got: rids.len(),
            });
        }
        Ok(())
    }

    fn refuse(&mut self, rule: u8, sealed: &[u8]) {
        if self.refused.len() < MAX_REFUSED {
            self.refused.push(Refused::of(rule, sealed));
        }
    }
}

impl Write for Command {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Proven(proof) => {
                0u8.write(buf);
                proof.as_ref().write(buf);
            }
            Self::Witnessed { record, witnesses } => {
                1u8.write(buf);
                record.write(buf);
                witnesses.write(buf);
            }
        }
    }
}

impl EncodeSize for Command {
    fn encode_size(&self) -> usize {
        1 + match self {
            Self::Proven(proof) => proof.as_ref().encode_size(),
            Self::Witnessed { witnesses, .. } => TripRecord::SIZE + witnesses.encode_size(),
        }
    }
}

impl Read for Command {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        match u8::read(buf)? {
            0 => Ok(Self::Proven(Box::new(ReadExt::read(buf)?))),
            1 => Ok(Self::Witnessed {
                record: ReadExt::read(buf)?,
                witnesses: Vec::read_cfg(buf, &(RangeCfg::from(0..=MAX_WITNESSES), ((), ())))?,
            }),
            tag => Err(CodecError::InvalidEnum(tag)),
        }
    }
}

impl Write for Refused {
    fn write(&self, buf: &mut impl BufMut) {
        self.rule.write(buf);
        self.digest.write(buf);
    }
}

impl FixedSize for Refused {
    const SIZE: usize = 33;
}

impl Read for Refused {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        Ok(Self {
            rule: ReadExt::read(buf)?,
            digest: ReadExt::read(buf)?,
        })
    }
}
