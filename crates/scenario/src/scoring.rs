//! How well misbehaviour was found, in researchers' vocabulary.
//!
//! 1. Per message: a message is *positive* if it is false by the truth, *flagged* if an RSU that
//!    heard it found it implausible. A false message that no RSU heard was not found either, and
//!    counts as a false negative.
//! 2. Precision is of the messages of that attack's vehicles. False alarms about honest vehicles
//!    stand in the row [`Truth::GENUINE`], where they belong to no attack.
//! 3. Per attacker: whether it was revoked, and how many seconds after its first false message.
//!
//! Truth is read after the run, never by a detector.

use crate::beacons::Truth;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// What a run found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Numbers of the messages that were flagged.
    pub flagged: HashSet<u64>,
    /// When a vehicle was revoked, in the trace's milliseconds.
    pub revoked_ms: HashMap<Arc<str>, u64>,
}

/// How well misbehaviour was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Misbehaviour {
    /// Vehicles that mount an attack.
    pub attackers: usize,
    /// Those of them that were revoked.
    pub revoked: usize,
    /// Honest vehicles that were revoked.
    pub false_revocations: usize,
    /// By the attack's name; honest vehicles under [`Truth::GENUINE`].
    pub per_attack: BTreeMap<String, PerAttack>,
    /// By the attacker's name.
    pub per_attacker: BTreeMap<String, PerAttacker>,
}

/// How well one attack was found. The first four count messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PerAttack {
    /// Messages that its vehicles sent, true ones included.
    pub messages: u64,
    /// False and flagged.
    pub true_positive: u64,
    /// True and flagged.
    pub false_positive: u64,
    /// False and not flagged.
    pub false_negative: u64,
    /// Share of the flagged that is false; none if nothing was flagged.
    pub precision: Option<f64>,
    /// Share of the false that is flagged; none if nothing was false.
    pub recall: Option<f64>,
    /// Harmonic mean of precision and recall; none if nothing was false or flagged.
    pub f1: Option<f64>,
    /// Vehicles of it that were revoked.
    pub revoked: usize,
    /// Mean of seconds from a vehicle's first false message to its revocation, over the revoked
    /// ones; none if there are none.
    pub seconds_to_revoke: Option<f64>,
}

/// What became of one attacker.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PerAttacker {
    /// Its attack.
    pub attack: String,
    /// Seconds from its first false message to its revocation; none if it was not revoked.
    pub seconds_to_revoke: Option<f64>,
}

/// What the truth says of one vehicle.
struct Vehicle {
    attack: Arc<str>,
    first_false_ms: Option<u64>,
}

/// Scores a run. The first error of the truth ends it.
pub fn score<E>(
    truth: impl IntoIterator<Item = Result<Truth, E>>,
    findings: &Findings,
) -> Result<Misbehaviour, E> {
    let mut score = Misbehaviour::default();
    let mut vehicles = BTreeMap::new();
    for truth in truth {
        let truth = truth?;
        let attack = score
            .per_attack
            .entry(truth.attack.to_string())
            .or_default();
        attack.messages += 1;
        match (truth.is_false, findings.flagged.contains(&truth.message)) {
            (true, true) => attack.true_positive += 1,
            (false, true) => attack.false_positive += 1,
            (true, false) => attack.false_negative += 1,
            (false, false) => {}
        }
        let vehicle = vehicles.entry(truth.vehicle).or_insert(Vehicle {
            attack: truth.attack,
            first_false_ms: None,
        });
        if truth.is_false {
            vehicle.first_false_ms.get_or_insert(truth.time_ms);
        }
    }
    for (name, vehicle) in vehicles {
        score.vehicle(name, vehicle, findings);
    }
    for attack in score.per_attack.values_mut() {
        attack.rates();
    }
    Ok(score)
}

