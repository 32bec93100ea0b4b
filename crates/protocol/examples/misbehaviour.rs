//! Position messages of a real city from signature to vote, and what checking them costs.
//!
//! ```text
//! CAIRN_DATA=… cargo run --release -p cairn-protocol --example misbehaviour
//! ```
//!
//! Reads beacons with liars among them (`hamburg/attacked.beacons.jsonl.gz`), lets every vehicle sign its
//! own under an anonymous credential, its ghosts by turns under both that it has, and one witness per
//! site hear what its site hears. A vehicle counts as revoked when three RSUs have voted against one of
//! its credentials with evidence that re-verifies; its later messages are judged on, for the count per
//! message. The truth is read afterwards, for the table. Without `CAIRN_DATA` only the cost is measured.

mod issuers;

use cairn_contracts::keys::{VehicleRecord, vehicle_key};
use cairn_crypto::{
    credential::{IssuerKey, Policy},
    issuer::Issuer,
    schnorr::SecretKey,
    suite::Ristretto255,
};
use cairn_ledger::{Address, ChainId, Position, Record, Rid, Uid};
use cairn_protocol::{
    evidence::{Grounds, Heard},
    plausibility::{Bounds, Class, Severity},
    position::{Motion, Receiver, Signed, Signer, Speaker},
    roadside::Issuers,
    witness::{Stand, Witness},
};
use cairn_scenario::{
    Metres, RadioMap, RadioRange,
    beacons::{self, Beacon, BeaconReader, TruthReader},
    read_sites,
    scoring::{Findings, score},
};
use issuers::{EPOCH, credential, issuers, slots};
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

/// What everybody knows of issuers with this key.
fn known(key: &Arc<IssuerKey<Ristretto255>>) -> Issuers {
    let mut known = Issuers::new(Policy::default(), EPOCH_MS);
    known.install(EPOCH, key.clone());
    known
}

/// Speakers under the credentials of a vehicle that are valid, the older one first.
fn vehicle(office: &mut [Issuer<Ristretto255>], number: usize, rng: &mut StdRng) -> Vec<Speaker> {
    let slots = slots(&Policy::default(), EPOCH_MS).into_iter();
    let speaker = |(slot, k)| {
        let credential = credential(office, slot, 2 * number + k, rng);
        Speaker::anonymous(CHAIN, &credential, EPOCH_MS)
    };
    slots.zip(0..).map(speaker).collect()
}

/// Signatures per second on one core.
fn cost() {
    const VEHICLES: usize = 1_024;
    let mut rng = StdRng::seed_from_u64(1);
    let mut office = issuers(&mut rng);
    let key = Arc::new(office[0].key().set().issuer_key());
    let motion = Motion {
        position: Position { x_cm: 0, y_cm: 0 },
        speed_cm_s: 1_000,
        heading_cdeg: 0,
        acceleration_cm_s2: 0,
        class: Class::Car,
    };
    let mut records = Vec::new();
    let mut registered: Vec<Speaker> = (0..VEHICLES as u64)
        .map(|number| {
            let (uid, key) = (Uid(number.to_be_bytes()), SecretKey::random(&mut rng));
            let record = VehicleRecord {
                key: key.public().to_bytes(),
                valid_from_ms: 0,
                valid_until_ms: u64::MAX,
                revoked_ms: None,
            };
            records.push((vehicle_key(&KEYS, &uid), Some(Record::of(&record))));
            Speaker::registered(CHAIN, uid, key, EPOCH_MS)
        })
        .collect();
    let mut anonymous: Vec<Speaker> = (0..VEHICLES)
        .map(|number| vehicle(&mut office, number, &mut rng).remove(0))
        .collect();
    println!("checking position messages on one core, each of another vehicle:");
    for (who, speakers) in [
        ("registered", &mut registered),
        ("anonymous", &mut anonymous),
    ] {
        let messages: Vec<Signed> = speakers
            .iter_mut()
            .map(|speaker| speaker.speak(motion, EPOCH_MS, &mut rng))
            .collect();
        for size in [1, 16, 64, 256, 1_024] {
            let mut receiver = Receiver::new(CHAIN, KEYS, known(&key));
            for heard in ["first", "again"] {
                let started = Instant::now();
                for (messages, records) in messages.chunks(size).zip(records.chunks(size)) {
                    let results = receiver.verify(messages, records, EPOCH_MS, &mut rng);
                    assert!(results.iter().all(Result::is_ok));
                }
                let rate = VEHICLES as f64 / started.elapsed().as_secs_f64();
                println!("  {who}, heard {heard}, batches of {size:>5}: {rate:>7.0} a second");
            }
        }
    }
}

fn hamburg(folder: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let mut rng = StdRng::seed_from_u64(2);
    let mut office = issuers(&mut rng);
    let key = Arc::new(office[0].key().set().issuer_key());
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
        witnesses.push(Witness::new(stand, bounds, known(&key)));
    }
    let numbers: HashMap<Arc<str>, usize> =
        sites.iter().map(|site| site.id.clone()).zip(0..).collect();
    let map = RadioMap::new(
        sites.iter().map(|site| site.position),
        RadioRange::default(),
    );
    let mut vehicles: HashMap<Arc<str>, Vec<Speaker>> = HashMap::new();
    let mut voters: HashMap<Signer, BTreeSet<Rid>> = HashMap::new();
    let everybody = known(&key);
    let grounds = Grounds {
        chain: &CHAIN,
        issuers: &everybody,
        bounds,
    };
    let mut findings = Findings::default();
    let (mut heard_count, mut votes, mut signed) = (0u64, 0u64, 0u64);
    for beacon in BeaconReader::open(folder.join("attacked.beacons.jsonl.gz"))? {
        let beacon = beacon?;
        let (signer, ghost) = match beacon.sender.split_once('~') {
            Some((maker, number)) => (Arc::from(maker), number.parse::<usize>()?),
            None => (beacon.sender.clone(), 0),
        };
        let number = vehicles.len();
        let speakers = vehicles
            .entry(signer.clone())
            .or_insert_with(|| vehicle(&mut office, number, &mut rng));
        let at_ms = EPOCH_MS + beacon.time_ms;
        // The vehicle itself under the newer one, ghosts by turns from the older one on.
        let turn = (ghost + 1) % speakers.len();
        let message = speakers[turn].speak(motion(&beacon), at_ms, &mut rng);
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
            let results = witnesses[index].hear(&[heard], &[], at_ms, &mut rng);
            let worst = results
                .iter()
                .flatten()
                .flat_map(|judged| &judged.suspicions);
            if worst.map(|found| found.severity).max() >= Some(Severity::Implausible) {
                findings.flagged.insert(beacon.message);
            }
            for (vote, evidence) in witnesses[index].votes(at_ms) {
                let here = position(sites[index].position);
                assert_eq!(evidence.verify(&grounds, here, &mut rng), Ok(vote));
                let voters = voters.entry(vote.subject).or_default();
                voters.insert(evidence.rsu);
                votes += 1;
                if voters.len() >= VOTERS {
                    let revoked_ms = &mut findings.revoked_ms;
                    revoked_ms.entry(signer.clone()).or_insert(beacon.time_ms);
                }
            }
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
