//! Reports, commands and the network alarm, with everybody who would misuse them.

mod common;
mod villains;

use cairn_contracts::danger::{
    Ahead, Class, DISSATISFACTION, Inputs, MAX_SATISFACTION, Model, Parameters, Road, Trip,
    TripRecord, Weather, weigh,
};
use cairn_crypto::suite::{Ristretto255, Secret};
use cairn_ledger::{Address, Genesis, PrivateKey, PublicKey, Rid, light::LightError};
use cairn_protocol::{
    THR_MS,
    danger::{
        alarm::{Alarm, CALM_MS, Fault, MAX_LAG_MS, RECOVERY_MS, Statement, StatementError},
        command::{Command, CommandError, Receiver, Refused, Terms, seal, witness},
        report::{
            Access, MAX_READERS, MAX_REFUSED, Report, ReportError, SealedReport, Voyage, open,
        },
    },
    login::Asc,
};
use common::{CHAIN, KEYS, Pair, START, rng, rsu_signer};
use commonware_cryptography::{
    Signer as _,
    bls12381::{
        dkg,
        primitives::{sharing::Mode, variant::MinSig},
    },
};
use commonware_utils::{N3f1, NZU32, ordered::Set};
use proptest::prelude::*;
use villains::{equivocator, outdated, tamperer, thief, withholder};

const CONTRACT: Address = Address([12; 20]);
const LIFE: u32 = 2_000;

const INPUTS: Inputs = Inputs {
    class: Class::Bus,
    condition: 95,
    speed_cm_s: 1_500,
    ahead: Some(Ahead {
        gap_dm: 600,
        closing_cm_s: 1_500,
    }),
    weather: Weather::Rain,
    road: Road::Wet,
};

// Reports.

struct Readers {
    operator: Secret<Ristretto255>,
    lea: Secret<Ristretto255>,
    voyage: Voyage,
}

fn readers(seed: u64) -> Readers {
    let mut rng = rng(seed);
    let (operator, lea) = (Secret::random(&mut rng), Secret::random(&mut rng));
    let access = Access::new(vec![operator.public(), lea.public()]).unwrap();
    Readers {
        operator,
        lea,
        voyage: Voyage::begin(access, &mut rng),
    }
}

fn report(time_ms: u64) -> Report {
    Report {
        time_ms,
        inputs: INPUTS,
        refused: vec![Refused::of(5, b"an old command")],
    }
}

fn sealed(readers: &Readers, time_ms: u64) -> SealedReport {
    readers.voyage.report(&report(time_ms), &mut rng(time_ms))
}

#[test]
fn readers_of_the_policy_open_a_report_and_nobody_else() {
    let readers = readers(1);
    let sealed = sealed(&readers, START);
    for reader in [&readers.operator, &readers.lea] {
        assert_eq!(open(reader, &sealed), Ok(report(START)));
    }
    let stranger = Secret::random(&mut rng(9));
    assert_eq!(open(&stranger, &sealed), Err(ReportError::Closed));
}

#[test]
fn every_trip_has_an_address_of_its_own_and_a_commitment_tells_nothing_twice() {
    assert_ne!(readers(1).voyage.trip(), readers(2).voyage.trip());
    let readers = readers(1);
    let mut rng = rng(5);
    let once = readers.voyage.report(&report(START), &mut rng);
    let again = readers.voyage.report(&report(START), &mut rng);
    assert_ne!(once.commitment, again.commitment);
}

#[test]
fn a_report_that_somebody_changed_in_the_vault_is_refused() {
    let readers = readers(1);
    let (one, other) = (sealed(&readers, START), sealed(&readers, START + 500));
    assert_eq!(
        open(&readers.operator, &tamperer::swap(&one, &other)),
        Err(ReportError::Closed)
    );
    let mut of_other_time = one.clone();
    of_other_time.time_ms += 1;
    assert_eq!(
        open(&readers.operator, &of_other_time),
        Err(ReportError::Closed)
    );
    let mut uncommitted = one.clone();
    uncommitted.commitment[0] ^= 1;
    assert_eq!(
        open(&readers.operator, &uncommitted),
        Err(ReportError::Commitment)
    );
}