impl Misbehaviour {
    fn vehicle(&mut self, name: Arc<str>, vehicle: Vehicle, findings: &Findings) {
        let revoked_ms = findings.revoked_ms.get(&name);
        if &*vehicle.attack == Truth::GENUINE {
            self.false_revocations += usize::from(revoked_ms.is_some());
            return;
        }
        self.attackers += 1;
        let mut seconds_to_revoke = None;
        if let Some(&revoked_ms) = revoked_ms {
            self.revoked += 1;
            let first_ms = vehicle.first_false_ms.unwrap_or(revoked_ms);
            // Revoked before its first false message: by the rate of its true ones, say.
            let seconds = revoked_ms.saturating_sub(first_ms) as f64 / 1_000.0;
            seconds_to_revoke = Some(seconds);
            let attack = self
                .per_attack
                .entry(vehicle.attack.to_string())
                .or_default();
            attack.revoked += 1;
            // The sum, until `rates` divides it.
            *attack.seconds_to_revoke.get_or_insert(0.0) += seconds;
        }
        let outcome = PerAttacker {
            attack: vehicle.attack.to_string(),
            seconds_to_revoke,
        };
        self.per_attacker.insert(name.to_string(), outcome);
    }
}

impl PerAttack {
    fn rates(&mut self) {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let hits = self.true_positive;
        self.precision = share(hits, hits + self.false_positive);
        self.recall = share(hits, hits + self.false_negative);
        self.f1 = share(
            2 * hits,
            2 * hits + self.false_positive + self.false_negative,
        );
        let revoked = self.revoked as f64;
        self.seconds_to_revoke = self.seconds_to_revoke.map(|sum| sum / revoked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn truth(message: u64, vehicle: &str, attack: &str, is_false: bool) -> Truth {
        Truth {
            message,
            time_ms: 1_000 * message,
            vehicle: vehicle.into(),
            attack: attack.into(),
            is_false,
        }
    }

    fn scored(truth: Vec<Truth>, flagged: &[u64], revoked: &[(&str, u64)]) -> Misbehaviour {
        let findings = Findings {
            flagged: flagged.iter().copied().collect(),
            revoked_ms: revoked
                .iter()
                .map(|&(name, ms)| (name.into(), ms))
                .collect(),
        };
        score(truth.into_iter().map(Ok::<_, Infallible>), &findings).unwrap()
    }

    #[test]
    fn messages_are_counted_by_truth_and_finding() {
        let found = scored(
            vec![
                truth(1, "a", "DoS", false),
                truth(2, "a", "DoS", true),
                truth(3, "a", "DoS", true),
                truth(4, "b", "DoS", true),
                truth(5, "b", "DoS", false),
                truth(6, "c", "Genuine", false),
            ],
            &[2, 4, 5, 6],
            &[("b", 6_500), ("c", 7_000), ("stranger", 1)],
        );
        let dos = &found.per_attack["DoS"];
        let counts = (
            dos.messages,
            dos.true_positive,
            dos.false_positive,
            dos.false_negative,
        );
        assert_eq!(counts, (5, 2, 1, 1));
        assert_eq!(dos.precision, Some(2.0 / 3.0));
        assert_eq!(dos.recall, Some(2.0 / 3.0));
        assert_eq!(dos.f1, Some(4.0 / 6.0));
        assert_eq!((dos.revoked, dos.seconds_to_revoke), (1, Some(2.5)));
        let genuine = &found.per_attack["Genuine"];
        assert_eq!((genuine.false_positive, genuine.recall), (1, None));
        assert_eq!(
            (found.attackers, found.revoked, found.false_revocations),
            (2, 1, 1)
        );
        assert_eq!(found.per_attacker["a"].seconds_to_revoke, None);
        assert_eq!(found.per_attacker["b"].seconds_to_revoke, Some(2.5));
    }

    #[test]
    fn times_to_revocation_are_averaged() {
        let found = scored(
            vec![truth(1, "a", "X", true), truth(2, "b", "X", true)],
            &[],
            &[("a", 2_000), ("b", 5_000)],
        );
        assert_eq!(found.per_attack["X"].seconds_to_revoke, Some(2.0));
    }

    #[test]
    fn nothing_found_has_no_precision() {
        let found = scored(vec![truth(1, "a", "X", true)], &[], &[]);
        let attack = &found.per_attack["X"];
        assert_eq!(
            (attack.precision, attack.recall, attack.f1),
            (None, Some(0.0), Some(0.0))
        );
        let json = serde_json::to_value(&found).unwrap();
        assert!(json["per_attack"]["X"]["precision"].is_null());
        assert!(json["per_attack"]["X"]["seconds_to_revoke"].is_null());
        assert_eq!(json["attackers"], 1);
    }
}
