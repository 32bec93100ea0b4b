//! The rules of contract `misbehaviour`, on a ledger without a chain.

mod common;

use cairn_contracts::{
    keys::{Operation, RsuRecord},
    misbehaviour::{
        self, Kind, MAX_VOTERS, MAX_VOTES, Parameters, Signer, SubjectRecord, Vote, VoteRecord,
    },
};
use cairn_ledger::{Action, Address, Position, PrivateKey, Refusal, Rid, Uid};
use common::{NOW, World, YEAR};
use commonware_codec::Encode as _;
use commonware_cryptography::Signer as _;
use proptest::prelude::*;

const LIFE: u64 = 900_000;
const REACH_CM: u32 = 51_000;
/// Where the accused vehicles say they are.
const CLAIM: Position = Position { x_cm: 0, y_cm: 0 };
const SUBJECT: Signer = Signer::Registered(Uid([9; 8]));
/// The two credentials of a vehicle that are valid at the time.
const CREDENTIALS: [Signer; 2] = [Signer::Anonymous([1; 9]), Signer::Anonymous([2; 9])];

/// RSUs 1 to 6 stand around the claim, 300 m apart at most; 7 stands 5 km away.
const NEAR: u32 = 6;
const FAR: Rid = Rid(7);

/// Registered RSUs and an instance of `misbehaviour` with f_r = 2.
struct Road {
    world: World,
    contract: Address,
    nonce: u64,
}

fn signer(rid: Rid) -> PrivateKey {
    PrivateKey::from_seed(100 + u64::from(rid.0))
}

fn record(rid: Rid) -> RsuRecord {
    let x_cm = if rid == FAR {
        500_000
    } else {
        5_000 * i32::try_from(rid.0).unwrap()
    };
    RsuRecord {
        key: signer(rid).public_key(),
        position: Position { x_cm, y_cm: 0 },
        valid_from_ms: NOW,
        valid_until_ms: NOW + YEAR,
        revoked_ms: None,
    }
}

fn parameters(keys: Address) -> Parameters {
    Parameters {
        keys,
        threshold: 3,
        reach_cm: REACH_CM,
        max_speed_cm_s: 4_000,
        life_ms: LIFE,
    }
}

fn vote() -> Vote {
    Vote {
        subject: SUBJECT,
        kind: Kind::Implausible,
        position: CLAIM,
        evidence: [7; 32],
    }
}

/// A vote that says the claim is out of reach.
fn elsewhere() -> Vote {
    Vote {
        kind: Kind::Elsewhere,
        position: Position {
            x_cm: 2_000_000,
            y_cm: 0,
        },
        ..vote()
    }
}

impl Road {
    fn new() -> Self {
        let mut world = World::new();
        let register = |rid| Operation::RegisterRsu(rid, record(rid));
        let operations: Vec<_> = (1..=FAR.0).map(Rid).map(register).collect();
        assert_eq!(world.apply(&operations), Ok(()));
        let ta = world.ta.public_key();
        let deploy = misbehaviour::deploy(40, NOW, &ta, &parameters(world.contract));
        let deploy = deploy.sign(&world.genesis.chain_id(), &[&world.ta]);
        assert_eq!(world.run(&deploy), Ok(()));
        Self {
            contract: Address::of_instance(&ta, 40),
            world,
            nonce: 0,
        }
    }

    fn signed_by(
        &mut self,
        key: &PrivateKey,
        rid: Rid,
        votes: &[Vote],
    ) -> cairn_ledger::SignedTransaction {
        self.nonce += 1;
        let keys = self.world.contract;
        let until = NOW + YEAR;
        let call = misbehaviour::call(self.nonce, until, self.contract, keys, rid, votes);
        call.sign(&self.world.genesis.chain_id(), &[key])
    }

    fn cast_at(&mut self, time_ms: u64, rid: u32, votes: &[Vote]) -> Result<(), Refusal> {
        let signed = self.signed_by(&signer(Rid(rid)), Rid(rid), votes);
        self.world.run_at(time_ms, &[signed])[0]
    }

    fn cast(&mut self, rid: u32, votes: &[Vote]) -> Result<(), Refusal> {
        self.cast_at(NOW, rid, votes)
    }

    fn subject(&self) -> SubjectRecord {
        self.record_of(&SUBJECT)
    }

