//! What one RSU remembers of the keys it hears, and how it judges a claim.

use super::{
    account::Account,
    bounds::Bounds,
    checks::{Check, Suspicion},
    claim::{Claim, Subject},
    hearing::{self, Report},
    messages, motion,
};
use cairn_ledger::Position;
use std::collections::{HashMap, VecDeque, hash_map::Entry};
use thiserror::Error;

/// Most keys watched at once: within 500 m stand at most some 3,000 vehicles bumper to bumper on
/// a grid of streets, each with two keys. About 50 MB if every key sends as fast as it can.
pub const MAX_SUBJECTS: usize = 8_192;

/// Most claims remembered of a key. An honest one has seven within [`MEMORY_MS`]; of a faster one
/// the oldest are forgotten.
pub const MAX_CLAIMS: usize = 64;

/// How long a claim is remembered, in milliseconds of its own time: longer than the longest gap
/// of one movement and than the time in which a repeated message is still fresh.
pub const MEMORY_MS: u64 = 7_000;

/// How long a silent key's account is kept, in milliseconds: five minutes, what a vehicle needs to
/// come back through a neighbour's range.
pub const FORGET_MS: u64 = 300_000;

/// How often silent keys are looked for, in milliseconds.
const SWEEP_MS: u64 = 1_000;

/// Why a claim was passed over. Nothing of it is held against the signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unusable {
    /// It is too old; anybody may have recorded and delayed it.
    #[error("expected a message at most {max_age_ms} ms old, found one of {age_ms} ms")]
    Stale {
        /// Age in milliseconds by this RSU's clock.
        age_ms: u64,
        /// The accepted age in milliseconds.
        max_age_ms: u64,
    },
    /// The very same claim was heard before; anybody may have repeated it.
    #[error("expected a new message, found one that was heard before")]
    Replayed,
    /// This RSU watches as many keys as it can.
    #[error("expected at most {MAX_SUBJECTS} keys at once")]
    Full,
}

/// What an RSU thinks of a claim and its signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Everything wrong with the claim, in the order of [`Check`]; each check once.
    pub suspicions: Vec<Suspicion>,
    /// Whether this RSU's vote should stand against the signer. Stays true while it is; the
    /// ledger counts one vote per RSU and subject, however often it is sent.
    pub is_vote_due: bool,
}

/// The keys that one RSU hears.
pub struct Watch {
    here: Position,
    bounds: Bounds,
    tracks: HashMap<Subject, Track>,
    next_sweep_ms: u64,
}

/// What is remembered of one key.
struct Track {
    /// Claims in the order of their own times.
    claims: VecDeque<Heard>,
    account: Account,
    heard_ms: u64,
}

struct Heard {
    claim: Claim,
    /// Whether it keeps the rate and is no claim from the future. Only such claims are what
    /// others are compared with, so that a flood does not hide what came before it.
    is_regular: bool,
}

impl Watch {
    /// A watch for the RSU registered at `here`.
    pub fn new(here: Position, bounds: Bounds) -> Self {
        Self {
            here,
            bounds,
            tracks: HashMap::new(),
            next_sweep_ms: 0,
        }
    }

    /// The watch goes on from here: for receivers that move.
    pub fn move_to(&mut self, here: Position) {
        self.here = here;
    }

