//! What vehicles said and what RSUs found of it: counted for the report, and by message for scoring.
//!
//! 1. The replay numbers what is to be said; the OBU signs it and notes which of its messages that is.
//! 2. A message is flagged when an RSU that heard it finds it implausible, or passes it over because
//!    its signer has been revoked.
//! 3. Numbers are forgotten two steps later: RSUs have judged by then.

use crate::report::PositionsReport;
use cairn_ledger::{Rid, Uid};
use cairn_protocol::position::Signer;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What was found in a run. Clones are the same findings.
#[derive(Clone, Default)]
pub struct Findings {
    shared: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    counts: PositionsReport,
    /// Messages by signer and count: of this step, and of the one before.
    said: [HashMap<(Signer, u32), u64>; 2],
    flagged: HashSet<u64>,
    revoked: Vec<Revoked>,
}

/// A revocation that is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The vehicle, by its name in TA's register.
    pub vehicle: Uid,
    /// Under which name it had spoken.
    pub signer: Signer,
    /// When the revocation was final, in milliseconds of trace time.
    pub time_ms: u64,
    /// Height of its block.
    pub height: u64,
    /// The RSUs whose evidence justified it.
    pub rsus: Vec<Rid>,
}

impl Findings {
    /// A step begins.
    pub fn next_step(&self) {
        let mut state = self.state();
        state.said.swap(0, 1);
        state.said[0].clear();
    }

    /// A vehicle has broadcast the message of this number as `signer`, under its count `sequence`.
    pub fn said(&self, signer: Signer, sequence: u32, number: u64) {
        self.state().said[0].insert((signer, sequence), number);
    }

    /// A vehicle has signed a message of this size in this time.
    pub fn signed(&self, bytes: usize, spent: Duration) {
        let counts = &mut self.state().counts;
        counts.sent += 1;
        counts.bytes = counts.bytes.max(bytes as u64);
        counts.signing_s += spent.as_secs_f64();
    }

    /// An RSU has checked so many messages in this time.
    pub fn checked(&self, messages: usize, spent: Duration) {
        let mut state = self.state();
        state.counts.checked += messages as u64;
        state.counts.checking_s += spent.as_secs_f64();
    }

    /// A vehicle has checked so many messages of others in this time.
    pub fn checked_by_vehicle(&self, messages: usize, spent: Duration) {
        let mut state = self.state();
        state.counts.checked_by_vehicles += messages as u64;
        state.counts.checking_by_vehicles_s += spent.as_secs_f64();
    }

    /// An RSU or vehicle has passed a message over: stale, unknown, wrongly signed, repeated.
    pub fn passed_over(&self) {
        self.state().counts.passed_over += 1;
    }

    /// An RSU holds a message against its signer.
    pub fn flagged(&self, signer: Signer, sequence: u32) {
        let mut state = self.state();
        let name = (signer, sequence);
        let number = state.said.iter().find_map(|said| said.get(&name)).copied();
        // A message that nobody of this run has said has no number.
        state.flagged.extend(number);
    }

    /// Votes of RSUs became final.
    pub fn voted(&self, votes: usize) {
        self.state().counts.votes += votes as u64;
    }

    /// A revocation became final.
    pub fn revoked(&self, revoked: Revoked) {
        self.state().revoked.push(revoked);
    }

    /// An RSU has dropped so many sessions of a revoked vehicle, so many blocks after the revocation's.
    pub fn dropped(&self, sessions: usize, blocks: u64) {
        if sessions > 0 {
            let counts = &mut self.state().counts;
            counts.sessions_dropped += sessions as u64;
            counts.drop_blocks = counts.drop_blocks.max(blocks);
        }
    }

    /// Revocations so far.
    pub fn revocations(&self) -> Vec<Revoked> {
        self.state().revoked.clone()
    }

    /// Numbers of the flagged messages.
    pub fn flagged_numbers(&self) -> HashSet<u64> {
        self.state().flagged.clone()
    }

    /// The counts.
    pub fn report(&self) -> PositionsReport {
        let state = self.state();
        PositionsReport {
            flagged: state.flagged.len() as u64,
            revoked: state.revoked.len() as u64,
            ..state.counts.clone()
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
