//! Contract `danger`: how dangerous it is where a vehicle drives, and what it should do (paper
//! 004, algorithms 1 to 3; PROTOCOLS.md section 11).
//!
//! 1. A vehicle takes an address for one trip ([`Trip`]). It reports to the RSU; the report lies sealed in
//!    the vault, and only its data id `H(address ‖ T)` and a commitment come here.
//! 2. The operator of the RSU evaluates: what the vehicle says of itself with what is known of the
//!    road ahead ([`Inputs`]) gives a danger value ([`evaluation`]). A call carries a batch of
//!    reports with inputs and results.
//! 3. Every validator computes each result again from its inputs and the model that the contract was
//!    deployed with. One wrong result, and the batch is refused.
//! 4. The result is weighed with the trip's satisfaction J (below) and kept as the trip's record,
//!    from which the vehicle proves what it is told ([`TripRecord`]).
//!
//! | part | rule |
//! |---|---|
//! | call | D-1 signed by the RSU that it names, whose registered key is valid now |
//! | report | D-2 its time is within [`MAX_AGE_MS`] of block time |
//! | report | D-3 it is newer than the trip's last one, so a data id is used once |
//! | result | D-4 it is what the model makes of the inputs |
//! | deployment | D-5 the model is sound ([`Model::is_sound`]) |
//!
//! **Satisfaction J** (paper 004, equation 1): how well commands have worked on this trip, in percent.
//! It begins at [`MAX_SATISFACTION`]. When the trip was told to do something and its danger did not
//! fall, J falls by [`DISSATISFACTION`]; else it rises by [`RECOVERY`]. It stays within
//! [`MIN_SATISFACTION`] to 100 and forgets by itself, when a trip is silent for the life of a
//! command. The kept danger is `min(100, R·(200 − J)/100)`: bad experience makes the next round more
//! careful, at most by half; good experience never makes it careless. The steps and bounds are ours.

mod codec;
pub mod evaluation;

use crate::{
    encoding::{newtype, record},
    keys,
};
use cairn_ledger::{
    Access, Action as LedgerAction, Address, LocalKey, PublicKey, Record, Refusal, Rid, StateKey,
    Transaction,
    contract::{Call, Contract, deployment, parameters_key},
    hash,
};
use commonware_codec::{Copying, Decode as _, Encode as _, RangeCfg};
pub use evaluation::{
    Action, Ahead, Class, Danger, Evaluation, Factors, Inputs, MAX_DANGER, MAX_SPEED_CM_S, Model,
    Road, State, Weather,
};

/// The contract's name.
pub const NAME: &str = "danger";

/// The contract's version.
pub const VERSION: u16 = 1;

/// The most reports of a call: 18 KB, and two records each.
pub const MAX_REPORTS: usize = 256;

/// How far a report's time may be from block time, in milliseconds (D-2): what a message may be old,
/// and as much again for the way through the mempool.
pub const MAX_AGE_MS: u64 = 4_000;

/// J at the beginning, and its upper bound, in percent.
pub const MAX_SATISFACTION: u8 = 100;

/// The lower bound of J, in percent.
pub const MIN_SATISFACTION: u8 = 50;

/// What J loses by a command that did not help.
pub const DISSATISFACTION: u8 = 10;

/// What J gains by every other evaluation.
pub const RECOVERY: u8 = 5;

const TAG_TRIP: u8 = b't';
const TAG_DATA: u8 = b'd';

/// An address for one trip: 20 random bytes, drawn by the vehicle at its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trip(pub [u8; 20]);

newtype!(Trip([u8; 20]));

/// Names a report: 32 bytes, `H(address ‖ T)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataId(pub [u8; 32]);

impl Trip {
    /// The id of the report that this trip made at `time_ms`.
    #[must_use]
    pub fn data_id(&self, time_ms: u64) -> DataId {
        let time = time_ms.to_be_bytes();
        DataId(hash(b"cairn/1/danger/data-id", &[&self.0, &time]))
    }
}

record! {
    /// One report, evaluated.
    #[derive(Copy)]
    Report {
        /// Whose.
        trip: Trip,
        /// When the vehicle made it, in milliseconds since 1970.
        time_ms: u64,
        /// The vehicle's commitment to its content.
        commitment: [u8; 32],
        /// What it was evaluated from.
        inputs: Inputs,
        /// What came of it: `R`.
        danger: Danger,
    }
}

record! {
    /// What the ledger holds of a report.
    #[derive(Copy)]
    DataRecord {
        /// The vehicle's commitment to its content.
        commitment: [u8; 32],
        /// Who recorded it.
        rid: Rid,
        /// Block time, in milliseconds.
        time_ms: u64,
    }
}

record! {
    /// What the ledger holds of a trip: its last report, and what follows from it.
    #[derive(Copy)]
    TripRecord {
        /// When the vehicle made the report, in milliseconds since 1970.
        reported_ms: u64,
        /// The vehicle's commitment to the report.
        commitment: [u8; 32],
        /// What was evaluated.
        inputs: Inputs,
        /// Danger, state and action.
        evaluation: Evaluation,
        /// J after this report, in percent.
        satisfaction: u8,
        /// Whose evaluator it was.
        rid: Rid,
        /// Block time, in milliseconds.
        time_ms: u64,
    }
}

/// What contract `danger` is deployed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The instance of contract `keys` that knows the RSUs.
    pub keys: Address,
    /// How long a command stands after its block, in milliseconds.
    pub life_ms: u32,
    /// RSUs that can tell a vehicle something without the ledger: f_r + 1.
    pub witnesses: u8,
    /// Weights, bands and physics.
    pub model: Model,
}

