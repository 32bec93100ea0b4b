//! The checks on a real city's streets: needs the folder of test data in `CAIRN_DATA`, which is
//! not part of the project.

#[path = "../examples/plausibility/city.rs"]
mod city;

use cairn_protocol::plausibility::Bounds;
use cairn_scenario::{
    beacons::{BeaconReader, TruthReader},
    read_sites, scoring,
};
use city::{City, VOTERS};
use std::{env, path::PathBuf};

#[test]
fn hamburgs_liars_are_voted_out_and_nobody_else() {
    let Ok(data) = env::var("CAIRN_DATA") else {
        println!("skipped: CAIRN_DATA not set");
        return;
    };
    let hamburg = PathBuf::from(data).join("hamburg");
    let sites = read_sites(hamburg.join("rsu_sites.csv"), None).unwrap();
    let mut city = City::new(&sites, Bounds::default());
    for beacon in BeaconReader::open(hamburg.join("attacked.beacons.jsonl.gz")).unwrap() {
        city.hear(&beacon.unwrap());
    }
    let truth = TruthReader::open(hamburg.join("attacked.truth.jsonl.gz")).unwrap();
    let score = scoring::score(truth, &city.findings).unwrap();

    println!(
        "{} heard, {} not; {:?}",
        city.heard, city.unheard, city.found
    );
    assert_eq!(score.false_revocations, 0);
    let is_honest = |name: &str| !score.per_attacker.contains_key(name);
    assert_eq!(city.votes_against(is_honest), 0);
    for (name, liar) in &score.per_attacker {
        let is_revoked = city.voters(name) >= VOTERS;
        assert_eq!(liar.seconds_to_revoke.is_some(), is_revoked, "{name}");
        assert!(city.voters(name) <= city.hearers(name), "{name}");
    }
    let attacks = score.per_attack.values();
    let caught = attacks.filter(|attack| attack.revoked == 2).count();
    assert!(caught >= 9, "both attackers of {caught} attacks");
}