#[test]
fn policies_without_readers_or_with_too_many_are_refused() {
    assert_eq!(Access::new(vec![]).err(), Some(ReportError::Readers(0)));
    let one = Secret::random(&mut rng(1)).public();
    let many = vec![one; MAX_READERS + 1];
    assert_eq!(
        Access::new(many).err(),
        Some(ReportError::Readers(MAX_READERS + 1))
    );
}

proptest! {
    #[test]
    fn any_changed_bit_of_a_report_is_refused(bit: usize) {
        let readers = readers(1);
        let sealed = tamperer::flip(&sealed(&readers, START), bit);
        // The part that is for LEA may be changed without the operator's noticing.
        if open(&readers.operator, &sealed).is_ok() {
            prop_assert!(open(&readers.lea, &sealed).is_err());
        }
    }

    #[test]
    fn no_bytes_at_all_open_or_panic(bytes in prop::collection::vec(any::<u8>(), 0..1_200)) {
        let readers = readers(1);
        let forged = SealedReport { sealed: bytes, ..sealed(&readers, START) };
        prop_assert!(open(&readers.operator, &forged).is_err());
    }
}

// Commands.

/// A vehicle on a trip with a session, and RSUs 1 to 3 that everybody knows.
struct Road3 {
    pair: Pair,
    asc: Asc,
    trip: Trip,
    receiver: Receiver,
}

fn parameters() -> Parameters {
    Parameters {
        keys: KEYS,
        life_ms: LIFE,
        witnesses: 3,
        model: Model::default(),
    }
}

fn rsu(rid: Rid) -> Option<PublicKey> {
    (1..=3)
        .contains(&rid.0)
        .then(|| rsu_signer(rid).public_key())
}

fn no_ledger(
    _: &cairn_ledger::light::LedgerProof,
) -> Result<cairn_ledger::light::Verified, LightError> {
    unreachable!("these commands carry no ledger proof")
}

fn record(reported_ms: u64, inputs: Inputs) -> TripRecord {
    TripRecord {
        reported_ms,
        commitment: [4; 32],
        inputs,
        evaluation: Model::default().evaluate(&inputs),
        satisfaction: MAX_SATISFACTION,
        rid: Rid(1),
        time_ms: reported_ms + 100,
    }
}

impl Road3 {
    fn new() -> Self {
        let mut pair = Pair::new();
        let asc = pair.log_in().asc;
        let trip = Trip([6; 20]);
        let terms = Terms {
            chain: CHAIN,
            contract: CONTRACT,
            parameters: parameters(),
        };
        let mut receiver = Receiver::new(terms, trip, Class::Bus);
        receiver.reported(START, [4; 32]);
        receiver.reported(START + 500, [4; 32]);
        Self {
            pair,
            asc,
            trip,
            receiver,
        }
    }

    /// A command that RSUs with these names signed.
    fn command(&self, record: TripRecord, rids: &[u32]) -> Command {
        let keys: Vec<_> = rids
            .iter()
            .map(|rid| (Rid(*rid), rsu_signer(Rid(*rid))))
            .collect();
        thief::forge(&CHAIN, &CONTRACT, &self.trip, record, &keys)
    }

    fn seal(&self, trip: &Trip, command: &Command) -> Vec<u8> {
        let (_, session) = self.pair.rsu.session(self.asc, self.pair.now).unwrap();
        seal(session.key(), self.asc, trip, command, &mut rng(3))
    }

    fn receive(&mut self, sealed: &[u8], now_ms: u64) -> Result<TripRecord, CommandError> {
        let (_, session) = self.pair.vehicle.session().unwrap();
        let session = (session.key(), self.asc);
        self.receiver
            .receive(session, sealed, now_ms, no_ledger, rsu)
    }

    fn told(&mut self, record: TripRecord, rids: &[u32]) -> Result<TripRecord, CommandError> {
        let sealed = self.seal(&self.trip, &self.command(record, rids));
        self.receive(&sealed, record.time_ms + 50)
    }
}

#[test]
fn a_command_of_three_rsus_is_believed() {
    let mut road = Road3::new();
    let record = record(START, INPUTS);
    assert_eq!(road.told(record, &[1, 2, 3]), Ok(record));
    assert!(road.receiver.take_refused().is_empty());
}