/// The state key of a trip's record in the instance at `contract`.
#[must_use]
pub fn trip_key(contract: &Address, trip: &Trip) -> StateKey {
    StateKey::new(contract, trip_local_key(trip).as_bytes())
}

/// The state key of a report's record in the instance at `contract`.
#[must_use]
pub fn data_key(contract: &Address, data: &DataId) -> StateKey {
    StateKey::new(contract, data_local_key(data).as_bytes())
}

fn trip_local_key(trip: &Trip) -> LocalKey {
    LocalKey::new(TAG_TRIP, &trip.0).expect("21 bytes fit")
}

fn data_local_key(data: &DataId) -> LocalKey {
    LocalKey::new(TAG_DATA, &data.0).expect("33 bytes fit")
}

/// A transaction that deploys `danger`.
#[must_use]
pub fn deploy(
    nonce: u64,
    expires_ms: u64,
    deployer: &PublicKey,
    parameters: &Parameters,
) -> Transaction {
    let code = (NAME, VERSION);
    deployment(nonce, expires_ms, deployer, code, parameters.encode())
}

/// A transaction in which the RSU `rid` records `reports` with the instance at `contract`, which
/// knows RSUs by the instance of `keys` at `keys`.
#[must_use]
pub fn call(
    nonce: u64,
    expires_ms: u64,
    contract: Address,
    keys: Address,
    rid: Rid,
    reports: &[Report],
) -> Transaction {
    let touched = reports.iter().flat_map(|report| {
        let data = report.trip.data_id(report.time_ms);
        [trip_local_key(&report.trip), data_local_key(&data)]
    });
    Transaction {
        nonce,
        expires_ms,
        access: vec![
            Access {
                contract,
                keys: core::iter::once(parameters_key()).chain(touched).collect(),
            },
            Access {
                contract: keys,
                keys: vec![keys::rsu_local_key(rid)],
            },
        ],
        action: LedgerAction::Call {
            contract,
            payload: (rid, reports.to_vec()).encode(),
        },
    }
}

/// J after an evaluation that follows `earlier`.
#[must_use]
pub fn satisfaction(
    earlier: Option<&TripRecord>,
    danger: Danger,
    time_ms: u64,
    life_ms: u32,
) -> u8 {
    let stands = |record: &&TripRecord| time_ms.saturating_sub(record.time_ms) < u64::from(life_ms);
    let Some(earlier) = earlier.filter(stands) else {
        return MAX_SATISFACTION;
    };
    let was_told = earlier.evaluation.action != Action::Keep;
    if was_told && danger >= earlier.evaluation.danger {
        let less = earlier.satisfaction.saturating_sub(DISSATISFACTION);
        less.max(MIN_SATISFACTION)
    } else {
        (earlier.satisfaction + RECOVERY).min(MAX_SATISFACTION)
    }
}

/// `R`, weighed with J.
#[must_use]
pub fn weigh(danger: Danger, satisfaction: u8) -> Danger {
    let weight = 200 - u32::from(satisfaction.min(MAX_SATISFACTION));
    let weighed = (u32::from(danger.0) * weight / 100).min(u32::from(MAX_DANGER.0));
    Danger(u16::try_from(weighed).expect("at most 10,000"))
}

/// The contract's code.
pub struct DangerContract;

impl Contract for DangerContract {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u16 {
        VERSION
    }

    fn interface(&self) -> &'static str {
        include_str!("danger.schema.json")
    }

    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal> {
        call.keep_parameters::<Parameters>(parameters)
    }

    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal> {
        let limits = ((), (RangeCfg::from(1..=MAX_REPORTS), ()));
        let (rid, reports) = <(Rid, Vec<Report>)>::decode_cfg(Copying(payload), &limits)
            .map_err(|_| Refusal::MalformedPayload)?;
        let parameters: Parameters = call.parameters()?;
        keys::signing_rsu(call, &parameters.keys, rid)?;
        reports
            .iter()
            .try_for_each(|report| record(call, &parameters, rid, report))
    }
}

/// D-2 to D-4.
fn record(
    call: &mut Call<'_>,
    parameters: &Parameters,
    rid: Rid,
    report: &Report,
) -> Result<(), Refusal> {
    let time_ms = call.time_ms;
    if time_ms.abs_diff(report.time_ms) > MAX_AGE_MS {
        return Err(Refusal::Deadline);
    }
    let key = trip_local_key(&report.trip);
    let earlier: Option<TripRecord> = call.own(&key)?;
    if earlier.is_some_and(|earlier| report.time_ms <= earlier.reported_ms) {
        return Err(Refusal::AlreadyRegistered);
    }
    let model = &parameters.model;
    if model.danger(&report.inputs) != report.danger {
        return Err(Refusal::InvalidProof);
    }
    let satisfaction = satisfaction(earlier.as_ref(), report.danger, time_ms, parameters.life_ms);
    let record = TripRecord {
        reported_ms: report.time_ms,
        commitment: report.commitment,
        inputs: report.inputs,
        evaluation: model.conclude(&report.inputs, weigh(report.danger, satisfaction)),
        satisfaction,
        rid,
        time_ms,
    };
    let data = DataRecord {
        commitment: report.commitment,
        rid,
        time_ms,
    };
    let data_key = data_local_key(&report.trip.data_id(report.time_ms));
    call.set(&data_key, Some(Record::of(&data)))?;
    call.set(&key, Some(Record::of(&record)))
}