    /// Judges a claim whose signature has been verified, and remembers it.
    ///
    /// `reports` are what other RSUs say about this claim, one each; may be empty. `now_ms` is
    /// this RSU's time in milliseconds since 1970.
    pub fn hear(
        &mut self,
        claim: &Claim,
        reports: &[Report],
        now_ms: u64,
    ) -> Result<Judgement, Unusable> {
        self.sweep(now_ms);
        let age_ms = now_ms.saturating_sub(claim.time_ms);
        let max_age_ms = self.bounds.max_age_ms;
        if age_ms > max_age_ms {
            return Err(Unusable::Stale { age_ms, max_age_ms });
        }
        let is_full = self.tracks.len() >= MAX_SUBJECTS;
        let is_beside_another = self.is_beside_another(claim);
        let (is_new, track) = match self.tracks.entry(claim.subject) {
            Entry::Occupied(entry) => (false, entry.into_mut()),
            Entry::Vacant(_) if is_full => return Err(Unusable::Full),
            Entry::Vacant(entry) => (true, entry.insert(Track::new(now_ms))),
        };
        if track.claims.iter().any(|heard| heard.claim == *claim) {
            return Err(Unusable::Replayed);
        }

        let mut found = Vec::new();
        let mut check = |check: Check, is_violated: bool| {
            if is_violated {
                found.push(check.suspicion());
            }
        };
        let bounds = &self.bounds;
        let is_future = messages::freshness(claim, now_ms, bounds);
        let is_too_fast = track
            .regular()
            .any(|heard| messages::rate(heard, claim, bounds));
        check(Check::Range, hearing::range(claim, self.here, bounds));
        check(Check::Overlap, hearing::overlap(claim, reports, bounds));
        check(
            Check::Appearance,
            is_new && hearing::appearance(claim, self.here, bounds),
        );
        check(Check::Freshness, is_future);
        check(
            Check::Sequence,
            track.any(|heard| messages::sequence(heard, claim)),
        );
        check(Check::Rate, is_too_fast);
        check(
            Check::TwoPlaces,
            is_too_fast
                && track
                    .regular()
                    .any(|heard| messages::two_places(heard, claim, bounds)),
        );
        check(Check::SameSpace, is_beside_another);
        check(Check::MaxSpeed, claim.speed() > bounds.max_speed_m_s);
        let is_regular = !is_future && !is_too_fast;
        if let Some(before) = track.before(claim, bounds).filter(|_| is_regular) {
            for (name, is_violated) in MOTION {
                check(name, is_violated(before, claim, bounds));
            }
        }

        track
            .account
            .book(found.iter().map(|found| found.severity).max());
        track.remember(claim, is_regular, now_ms);
        Ok(Judgement {
            suspicions: found,
            is_vote_due: track.account.is_vote_due(),
        })
    }

    /// Whether another key's latest claim is in the same space.
    fn is_beside_another(&self, claim: &Claim) -> bool {
        self.tracks
            .iter()
            .filter(|(subject, _)| **subject != claim.subject)
            .filter_map(|(_, track)| track.regular().next_back())
            .any(|other| messages::same_space(other, claim, &self.bounds))
    }

    /// Forgets keys that have been silent for long.
    fn sweep(&mut self, now_ms: u64) {
        if now_ms >= self.next_sweep_ms {
            self.next_sweep_ms = now_ms.saturating_add(SWEEP_MS);
            self.tracks
                .retain(|_, track| track.heard_ms.saturating_add(FORGET_MS) > now_ms);
        }
    }
}

type Motion = fn(&Claim, &Claim, &Bounds) -> bool;

/// The checks of one claim against the one before it.
const MOTION: [(Check, Motion); 7] = [
    (Check::Speed, motion::speed),
    (Check::Acceleration, motion::acceleration),
    (Check::PositionSpeed, motion::position_speed),
    (Check::PositionHeading, motion::position_heading),
    (Check::HeadingChange, motion::heading_change),
    (Check::SpeedAcceleration, motion::speed_acceleration),
    (Check::Frozen, motion::frozen),
];

impl Track {
    fn new(now_ms: u64) -> Self {
        Self {
            claims: VecDeque::new(),
            account: Account::default(),
            heard_ms: now_ms,
        }
    }

    fn any(&self, mut is_so: impl FnMut(&Claim) -> bool) -> bool {
        self.claims.iter().any(|heard| is_so(&heard.claim))
    }

    fn regular(&self) -> impl DoubleEndedIterator<Item = &Claim> {
        let regular = self.claims.iter().filter(|heard| heard.is_regular);
        regular.map(|heard| &heard.claim)
    }

    /// The regular claim before this one, if it is near enough for one movement.
    fn before(&self, claim: &Claim, bounds: &Bounds) -> Option<&Claim> {
        self.regular()
            .rfind(|heard| heard.time_ms < claim.time_ms)
            .filter(|heard| claim.time_ms - heard.time_ms <= bounds.max_gap_ms)
    }

    fn remember(&mut self, claim: &Claim, is_regular: bool, now_ms: u64) {
        self.heard_ms = now_ms;
        let heard = Heard {
            claim: *claim,
            is_regular,
        };
        let place = self
            .claims
            .partition_point(|heard| heard.claim.time_ms <= claim.time_ms);
        self.claims.insert(place, heard);
        let is_past = |heard: &Heard| heard.claim.time_ms.saturating_add(MEMORY_MS) < now_ms;
        while self.claims.len() > MAX_CLAIMS || self.claims.front().is_some_and(is_past) {
            self.claims.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
