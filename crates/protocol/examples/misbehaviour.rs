//! Position messages of a real city from signature to vote, and what checking them costs.
//!
//! ```text
//! CAIRN_DATA=… cargo run --release -p cairn-protocol --example misbehaviour
//! ```
//!
//! Reads beacons with liars among them (`hamburg/attacked.beacons.jsonl.gz`), lets every vehicle sign its
//! own, ghosts included, and one witness per site hear what its site hears. A vehicle counts as
//! revoked when three RSUs have voted with evidence that re-verifies; its later messages are judged on,
//! for the count per message. The truth is read afterwards, for the table. Without `CAIRN_DATA` only the cost is measured.

use cairn_contracts::keys::{VehicleRecord, vehicle_key};
use cairn_crypto::schnorr::SecretKey;
use cairn_ledger::{Address, ChainId, Position, Record, Rid, StateKey, Uid};
use cairn_protocol::{
    evidence::Heard,
    plausibility::{Bounds, Class, Severity},
    position::{KnownKeys, Motion, Signed, Speaker, verify},
    witness::{Stand, Witness},
};
use cairn_scenario::{
    Metres, RadioMap, RadioRange,
    beacons::{self, Beacon, BeaconReader, TruthReader},
    read_sites,
    scoring::{Findings, score},
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    env,
    error::Error,
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

const CHAIN: ChainId = ChainId([7; 32]);
const KEYS: Address = Address([8; 20]);
/// f_r + 1.
const VOTERS: usize = 3;
const VOTE_LIFE_MS: u64 = 900_000;
/// The beacons' times count from the begin of their trace.
const EPOCH_MS: u64 = 1_800_000_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    cost();
    match env::var("CAIRN_DATA") {
        Ok(data) => hamburg(&PathBuf::from(data).join("hamburg")),
        Err(_) => {
            println!("no table: CAIRN_DATA not set");
            Ok(())
        }
    }
}

struct Vehicle {
    uid: Uid,
    speaker: Speaker,
    record: (StateKey, Option<Record>),
    voters: BTreeSet<Rid>,
}

fn vehicle(number: u64, rng: &mut StdRng) -> Vehicle {
    let (uid, key) = (Uid(number.to_be_bytes()), SecretKey::random(rng));
    let record = VehicleRecord {
        key: key.public().to_bytes(),
        valid_from_ms: 0,
        valid_until_ms: u64::MAX,
        revoked_ms: None,
    };
    Vehicle {
        uid,
        record: (vehicle_key(&KEYS, &uid), Some(Record::of(&record))),
        speaker: Speaker::new(CHAIN, uid, key, EPOCH_MS),
        voters: BTreeSet::new(),
    }
}

/// Signatures per second on one core.
fn cost() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut vehicles: Vec<Vehicle> = (0..1_024).map(|number| vehicle(number, &mut rng)).collect();
    let motion = Motion {
        position: Position { x_cm: 0, y_cm: 0 },
        speed_cm_s: 1_000,
        heading_cdeg: 0,
        acceleration_cm_s2: 0,
        class: Class::Car,
    };
    let messages: Vec<Signed> = vehicles
        .iter_mut()
        .map(|vehicle| vehicle.speaker.speak(motion, EPOCH_MS, &mut rng))
        .collect();
    let records: Vec<_> = vehicles.into_iter().map(|vehicle| vehicle.record).collect();
    println!("checking position messages on one core, each of another vehicle:");
    for size in [1, 16, 64, 256, 1_024] {
        let started = Instant::now();
        for (messages, records) in messages.chunks(size).zip(records.chunks(size)) {
            let known = &mut KnownKeys::default();
            let results = verify(&CHAIN, &KEYS, messages, records, EPOCH_MS, known, &mut rng);
            assert!(results.iter().all(Result::is_ok));
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "  batches of {size:>5}: {:>7.0} a second",
            messages.len() as f64 / seconds
        );
    }
}

