//! feignedBraking (NextGen): the acceleration times −2 to −4, another factor in each message.
//! False if the vehicle accelerates by more than 0.25 m/s². Without an acceleration it is honest.

use super::{Attacker, Scene, Sent};
use crate::beacons::Beacon;
use rand::{Rng, RngExt as _};

/// Acceleration above which the lie is one, in m/s².
const ACCELERATING: f64 = 0.25;

pub(super) struct FeignedBraking;

impl Attacker for FeignedBraking {
    fn send(&mut self, honest: &Beacon, _: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        let factor = -rng.random_range(2.0..=4.0);
        let is_false = honest
            .forward_acceleration()
            .is_some_and(|a| a > ACCELERATING);
        let beacon = with_acceleration(honest, factor);
        vec![Sent { beacon, is_false }]
    }
}

/// The beacon with so many times its acceleration.
pub(super) fn with_acceleration(honest: &Beacon, factor: f64) -> Beacon {
    Beacon {
        acceleration: honest.acceleration.map(|a| a.map(|part| part * factor)),
        ..honest.clone()
    }
}