#[test]
fn v_cmd_1_a_forged_command_or_one_of_another_session_does_not_open() {
    let mut road = Road3::new();
    let command = road.command(record(START, INPUTS), &[1, 2, 3]);
    let mut sealed = road.seal(&road.trip, &command);
    let mut other = Pair::seeded(77);
    let asc = other.log_in().asc;
    let (_, session) = other.rsu.session(asc, other.now).unwrap();
    let foreign = seal(session.key(), asc, &road.trip, &command, &mut rng(3));
    assert_eq!(
        road.receive(&foreign, START + 150),
        Err(CommandError::Sealed)
    );
    let last = sealed.len() - 1;
    sealed[last] ^= 1;
    assert_eq!(
        road.receive(&sealed, START + 150),
        Err(CommandError::Sealed)
    );
    assert_eq!(road.receive(&[], START + 150), Err(CommandError::Sealed));
}

#[test]
fn v_cmd_2_oversized_commands_are_refused() {
    let mut road = Road3::new();
    let big = vec![0; 20_000];
    assert_eq!(road.receive(&big, START), Err(CommandError::Malformed));
}

#[test]
fn v_cmd_3_a_command_for_another_trip_is_refused() {
    let mut road = Road3::new();
    let command = road.command(record(START, INPUTS), &[1, 2, 3]);
    let sealed = road.seal(&Trip([5; 20]), &command);
    assert_eq!(
        road.receive(&sealed, START + 150),
        Err(CommandError::Foreign)
    );
}

#[test]
fn v_cmd_4_a_command_without_a_report_of_this_vehicle_is_refused() {
    let mut road = Road3::new();
    let invented = TripRecord {
        commitment: [5; 32],
        ..record(START, INPUTS)
    };
    assert_eq!(road.told(invented, &[1, 2, 3]), Err(CommandError::Invented));
    let never_made = record(START + 1, INPUTS);
    assert_eq!(
        road.told(never_made, &[1, 2, 3]),
        Err(CommandError::Invented)
    );
    let car = Inputs {
        class: Class::Car,
        ..INPUTS
    };
    assert_eq!(
        road.told(record(START, car), &[1, 2, 3]),
        Err(CommandError::Invented)
    );
}

#[test]
fn v_cmd_5_a_replayed_command_is_refused() {
    let mut road = Road3::new();
    let newer = record(START + 500, INPUTS);
    assert_eq!(road.told(newer, &[1, 2, 3]), Ok(newer));
    assert_eq!(road.told(newer, &[1, 2, 3]), Err(CommandError::Replayed));
    assert_eq!(
        road.told(record(START, INPUTS), &[1, 2, 3]),
        Err(CommandError::Replayed)
    );
}

#[test]
fn v_cmd_6_expired_and_future_commands_are_refused() {
    let mut road = Road3::new();
    let record = record(START, INPUTS);
    let sealed = road.seal(&road.trip, &road.command(record, &[1, 2, 3]));
    let over = record.time_ms + u64::from(LIFE);
    let expired = Err(CommandError::Expired(record.time_ms));
    assert_eq!(road.receive(&sealed, over), expired);
    assert_eq!(road.receive(&sealed, record.time_ms - THR_MS - 1), expired);
    assert_eq!(road.receive(&sealed, over - 1), Ok(record));
}

#[test]
fn v_cmd_7_an_action_that_the_model_does_not_give_is_refused() {
    let mut road = Road3::new();
    let calm = Inputs {
        ahead: None,
        ..INPUTS
    };
    let stop = TripRecord {
        evaluation: Model::default().evaluate(&Inputs {
            ahead: Some(Ahead {
                gap_dm: 50,
                closing_cm_s: 1_500,
            }),
            ..INPUTS
        }),
        ..record(START, calm)
    };
    assert_eq!(road.told(stop, &[1, 2, 3]), Err(CommandError::Wrong));
    // A satisfaction below its bound would raise any danger.
    let model = Model::default();
    let hopeless = TripRecord {
        evaluation: model.conclude(&INPUTS, weigh(model.danger(&INPUTS), 0)),
        satisfaction: 0,
        ..record(START, INPUTS)
    };
    assert_eq!(road.told(hopeless, &[1, 2, 3]), Err(CommandError::Wrong));
    let low = MAX_SATISFACTION - DISSATISFACTION;
    let weighed = TripRecord {
        evaluation: model.conclude(&INPUTS, weigh(model.danger(&INPUTS), low)),
        satisfaction: low,
        ..record(START, INPUTS)
    };
    assert_eq!(road.told(weighed, &[1, 2, 3]), Ok(weighed));
}