    fn record_of(&self, signer: &Signer) -> SubjectRecord {
        let key = misbehaviour::subject_key(&self.contract, signer);
        let record = self.world.state.get(&key);
        record.map_or_else(SubjectRecord::default, |record| record.decode_as().unwrap())
    }

    fn voters(&self) -> Vec<u32> {
        let voters = self.subject().voters;
        voters.iter().map(|voter| voter.rid.0).collect()
    }

    fn requested(&self) -> Option<u64> {
        self.subject().requested_ms
    }

    fn vote_of(&self, rid: u32) -> Option<VoteRecord> {
        let key = misbehaviour::vote_key(&self.contract, &SUBJECT, Rid(rid));
        Some(self.world.state.get(&key)?.decode_as().unwrap())
    }
}

#[test]
fn three_rsus_request_a_revocation_and_the_record_shows_who() {
    let mut road = Road::new();
    for (rid, requested) in [(4, None), (1, None), (6, Some(NOW))] {
        assert_eq!(road.cast(rid, &[vote()]), Ok(()));
        assert_eq!(road.requested(), requested);
    }
    assert_eq!(road.voters(), [4, 1, 6]);
    let voted = VoteRecord {
        kind: Kind::Implausible,
        position: CLAIM,
        evidence: [7; 32],
        time_ms: NOW,
    };
    assert_eq!(road.vote_of(6), Some(voted));
    assert_eq!(road.vote_of(2), None);

    // Others join until the record is full; the request stays as old as it is.
    for rid in [2, 4, 3, 5] {
        assert_eq!(road.cast_at(NOW + 1_000, rid, &[vote()]), Ok(()));
    }
    assert_eq!(
        (road.requested(), road.voters()),
        (Some(NOW), vec![4, 1, 6, 2, 3])
    );
    assert_eq!(road.vote_of(5), None);
}

#[test]
fn two_liars_are_never_enough_whatever_they_repeat() {
    let mut road = Road::new();
    for second in 0..200 {
        let rid = 1 + u32::from(second % 2 == 0);
        let votes = [vote(), elsewhere(), vote()];
        assert_eq!(road.cast_at(NOW + 10_000 * second, rid, &votes), Ok(()));
        assert_eq!(road.requested(), None);
    }
    assert!(road.voters().len() <= 2);
}

#[test]
fn a_second_vote_of_an_rsu_counts_and_changes_nothing() {
    let mut road = Road::new();
    assert_eq!(road.cast(1, &[vote(), vote()]), Ok(()));
    let other = Vote {
        evidence: [8; 32],
        ..vote()
    };
    assert_eq!(road.cast_at(NOW + LIFE - 1, 1, &[other]), Ok(()));
    assert_eq!(road.voters(), [1]);
    assert_eq!(road.vote_of(1).unwrap().evidence, [7; 32]);
    // When the first is over, the second stands.
    assert_eq!(road.cast_at(NOW + LIFE, 1, &[other]), Ok(()));
    assert_eq!(road.vote_of(1).unwrap().evidence, [8; 32]);
    assert_eq!(road.voters(), [1]);
}

#[test]
fn votes_against_two_credentials_do_not_add_up() {
    let mut road = Road::new();
    let [one, other] = CREDENTIALS.map(|subject| Vote { subject, ..vote() });
    assert_eq!(road.cast(1, &[one, one, other]), Ok(()));
    assert_eq!(road.cast(2, &[one]), Ok(()));
    assert_eq!(road.cast(3, &[other]), Ok(()));
    let voters = |road: &Road, signer: &Signer| road.record_of(signer).voters.len();
    assert_eq!(CREDENTIALS.map(|signer| voters(&road, &signer)), [2, 2]);
    assert_eq!(road.cast(1, &[one]), Ok(()), "of RSU 1 it counts once");
    assert_eq!(road.record_of(&CREDENTIALS[0]).requested_ms, None);
    assert_eq!(road.cast(4, &[one]), Ok(()));
    let requested = |signer: Signer| road.record_of(&signer).requested_ms;
    assert_eq!(CREDENTIALS.map(requested), [Some(NOW), None]);
    // A UID is not a linkage value that begins alike.
    let mut value = [0; 9];
    value[1..].copy_from_slice(&[9; 8]);
    assert_ne!(
        misbehaviour::subject_key(&road.contract, &Signer::Anonymous(value)),
        misbehaviour::subject_key(&road.contract, &SUBJECT)
    );
}

