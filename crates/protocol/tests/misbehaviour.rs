//! From position messages to a revocation: RSUs that witness and vote, TA and LEA that look at the
//! evidence, and RSUs that lie.

mod common;

use std::collections::HashMap;

use cairn_contracts::{
    credentials::{RequestRecord, request_key},
    keys::{RsuRecord, rsu_key, vehicle_key},
    misbehaviour::{
        Kind, Parameters, Signer, SubjectRecord, Vote, VoteRecord, Voter, parameters_state_key,
        subject_key, vote_key,
    },
};
use cairn_crypto::{linkage::LinkageValue, schnorr::SecretKey, seal::RegisterKey};
use cairn_ledger::{Address, Position, PrivateKey, Record, Rid, StateKey, Uid, light::Verified};
use cairn_protocol::{
    authority::{
        Application, Identification, Registrar, ReviewError, Reviewer,
        misbehaviour::{Fault, Justified, NotJustified, Request, RequestError},
    },
    evidence::{Evidence, EvidenceError, Grounds, Heard, MAX_MESSAGES},
    issuing::trace::{TraceError, Warrant},
    plausibility::{Bounds, Class},
    position::{Motion, PositionError, Speaker},
    roadside::Issuers,
    service::{Cell, Contradiction, MAX_CLAIMS, Testimony, TestimonyError},
    witness::{CONTEXT, MAX_SUSPECTS, Passed, Stand, Witness},
};
use common::{CHAIN, DAY, KEYS, START, UID, issuing::Office, rng, vehicle_record, vehicle_secret};
use commonware_codec::{DecodeExt, Encode as _};
use commonware_cryptography::Signer as _;
use commonware_math::algebra::Random as _;
use rand::rngs::StdRng;

const CONTRACT: Address = Address([5; 20]);
const LIFE: u64 = 900_000;
const SECOND: u64 = 1_000;
const SUBJECT: Signer = Signer::Registered(UID);

/// RSUs 1, 2 and 3 stand 100 m apart.
fn place(rid: u32) -> Position {
    Position {
        x_cm: 10_000 * i32::try_from(rid).unwrap(),
        y_cm: 0,
    }
}

fn rsu(rid: u32) -> RsuRecord {
    RsuRecord {
        key: PrivateKey::random(rng(u64::from(rid))).public_key(),
        position: place(rid),
        valid_from_ms: START - DAY,
        valid_until_ms: START + DAY,
        revoked_ms: None,
    }
}

fn witness(rid: u32) -> Witness {
    let stand = Stand {
        chain: CHAIN,
        keys: KEYS,
        rid: Rid(rid),
        here: place(rid),
        vote_life_ms: LIFE,
    };
    Witness::new(stand, Bounds::default(), issuers())
}

fn issuers() -> Issuers {
    Office::new(1).issuers()
}

/// The credential that an anonymous liar goes by.
fn credential() -> Signer {
    let mut office = Office::new(1);
    let slot = office.slots(START)[1];
    let attributes = office.attributes(slot);
    Signer::Anonymous(
        office
            .issue(attributes)
            .certificate()
            .attributes()
            .linkage
            .0,
    )
}

/// A vehicle that drives north at 10 m/s along the RSUs, or says that it stands 20 km away.
struct Car {
    speaker: Speaker,
    rng: StdRng,
    second: u64,
}

impl Car {
    fn new(uid: Uid, key: SecretKey) -> Self {
        Self {
            speaker: Speaker::registered(CHAIN, uid, key, START),
            rng: rng(2),
            second: 0,
        }
    }

    fn anonymous() -> Self {
        let mut office = Office::new(1);
        let attributes = office.attributes(office.slots(START)[1]);
        Self {
            speaker: Speaker::anonymous(CHAIN, &office.issue(attributes), START),
            rng: rng(2),
            second: 0,
        }
    }

    fn says(&mut self, is_true: bool) -> Heard {
        let y_cm = -30_000 + 1_000 * i32::try_from(self.second).unwrap();
        let x_cm = if is_true { 15_000 } else { 2_000_000 };
        let motion = Motion {
            position: Position { x_cm, y_cm },
            speed_cm_s: 1_000,
            heading_cdeg: 0,
            acceleration_cm_s2: 0,
            class: Class::Car,
        };
        let at_ms = START + SECOND * self.second;
        self.second += 1;
        let message = self.speaker.speak(motion, at_ms, &mut self.rng);
        Heard {
            at_ms: at_ms + 20,
            message,
        }
    }

