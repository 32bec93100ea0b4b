//! RandomPosOffset (F2MD 4): off by up to 35 m on each axis, another amount in each message.
//! randomPositionOffset (NextGen): by 20 to 70 m.

use super::{Attacker, Scene, Sent, either_sign, shifted};
use crate::beacons::Beacon;
use rand::Rng;
use std::ops::RangeInclusive;

pub(super) struct RandomPosOffset {
    magnitude_m: RangeInclusive<f64>,
}

impl RandomPosOffset {
    pub(super) fn f2md() -> Self {
        let magnitude_m = 0.0..=35.0;
        Self { magnitude_m }
    }

    pub(super) fn next_gen() -> Self {
        let magnitude_m = 20.0..=70.0;
        Self { magnitude_m }
    }
}

impl Attacker for RandomPosOffset {
    fn send(&mut self, honest: &Beacon, _: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        let offset = [(); 2].map(|()| either_sign(&self.magnitude_m, rng));
        vec![Sent::lie(Beacon {
            position: shifted(honest.position, offset),
            ..honest.clone()
        })]
    }
}
