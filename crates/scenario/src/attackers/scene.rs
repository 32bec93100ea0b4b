//! What an attacker can know: the area, and what its neighbours have sent.

use crate::{Metres, beacons::Beacon};
use rand::{Rng, RngExt as _};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// How long a neighbour's beacon is kept, in milliseconds: five seconds, as NextGen does.
pub const MEMORY_MS: u64 = 5_000;

/// Most vehicles remembered at once; others are not looked at.
pub const MAX_NEIGHBOURS: usize = 16_384;

/// Most beacons remembered of one vehicle: ten a second.
const MAX_BEACONS: usize = 50;

/// The area and the latest beacons in it.
pub struct Scene {
    low: Metres,
    high: Metres,
    /// In the order of names, so that a seed determines what is drawn.
    heard: BTreeMap<Arc<str>, VecDeque<Beacon>>,
    swept_ms: u64,
}

impl Scene {
    /// An area between two opposite corners; in any order.
    pub fn new(one: Metres, other: Metres) -> Self {
        Self {
            low: Metres {
                x: one.x.min(other.x),
                y: one.y.min(other.y),
            },
            high: Metres {
                x: one.x.max(other.x),
                y: one.y.max(other.y),
            },
            heard: BTreeMap::new(),
            swept_ms: 0,
        }
    }

    /// Remembers an honest beacon. Times do not go back.
    pub fn observe(&mut self, beacon: &Beacon) {
        let begin_ms = beacon.time_ms.saturating_sub(MEMORY_MS);
        if self.swept_ms < begin_ms {
            self.swept_ms = beacon.time_ms;
            self.heard
                .retain(|_, sent| sent.back().is_some_and(|last| last.time_ms >= begin_ms));
        }
        if self.heard.len() >= MAX_NEIGHBOURS && !self.heard.contains_key(&beacon.sender) {
            return;
        }
        let sent = self.heard.entry(beacon.sender.clone()).or_default();
        sent.push_back(beacon.clone());
        let is_past = |first: &Beacon| first.time_ms < begin_ms;
        while sent.len() > MAX_BEACONS || sent.front().is_some_and(is_past) {
            sent.pop_front();
        }
    }

    /// A point of the area.
    pub(super) fn anywhere(&self, rng: &mut dyn Rng) -> Metres {
        Metres {
            x: rng.random_range(self.low.x..=self.high.x),
            y: rng.random_range(self.low.y..=self.high.y),
        }
    }

    /// Another vehicle within this range of `own` that was heard in the last five seconds, if any.
    pub(super) fn neighbour(
        &self,
        own: &Beacon,
        range_m: f64,
        rng: &mut dyn Rng,
    ) -> Option<Arc<str>> {
        let near: Vec<_> = self
            .heard
            .iter()
            .filter(|(name, _)| **name != own.sender)
            .filter_map(|(name, sent)| sent.back().map(|last| (name, last)))
            .filter(|(_, last)| last.time_ms + MEMORY_MS >= own.time_ms)
            .filter(|(_, last)| last.position.distance(own.position) <= range_m)
            .collect();
        let index = (!near.is_empty()).then(|| rng.random_range(0..near.len()))?;
        near.get(index).map(|(name, _)| (*name).clone())
    }

    /// What a vehicle sent last, if that is not long ago.
    pub(super) fn latest(&self, name: &str, now_ms: u64) -> Option<&Beacon> {
        let last = self.heard.get(name)?.back()?;
        (last.time_ms + MEMORY_MS >= now_ms).then_some(last)
    }

    /// Any beacon remembered of a vehicle.
    pub(super) fn stored(&self, name: &str, rng: &mut dyn Rng) -> Option<&Beacon> {
        let sent = self.heard.get(name)?;
        let index = (!sent.is_empty()).then(|| rng.random_range(0..sent.len()))?;
        sent.get(index)
    }
}