    fn liar() -> Self {
        Self::new(UID, vehicle_secret())
    }
}

fn vehicle() -> (StateKey, Option<Record>) {
    (
        vehicle_key(&KEYS, &UID),
        Some(Record::of(&vehicle_record())),
    )
}

fn hear(witness: &mut Witness, heard: &Heard) -> Vec<(Vote, Evidence)> {
    let results = witness.hear(&[*heard], &[vehicle()], heard.at_ms, &mut rng(4));
    assert!(results[0].is_ok());
    witness.votes(heard.at_ms)
}

/// The votes of RSUs 1 to 3 against a vehicle that lies from the fifth message on.
fn votes() -> Vec<(Vote, Evidence)> {
    votes_against(Car::liar())
}

fn votes_against(mut car: Car) -> Vec<(Vote, Evidence)> {
    let heard: Vec<Heard> = (0..20).map(|second| car.says(second < 5)).collect();
    let vote_of = |rid| {
        let mut witness = witness(rid);
        let votes = heard.iter().flat_map(|heard| hear(&mut witness, heard));
        let votes: Vec<_> = votes.collect();
        let [vote] = &votes[..] else {
            panic!("one vote of RSU {rid}")
        };
        vote.clone()
    };
    (1..=3).map(vote_of).collect()
}

/// A ledger on which RSUs 1 to 3 have voted so, and the evidence in the vault.
struct World {
    subject: Signer,
    state: HashMap<StateKey, Record>,
    evidence: Vec<Evidence>,
    testimony: Vec<Testimony>,
    issuers: Issuers,
}

impl World {
    fn new() -> Self {
        Self::against(Car::liar())
    }

    fn against(car: Car) -> Self {
        let mut world = Self {
            subject: car.speaker.signer(),
            state: HashMap::new(),
            evidence: Vec::new(),
            testimony: Vec::new(),
            issuers: issuers(),
        };
        let parameters = Parameters {
            keys: KEYS,
            threshold: 3,
            reach_cm: 51_000,
            max_speed_cm_s: 4_000,
            life_ms: LIFE,
        };
        world.put(parameters_state_key(&CONTRACT), Record::of(&parameters));
        world.put(vehicle().0, Record::of(&vehicle_record()));
        for rid in 1..=3 {
            world.put(rsu_key(&KEYS, Rid(rid)), Record::of(&rsu(rid)));
        }
        let votes = votes_against(car);
        for (vote, evidence) in &votes {
            world.vote(evidence.rsu, vote);
        }
        world.evidence = votes.into_iter().map(|(_, evidence)| evidence).collect();
        world.request(&[1, 2, 3]);
        world
    }

    fn put(&mut self, key: StateKey, record: Record) {
        self.state.insert(key, record);
    }

    fn vote(&mut self, rid: Rid, vote: &Vote) {
        let record = VoteRecord {
            kind: vote.kind,
            position: vote.position,
            evidence: vote.evidence,
            time_ms: START,
        };
        self.put(vote_key(&CONTRACT, &self.subject, rid), Record::of(&record));
    }

    fn request(&mut self, rids: &[u32]) {
        let voter = |rid: &u32| Voter {
            rid: Rid(*rid),
            position: place(*rid),
            time_ms: START,
        };
        let record = SubjectRecord {
            requested_ms: Some(START),
            voters: rids.iter().map(voter).collect(),
        };
        let bytes = commonware_codec::Encode::encode(&record);
        self.put(
            subject_key(&CONTRACT, &self.subject),
            Record::new(&bytes).unwrap(),
        );
    }

    fn records(&self, keys: &[StateKey]) -> Vec<(StateKey, Option<Record>)> {
        let found = |key: &StateKey| (*key, self.state.get(key).cloned());
        keys.iter().map(found).collect()
    }

    fn open(&self, now_ms: u64) -> Result<Request, RequestError> {
        let subject = self.subject;
        let records = self.records(&Request::first_needs(&KEYS, &CONTRACT, &subject));
        Request::open(KEYS, CONTRACT, subject, &records, &self.issuers, now_ms)
    }

