//! Liars in a whole network: vehicles that are found and revoked, and RSUs that vote against honest
//! vehicles.

mod simulated;

use cairn_contracts::misbehaviour::{SubjectRecord, subject_key};
use cairn_crypto::linkage::LinkageValue;
use cairn_ledger::Rid;
use cairn_node::{
    authority::Enrolment,
    findings::Revoked,
    replay::{Outcome, Pace, replay},
    villains::villains,
};
use cairn_protocol::{
    evidence::Evidence,
    position::{Attachment, Signatory, Signer},
};
use cairn_scenario::{
    Metres, RadioRange, Sample, Site, Step, TraceError,
    attackers::{RSU_VILLAINS, attacker},
    beacons::Truth,
    scoring::{Misbehaviour, score},
    traffic::{Drivers, Moment},
};
use cairn_vault::EvidenceId;
use commonware_codec::Encode as _;
use commonware_p2p::simulated::Link;
use commonware_utils::probability;
use futures::stream;
use rand::{SeedableRng as _, rngs::StdRng, seq::IteratorRandom as _};
use simulated::{BATCH_INTERVAL, Options, Simulation, air::Faults, run};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// RSUs along the road, 300 m apart; with a range of 500 m every place has three or more of them.
const RSUS: usize = 6;

/// f_r: as many lying RSUs are never enough.
const FR: usize = 2;

/// Cars that drive the road of 1.5 km at 20 m/s, one every ten seconds.
const CARS: u32 = 3;
const SECONDS: u32 = 95;

fn step(second: u32) -> Step {
    let on_road = (0..CARS).filter(|car| (10 * car..75 + 10 * car).contains(&second));
    let vehicles = on_road.map(|car| Sample {
        id: Arc::from(format!("car-{car}")),
        position: Metres {
            x: f64::from(20 * (second - 10 * car)),
            y: 5.0 * f64::from(car),
        },
        speed: Some(20.0),
        angle: Some(90.0),
        acceleration: Some(0.0),
        kind: None,
        lane: None,
    });
    Step {
        time_ms: u64::from(second) * 1_000,
        offset_ms: u64::from(second) * 1_000,
        vehicles: vehicles.collect(),
    }
}

/// Who attacks: a vehicle with an attack, and RSUs of a kind of villain.
struct Attackers<'a> {
    car: Option<&'static str>,
    rsus: (&'a [usize], &'static str),
    /// Whether vehicles go by registered keys.
    is_registered: bool,
}

impl<'a> Attackers<'a> {
    const fn new(car: Option<&'static str>, rsus: (&'a [usize], &'static str)) -> Self {
        Self {
            car,
            rsus,
            is_registered: false,
        }
    }
}

/// What a run came to.
struct Found {
    outcome: Outcome,
    score: Option<Misbehaviour>,
    revoked: Vec<Revoked>,
    /// What the ledger holds of each of them.
    subjects: Vec<SubjectRecord>,
    /// Whether an authority that is asked to register a revoked vehicle again gives it its old name.
    keeps_name: bool,
    /// Requests for traces on the ledger: the linkage value, and whether it was answered.
    traces: Vec<(LinkageValue, bool)>,
}