#[test]
fn votes_and_requests_expire() {
    let mut road = Road::new();
    assert_eq!(road.cast(1, &[vote()]), Ok(()));
    assert_eq!(road.cast_at(NOW + 1, 2, &[vote()]), Ok(()));
    assert_eq!(road.cast_at(NOW + LIFE, 3, &[vote()]), Ok(()));
    assert_eq!((road.requested(), road.voters()), (None, vec![2, 3]));
    assert_eq!(road.cast_at(NOW + LIFE, 4, &[vote()]), Ok(()));
    let requested_ms = NOW + LIFE;
    assert_eq!(road.requested(), Some(requested_ms));

    let parameters = parameters(road.world.contract);
    let stands = |time_ms| road.subject().is_requested(&parameters, time_ms);
    assert!(stands(requested_ms + LIFE - 1));
    assert!(!stands(requested_ms + LIFE));
    assert_eq!(road.cast_at(requested_ms + LIFE, 5, &[vote()]), Ok(()));
    assert_eq!((road.requested(), road.voters()), (None, vec![5]));
}

#[test]
fn an_rsu_too_far_from_the_claim_is_refused() {
    let mut road = Road::new();
    assert_eq!(road.cast(FAR.0, &[vote()]), Err(Refusal::OutOfReach));
    let at = |x_cm| Vote {
        position: Position { x_cm, y_cm: 0 },
        ..vote()
    };
    let reach = i32::try_from(REACH_CM).unwrap();
    assert_eq!(road.cast(1, &[at(5_000 + reach)]), Ok(()));
    assert_eq!(
        road.cast(2, &[at(10_000 + reach + 1)]),
        Err(Refusal::OutOfReach)
    );
}

#[test]
fn rsus_that_cannot_have_heard_one_sender_do_not_count_together() {
    let mut road = Road::new();
    assert_eq!(road.cast(FAR.0, &[elsewhere()]), Ok(()));
    assert_eq!(road.cast(1, &[elsewhere()]), Ok(()));
    assert_eq!(road.cast(2, &[vote()]), Ok(()));
    assert_eq!(road.requested(), None, "5 km apart at one time");
    // The far one does not keep the others from counting.
    assert_eq!(road.cast(3, &[vote()]), Ok(()));
    assert_eq!(
        (road.requested(), road.voters()),
        (Some(NOW), vec![1, 2, 3])
    );

    // A vehicle may have driven there meanwhile: 3.9 km in 98 s.
    let mut road = Road::new();
    assert_eq!(road.cast(1, &[elsewhere()]), Ok(()));
    assert_eq!(road.cast(2, &[elsewhere()]), Ok(()));
    assert_eq!(road.cast_at(NOW + 99_000, FAR.0, &[elsewhere()]), Ok(()));
    assert_eq!(road.requested(), Some(NOW + 99_000));
}

#[test]
fn liars_cannot_fill_the_record() {
    let mut road = Road::new();
    let far = Rid(8);
    let other = RsuRecord {
        position: Position {
            x_cm: -500_000,
            y_cm: 0,
        },
        ..record(far)
    };
    let operation = Operation::RegisterRsu(far, other);
    assert_eq!(road.world.apply(&[operation]), Ok(()));
    assert_eq!(road.cast(FAR.0, &[elsewhere()]), Ok(()));
    assert_eq!(road.cast(far.0, &[elsewhere()]), Ok(()));
    for rid in 1..=3 {
        assert_eq!(road.cast(rid, &[vote()]), Ok(()));
    }
    assert_eq!(
        (road.requested(), road.voters()),
        (Some(NOW), vec![1, 2, 3])
    );
}

#[test]
fn only_registered_rsus_with_valid_keys_vote() {
    let mut road = Road::new();
    let stranger = signer(Rid(99));
    assert_eq!(road.cast(99, &[vote()]), Err(Refusal::NotRegistered));
    let forged = road.signed_by(&stranger, Rid(1), &[vote()]);
    assert_eq!(road.world.run(&forged), Err(Refusal::MissingRsuSignature));
    assert_eq!(
        road.cast_at(NOW + YEAR, 1, &[vote()]),
        Err(Refusal::InvalidPeriod)
    );
    assert_eq!(road.world.apply(&[Operation::RevokeRsu(Rid(1))]), Ok(()));
    assert_eq!(road.cast(1, &[vote()]), Err(Refusal::AlreadyRevoked));
    assert_eq!(road.subject(), SubjectRecord::default());
}