    fn justify(&self) -> Result<Justified, NotJustified> {
        let request = self.open(START).unwrap();
        let records = self.records(&request.needs());
        let grounds = grounds(&self.issuers);
        request
            .justify(
                &records,
                &self.evidence,
                &self.testimony,
                &grounds,
                &mut rng(5),
            )
            .unwrap()
    }

    fn faults(&self) -> Vec<(Rid, Fault)> {
        self.justify().unwrap_err().faults
    }
}

fn grounds(issuers: &Issuers) -> Grounds<'_> {
    Grounds {
        chain: &CHAIN,
        issuers,
        bounds: Bounds::default(),
    }
}

#[test]
fn who_lies_is_voted_against_with_evidence_that_convinces() {
    let by_name = votes().into_iter().map(|vote| (SUBJECT, vote));
    let by_credential = votes_against(Car::anonymous()).into_iter();
    let by_credential = by_credential.map(|vote| (credential(), vote));
    for (subject, (vote, evidence)) in by_name.chain(by_credential) {
        assert_eq!((vote.subject, vote.kind), (subject, Kind::Elsewhere));
        assert_eq!(vote.evidence, evidence.digest());
        let here = rsu(evidence.rsu.0).position;
        let verified = evidence.verify(&grounds(&issuers()), here, &mut rng(6));
        assert_eq!(verified, Ok(vote));
        assert_eq!(
            evidence.messages.len(),
            5 + 8,
            "five true messages, eight false"
        );
    }
}

#[test]
fn who_does_not_lie_is_not_and_little_is_kept_of_it() {
    let (mut car, mut witness) = (Car::liar(), witness(1));
    for _ in 0..60 {
        assert_eq!(hear(&mut witness, &car.says(true)), []);
    }
    // What is kept is the context: the evidence of a later lie begins with it.
    let votes: Vec<_> = (0..12)
        .flat_map(|_| hear(&mut witness, &car.says(false)))
        .collect();
    assert_eq!(votes.len(), 1);
    assert_eq!(votes[0].1.messages.len(), CONTEXT + 8);
}

#[test]
fn an_rsu_votes_again_only_when_its_vote_is_over() {
    let (mut car, mut witness) = (Car::liar(), witness(1));
    let mut voted = Vec::new();
    for _ in 0..LIFE / SECOND + 30 {
        let heard = car.says(false);
        voted.extend(hear(&mut witness, &heard).iter().map(|_| heard.at_ms));
    }
    assert_eq!(voted.len(), 2);
    assert_eq!(voted[1] - voted[0], LIFE);
    witness.forget(UID);
    assert_eq!(hear(&mut witness, &car.says(false)), []);
}

#[test]
fn evidence_of_a_flood_is_bounded() {
    let (mut car, mut witness) = (Car::liar(), witness(1));
    let mut votes = Vec::new();
    for number in 0..2_000 {
        let mut heard = car.says(false);
        heard.at_ms = START + 50 * number;
        let results = witness.hear(&[heard], &[vehicle()], heard.at_ms, &mut rng(4));
        assert!(
            results[0].is_ok(),
            "its times are ahead, which is held against it"
        );
        votes.extend(witness.votes(heard.at_ms));
    }
    assert_eq!(votes.len(), 1);
    assert!(votes[0].1.messages.len() <= MAX_MESSAGES);
}

#[test]
fn more_liars_than_are_kept_in_full_are_voted_against_all_the_same() {
    let mut witness = witness(1);
    let mut rng = rng(8);
    let mut records = Vec::new();
    let mut cars: Vec<Car> = (0..MAX_SUSPECTS as u64 + 3)
        .map(|number| {
            let (uid, key) = (Uid(number.to_be_bytes()), SecretKey::random(&mut rng));
            let mut record = vehicle_record();
            record.key = key.public().to_bytes();
            records.push((vehicle_key(&KEYS, &uid), Some(Record::of(&record))));
            Car::new(uid, key)
        })
        .collect();
    let mut voted = 0;
    for second in 0..12 {
        let heard: Vec<Heard> = cars.iter_mut().map(|car| car.says(false)).collect();
        let now_ms = START + SECOND * second + 30;
        let results = witness.hear(&heard, &records, now_ms, &mut rng);
        assert!(results.iter().all(Result::is_ok));
        voted += witness.votes(now_ms).len();
    }
    assert_eq!(voted, cars.len());
}