fn drive(seed: u64, attackers: &Attackers<'_>) -> Found {
    let (places, name) = attackers.rsus;
    let registered_share = f64::from(u8::from(attackers.is_registered));
    let mut kinds = RSU_VILLAINS.iter();
    let villain = kinds
        .find(|(villain, _)| *villain == name)
        .map(|kind| kind.1);
    let site = |number: usize| Site {
        id: Arc::from(format!("site-{number}")),
        position: Metres {
            x: 300.0 * number as f64,
            y: 10.0,
        },
    };
    let options = Options {
        seed,
        validators: 1,
        sites: (0..RSUS).map(site).collect(),
        range: RadioRange::default(),
        link: Link {
            latency: Duration::from_millis(5),
            jitter: Duration::from_millis(1),
            success_rate: probability!(1.0),
        },
        faults: Faults::default(),
        batch_interval: BATCH_INTERVAL,
        villains: villain.map_or_else(HashMap::new, |votes| villains(places, votes)),
        enrolment: Enrolment {
            registered_share,
            ..Enrolment::default()
        },
        points: None,
        hop_range: None,
    };
    let liars = attackers
        .car
        .map(|name| (Arc::from("car-0"), attacker(name).unwrap()));
    let area = [-500.0, 2_000.0].map(|x| Metres { x, y: x });
    let mut drivers = Drivers::new(liars.into_iter().collect(), area, seed);
    let moments: Vec<Result<Moment, TraceError>> = (0..SECONDS)
        .map(|second| Ok(drivers.drive(step(second))))
        .collect();
    let truth = drivers.into_truth();
    run(options, async |simulation: &mut Simulation| {
        let network = &mut simulation.network;
        let outcome = replay(network, stream::iter(moments), Pace::Times(1.0), |_| true).await;
        let outcome = outcome.unwrap();
        let truth = (!truth.is_empty()).then_some(truth);
        let score = truth.map(|truth| {
            let truth = truth.into_iter().map(Ok::<Truth, TraceError>);
            score(truth, &outcome.findings).unwrap()
        });
        let revoked = network.findings.revocations();
        let mut subjects = Vec::new();
        let mut keeps_name = true;
        for Revoked { signer, .. } in &revoked {
            let key = subject_key(&network.misbehaviour, signer);
            let found = network.ledger.get(&[key]).await.unwrap();
            let record = found.into_iter().next().unwrap().1.unwrap();
            subjects.push(record.decode_as().unwrap());
        }
        let names: Vec<Arc<str>> = outcome.findings.revoked_ms.keys().cloned().collect();
        for enrolled in network.enrol(&names).await.unwrap() {
            keeps_name &= revoked.iter().any(|found| found.vehicle == enrolled.uid);
        }
        let requests = network.trace_requests().await.unwrap();
        let traces = requests.iter();
        let traces = traces.map(|one| (LinkageValue(one.linkage), one.answer.is_some()));
        Found {
            outcome,
            score,
            revoked,
            subjects,
            keeps_name,
            traces: traces.collect(),
        }
    })
    .unwrap()
}

const NO_RSUS: (&[usize], &str) = (&[], "");

#[test]
fn honest_vehicles_are_heard_checked_and_left_alone() {
    for (is_registered, bytes) in [(false, 142), (true, 102)] {
        let honest = Attackers {
            is_registered,
            ..Attackers::new(None, NO_RSUS)
        };
        left_alone(&drive(1, &honest), bytes);
    }
}

fn left_alone(found: &Found, bytes: u64) {
    let positions = &found.outcome.report.positions;
    assert_eq!(positions.sent, u64::from(CARS * 75));
    assert_eq!(positions.bytes, bytes);
    assert!(
        positions.checked >= 2 * positions.sent,
        "by two RSUs or more"
    );
    assert!(positions.checked_by_vehicles > 0);
    assert_eq!((positions.passed_over, positions.flagged), (0, 0));
    assert_eq!((positions.votes, positions.revoked), (0, 0));
    assert!(found.outcome.findings.flagged.is_empty());
    assert_eq!(found.traces, [], "nobody asked who they are");
}

