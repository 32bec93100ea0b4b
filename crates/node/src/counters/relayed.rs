//! What is counted of logins through relays.

use crate::report::{Quantiles, RelayReport};
use cairn_protocol::login::Way;
use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// A login that went through relays.
#[derive(Clone, Copy, Debug)]
pub struct RelayedLogin {
    /// How many.
    pub hops: usize,
    /// From the first message of the search to the session.
    pub took: Duration,
}

#[derive(Default)]
pub(crate) struct Relayed {
    logins: AtomicU64,
    handovers: AtomicU64,
    hops: [AtomicU64; 3],
    searches: AtomicU64,
    given_up: AtomicU64,
    bytes: AtomicU64,
    served_positions: AtomicU64,
    granted: AtomicU64,
    redeemed: AtomicU64,
    took_ms: Mutex<Vec<f64>>,
    vehicles: Mutex<HashSet<u32>>,
}

impl Relayed {
    pub(super) fn logged_in(&self, vehicle: u32, way: Way, login: RelayedLogin) {
        let count = match way {
            Way::Token => &self.handovers,
            Way::Registered | Way::Anonymous => &self.logins,
        };
        count.fetch_add(1, Relaxed);
        if let Some(count) = self.hops.get(login.hops.wrapping_sub(1)) {
            count.fetch_add(1, Relaxed);
        }
        let mut took_ms = self.took_ms.lock().unwrap_or_else(PoisonError::into_inner);
        took_ms.push(login.took.as_secs_f64() * 1_000.0);
        let mut vehicles = self.vehicles.lock().unwrap_or_else(PoisonError::into_inner);
        vehicles.insert(vehicle);
    }

    pub(super) fn is_served(&self, vehicle: u32) -> bool {
        let vehicles = self.vehicles.lock().unwrap_or_else(PoisonError::into_inner);
        vehicles.contains(&vehicle)
    }

    /// A vehicle seeks.
    pub(crate) fn searched(&self) {
        self.searches.fetch_add(1, Relaxed);
    }

    /// Nothing came back over a way.
    pub(crate) fn given_up(&self) {
        self.given_up.fetch_add(1, Relaxed);
    }

    /// A datagram was sent to a relay, or by one.
    pub(crate) fn datagram(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// A vehicle that hears no RSU has a session through relays, at one of its positions.
    pub(crate) fn position_served(&self) {
        self.served_positions.fetch_add(1, Relaxed);
    }

    /// Credits became final.
    pub(crate) fn granted(&self, amount: u64) {
        self.granted.fetch_add(amount, Relaxed);
    }

    /// Credits were paid out.
    pub(crate) fn redeemed(&self, amount: u64) {
        self.redeemed.fetch_add(amount, Relaxed);
    }

    /// `served` vehicles logged in without relays, in a median of `direct_ms`.
    pub(super) fn report(&self, served: &HashSet<u32>, direct_ms: f64) -> RelayReport {
        let took_ms = self.took_ms.lock().unwrap_or_else(PoisonError::into_inner);
        let added_ms = took_ms.iter().map(|took_ms| took_ms - direct_ms);
        let vehicles = self.vehicles.lock().unwrap_or_else(PoisonError::into_inner);
        RelayReport {
            logins: self.logins.load(Relaxed),
            handovers: self.handovers.load(Relaxed),
            hops: self.hops.each_ref().map(|count| count.load(Relaxed)),
            searches: self.searches.load(Relaxed),
            given_up: self.given_up.load(Relaxed),
            added_ms: Quantiles::of(added_ms.collect()),
            bytes: self.bytes.load(Relaxed),
            vehicles: vehicles.len() as u64,
            vehicles_only: vehicles.difference(served).count() as u64,
            served_positions: self.served_positions.load(Relaxed),
            granted: self.granted.load(Relaxed),
            redeemed: self.redeemed.load(Relaxed),
            ..RelayReport::default()
        }
    }
}