#[test]
fn forged_messages_are_nobodys_fault() {
    let (mut car, mut witness) = (Car::liar(), witness(1));
    for _ in 0..60 {
        let mut heard = car.says(false);
        heard.message.statement.motion.speed_cm_s += 1;
        let results = witness.hear(&[heard], &[vehicle()], heard.at_ms, &mut rng(4));
        let refused = Passed::Position(PositionError::Signature(SUBJECT));
        assert_eq!(results, [Err(refused)]);
        assert_eq!(witness.votes(heard.at_ms), []);
    }
}

#[test]
fn ta_and_lea_revoke_on_evidence_of_three_rsus() {
    let justified = World::new().justify().unwrap();
    assert_eq!(
        (justified.subject(), justified.registered()),
        (SUBJECT, Some(UID))
    );
    let reason = justified.reason();
    assert!(
        reason.ends_with("evidence of RSU 1, RSU 2, RSU 3"),
        "{reason}"
    );
}

#[test]
fn lea_countersigns_only_the_revocation_that_the_evidence_justifies() {
    let justified = World::new().justify().unwrap();
    let (ta, lea) = (PrivateKey::random(rng(21)), PrivateKey::random(rng(22)));
    let reviewer = Reviewer::new(CHAIN, KEYS, ta.public_key(), lea.clone());
    let mut registrar = Registrar::new(
        CHAIN,
        KEYS,
        ta.clone(),
        RegisterKey::new(&[4; 32]),
        Vec::new(),
    );
    let person = Identification {
        name: "Ada Example".into(),
        document: "C01X0006H".into(),
        plate: "HH-AE 42".into(),
        vehicle: "passenger car".into(),
        licence: "B072RRE2I55".into(),
    };
    // The register knows another vehicle than the one that the evidence is about.
    let key = SecretKey::random(&mut rng(31));
    let application = Application::new(&CHAIN, [9; 16], person, &key, &mut rng(32));
    let (entry, _) = registrar
        .register(&application, START, &mut rng(33))
        .unwrap();
    let (_, case) = registrar.revoke(&entry.uid, &justified.reason()).unwrap();
    let proposal = registrar
        .propose(1, START + SECOND, vec![case], START)
        .unwrap();
    let refused = reviewer.review_misbehaviour(&proposal, &justified, START, &mut rng(34));
    assert_eq!(refused.err(), Some(ReviewError::NotJustified));

    let case = |reason: String| cairn_protocol::authority::Case::Revoke { uid: UID, reason };
    let propose = |cases| {
        let proposal = registrar.propose(2, START + SECOND, cases, START).unwrap();
        reviewer.review_misbehaviour(&proposal, &justified, START, &mut rng(34))
    };
    let twice = vec![case(justified.reason()), case(justified.reason())];
    assert_eq!(propose(twice).err(), Some(ReviewError::NotJustified));
    let other = vec![case("parked badly".into())];
    assert_eq!(propose(other).err(), Some(ReviewError::NotJustified));
    let signed = propose(vec![case(justified.reason())]).unwrap();
    let signers: Vec<_> = signed.signers().cloned().collect();
    assert_eq!(signers, [ta.public_key(), lea.public_key()]);
}

#[test]
fn requests_that_do_not_stand_are_not_opened() {
    let mut world = World::new();
    assert!(world.open(START + LIFE - 1).is_ok());
    let over = world.open(START + LIFE);
    assert!(matches!(over, Err(RequestError::NotRequested(SUBJECT))));

    let mut revoked = vehicle_record();
    revoked.revoked_ms = Some(START);
    world.put(vehicle().0, Record::of(&revoked));
    assert!(matches!(
        world.open(START),
        Err(RequestError::NotValid(SUBJECT))
    ));
    world.state.clear();
    assert!(matches!(
        world.open(START),
        Err(RequestError::Contract(CONTRACT))
    ));
    let nothing = Request::open(KEYS, CONTRACT, SUBJECT, &[], &issuers(), START);
    assert!(matches!(nothing, Err(RequestError::RecordMissing(_))));
}