fn hamburg(folder: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let mut rng = StdRng::seed_from_u64(2);
    let sites = read_sites(folder.join("rsu_sites.csv"), None)?;
    let bounds = Bounds::default();
    let mut witnesses: Vec<Witness> = Vec::new();
    for (site, rid) in sites.iter().zip(1..) {
        let stand = Stand {
            chain: CHAIN,
            keys: KEYS,
            rid: Rid(rid),
            here: position(site.position),
            vote_life_ms: VOTE_LIFE_MS,
        };
        witnesses.push(Witness::new(stand, bounds));
    }
    let numbers: HashMap<Arc<str>, usize> =
        sites.iter().map(|site| site.id.clone()).zip(0..).collect();
    let map = RadioMap::new(
        sites.iter().map(|site| site.position),
        RadioRange::default(),
    );
    let mut vehicles: HashMap<Arc<str>, Vehicle> = HashMap::new();
    let mut names: HashMap<Uid, Arc<str>> = HashMap::new();
    let mut findings = Findings::default();
    let (mut heard_count, mut votes, mut signed) = (0u64, 0u64, 0u64);
    for beacon in BeaconReader::open(folder.join("attacked.beacons.jsonl.gz"))? {
        let beacon = beacon?;
        // Ghosts sign with their maker's key.
        let signer: Arc<str> = beacon.sender.split('~').next().unwrap_or_default().into();
        let number = vehicles.len() as u64;
        let sender = vehicles
            .entry(signer.clone())
            .or_insert_with(|| vehicle(number, &mut rng));
        names.insert(sender.uid, signer.clone());
        let at_ms = EPOCH_MS + beacon.time_ms;
        let message = sender.speaker.speak(motion(&beacon), at_ms, &mut rng);
        signed += 1;
        let hearers: HashSet<usize> = match &beacon.heard_by {
            Some(heard_by) => heard_by
                .iter()
                .filter_map(|name| numbers.get(name).copied())
                .collect(),
            None => map
                .in_range(beacon.position)
                .map(|(index, _)| index)
                .collect(),
        };
        for index in hearers {
            heard_count += 1;
            let heard = Heard { at_ms, message };
            let records = std::slice::from_ref(&sender.record);
            let results = witnesses[index].hear(&[heard], records, at_ms, &mut rng);
            let worst = results
                .iter()
                .flatten()
                .flat_map(|judged| &judged.suspicions);
            if worst.map(|found| found.severity).max() >= Some(Severity::Implausible) {
                findings.flagged.insert(beacon.message);
            }
            for (vote, evidence) in witnesses[index].votes(at_ms) {
                let here = position(sites[index].position);
                assert_eq!(evidence.verify(&CHAIN, here, bounds, &mut rng), Ok(vote));
                sender.voters.insert(evidence.rsu);
                votes += 1;
            }
        }
        if sender.voters.len() >= VOTERS {
            findings.revoked_ms.entry(signer).or_insert(beacon.time_ms);
        }
    }
    let truth = TruthReader::open(folder.join("attacked.truth.jsonl.gz"))?;
    let score = score(truth, &findings)?;
    println!("\n{signed} messages signed, heard {heard_count} times, {votes} votes\n");
    println!(
        "| attack | messages | false and flagged | true and flagged | false, not flagged | F1 | revoked | seconds |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, attack) in &score.per_attack {
        let number = |value: Option<f64>, places| {
            value.map_or_else(|| "–".into(), |value| format!("{value:.places$}"))
        };
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} |",
            attack.messages,
            attack.true_positive,
            attack.false_positive,
            attack.false_negative,
            number(attack.f1, 2),
            attack.revoked,
            number(attack.seconds_to_revoke, 0),
        );
    }
    println!(
        "\n{} of {} attackers revoked, {} honest vehicles",
        score.revoked, score.attackers, score.false_revocations
    );
    Ok(())
}

fn position(place: Metres) -> Position {
    Position {
        x_cm: (place.x * 100.0).round() as i32,
        y_cm: (place.y * 100.0).round() as i32,
    }
}

fn motion(beacon: &Beacon) -> Motion {
    let acceleration = beacon.forward_acceleration().unwrap_or_default();
    Motion {
        position: position(beacon.position),
        speed_cm_s: (beacon.speed() * 100.0).round() as u16,
        heading_cdeg: (beacon.course() * 100.0).round() as u16 % 36_000,
        acceleration_cm_s2: (acceleration * 100.0).round() as i16,
        class: match beacon.class {
            None | Some(beacons::Class::Car) => Class::Car,
            Some(beacons::Class::Truck) => Class::Truck,
            Some(beacons::Class::Bus) => Class::Bus,
        },
    }
}
