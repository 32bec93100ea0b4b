//! What vehicles and RSUs count while they run.

use crate::report::{LoginReport, Quantiles};
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Counters of a run. Clones are the same counters.
#[derive(Clone, Default)]
pub struct Counters {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    full: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
    rekeyed: AtomicU64,
    hello_bytes: AtomicU64,
    accept_bytes: AtomicU64,
    rekey_request_bytes: AtomicU64,
    rekey_answer_bytes: AtomicU64,
    radio_bytes: AtomicU64,
    vehicles: Mutex<HashSet<u32>>,
    round_trips_ms: Mutex<Vec<f64>>,
}

impl Counters {
    /// A vehicle, by its number in the trace, has logged in.
    pub fn logged_in(&self, vehicle: u32, round_trip_ms: f64) {
        let shared = &self.shared;
        shared.full.fetch_add(1, Relaxed);
        let mut vehicles = shared
            .vehicles
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        vehicles.insert(vehicle);
        let mut times = shared
            .round_trips_ms
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        times.push(round_trip_ms);
    }

    /// A login was refused.
    pub fn login_refused(&self) {
        self.shared.refused.fetch_add(1, Relaxed);
    }

    /// A login got no answer in time.
    pub fn login_unanswered(&self) {
        self.shared.unanswered.fetch_add(1, Relaxed);
    }

    /// A session key was renewed.
    pub fn rekeyed(&self) {
        self.shared.rekeyed.fetch_add(1, Relaxed);
    }

    /// The first message of a login was sent.
    pub fn hello(&self, bytes: usize) {
        self.shared.hello_bytes.fetch_max(bytes as u64, Relaxed);
    }

    /// The answer to a login was sent.
    pub fn accept(&self, bytes: usize) {
        self.shared.accept_bytes.fetch_max(bytes as u64, Relaxed);
    }

    /// The first message of a rekey was sent.
    pub fn rekey_request(&self, bytes: usize) {
        self.shared
            .rekey_request_bytes
            .fetch_max(bytes as u64, Relaxed);
    }

    /// The answer to it was sent.
    pub fn rekey_answer(&self, bytes: usize) {
        self.shared
            .rekey_answer_bytes
            .fetch_max(bytes as u64, Relaxed);
    }

    /// A datagram of any kind was sent.
    pub fn datagram(&self, bytes: usize) {
        self.shared.radio_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Logins so far: accepted, and not.
    pub fn logins(&self) -> (u64, u64) {
        let shared = &self.shared;
        let failed = shared.refused.load(Relaxed) + shared.unanswered.load(Relaxed);
        (shared.full.load(Relaxed), failed)
    }

    /// The counters as part of the report.
    pub fn report(&self) -> LoginReport {
        let shared = &self.shared;
        let vehicles = shared
            .vehicles
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let times = shared
            .round_trips_ms
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        LoginReport {
            full: shared.full.load(Relaxed),
            refused: shared.refused.load(Relaxed),
            unanswered: shared.unanswered.load(Relaxed),
            vehicles: vehicles.len() as u64,
            rekeyed: shared.rekeyed.load(Relaxed),
            hello_bytes: shared.hello_bytes.load(Relaxed),
            accept_bytes: shared.accept_bytes.load(Relaxed),
            rekey_bytes: shared.rekey_request_bytes.load(Relaxed)
                + shared.rekey_answer_bytes.load(Relaxed),
            round_trip_ms: Quantiles::of(times.clone()),
            radio_bytes: shared.radio_bytes.load(Relaxed),
        }
    }
}
