//! Receivers' logs of other systems, judged as our receivers would have: no keys, no ledger, the same
//! checks ([`cairn_protocol::plausibility`]).
//!
//! 1. Each log is one receiver's. It watches every sender name (pseudonym) it hears.
//! 2. A reception is *flagged* if a check finds it worse than what honest vehicles do now and then.
//! 3. A vehicle counts as revoked when [`VOTERS`] receivers have a vote against it, at the time of the last
//!    of these votes.
//! 4. Then the labels are read: those of the records (VeReMi NextGen), or the attack in the name of the
//!    sender's own log (VeReMi and its Extension), of which all messages count as false.
//!
//! Logs have no signer's count of messages, so the check of sequence numbers finds nothing here. Where a log does not say
//! where its receiver was, nothing is held against the distance.

use crate::voice::Saying;
use cairn_ledger::Position;
use cairn_protocol::plausibility::{Bounds, Claim, Severity, Subject, Watch};
use cairn_scenario::{
    beacons::{self, BeaconsError, Log, Reception, Truth},
    scoring::{self, Findings, Misbehaviour},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    convert::Infallible,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Receivers whose votes revoke: f_r + 1 with f_r = 2.
pub const VOTERS: usize = 3;

/// What labels of single records call an attack, whose name they do not have.
const UNNAMED_ATTACK: &str = "attacker";

/// What was found in logs.
#[derive(Debug, Default, Serialize)]
pub struct Hindsight {
    /// Logs read, one for each receiver.
    pub receivers: usize,
    /// Messages received, each as often as it was.
    pub receptions: u64,
    /// Sender names among them, counted at each receiver.
    pub senders: usize,
    /// Receptions that were too old or heard before, of which nothing is held against anybody.
    pub passed_over: u64,
    /// Receptions that were flagged.
    pub flagged: u64,
    /// Findings by the check's name; one reception may fail several.
    pub findings: BTreeMap<&'static str, u64>,
    /// Votes: pairs of a receiver and a vehicle.
    pub votes: usize,
    /// Compared with the labels, if there are any.
    pub misbehaviour: Option<Misbehaviour>,
}

/// Judges logs. Files that are not a receiver's own, by their name a ground truth, hold no receptions.
pub fn judge(logs: &[PathBuf], bounds: Bounds) -> Result<Hindsight, BeaconsError> {
    let mut all = Judge::default();
    for path in logs {
        all.log(path, bounds)?;
    }
    Ok(all.into_hindsight(logs))
}

#[derive(Default)]
struct Judge {
    found: Hindsight,
    flagged: HashSet<u64>,
    /// When each receiver first had a vote against a vehicle.
    votes_ms: HashMap<Arc<str>, Vec<u64>>,
    /// What the records' labels say; `None` has none.
    labels: Vec<(Reported, Option<bool>)>,
    names: HashMap<Arc<str>, Arc<str>>,
}

struct Reported {
    time_ms: u64,
    vehicle: Arc<str>,
}

impl Judge {
    fn log(&mut self, path: &Path, bounds: Bounds) -> Result<(), BeaconsError> {
        let mut receiver = None;
        let mut subjects = HashMap::new();
        let mut voted = HashSet::new();
        for reception in Log::open(path)? {
            let reception = reception?;
            let watch = receiver.get_or_insert_with(|| watch(&reception, bounds));
            if let Some(here) = reception.receiver {
                watch.move_to(crate::to_position(here));
            }
            let next = subjects.len() as u64;
            let subject = *subjects
                .entry(reception.beacon.sender.clone())
                .or_insert_with(|| subject(next));
            let vehicle = self.name(&reception.vehicle);
            self.found.receptions += 1;
            let number = self.labels.len() as u64;
            match watch.hear(&claim(&reception, subject), &[], reception.received_ms) {
                Err(_) => self.found.passed_over += 1,
                Ok(judgement) => {
                    let is_flagged = |severity| severity > Severity::Hint;
                    let mut severities = judgement.suspicions.iter().map(|found| found.severity);
                    if severities.any(is_flagged) {
                        self.flagged.insert(number);
                    }
                    for suspicion in &judgement.suspicions {
                        *self
                            .found
                            .findings
                            .entry(suspicion.check.name())
                            .or_default() += 1;
                    }
                    if judgement.is_vote_due && voted.insert(vehicle.clone()) {
                        let votes = self.votes_ms.entry(vehicle.clone()).or_default();
                        votes.push(reception.received_ms);
                    }
                }
            }
            let time_ms = reception.beacon.time_ms;
            self.labels
                .push((Reported { time_ms, vehicle }, reception.is_false));
        }
        self.found.senders += subjects.len();
        self.found.receivers += usize::from(receiver.is_some());
        Ok(())
    }

    /// One allocation for each name, however often it occurs.
    fn name(&mut self, name: &Arc<str>) -> Arc<str> {
        let entry = self.names.entry(name.clone());
        entry.or_insert_with(|| name.clone()).clone()
    }

    fn into_hindsight(self, logs: &[PathBuf]) -> Hindsight {
        let by_log: HashMap<String, Arc<str>> = logs
            .iter()
            .filter_map(|log| beacons::label(log.file_name()?.to_str()?))
            .map(|(vehicle, attack)| (vehicle.to_owned(), attack.into()))
            .collect();
        let liars: HashSet<&Arc<str>> = self
            .labels
            .iter()
            .filter(|(_, is_false)| *is_false == Some(true))
            .map(|(reported, _)| &reported.vehicle)
            .collect();
        let has_labels = !by_log.is_empty() || self.labels.iter().any(|(_, label)| label.is_some());
        let truth = (0..)
            .zip(&self.labels)
            .map(|(message, (reported, is_false))| {
                let attack = if liars.contains(&reported.vehicle) {
                    UNNAMED_ATTACK.into()
                } else {
                    let named = by_log.get(&*reported.vehicle).cloned();
                    named.unwrap_or_else(|| Truth::GENUINE.into())
                };
                let is_false = is_false.unwrap_or(&*attack != Truth::GENUINE);
                Ok::<_, Infallible>(Truth {
                    message,
                    time_ms: reported.time_ms,
                    vehicle: reported.vehicle.clone(),
                    attack,
                    is_false,
                })
            });
        let findings = Findings {
            revoked_ms: self.votes_ms.iter().filter_map(revoked).collect(),
            flagged: self.flagged,
        };
        let misbehaviour = has_labels.then(|| {
            let Ok(score) = scoring::score(truth, &findings);
            score
        });
        Hindsight {
            flagged: findings.flagged.len() as u64,
            votes: self.votes_ms.values().map(Vec::len).sum(),
            misbehaviour,
            ..self.found
        }
    }
}

/// The time of the vote that revokes, if there were enough.
fn revoked((vehicle, votes_ms): (&Arc<str>, &Vec<u64>)) -> Option<(Arc<str>, u64)> {
    let mut votes_ms = votes_ms.clone();
    votes_ms.sort_unstable();
    let last = votes_ms.get(VOTERS - 1)?;
    Some((vehicle.clone(), *last))
}

fn watch(first: &Reception, bounds: Bounds) -> Watch {
    match first.receiver {
        Some(here) => Watch::new(crate::to_position(here), bounds),
        None => {
            let anywhere = Bounds {
                radio_range_m: f64::INFINITY,
                appearance_range_m: 0.0,
                ..bounds
            };
            Watch::new(Position { x_cm: 0, y_cm: 0 }, anywhere)
        }
    }
}

fn subject(number: u64) -> Subject {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    Subject(key)
}

fn claim(reception: &Reception, subject: Subject) -> Claim {
    let motion = Saying::of(&reception.beacon, reception.beacon.time_ms).motion;
    Claim {
        subject,
        // Rises with the time that the message states, so that no honest one counts back.
        sequence: u32::try_from(reception.beacon.time_ms % u64::from(u32::MAX)).unwrap_or_default(),
        time_ms: reception.beacon.time_ms,
        position: motion.position,
        speed_cm_s: motion.speed_cm_s,
        heading_cdeg: motion.heading_cdeg,
        acceleration_cm_s2: motion.acceleration_cm_s2,
        class: motion.class,
    }
}
