//! What vehicles and RSUs count while they run.

mod relayed;

pub use relayed::RelayedLogin;

use crate::report::{CostReport, HandoverReport, LoginReport, Quantiles, RelayReport};
use cairn_protocol::login::Way;
use relayed::Relayed;
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Counters of a run. Clones are the same counters.
#[derive(Clone, Default)]
pub struct Counters {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    refused: AtomicU64,
    unanswered: AtomicU64,
    token_refused: AtomicU64,
    lost_races: AtomicU64,
    rekeyed: AtomicU64,
    recorded: AtomicU64,
    rekey_request_bytes: AtomicU64,
    rekey_answer_bytes: AtomicU64,
    radio_bytes: AtomicU64,
    vehicle_work_ns: AtomicU64,
    rsu_work_ns: AtomicU64,
    registered: Kind,
    anonymous: Kind,
    handover: Kind,
    vehicles: Mutex<HashSet<u32>>,
    served_positions: AtomicU64,
    relayed: Relayed,
}

/// Logins of one kind.
#[derive(Default)]
struct Kind {
    count: AtomicU64,
    hello_bytes: AtomicU64,
    accept_bytes: AtomicU64,
    round_trips_ms: Mutex<Vec<f64>>,
}

impl Kind {
    /// Of first message and answer, the largest sent.
    fn bytes(&self) -> [u64; 2] {
        [
            self.hello_bytes.load(Relaxed),
            self.accept_bytes.load(Relaxed),
        ]
    }

