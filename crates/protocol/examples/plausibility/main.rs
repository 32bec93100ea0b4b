//! How well the plausibility checks find liars, without network or signatures.
//!
//! ```text
//! CAIRN_DATA=… cargo run --release -p cairn-protocol --example plausibility -- MODE
//! ```
//!
//! * `attacked`: Hamburg's beacons with 28 attackers among them, heard by its picked RSUs. Prints a
//!   line per attack; `--json` prints the score as JSON instead.
//! * `injected`: every attack of the registry in turn, mounted by some of Hamburg's vehicles.
//! * `honest`: the load trace with honest errors only. Prints how often checks and votes are wrong.
//!
//! A vehicle counts as revoked when [`VOTERS`] RSUs have a vote against it. Truth is read after
//! the run.

mod city;
mod trace;

use cairn_protocol::plausibility::{Bounds, Check};
use cairn_scenario::{
    Site,
    attackers::{ATTACKERS, Source},
    beacons::{BeaconReader, Truth, TruthReader},
    read_sites,
    scoring::{self, Misbehaviour, PerAttack},
};
use city::{City, VOTERS};
use std::{env, error::Error, path::PathBuf, process::ExitCode};
use trace::{honest_beacons, with_attackers};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let data = env::var("CAIRN_DATA").map_err(|_| "expected CAIRN_DATA to name the test data")?;
    let hamburg = PathBuf::from(data).join("hamburg");
    let sites = read_sites(hamburg.join("rsu_sites.csv"), None)?;
    match arguments[..] {
        ["attacked"] => print_attacked(&attacked(&hamburg, &sites)?),
        ["attacked", "--json"] => {
            let (_, score) = attacked(&hamburg, &sites)?;
            let report = serde_json::json!({ "misbehaviour": score });
            println!("{}", serde_json::to_string_pretty(&report)?);
        }
        ["injected"] => injected(&hamburg, &sites)?,
        ["honest"] => honest(&hamburg, &sites)?,
        _ => return Err("expected attacked [--json], injected or honest".into()),
    }
    Ok(())
}

fn attacked(hamburg: &std::path::Path, sites: &[Site]) -> Outcome<(City, Misbehaviour)> {
    let mut city = City::new(sites, Bounds::default());
    for beacon in BeaconReader::open(hamburg.join("attacked.beacons.jsonl.gz"))? {
        city.hear(&beacon?);
    }
    let truth = TruthReader::open(hamburg.join("attacked.truth.jsonl.gz"))?;
    let score = scoring::score(truth, &city.findings)?;
    Ok((city, score))
}

fn print_attacked((city, score): &(City, Misbehaviour)) {
    println!(
        "{:<18} {:>5} {:>5} {:>5} {:>5}  {:>5} {:>5} {:>5}  revoked seconds",
        "attack", "msgs", "TP", "FP", "FN", "prec", "rec", "F1"
    );
    for (name, attack) in &score.per_attack {
        print_attack(name, attack);
    }
    println!(
        "{} of {} attackers revoked, {} honest vehicles revoked, {} messages unheard",
        score.revoked, score.attackers, score.false_revocations, city.unheard
    );
    for (name, outcome) in &score.per_attacker {
        let heard = city.hearers(name);
        let votes = city.voters(name);
        println!(
            "{:<18} {name:<20} heard by {heard} RSUs, {votes} votes",
            outcome.attack
        );
    }
    let honest = |name: &str| !score.per_attacker.contains_key(name);
    println!(
        "votes against honest vehicles: {}",
        city.votes_against(honest)
    );
    print_checks(city);
}

fn print_attack(name: &str, attack: &PerAttack) {
    let number = |rate: Option<f64>| rate.map_or("-".into(), |rate| format!("{rate:.3}"));
    println!(
        "{:<18} {:>5} {:>5} {:>5} {:>5}  {:>5} {:>5} {:>5}  {:>7} {:>7}",
        name,
        attack.messages,
        attack.true_positive,
        attack.false_positive,
        attack.false_negative,
        number(attack.precision),
        number(attack.recall),
        number(attack.f1),
        attack.revoked,
        attack
            .seconds_to_revoke
            .map_or("-".into(), |seconds| format!("{seconds:.0}")),
    );
}

fn print_checks(city: &City) {
    let found: Vec<String> = Check::ALL
        .iter()
        .filter_map(|check| {
            city.found
                .get(check)
                .map(|count| format!("{} {count}", check.name()))
        })
        .collect();
    println!("findings by check: {}", found.join(", "));
}

/// Mounts every attack in turn; see [`with_attackers`].
fn injected(hamburg: &std::path::Path, sites: &[Site]) -> Outcome<()> {
    const SEEDS: u64 = 3;
    let trace = honest_beacons(&hamburg.join("hamburg-5min.fcd.xml.gz"), 1)?;
    let trace: Vec<_> = trace.collect::<Result<_, _>>()?;
    println!(
        "attack                      of     prec   rec    F1    revoked / heard by {VOTERS} RSUs"
    );
    for kind in ATTACKERS {
        let mut sum = PerAttack::default();
        let (mut reachable, mut honest_revoked) = (0, 0);
        let (mut precision, mut recall, mut f1) = (0.0, 0.0, 0.0);
        for seed in 0..SEEDS {
            let (beacons, truth) = with_attackers(kind, &trace, sites, seed);
            let mut city = City::new(sites, Bounds::default());
            beacons.iter().for_each(|beacon| city.hear(beacon));
            let liars = truth.iter().filter(|truth| !truth.is_honest());
            let liars: std::collections::BTreeSet<_> =
                liars.map(|truth| truth.vehicle.clone()).collect();
            reachable += liars
                .iter()
                .filter(|name| city.hearers(name) >= VOTERS)
                .count();
            let score = scoring::score(truth.into_iter().map(Ok::<Truth, ()>), &city.findings)
                .map_err(|()| "truth that is in memory cannot fail")?;
            honest_revoked += score.false_revocations;
            if let Some(attack) = score.per_attack.get(kind.name) {
                sum.revoked += attack.revoked;
                precision += attack.precision.unwrap_or(0.0) / SEEDS as f64;
                recall += attack.recall.unwrap_or(0.0) / SEEDS as f64;
                f1 += attack.f1.unwrap_or(0.0) / SEEDS as f64;
            }
        }
        let source = match kind.source {
            Source::F2md(number) => format!("F2MD {number}"),
            Source::NextGen => "NextGen".into(),
        };
        println!(
            "{:<27} {source:<7} {precision:.3} {recall:.3} {f1:.3}  {:>2} / {reachable}  honest revoked {honest_revoked}",
            kind.name, sum.revoked
        );
    }
    Ok(())
}

fn honest(hamburg: &std::path::Path, sites: &[Site]) -> Outcome<()> {
    let mut city = City::new(sites, Bounds::default());
    let mut beacons = 0_u64;
    for beacon in honest_beacons(&hamburg.join("hamburg-15min.fcd.xml.gz"), 1)? {
        city.hear(&beacon?);
        beacons += 1;
    }
    let hours = beacons as f64 / 3_600.0;
    let votes = city.votes_against(|_| true);
    println!(
        "{beacons} beacons, {hours:.0} vehicle-hours, {} heard by RSUs",
        city.heard
    );
    println!(
        "{} messages flagged; {votes} false votes, {:.4} per vehicle-hour; {} vehicles revoked",
        city.findings.flagged.len(),
        votes as f64 / hours,
        city.findings.revoked_ms.len(),
    );
    print_checks(&city);
    Ok(())
}