/// Two liars (f_r), one of them counted twice, one stranger: never three.
#[test]
fn v_cmd_8_f_r_lying_rsus_are_not_believed() {
    let mut road = Road3::new();
    let record = record(START, INPUTS);
    for (rids, got) in [
        (&[1, 2][..], 2),
        (&[1, 1, 1, 2], 2),
        (&[1, 2, 9], 2),
        (&[], 0),
    ] {
        let expected = Err(CommandError::Witnesses { expected: 3, got });
        assert_eq!(road.told(record, rids), expected, "{rids:?}");
    }
    // Nor does a signature for another chain, contract or record count.
    let signed = witness(&CHAIN, &KEYS, &road.trip, &record, &rsu_signer(Rid(3)));
    let Command::Witnessed {
        record,
        mut witnesses,
    } = road.command(record, &[1, 2])
    else {
        unreachable!("made so above");
    };
    witnesses.push((Rid(3), signed));
    let sealed = road.seal(&road.trip, &Command::Witnessed { record, witnesses });
    let refused = Err(CommandError::Witnesses {
        expected: 3,
        got: 2,
    });
    assert_eq!(road.receive(&sealed, START + 150), refused);
}

#[test]
fn refused_commands_are_noted_for_the_next_report_and_the_notes_are_bounded() {
    let mut road = Road3::new();
    for _ in 0..2 * MAX_REFUSED {
        let _ = road.receive(b"nonsense", START);
    }
    let refused = road.receiver.take_refused();
    assert_eq!(refused.len(), MAX_REFUSED);
    assert_eq!(refused[0], Refused::of(1, b"nonsense"));
    assert!(road.receiver.take_refused().is_empty());
    road.receiver.contradicted(b"an obstacle that is not there");
    assert_eq!(road.receiver.take_refused()[0].rule, 0);
}

// The network alarm.

fn validator(number: u64) -> PrivateKey {
    PrivateKey::from_seed(number)
}

/// A chain of four, which tolerates one liar.
fn genesis() -> Genesis {
    let validators: Vec<_> = (0..4)
        .map(|number| validator(number).public_key())
        .collect();
    let (sharing, _) = dkg::feldman_desmedt::deal_anonymous::<MinSig, N3f1>(
        &mut rng(4),
        Mode::NonZeroCounter,
        NZU32!(4),
    );
    Genesis {
        name: "four".into(),
        validators: Set::try_from(validators).unwrap(),
        sharing,
        ta: validator(10).public_key(),
        lea: validator(11).public_key(),
        time_ms: START,
    }
}

fn listener() -> (Genesis, Alarm) {
    let genesis = genesis();
    let mut alarm = Alarm::new(&genesis);
    assert_eq!(alarm.threshold(), 2);
    alarm.certified(7, [7; 32], START, START);
    alarm.certified(8, [8; 32], START + 1_000, START + 1_000);
    (genesis, alarm)
}

#[test]
fn honest_statements_are_no_faults() {
    let (genesis, mut alarm) = listener();
    for number in 0..4 {
        for (height, time_ms) in [(7, START + 500), (8, START + 1_000), (9, START + 2_000)] {
            let digest = [u8::try_from(height).unwrap(); 32];
            let statement = Statement {
                height,
                digest,
                time_ms,
            };
            let signed = statement.sign(&genesis.chain_id(), &validator(number));
            assert_eq!(alarm.hear(&signed, START + 2_000), Ok(None));
        }
    }
    assert_eq!((alarm.trust(START + 2_000), alarm.faults().len()), (100, 0));
}

#[test]
fn f_c_lying_validators_do_not_raise_the_alarm_whatever_they_say() {
    let (genesis, mut alarm) = listener();
    let chain = genesis.chain_id();
    let liar = validator(0);
    let now = START + 60_000;
    let mut lies = equivocator::equivocate(&chain, &liar, 9, now).to_vec();
    lies.extend(equivocator::equivocate(&chain, &liar, 8, now));
    lies.push(outdated::outdated(&chain, &liar, (7, [7; 32]), now));
    for lie in &lies {
        alarm.hear(lie, now).unwrap();
    }
    assert_eq!(alarm.faults().len(), 1, "logged");
    assert!(!alarm.is_raised(now));
}