#[test]
fn a_liar_is_revoked_and_its_session_dropped_within_one_block() {
    // Four to six ghosts, for two or three of whom one credential speaks.
    const SYBIL: &str = "trafficCongestionSybil";
    for (attack, is_registered) in [
        ("RandomPosOffset", false),
        (SYBIL, false),
        ("DoS", false),
        ("RandomPosOffset", true),
        ("GridSybil", true),
    ] {
        let liar = Attackers {
            is_registered,
            ..Attackers::new(Some(attack), NO_RSUS)
        };
        let found = drive(2, &liar);
        let score = found.score.unwrap();
        assert_eq!((score.attackers, score.revoked), (1, 1), "{attack}");
        assert_eq!(score.false_revocations, 0, "{attack}");
        assert!(score.per_attack[attack].f1 > Some(0.5), "{attack}");
        let positions = &found.outcome.report.positions;
        assert!(positions.sessions_dropped >= 1, "{attack}");
        assert!(positions.drop_blocks <= 1, "{attack}");
        assert!(
            positions.passed_over > 0,
            "{attack}: nobody listens any more"
        );
        assert!(found.keeps_name, "{attack}");
        // Who it was came out by a trace of what it had spoken under, and nobody else was traced.
        let traced: Vec<_> = found.revoked.iter().map(|revoked| revoked.signer).collect();
        match traced[..] {
            [Signer::Anonymous(value)] => {
                assert_eq!(found.traces, [(LinkageValue(value), true)], "{attack}");
            }
            [Signer::Registered(_)] => assert!(is_registered && found.traces.is_empty()),
            _ => panic!("{attack}: one vehicle"),
        }
    }
}

#[test]
fn a_liar_with_one_ghost_under_its_other_credential_is_two_vehicles_to_everybody() {
    let found = drive(2, &Attackers::new(Some("GridSybil"), NO_RSUS));
    let score = found.score.unwrap();
    assert_eq!(score.per_attack["GridSybil"].messages, 2 * 75, "one ghost");
    assert_eq!((score.revoked, score.false_revocations), (0, 0));
    assert_eq!(found.outcome.report.positions.votes, 0);
}

#[test]
fn two_lying_rsus_never_revoke_an_honest_vehicle() {
    let mut votes = 0;
    for seed in 0..24 {
        let mut rng = StdRng::seed_from_u64(seed);
        let liars = (0..RSUS).sample(&mut rng, FR);
        let attackers = Attackers::new(None, (&liars, "lying_rsu"));
        let found = drive(seed, &attackers);
        assert!(found.revoked.is_empty(), "seed {seed}, RSUs {liars:?}");
        votes += found.outcome.report.positions.votes;
    }
    assert!(votes > 24, "they did vote: {votes}");
}

#[test]
fn three_lying_rsus_can_and_the_record_shows_who_voted() {
    let liars = [0, 2, 4];
    let attackers = Attackers::new(None, (&liars, "lying_rsu"));
    let found = drive(3, &attackers);
    let [revoked, ..] = &found.revoked[..] else {
        panic!("expected a revocation, got none");
    };
    let names = liars.map(|place| Rid(place as u32 + 1));
    let mut rsus = revoked.rsus.clone();
    rsus.sort();
    assert_eq!(rsus, names);
    let mut voters: Vec<Rid> = found.subjects[0]
        .voters
        .iter()
        .map(|voter| voter.rid)
        .collect();
    voters.sort();
    assert_eq!(voters, names);
}

#[test]
fn repeated_votes_count_once_and_silence_saves_no_liar() {
    let spam = drive(4, &Attackers::new(None, (&[1, 3], "spamming_rsu")));
    assert!(spam.outcome.report.positions.votes > 100);
    assert!(spam.revoked.is_empty());
    let silent = Attackers::new(Some("RandomPosOffset"), (&[1, 4], "silent_rsu"));
    let silent = drive(5, &silent).score.unwrap();
    assert_eq!((silent.revoked, silent.false_revocations), (1, 0));
}

#[test]
fn the_vault_finds_evidence_by_its_digest() {
    let registered = Signatory::Registered {
        uid: cairn_ledger::Uid([1; 8]),
        key: [3; 32],
    };
    let anonymous = Signatory::Anonymous {
        linkage: LinkageValue([1; 9]),
        attachment: Attachment {
            w: [3; 32],
            start_s: 0,
            group: 0,
            epoch: 1,
        },
    };
    for signatory in [registered, anonymous] {
        let evidence = Evidence {
            signatory,
            rsu: Rid(2),
            messages: Vec::new(),
        };
        let id = EvidenceId::of(&evidence.encode()).unwrap();
        assert_eq!(id.0, evidence.digest());
    }
}