#[test]
fn malformed_and_oversized_calls_are_refused() {
    let mut road = Road::new();
    let none: [Vote; 0] = [];
    assert_eq!(road.cast(1, &none), Err(Refusal::MalformedPayload));
    let many: Vec<Vote> = (0..=MAX_VOTES)
        .map(|number| Vote {
            subject: Signer::Registered(Uid((number as u64).to_be_bytes())),
            ..vote()
        })
        .collect();
    assert_eq!(road.cast(1, &many), Err(Refusal::MalformedPayload));
    assert_eq!(road.cast(1, &many[1..]), Ok(()));

    let keys = road.world.contract;
    // A kind of vote and two kinds of signer that do not exist.
    for (nonce, place) in [(90, 4 + 1 + 10), (91, 4 + 1), (92, 4 + 1 + 1)] {
        let mut call = misbehaviour::call(nonce, NOW, road.contract, keys, Rid(1), &[vote()]);
        if let Action::Call { payload, .. } = &mut call.action {
            let mut bytes = payload.to_vec();
            bytes[place] = 9;
            *payload = bytes.into();
        }
        let signed = call.sign(&road.world.genesis.chain_id(), &[&signer(Rid(1))]);
        assert_eq!(road.world.run(&signed), Err(Refusal::MalformedPayload));
    }
}

#[test]
fn thresholds_outside_the_record_are_not_deployed() {
    let mut road = Road::new();
    for threshold in [0, 6, 255] {
        let ta = road.world.ta.public_key();
        let parameters = Parameters {
            threshold,
            ..parameters(road.world.contract)
        };
        road.nonce += 1;
        let deploy = misbehaviour::deploy(50 + road.nonce, NOW, &ta, &parameters);
        let deploy = deploy.sign(&road.world.genesis.chain_id(), &[&road.world.ta]);
        assert_eq!(road.world.run(&deploy), Err(Refusal::MalformedPayload));
    }
}

#[test]
fn encodings_are_as_recorded() {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let evidence = "07".repeat(32);
    assert_eq!(
        hex(&vote().encode()),
        format!("00000909090909090909020000000000000000{evidence}")
    );
    assert_eq!(hex(&CREDENTIALS[0].encode()), "01010101010101010101");
    let mut road = Road::new();
    assert_eq!(road.cast(2, &[vote()]), Ok(()));
    let time = hex(&NOW.to_be_bytes());
    assert_eq!(
        hex(&road.vote_of(2).unwrap().encode()),
        format!("020000000000000000{evidence}{time}")
    );
    assert_eq!(
        hex(&road.subject().encode()),
        format!("0001000000020000271000000000{time}")
    );
}

proptest! {
    /// Two liars vote as they like, against a vehicle whom nobody else votes against.
    #[test]
    fn b10_f_r_liars_never_bring_about_a_request(
        liars in prop::sample::subsequence((1..=NEAR).collect::<Vec<_>>(), 2),
        votes in prop::collection::vec((0usize..2, any::<bool>(), 0..3 * LIFE), 1..30),
    ) {
        let mut road = Road::new();
        let mut votes = votes;
        votes.sort_by_key(|(_, _, offset_ms)| *offset_ms);
        for (liar, is_elsewhere, offset_ms) in votes {
            let vote = if is_elsewhere { elsewhere() } else { vote() };
            prop_assert_eq!(road.cast_at(NOW + offset_ms, liars[liar], &[vote]), Ok(()));
            prop_assert_eq!(road.requested(), None);
        }
    }

    /// Whatever is cast, the record names different RSUs, all of which voted.
    #[test]
    fn a_request_names_enough_different_rsus(
        votes in prop::collection::vec((1..=FAR.0, 0..2 * LIFE), 1..40),
    ) {
        let mut road = Road::new();
        let mut votes = votes;
        votes.sort_by_key(|(_, offset_ms)| *offset_ms);
        for (rid, offset_ms) in votes {
            prop_assert_eq!(road.cast_at(NOW + offset_ms, rid, &[elsewhere()]), Ok(()));
            let mut voters = road.voters();
            prop_assert!(voters.len() <= MAX_VOTERS);
            prop_assert!(road.requested().is_none() || voters.len() >= 3);
            prop_assert!(voters.iter().all(|rid| road.vote_of(*rid).is_some()));
            voters.sort_unstable();
            voters.dedup();
            prop_assert_eq!(voters.len(), road.voters().len());
        }
    }
}
