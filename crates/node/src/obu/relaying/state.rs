//! What a vehicle remembers of relaying, and what follows from it.

use super::SEEK_DELAY_MS;
use cairn_contracts::credits::Account;
use cairn_crypto::schnorr::SecretKey;
use cairn_ledger::{Address, ChainId, Rid};
use cairn_protocol::{
    relay::{Claim, Forwarder, Neighbour, Seeker},
    trust::Road,
    wire::Beacon,
};
use cairn_scenario::RadioRange;
use rand::{Rng as _, rngs::StdRng};
use std::{net::SocketAddr, time::SystemTime};
use tokio::sync::mpsc;

/// What a vehicle needs for relaying.
#[derive(Clone)]
pub struct Relays {
    /// How far vehicles hear each other.
    pub hop_range: RadioRange,
    /// The instance of contract `credits`.
    pub credits: Address,
    /// Where claims are handed in.
    pub claims: mpsc::Sender<Vec<Claim>>,
}

/// How far a vehicle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It seeks as soon as it may, if it hears vehicles and no RSU.
    Idle,
    /// It waits for offers, or for the proof of this RSU.
    Seeking(Option<Rid>),
    /// It waits for the answer to a login there.
    LoggingIn(Rid),
    /// It has a session there.
    Served(Rid),
    /// It waits for the answer to a rekey.
    Checking(Rid),
}

/// The relaying of one vehicle.
pub(in crate::obu) struct Relaying {
    pub(super) relays: Relays,
    pub(super) seeker: Seeker,
    pub(super) forwarder: Forwarder,
    /// The vehicles in reach.
    pub(super) near: Vec<SocketAddr>,
    /// Whether it hears no RSU.
    pub(super) is_out: bool,
    /// The last beacon of the RSU that serves, not judged yet.
    pub(super) beacon: Option<Beacon>,
    pub(super) stage: Stage,
    /// Until when it waits in this stage.
    pub(super) until_ms: u64,
    /// When the last search began.
    pub(super) sought_ms: u64,
    pub(super) sought: SystemTime,
    pub(super) next_seek_ms: u64,
    /// The first relay of the way that is used, and the number of relays.
    pub(super) first: Option<Neighbour>,
    pub(super) hops: usize,
    /// Whether the role's last attempt to log in was over relays.
    pub(super) attempts: bool,
    /// Until when the step waits.
    pub(super) patience: SystemTime,
    pub(super) account: Account,
    /// Keys to be claimed, with the period in which they were used.
    pub(super) earned: Vec<(u32, SecretKey)>,
}

impl Relaying {
    pub(in crate::obu) fn new(relays: Relays, road: &Road, rng: &mut StdRng) -> Self {
        let mut account = Account([0; 32]);
        rng.fill_bytes(&mut account.0);
        Self {
            seeker: Seeker::new(road, relays.hop_range.metres()),
            relays,
            forwarder: Forwarder::default(),
            near: Vec::new(),
            is_out: false,
            beacon: None,
            stage: Stage::Idle,
            until_ms: 0,
            sought_ms: 0,
            sought: SystemTime::UNIX_EPOCH,
            next_seek_ms: 0,
            first: None,
            hops: 0,
            attempts: false,
            patience: SystemTime::UNIX_EPOCH,
            account,
            earned: Vec::new(),
        }
    }

    /// Keeps the last beacon of the RSU that serves, for those who ask.
    pub(in crate::obu) fn keep(&mut self, beacon: Beacon, serving: Option<Rid>) {
        if serving == Some(beacon.rid) {
            self.beacon = Some(beacon);
        }
    }

    /// Whether the login under way goes over relays.
    pub(in crate::obu) fn is_logging_in(&self) -> bool {
        self.attempts
    }

    /// A login without relays takes the place of one under way.
    pub(in crate::obu) fn logs_in_directly(&mut self) {
        self.attempts = false;
    }

    /// Whether the vehicle has a session over relays, as far as it knows.
    pub(super) fn is_served(&self) -> bool {
        matches!(self.stage, Stage::Served(_)) && self.is_first_near()
    }

    pub(super) fn is_first_near(&self) -> bool {
        self.first
            .is_some_and(|first| self.address(first).is_some())
    }

    /// The address of a vehicle in reach.
    pub(super) fn address(&self, of: Neighbour) -> Option<SocketAddr> {
        let mut near = self.near.iter();
        near.find(|address| number(address) == Some(of)).copied()
    }

    pub(super) fn may_seek(&self, now_ms: u64) -> bool {
        self.is_out
            && self.stage == Stage::Idle
            && !self.near.is_empty()
            && self.next_seek_ms <= now_ms
    }

    /// When something is to be done, in trace time.
    pub(in crate::obu) fn next_wakeup(&self) -> Option<u64> {
        match self.stage {
            _ if !self.is_out => None,
            Stage::Idle if self.near.is_empty() => None,
            Stage::Idle => Some(self.next_seek_ms),
            Stage::Seeking(_) | Stage::LoggingIn(_) | Stage::Checking(_) => Some(self.until_ms),
            Stage::Served(_) => None,
        }
    }

    /// Until when the step waits for relays, if it does.
    pub(in crate::obu) fn awaits(&self, now_ms: u64, now: SystemTime) -> Option<SystemTime> {
        let is_open = match self.stage {
            Stage::Idle => self.may_seek(now_ms + SEEK_DELAY_MS),
            Stage::Seeking(_) | Stage::LoggingIn(_) | Stage::Checking(_) => true,
            Stage::Served(_) => false,
        };
        (is_open && self.is_out && now < self.patience).then_some(self.patience)
    }

    /// Signs claims for the keys that `is_due` picks by their period.
    pub(super) fn claims(
        &mut self,
        chain: &ChainId,
        is_due: impl Fn(u32) -> bool,
        rng: &mut StdRng,
    ) -> Vec<Claim> {
        let due = self.earned.extract_if(.., |(period, _)| is_due(*period));
        let (contract, account) = (&self.relays.credits, self.account);
        due.map(|(_, key)| Claim::sign(chain, contract, &key, account, rng))
            .collect()
    }
}

/// A neighbour's number: its address on the link.
pub(super) fn number(address: &SocketAddr) -> Option<Neighbour> {
    match address {
        SocketAddr::V4(address) => {
            let host = u64::from(address.ip().to_bits());
            Some(Neighbour(host << 16 | u64::from(address.port())))
        }
        SocketAddr::V6(_) => None,
    }
}
