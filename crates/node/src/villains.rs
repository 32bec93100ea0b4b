//! RSUs that villains run: what they vote, by [`cairn_scenario::attackers::RSU_VILLAINS`].
//!
//! Whom a villain wants to vote against it needs evidence for, and it cannot sign for vehicles. The best
//! that it can do: claim to have heard true messages where it cannot have heard them. So lying
//! RSUs tell each other what they hear, and each holds those messages against a vehicle that are
//! out of its own reach. That convinces whoever re-verifies it; it takes f_r + 1 such RSUs.

use cairn_contracts::misbehaviour::{Kind, Vote};
use cairn_protocol::{
    evidence::{Evidence, Grounds, Heard, MAX_SPAN_MS},
    plausibility::Bounds,
    position::{Signatory, Signer},
    witness::Stand,
};
use cairn_scenario::attackers::RsuVotes;
use rand::rngs::StdRng;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// Messages remembered of a signer: two minutes of them.
const MEMORY: usize = 128;

/// Messages, one a second, after which a villain votes with evidence that convinces nobody, rather than not at all.
const PATIENCE: usize = 64;

/// What villains have heard of each signer, in the order of time.
type Talk = BTreeMap<Signer, (Signatory, VecDeque<Heard>)>;

/// The villain behind one RSU.
pub struct Villain {
    votes: RsuVotes,
    /// Shared by all villains of a network.
    talk: Arc<Mutex<Talk>>,
    /// Signers voted against without an honest reason.
    slandered: BTreeSet<Signer>,
}

/// Villains for the RSUs of these places in the list of sites, all of a kind.
pub fn villains(places: &[usize], votes: RsuVotes) -> HashMap<usize, Villain> {
    let talk = Arc::new(Mutex::new(Talk::new()));
    let villain = |place: &usize| {
        let villain = Villain {
            votes,
            talk: talk.clone(),
            slandered: BTreeSet::new(),
        };
        (*place, villain)
    };
    places.iter().map(villain).collect()
}

impl Villain {
    /// What it votes after hearing `heard`, when it would honestly cast `honest`.
    pub(crate) fn votes(
        &mut self,
        honest: Vec<(Vote, Evidence)>,
        heard: &[Heard],
        signatory: impl Fn(&Signer) -> Option<Signatory>,
        stand: &Stand,
        grounds: &Grounds<'_>,
        rng: &mut StdRng,
    ) -> Vec<(Vote, Evidence)> {
        let talk = self.talk.clone();
        let mut talk = talk.lock().unwrap_or_else(PoisonError::into_inner);
        for heard in heard {
            let signer = heard.message.statement.signer;
            // Without its key its messages prove nothing.
            let Some(signatory) = signatory(&signer) else {
                continue;
            };
            let heard = Heard {
                message: heard.message.bare(),
                ..*heard
            };
            let (_, messages) = talk
                .entry(signer)
                .or_insert_with(|| (signatory, VecDeque::new()));
            if !messages.iter().any(|known| known.message == heard.message) {
                messages.push_back(heard);
            }
            if messages.len() > MEMORY {
                messages.pop_front();
            }
        }
        let honest: BTreeMap<Signer, (Vote, Evidence)> = honest
            .into_iter()
            .map(|(vote, evidence)| (vote.subject, (vote, evidence)))
            .collect();
        let mut votes = Vec::new();
        for (&subject, (signatory, messages)) in talk.iter() {
            let honest = honest.get(&subject);
            let count = (self.votes)(honest.is_some());
            let vote = match honest {
                Some(vote) => Some(vote.clone()),
                None if count == 0 || (count == 1 && self.slandered.contains(&subject)) => None,
                None => slander(*signatory, messages, stand, grounds, rng),
            };
            if let Some(vote) = vote {
                if honest.is_none() {
                    self.slandered.insert(subject);
                }
                votes.extend((0..count).map(|_| vote.clone()));
            }
        }
        votes
    }
}

/// A vote against a signer by its true messages.
fn slander(
    signatory: Signatory,
    messages: &VecDeque<Heard>,
    stand: &Stand,
    grounds: &Grounds<'_>,
    rng: &mut StdRng,
) -> Option<(Vote, Evidence)> {
    let last_ms = messages.iter().map(|heard| heard.at_ms).max()?;
    let recent = |heard: &&Heard| last_ms - heard.at_ms < MAX_SPAN_MS;
    let Bounds {
        radio_range_m,
        position_error_m,
        ..
    } = grounds.bounds;
    let reach_m = radio_range_m + position_error_m;
    let is_far = |heard: &Heard| {
        let position = heard.message.statement.motion.position;
        position.distance_m(&stand.here) > reach_m
    };
    let evidence = |messages: Vec<Heard>| {
        let mut messages = messages;
        messages.sort_by_key(|heard| heard.at_ms);
        Evidence {
            signatory,
            rsu: stand.rid,
            messages,
        }
    };
    let far = messages.iter().filter(recent).filter(|heard| is_far(heard));
    let far = evidence(far.copied().collect());
    if let Ok(vote) = far.verify(grounds, stand.here, rng) {
        return Some((vote, far));
    }
    if messages.len() < PATIENCE {
        return None;
    }
    let weak = evidence(messages.iter().filter(recent).copied().collect());
    let last = weak.messages.last()?;
    let vote = Vote {
        subject: weak.subject(),
        kind: if is_far(last) {
            Kind::Elsewhere
        } else {
            Kind::Implausible
        },
        position: last.message.statement.motion.position,
        evidence: weak.digest(),
    };
    Some((vote, weak))
}