#[test]
fn votes_without_good_evidence_do_not_count() {
    let mut world = World::new();
    world.evidence.remove(1);
    assert_eq!(world.faults(), [(Rid(2), Fault::NoEvidence)]);

    let mut world = World::new();
    let mut revoked = rsu(3);
    revoked.revoked_ms = Some(START);
    world.put(rsu_key(&KEYS, Rid(3)), Record::of(&revoked));
    assert_eq!(world.faults(), [(Rid(3), Fault::NotRegistered)]);

    // One RSU votes with another's evidence, or with its own words about it.
    let mut world = World::new();
    let (vote, _) = votes()[0].clone();
    world.vote(Rid(2), &vote);
    assert_eq!(world.faults(), [(Rid(2), Fault::OtherNames)]);
    let mut world = World::new();
    let (vote, _) = votes()[1].clone();
    let nearby = Vote {
        kind: Kind::Impossible,
        position: place(2),
        ..vote
    };
    world.vote(Rid(2), &nearby);
    assert_eq!(world.faults(), [(Rid(2), Fault::OtherVote)]);
}

#[test]
fn a_liar_with_true_messages_convinces_nobody() {
    let mut world = World::new();
    let mut car = Car::liar();
    let honest: Vec<Heard> = (0..60).map(|_| car.says(true)).collect();
    let made_up = Evidence {
        messages: honest,
        ..world.evidence[2].clone()
    };
    let vote = Vote {
        evidence: made_up.digest(),
        ..votes()[2].0
    };
    world.vote(Rid(3), &vote);
    world.evidence[2] = made_up;
    let fault = Fault::Evidence(EvidenceError::NotDue);
    assert_eq!(world.faults(), [(Rid(3), fault)]);
}

#[test]
fn ta_and_lea_trace_whom_evidence_under_a_credential_is_about() {
    let world = World::against(Car::anonymous());
    let justified = world.justify().unwrap();
    assert_eq!(justified.subject(), credential());
    assert_eq!(justified.registered(), None, "nobody knows yet");
    let Signer::Anonymous(value) = credential() else {
        panic!("a credential")
    };

    // A trace is under a request on the ledger, and of that credential.
    let request = |linkage| RequestRecord {
        linkage,
        reason: [0; 32],
        requested_ms: START,
        handled: 0,
        answer: None,
    };
    let warrant = |linkage| {
        let record = Record::new(&commonware_codec::Encode::encode(&request(linkage)));
        let verified = Verified {
            height: 1,
            time_ms: START,
            entries: vec![(request_key(&CONTRACT, 0), record)],
        };
        Warrant::read(&verified, &CONTRACT, 0).unwrap()
    };
    assert_eq!(justified.check_warrant(&warrant(value)), Ok(()));
    let other = Err(TraceError::OtherSubject);
    assert_eq!(justified.check_warrant(&warrant([7; 9])), other);
    let registered = World::new().justify().unwrap();
    assert_eq!(registered.check_warrant(&warrant(value)), other);
}

#[test]
fn a_request_against_a_revoked_credential_is_not_opened() {
    let mut world = World::against(Car::anonymous());
    assert!(world.open(START).is_ok());
    let office = Office::new(1);
    let period = office.policy.period(common::issuing::seconds(START));
    let revoked = world.issuers.revoke(office.revocation(period), START);
    let Signer::Anonymous(value) = credential() else {
        panic!("a credential")
    };
    assert!(revoked.contains(&LinkageValue(value)));
    let refused = world.open(START).err();
    assert!(matches!(refused, Some(RequestError::NotValid(_))));
}

#[test]
fn evidence_under_another_credential_is_not_about_the_subject() {
    // RSU 2 votes with messages of the accused's other credential: that is no vote against this one.
    let mut world = World::against(Car::anonymous());
    let mut office = Office::new(1);
    let attributes = office.attributes(office.slots(START)[0]);
    let other = Car {
        speaker: Speaker::anonymous(CHAIN, &office.issue(attributes), START),
        ..Car::anonymous()
    };
    let (vote, evidence) = votes_against(other).swap_remove(1);
    world.vote(Rid(2), &vote);
    world.evidence[1] = evidence;
    assert_eq!(world.faults(), [(Rid(2), Fault::OtherNames)]);
}