#[test]
fn f_c_plus_one_lying_validators_raise_it_each_in_its_own_way() {
    let (genesis, mut alarm) = listener();
    let chain = genesis.chain_id();
    let now = START + 60_000;
    let old = outdated::outdated(&chain, &validator(0), (7, [7; 32]), now);
    assert_eq!(alarm.hear(&old, now), Ok(Some(Fault::Stale(old.clone()))));
    assert!(!alarm.is_raised(now));
    let [one, other] = equivocator::equivocate(&chain, &validator(1), 9, now);
    assert_eq!(alarm.hear(&one, now), Ok(None));
    let both = Fault::Equivocation(Box::new([one, other.clone()]));
    assert_eq!(alarm.hear(&other, now), Ok(Some(both)));
    assert!(alarm.is_raised(now));
    assert_eq!(alarm.trust(now), 0);
}

#[test]
fn a_fork_is_found_before_and_after_the_certificate() {
    let (genesis, mut alarm) = listener();
    let chain = genesis.chain_id();
    let now = START + 3_000;
    let [early, _] = equivocator::equivocate(&chain, &validator(0), 9, now);
    assert_eq!(alarm.hear(&early, now), Ok(None));
    alarm.certified(9, [9; 32], now, now);
    assert!(matches!(
        alarm.faults().values().next(),
        Some(Fault::Fork(_))
    ));
    let [late, _] = equivocator::equivocate(&chain, &validator(1), 9, now);
    assert_eq!(alarm.hear(&late, now), Ok(Some(Fault::Fork(late.clone()))));
    assert!(alarm.is_raised(now));
}

#[test]
fn two_certificates_of_one_height_raise_it_at_once() {
    let (_, mut alarm) = listener();
    alarm.certified(8, [9; 32], START + 1_000, START + 1_500);
    assert!(alarm.is_raised(START + 1_500));
}

#[test]
fn slow_validators_and_withheld_votes_are_no_contradiction() {
    let (genesis, mut alarm) = listener();
    let now = START + 1_000 + MAX_LAG_MS;
    let slow = outdated::outdated(&genesis.chain_id(), &validator(0), (7, [7; 32]), now);
    assert_eq!(alarm.hear(&slow, now), Ok(None));
    for said in &withholder::withhold() {
        alarm.hear(said, now).unwrap();
    }
    assert_eq!(alarm.trust(now), 100);
}

#[test]
fn v_alarm_strangers_forgeries_and_statements_from_the_future_say_nothing() {
    let (genesis, mut alarm) = listener();
    let chain = genesis.chain_id();
    let [stranger, _] = equivocator::equivocate(&chain, &validator(9), 8, START);
    assert_eq!(alarm.hear(&stranger, START), Err(StatementError::Stranger));
    let [mut framed, _] = equivocator::equivocate(&chain, &validator(9), 8, START);
    framed.validator = validator(0).public_key();
    assert_eq!(alarm.hear(&framed, START), Err(StatementError::Signature));
    let [elsewhere, _] = equivocator::equivocate(&CHAIN, &validator(0), 8, START);
    assert_eq!(
        alarm.hear(&elsewhere, START),
        Err(StatementError::Signature)
    );
    let ahead = START + THR_MS + 1;
    let [early, _] = equivocator::equivocate(&chain, &validator(0), 8, ahead);
    assert_eq!(
        alarm.hear(&early, START),
        Err(StatementError::Future(THR_MS + 1))
    );
    assert!(alarm.faults().is_empty());
}

#[test]
fn trust_stays_low_for_a_while_then_returns_step_by_step_and_no_further() {
    let (genesis, mut alarm) = listener();
    let now = START + 2_000;
    for number in 0..2 {
        let [lie, _] = equivocator::equivocate(&genesis.chain_id(), &validator(number), 8, now);
        alarm.hear(&lie, now).unwrap();
    }
    assert_eq!(alarm.trust(now + CALM_MS), 0);
    assert_eq!(alarm.trust(now + CALM_MS + 30 * RECOVERY_MS), 30);
    assert!(alarm.is_raised(now + CALM_MS + 99 * RECOVERY_MS));
    assert_eq!(alarm.trust(now + CALM_MS + 500 * RECOVERY_MS), 100);
    assert!(!alarm.is_raised(now + CALM_MS + 100 * RECOVERY_MS));
    assert_eq!(alarm.faults().len(), 2, "evidence is kept");
}
