//! DataReplay (F2MD 11): repeats what one neighbour says, message by message, six times (or two);
//! then another neighbour's. DataReplaySybil (F2MD 17): under a new name for each victim.
//! dataReplay (NextGen): four to eight times, a victim within 400 m.
//!
//! Without neighbours it is honest.

use super::{Attacker, Scene, Sent, as_ghost, as_own, disruptive, n_or_floor};
use crate::beacons::Beacon;
use rand::{Rng, RngExt as _};
use std::{ops::RangeInclusive, sync::Arc};

pub(super) struct DataReplay {
    range_m: f64,
    times: RangeInclusive<u32>,
    victim: Option<Arc<str>>,
    /// How often the victim is still to be repeated.
    left: u32,
    is_sybil: bool,
    victims: u32,
}

impl DataReplay {
    pub(super) fn f2md(is_sybil: bool, rng: &mut dyn Rng) -> Self {
        let times = n_or_floor(6, 2, rng);
        Self::new(disruptive::RANGE_M, times..=times, is_sybil)
    }

    pub(super) fn next_gen() -> Self {
        Self::new(400.0, 4..=8, false)
    }

    fn new(range_m: f64, times: RangeInclusive<u32>, is_sybil: bool) -> Self {
        Self {
            range_m,
            times,
            victim: None,
            left: 0,
            is_sybil,
            victims: 0,
        }
    }
}

impl Attacker for DataReplay {
    fn send(&mut self, honest: &Beacon, scene: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        let silent = |victim: &Arc<str>| scene.latest(victim, honest.time_ms).is_none();
        if self.left == 0 || self.victim.as_ref().is_none_or(silent) {
            self.victim = scene.neighbour(honest, self.range_m, rng);
            self.left = rng.random_range(self.times.clone());
            self.victims += u32::from(self.victim.is_some());
        }
        let victim = self.victim.as_ref();
        let Some(seen) = victim.and_then(|name| scene.latest(name, honest.time_ms)) else {
            return vec![Sent::truth(honest.clone())];
        };
        self.left -= 1;
        let replayed = as_own(seen, honest);
        vec![Sent::lie(match self.is_sybil {
            true => as_ghost(replayed, self.victims),
            false => replayed,
        })]
    }
}
