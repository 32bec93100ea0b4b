//! Location services in a whole network, and what each party gets to see: on recorded streets where
//! `CAIRN_DATA` names them, on the demo's own otherwise.

mod simulated;
#[path = "services/tape.rs"]
mod tape;

use cairn_contracts::providers::ProviderId;
use cairn_ledger::Position;
use cairn_node::{
    authority::Enrolment,
    radio::{Endpoint as _, Radio as _},
    replay::{Pace, replay},
    report::{Report, ServicesReport},
    services::{CHARGING, TRAVEL_TIME},
};
use cairn_protocol::{
    service::{Name, Point, Points, SEALED_ANSWER_BYTES},
    vehicle::Papers,
    wire::{SERVICE_NOTICE, SERVICE_ORDER},
};
use cairn_scenario::{
    FcdReader, Frame, Metres, RadioRange, Sample, Site, Step, TraceError,
    attackers::attacker,
    read_sites,
    traffic::{Drivers, Moment},
};
use commonware_p2p::simulated::Link;
use commonware_utils::probability;
use futures::stream;
use simulated::{BATCH_INTERVAL, Options, Simulation, air::Faults, run};
use std::{
    collections::{BTreeSet, HashMap},
    env,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tape::{Notes, Tape, contains, occurs_in};

type Steps = Vec<Result<Moment, TraceError>>;

/// Cars that drive a road of 1.5 km at 20 m/s, one every ten seconds.
const CARS: u32 = 6;

fn road(liar: Option<&'static str>) -> Steps {
    let liars = liar.map(|name| (Arc::from("car-0"), attacker(name).unwrap()));
    let area = [-2_000.0, 4_000.0].map(|x| Metres { x, y: x });
    let mut drivers = Drivers::new(liars.into_iter().collect(), area, 7);
    let step = |second: u32| {
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
    };
    let seconds = 0..75 + 10 * (CARS - 1);
    seconds
        .map(|second| Ok(drivers.drive(step(second))))
        .collect()
}

fn sites() -> Vec<Site> {
    let site = |number: u32| Site {
        id: Arc::from(format!("site-{number}")),
        position: Metres {
            x: f64::from(400 * number),
            y: 10.0,
        },
    };
    (0..4).map(site).collect()
}

fn points(places: &[(f64, f64)]) -> Points {
    let point = |(number, (x, y)): (usize, &(f64, f64))| Point {
        position: Position {
            x_cm: (100.0 * x) as i32,
            y_cm: (100.0 * y) as i32,
        },
        kw: 11 + 150 * (number % 2) as u16,
        name: Name::cut(&format!("point {number}")),
    };
    Points::new(places.iter().enumerate().map(point).collect()).unwrap()
}

fn options(sites: Vec<Site>, points: Points) -> Options {
    Options {
        seed: 1,
        validators: 1,
        sites,
        range: RadioRange::default(),
        link: Link {
            latency: Duration::from_millis(5),
            jitter: Duration::from_millis(1),
            success_rate: probability!(1.0),
        },
        faults: Faults::default(),
        batch_interval: BATCH_INTERVAL,
        villains: HashMap::new(),
        enrolment: Enrolment::default(),
        points: Some(points),
        hop_range: None,
    }
}

async fn drive(simulation: &mut Simulation, steps: Steps) -> Report {
    let network = &mut simulation.network;
    let outcome = replay(network, stream::iter(steps), Pace::Times(1.0), |_| true).await;
    outcome.unwrap().report
}

/// What came of services on the road.
fn services(options: Options, liar: Option<&'static str>) -> ServicesReport {
    let report = run(options, async |simulation: &mut Simulation| {
        drive(simulation, road(liar)).await
    });
    report.unwrap().services.unwrap()
}

#[test]
fn vehicles_are_told_charging_points_and_travel_times_on_their_way() {
    let found = services(options(sites(), points(&[(900.0, 100.0)])), None);
    assert_eq!(found.points, 1);
    // 75 s of each car, a question every 5 s.
    assert!(found.queries > 6 * 12, "{found:?}");
    assert_eq!(found.answers, found.queries, "{found:?}");
    assert_eq!(
        (found.refused, found.unanswered, found.false_cells),
        (0, 0, 0)
    );
    assert_eq!((found.query_bytes, found.answer_bytes), (252, 146));
    let nearest = found.last_nearest.as_ref().unwrap();
    assert_eq!((&*nearest.name, nearest.kw), ("point 0", 11));
    assert!(nearest.distance_m < 1_500.0);
    // Five passages between six cells; the first cell of a trip teaches nothing.
    assert!(found.passages >= 3, "{found:?}");
    let way = found.last_way.unwrap();
    let speed_m_s = f64::from(way.metres) / f64::from(way.seconds);
    assert!(
        (10.0..40.0).contains(&speed_m_s),
        "driven at 20 m/s: {way:?}"
    );
    assert!(found.proofs >= 2 * 4, "two providers, four RSUs");
    assert!(found.staleness_s > 0.0 && found.staleness_s <= 60.0);
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    let once = || services(options(sites(), points(&[(900.0, 100.0)])), None);
    assert_eq!(once(), once());
}

#[test]
fn a_vehicle_that_claims_false_cells_is_refused_and_its_service_ends() {
    let found = services(
        options(sites(), points(&[(900.0, 100.0)])),
        Some("RandomPos"),
    );
    assert!(found.false_cells >= 2, "{found:?}");
    assert!(found.ended >= 1, "{found:?}");
    // Each of them is told.
    assert!(found.refused >= found.false_cells, "{found:?}");
    // The five honest ones are answered.
    assert!(found.answers > 5 * 12, "{found:?}");
}

/// A vehicle that is at both ends of an RSU's range by turns, and then at the next RSU. It says nothing of its position.
fn jumper() -> Steps {
    let step = |second: u32| {
        let side = if (second / 5).is_multiple_of(2) {
            -400.0
        } else {
            400.0
        };
        let jumper = Sample {
            id: Arc::from("jumper"),
            position: Metres {
                x: f64::from(1_500 * (second / 40)) + side,
                y: 0.0,
            },
            speed: None,
            angle: None,
            acceleration: None,
            kind: None,
            lane: None,
        };
        let step = Step {
            time_ms: u64::from(second) * 1_000,
            offset_ms: u64::from(second) * 1_000,
            vehicles: vec![jumper],
        };
        Ok(step.into())
    };
    (0..125).map(step).collect()
}

#[test]
fn who_claims_false_cells_at_three_rsus_is_voted_on_and_revoked() {
    for registered_share in [0.0, 1.0] {
        let site = |number: u32| Site {
            id: Arc::from(format!("site-{number}")),
            position: Metres {
                x: f64::from(1_500 * number),
                y: 0.0,
            },
        };
        let mut options = options((0..3).map(site).collect(), points(&[(900.0, 100.0)]));
        options.enrolment.registered_share = registered_share;
        let (report, revoked) = run(options, async |simulation: &mut Simulation| {
            let report = drive(simulation, jumper()).await;
            (report, simulation.network.findings.revocations())
        })
        .unwrap();
        let found = report.services.unwrap();
        assert_eq!(found.ended, 3, "{found:?}");
        assert!(
            found.refused > found.false_cells,
            "served no more: {found:?}"
        );
        assert_eq!((report.positions.sent, report.positions.votes), (0, 3));
        let [revoked] = &revoked[..] else {
            panic!("expected one revocation, got {revoked:?}");
        };
        let mut rsus = revoked.rsus.clone();
        rsus.sort();
        assert_eq!(rsus, [1, 2, 3].map(cairn_ledger::Rid));
    }
}

#[test]
fn services_go_on_over_a_radio_that_loses_delays_and_repeats() {
    let faults = Faults {
        loss: 0.05,
        reordering: 0.05,
        duplication: 0.05,
    };
    let options = Options {
        faults,
        ..options(sites(), points(&[(900.0, 100.0)]))
    };
    let found = services(options, None);
    assert!(found.answers > found.queries / 2, "{found:?}");
    assert!(found.unanswered > 0, "{found:?}");
    assert_eq!(found.false_cells, 0, "{found:?}");
    // A statement that comes twice is answered once.
    assert!(found.refused_by_providers > 0, "{found:?}");
}

#[test]
fn nobody_but_the_provider_answers_in_its_place() {
    let options = options(sites(), points(&[(900.0, 100.0)]));
    let (garbage, found) = run(options, async |simulation: &mut Simulation| {
        let network = &simulation.network;
        let provider = network.services.as_ref().unwrap().providers[0].address;
        let stranger = network.radio.open().await.unwrap();
        // No request: refused by its number. Shorter than a number: no answer at all.
        stranger.send(provider, &[1; 5]).await;
        stranger
            .send(provider, &[[9; 8].as_slice(), &[7; 270]].concat())
            .await;
        let (from, told) = stranger.receive().await;
        assert_eq!(from, provider);
        let tape = Tape::watch(&network.radio);
        let report = drive(simulation, road(None)).await;
        // What the stranger says under the numbers that it saw goes nowhere.
        let providers: Vec<_> = tape.requests(&simulation.network).into_iter().collect();
        for (rsu, number, _) in &providers {
            let forged = [number.as_slice(), &[5; SEALED_ANSWER_BYTES]].concat();
            stranger.send(*rsu, &forged).await;
        }
        (told, report.services.unwrap())
    })
    .unwrap();
    assert_eq!(garbage.as_ref(), [9; 8]);
    assert_eq!(found.answers, found.queries);
    assert_eq!(found.refused_by_providers, 1);
}

// Who sees what.

/// Streets with RSUs and traffic.
struct Streets {
    trace: PathBuf,
    sites: Vec<Site>,
}

impl Streets {
    fn recorded_or_own() -> Self {
        if let Some(data) = env::var_os("CAIRN_DATA") {
            let folder = PathBuf::from(data).join("hamburg");
            return Self {
                trace: folder.join("hamburg-5min.fcd.xml.gz"),
                sites: read_sites(folder.join("rsu_sites.csv"), None).unwrap(),
            };
        }
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/crossroads");
        Self {
            trace: own.join("crossroads.fcd.xml.gz"),
            sites: read_sites(own.join("sites.csv"), None).unwrap(),
        }
    }

    /// The first seconds of the first vehicles.
    fn traffic(&self, vehicles: usize, seconds: usize) -> (Steps, Vec<Arc<str>>) {
        let mut names: Vec<Arc<str>> = Vec::new();
        let area = [-10_000.0, 10_000.0].map(|x| Metres { x, y: x });
        let mut drivers = Drivers::new(HashMap::new(), area, 1);
        let trace = FcdReader::open(&self.trace, Frame::Metric).unwrap();
        let steps = trace.take(seconds).map(|step| {
            let mut step = step?;
            step.vehicles.retain(|sample| {
                if names.len() < vehicles && !names.contains(&sample.id) {
                    names.push(sample.id.clone());
                }
                names.contains(&sample.id)
            });
            Ok(drivers.drive(step))
        });
        (steps.collect(), names)
    }
}

/// What was recorded in a run.
struct Recorded {
    tape: Tape,
    /// Requests and opened questions of each provider.
    notes: HashMap<ProviderId, Vec<Notes>>,
    /// Everything by which a vehicle can be recognised: UIDs, and linkage values of all its credentials.
    identities: Vec<Vec<u8>>,
    /// What a validator has stored of the chain's blocks.
    blocks: Vec<u8>,
    /// The keys that providers are registered with.
    provider_keys: Vec<Vec<u8>>,
    services: ServicesReport,
}

fn recorded(vehicles: usize, seconds: usize) -> Recorded {
    let streets = Streets::recorded_or_own();
    let (steps, names) = streets.traffic(vehicles, seconds);
    let places: Vec<(f64, f64)> = streets
        .sites
        .iter()
        .map(|site| (site.position.x + 130.0, site.position.y - 70.0))
        .collect();
    let options = options(streets.sites, points(&places));
    run(options, async |simulation: &mut Simulation| {
        let mut tape = Tape::watch(&simulation.network.radio);
        let report = drive(simulation, steps).await;
        let mut identities = Vec::new();
        for enrolled in simulation.network.enrol(&names).await.unwrap() {
            identities.push(enrolled.uid.0.to_vec());
            if let Papers::Anonymous(wallet) = enrolled.papers {
                let values = wallet.credentials().iter();
                let values = values.map(|one| one.certificate().attributes().linkage.0.to_vec());
                identities.extend(values);
            }
        }
        let (notes, provider_keys) = tape.notes(simulation);
        simulation.crash(0).await;
        let blocks = simulation.stored("validator-1-blocks-value").await;
        Recorded {
            tape,
            notes,
            identities,
            blocks,
            provider_keys,
            services: report.services.unwrap(),
        }
    })
    .unwrap()
}

#[test]
fn no_party_sees_what_it_must_not() {
    let run = recorded(8, 60);
    let Recorded {
        tape,
        notes,
        identities,
        ..
    } = &run;
    assert!(run.services.answers > 8 * 4, "{:?}", run.services);
    assert!(identities.len() > 8 * 2, "UIDs, and several linkage values");
    let all = || notes.values().flatten();
    assert_eq!(all().count() as u64, run.services.answers);

    // Provider: no UID, no linkage value, no name of a session.
    let sessions: BTreeSet<Vec<u8>> = tape
        .air
        .iter()
        .filter(|datagram| [SERVICE_ORDER, SERVICE_NOTICE].contains(&datagram[0]))
        .map(|datagram| datagram[1..9].to_vec())
        .collect();
    assert!(sessions.len() >= 8, "each vehicle had one");
    for note in all() {
        for secret in identities.iter().chain(&sessions) {
            assert!(!contains(&note.request, secret) && !contains(&note.opened, secret));
        }
    }

    // RSU: neither pseudonym, nonce, reply key nor question, in what it passes on or gets back.
    for note in all() {
        for seen in tape.links.iter() {
            for part in [note.pseudonym(), note.nonce(), note.reply_key()] {
                assert!(!contains(seen, part));
            }
        }
    }
    let lengths: BTreeSet<usize> = tape.links.iter().map(Vec::len).collect();
    assert_eq!(
        lengths.len(),
        2,
        "one of all requests, one of all answers: {lengths:?}"
    );

    // Neighbour and relay, who hear the air: none of that, neither provider nor statement, and nobody's
    // identity; one length each way, but for proofs.
    for note in all() {
        for part in [
            note.pseudonym(),
            note.nonce(),
            note.reply_key(),
            note.commitment(),
        ] {
            assert!(!tape.air.iter().any(|heard| contains(heard, part)));
        }
    }
    let of = |kind: u8| -> Vec<usize> {
        let of_kind = tape.air.iter().filter(|heard| heard[0] == kind);
        of_kind.map(Vec::len).collect()
    };
    let orders = of(SERVICE_ORDER);
    assert!(!orders.is_empty() && orders.iter().all(|length| *length == 252));
    assert!(of(SERVICE_NOTICE).contains(&146));
    let services = tape.air.iter();
    let services = services.filter(|heard| [SERVICE_ORDER, SERVICE_NOTICE].contains(&heard[0]));
    for heard in services {
        assert!(!identities.iter().any(|identity| contains(heard, identity)));
    }

    // Reader of the ledger: the providers' keys, and nothing of who asks what.
    assert!(run.blocks.len() > 10_000);
    for key in &run.provider_keys {
        assert!(
            occurs_in(key, &run.blocks),
            "what is registered is found there"
        );
    }
    for note in all() {
        for part in [
            note.pseudonym(),
            note.nonce(),
            note.reply_key(),
            note.commitment(),
        ] {
            assert!(!occurs_in(part, &run.blocks));
        }
    }
}

#[test]
fn two_providers_that_compare_notes_on_one_vehicle_find_no_common_value() {
    let run = recorded(1, 120);
    let (one, two) = (&run.notes[&CHARGING], &run.notes[&TRAVEL_TIME]);
    assert!(one.len() > 1 && two.len() > 5, "{:?}", run.services);
    for (note, other) in one
        .iter()
        .flat_map(|note| two.iter().map(move |other| (note, other)))
    {
        assert_ne!(note.second(), other.second());
        let theirs = [other.random(), other.sealed()];
        for part in note.random().windows(8).chain(note.sealed().windows(8)) {
            assert!(!theirs.iter().any(|their| contains(their, part)));
        }
    }
    // One provider knows the vehicle again, by a name that is its own: the test would notice a common one.
    let names: BTreeSet<&[u8]> = two.iter().map(Notes::pseudonym).collect();
    assert_eq!(names.len(), 1);
}