    fn round_trips(&self) -> MutexGuard<'_, Vec<f64>> {
        self.round_trips_ms
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counters {
    fn kind(&self, way: Way) -> &Kind {
        match way {
            Way::Registered => &self.shared.registered,
            Way::Anonymous => &self.shared.anonymous,
            Way::Token => &self.shared.handover,
        }
    }

    /// A vehicle, by its number in the trace, has logged in.
    pub fn logged_in(&self, vehicle: u32, way: Way, round_trip: Duration) {
        let kind = self.kind(way);
        kind.count.fetch_add(1, Relaxed);
        kind.round_trips().push(round_trip.as_secs_f64() * 1_000.0);
        self.served().insert(vehicle);
    }

    /// A vehicle, by its number in the trace, has logged in through relays.
    pub fn logged_in_over(&self, vehicle: u32, way: Way, login: RelayedLogin) {
        self.kind(way).count.fetch_add(1, Relaxed);
        self.shared.relayed.logged_in(vehicle, way, login);
    }

    /// A vehicle has a session at an RSU that it hears, at one of its positions.
    pub fn position_served(&self) {
        self.shared.served_positions.fetch_add(1, Relaxed);
    }

    /// What is counted of relayed logins.
    pub(crate) fn relayed(&self) -> &Relayed {
        &self.shared.relayed
    }

    /// Whether a vehicle, by its number in the trace, has logged in.
    pub fn is_served(&self, vehicle: u32) -> bool {
        self.served().contains(&vehicle) || self.shared.relayed.is_served(vehicle)
    }

    fn served(&self) -> MutexGuard<'_, HashSet<u32>> {
        let vehicles = &self.shared.vehicles;
        vehicles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A login was refused.
    pub fn login_refused(&self) {
        self.shared.refused.fetch_add(1, Relaxed);
    }

    /// A login got no answer in time.
    pub fn login_unanswered(&self) {
        self.shared.unanswered.fetch_add(1, Relaxed);
    }

    /// An RSU did not take a token; a full login follows.
    pub fn token_refused(&self) {
        self.shared.token_refused.fetch_add(1, Relaxed);
    }

    /// A session was served on a token that somebody else spent first.
    pub fn lost_race(&self) {
        self.shared.lost_races.fetch_add(1, Relaxed);
    }

    /// A session key was renewed.
    pub fn rekeyed(&self) {
        self.shared.rekeyed.fetch_add(1, Relaxed);
    }

    /// Records of RSUs became final.
    pub fn recorded(&self, records: usize) {
        self.shared.recorded.fetch_add(records as u64, Relaxed);
    }

    /// The first message of a login was sent.
    pub fn hello(&self, way: Way, bytes: usize) {
        self.kind(way).hello_bytes.fetch_max(bytes as u64, Relaxed);
    }

    /// The answer to a login was sent.
    pub fn accept(&self, way: Way, bytes: usize) {
        self.kind(way).accept_bytes.fetch_max(bytes as u64, Relaxed);
    }

    /// The first message of a rekey was sent.
    pub fn rekey_request(&self, bytes: usize) {
        let counter = &self.shared.rekey_request_bytes;
        counter.fetch_max(bytes as u64, Relaxed);
    }

    /// The answer to it was sent.
    pub fn rekey_answer(&self, bytes: usize) {
        let counter = &self.shared.rekey_answer_bytes;
        counter.fetch_max(bytes as u64, Relaxed);
    }

    /// A datagram of any kind was sent.
    pub fn datagram(&self, bytes: usize) {
        self.shared.radio_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// A vehicle's role worked for this long.
    pub fn vehicle_work(&self, spent: Duration) {
        add_time(&self.shared.vehicle_work_ns, spent);
    }

    /// An RSU's role worked for this long.
    pub fn rsu_work(&self, spent: Duration) {
        add_time(&self.shared.rsu_work_ns, spent);
    }

    /// Logins so far: full, handovers, and those that failed.
    pub fn logins(&self) -> [u64; 3] {
        let shared = &self.shared;
        [
            shared.registered.count.load(Relaxed) + shared.anonymous.count.load(Relaxed),
            shared.handover.count.load(Relaxed),
            shared.refused.load(Relaxed) + shared.unanswered.load(Relaxed),
        ]
    }

    /// Records of RSUs that became final.
    pub fn records(&self) -> u64 {
        self.shared.recorded.load(Relaxed)
    }

    /// The counters of logins as part of the report. Who was in range they do not know.
    pub fn login_report(&self) -> LoginReport {
        let shared = &self.shared;
        let mut full_ms = shared.anonymous.round_trips().clone();
        full_ms.extend_from_slice(&shared.registered.round_trips());
        LoginReport {
            anonymous: shared.anonymous.count.load(Relaxed),
            registered: shared.registered.count.load(Relaxed),
            handover: shared.handover.count.load(Relaxed),
            refused: shared.refused.load(Relaxed),
            unanswered: shared.unanswered.load(Relaxed),
            vehicles: self.served().len() as u64,
            served_positions: shared.served_positions.load(Relaxed),
            unserved_one_step: 0,
            unserved_longer: 0,
            rekeyed: shared.rekeyed.load(Relaxed),
            anonymous_bytes: shared.anonymous.bytes(),
            registered_bytes: shared.registered.bytes(),
            rekey_bytes: shared.rekey_request_bytes.load(Relaxed)
                + shared.rekey_answer_bytes.load(Relaxed),
            round_trip_ms: Quantiles::of(full_ms),
            radio_bytes: shared.radio_bytes.load(Relaxed),
        }
    }

    /// The counters of handovers as part of the report.
    pub fn handover_report(&self) -> HandoverReport {
        let shared = &self.shared;
        let times = Quantiles::of(shared.handover.round_trips().clone());
        HandoverReport {
            p50_ms: times.p50,
            p99_ms: times.p99,
            lost_races: shared.lost_races.load(Relaxed),
            token_refused: shared.token_refused.load(Relaxed),
            bytes: shared.handover.bytes(),
        }
    }

    /// The counters of relayed logins as part of the report, without what only the replay knows.
    pub fn relay_report(&self) -> RelayReport {
        let shared = &self.shared;
        let mut direct_ms = shared.handover.round_trips().clone();
        direct_ms.extend_from_slice(&shared.anonymous.round_trips());
        direct_ms.extend_from_slice(&shared.registered.round_trips());
        shared
            .relayed
            .report(&self.served(), Quantiles::of(direct_ms).p50)
    }

    /// What the roles cost as part of the report.
    pub fn cost_report(&self) -> CostReport {
        let shared = &self.shared;
        let seconds = |counter: &AtomicU64| counter.load(Relaxed) as f64 / 1e9;
        CostReport {
            vehicles_s: seconds(&shared.vehicle_work_ns),
            rsus_s: seconds(&shared.rsu_work_ns),
        }
    }
}

fn add_time(counter: &AtomicU64, spent: Duration) {
    let spent = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
    counter.fetch_add(spent, Relaxed);
}
