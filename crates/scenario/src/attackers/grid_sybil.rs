//! GridSybil (F2MD 16): five ghosts (or one) that make a traffic jam around the attacker.
//!
//! The ghosts stand on a grid of 5 m by 2 m, each step times 0.45 to 1.55, drawn once: ghost `k` is
//! `⌈k/2⌉` steps behind, odd ones a step to the left and even ones to the right (this order is
//! ours). The interval is shared: ghost `k` sends `k/(n+1)` of a second after the attacker. Their
//! speeds and accelerations differ by up to 5 %.

use super::{Attacker, Scene, Sent, as_ghost, n_or_floor, shifted};
use crate::beacons::{Beacon, vector};
use rand::{Rng, RngExt as _};
use std::ops::RangeInclusive;

/// Steps of the grid behind and beside the attacker, in metres.
const STEP_M: [f64; 2] = [5.0, 2.0];

/// How much a step may differ, as a factor.
const FACTOR: RangeInclusive<f64> = 0.45..=1.55;

/// How much a ghost's speed and acceleration differ, as a factor.
pub(super) const SPEED: RangeInclusive<f64> = 0.95..=1.05;

const INTERVAL_MS: u64 = 1_000;

pub(super) struct GridSybil {
    /// Metres behind the attacker and to its right.
    ghosts: Vec<[f64; 2]>,
}

impl GridSybil {
    pub(super) fn new(rng: &mut dyn Rng) -> Self {
        let count = n_or_floor(5, 1, rng);
        let place = |k: u32| {
            let side = if k % 2 == 1 { -1.0 } else { 1.0 };
            [
                f64::from(k.div_ceil(2)) * STEP_M[0] * rng.random_range(FACTOR),
                side * STEP_M[1] * rng.random_range(FACTOR),
            ]
        };
        let ghosts = (1..=count).map(place).collect();
        Self { ghosts }
    }
}

impl Attacker for GridSybil {
    fn send(&mut self, honest: &Beacon, _: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        let places = self.ghosts.iter().zip(1..);
        let ghosts = places.map(|(&[behind, right], k)| {
            let mut ghost = beside(honest, -behind, right, rng.random_range(SPEED));
            ghost.time_ms += u64::from(k) * INTERVAL_MS / (self.ghosts.len() as u64 + 1);
            Sent::lie(as_ghost(ghost, k))
        });
        [Sent::truth(honest.clone())]
            .into_iter()
            .chain(ghosts)
            .collect()
    }
}

/// A vehicle that drives like this one, so many metres ahead of it and to its right.
pub(super) fn beside(honest: &Beacon, ahead_m: f64, right_m: f64, factor: f64) -> Beacon {
    let course = honest.course();
    let ahead = shifted(honest.position, vector(ahead_m, course));
    Beacon {
        position: shifted(ahead, vector(right_m, course + 90.0)),
        velocity: honest.velocity.map(|part| part * factor),
        acceleration: honest.acceleration.map(|a| a.map(|part| part * factor)),
        ..honest.clone()
    }
}
