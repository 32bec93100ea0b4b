//! What came of location services, for the report.

use crate::report::{NearestReport, Quantiles, ServicesReport, WayReport};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Counts of a run. Clones are the same counts.
#[derive(Clone, Default)]
pub struct Tally {
    shared: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    counts: ServicesReport,
    round_trips_ms: Vec<f64>,
    work_ms: Vec<f64>,
}

impl Tally {
    /// Nothing has been asked yet; a provider knows so many points.
    pub fn new(points: usize) -> Self {
        let tally = Self::default();
        tally.state().counts.points = points as u64;
        tally
    }

    /// A vehicle has sent a question of this length.
    pub fn asked(&self, bytes: usize) {
        let counts = &mut self.state().counts;
        counts.queries += 1;
        counts.query_bytes = counts.query_bytes.max(bytes as u64);
    }

    /// It was answered, with a datagram of this length, after this time.
    pub fn answered(&self, bytes: usize, round_trip: Duration) {
        let mut state = self.state();
        state.counts.answers += 1;
        state.counts.answer_bytes = state.counts.answer_bytes.max(bytes as u64);
        state
            .round_trips_ms
            .push(round_trip.as_secs_f64() * 1_000.0);
    }

    /// The answer was that nothing is known.
    pub fn nothing_known(&self) {
        self.state().counts.nothing_known += 1;
    }

    /// The answer was this charging point.
    pub fn nearest(&self, nearest: NearestReport) {
        self.state().counts.last_nearest = Some(nearest);
    }

    /// The answer was how long this way takes.
    pub fn way(&self, way: WayReport) {
        self.state().counts.last_way = Some(way);
    }

    /// A vehicle was told that there will be no answer.
    pub fn refused(&self) {
        self.state().counts.refused += 1;
    }

    /// A question got neither.
    pub fn unanswered(&self) {
        self.state().counts.unanswered += 1;
    }

    /// An RSU did not believe a cell.
    pub fn false_cell(&self) {
        self.state().counts.false_cells += 1;
    }

    /// An RSU ended the service of a vehicle.
    pub fn ended(&self) {
        self.state().counts.ended += 1;
    }

    /// A provider answered a request, after this much work.
    pub fn served(&self, work: Duration) {
        self.state().work_ms.push(work.as_secs_f64() * 1_000.0);
    }

    /// A provider refused a request of an RSU.
    pub fn not_served(&self) {
        self.state().counts.refused_by_providers += 1;
    }

    /// A provider took a ledger proof.
    pub fn proof(&self) {
        self.state().counts.proofs += 1;
    }

    /// A provider judged by a ledger state of this age.
    pub fn judged_by(&self, age_ms: u64) {
        let counts = &mut self.state().counts;
        counts.staleness_s = counts.staleness_s.max(age_ms as f64 / 1_000.0);
    }

    /// The provider of travel times knows so many passages well enough to tell them.
    pub fn passages(&self, known: usize) {
        self.state().counts.passages = known as u64;
    }

    /// The counts.
    pub fn report(&self) -> ServicesReport {
        let state = self.state();
        let round_trip = Quantiles::of(state.round_trips_ms.clone());
        ServicesReport {
            p50_ms: round_trip.p50,
            p99_ms: round_trip.p99,
            served: state.work_ms.len() as u64,
            provider_ms: Quantiles::of(state.work_ms.clone()),
            ..state.counts.clone()
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