#[test]
fn a_fourth_voter_makes_up_for_a_liar() {
    let mut world = World::new();
    world.put(rsu_key(&KEYS, Rid(4)), Record::of(&rsu(4)));
    world.vote(Rid(4), &votes()[0].0);
    world.request(&[4, 1, 2, 3]);
    let justified = world.justify().unwrap();
    assert!(justified.reason().ends_with("of RSU 1, RSU 2, RSU 3"));
}

// False cells.

/// What RSU 3 says of two cells far from it.
fn testimony(subject: Signer) -> Testimony {
    let far = Contradiction {
        before: None,
        cell: Cell { x: 4_000, y: 0 },
        time_ms: START,
    };
    let later = Contradiction {
        before: Some((Cell { x: 0, y: 0 }, START)),
        time_ms: START + 5_000,
        ..far
    };
    Testimony {
        subject,
        rsu: Rid(3),
        claims: vec![far, later],
    }
}

/// RSUs 1 and 2 with evidence, RSU 3 with this testimony, voted with as if it were good.
fn with_testimony(change: impl FnOnce(&mut Testimony)) -> World {
    let mut world = World::new();
    let bounds = grounds(&world.issuers).bounds;
    let mut given = testimony(world.subject);
    let mut vote = given.verify(place(3), &bounds).unwrap();
    change(&mut given);
    vote.evidence = given.digest();
    world.vote(Rid(3), &vote);
    world.evidence.retain(|evidence| evidence.rsu != Rid(3));
    world.testimony.push(given);
    world
}

#[test]
fn testimony_of_false_cells_counts_for_the_rsu_that_gives_it() {
    for car in [Car::liar(), Car::anonymous()] {
        let subject = car.speaker.signer();
        let bytes = testimony(subject).encode();
        let decoded = <Testimony as DecodeExt<()>>::decode(bytes.clone()).unwrap();
        assert_eq!(decoded, testimony(subject));
        assert!(<Evidence as DecodeExt<()>>::decode(bytes).is_err());
    }
    let mut world = with_testimony(|_| {});
    assert_eq!(world.justify().unwrap().rsus(), [1, 2, 3].map(Rid));
    world.testimony.clear();
    assert_eq!(world.faults(), [(Rid(3), Fault::NoEvidence)]);
}

#[test]
fn v_cell_2_and_3_testimony_that_does_not_convince_is_the_rsus_fault() {
    let fault = |change: fn(&mut Testimony)| {
        let faults = with_testimony(change).faults();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].0, Rid(3));
        faults[0].1
    };
    let order = Fault::Testimony(TestimonyError::Order);
    assert_eq!(fault(|given| given.claims.reverse()), order);
    assert_eq!(fault(|given| given.claims[1].time_ms = START), order);
    assert_eq!(fault(|given| given.claims[1].time_ms += 120_000), order);
    let plausible = |at| Fault::Testimony(TestimonyError::Plausible(at));
    let near = |given: &mut Testimony| given.claims[0].cell = Cell::of(place(3));
    assert_eq!(fault(near), plausible(0));
    assert_eq!(fault(|given| given.rsu = Rid(2)), Fault::OtherNames);
    let other = |given: &mut Testimony| given.subject = Signer::Anonymous([7; 9]);
    assert_eq!(fault(other), Fault::OtherNames);
    let elsewhere = |given: &mut Testimony| given.claims[1].cell.x += 9;
    assert_eq!(fault(elsewhere), Fault::OtherVote);
}

#[test]
fn v_cell_1_testimony_has_bounds() {
    let subject = Car::liar().speaker.signer();
    let good = testimony(subject).encode().to_vec();
    for length in 0..good.len() {
        let cut = good[..length].to_vec();
        assert!(<Testimony as DecodeExt<()>>::decode(cut).is_err());
    }
    for count in [0, 1, MAX_CLAIMS + 1] {
        let mut given = testimony(subject);
        given.claims = vec![given.claims[0]; count];
        let bytes = given.encode();
        assert!(<Testimony as DecodeExt<()>>::decode(bytes).is_err());
    }
}
