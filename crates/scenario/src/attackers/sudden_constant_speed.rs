//! suddenConstantSpeed (NextGen): in each message it freezes its speed with a probability of 0.05,
//! for good. False if that is more than 1 m/s off.

use super::{Attacker, MOVING, Scene, Sent};
use crate::beacons::{Beacon, vector};
use rand::{Rng, RngExt as _};

const PROBABILITY: f64 = 0.05;

#[derive(Default)]
pub(super) struct SuddenConstantSpeed {
    frozen: Option<f64>,
}

impl Attacker for SuddenConstantSpeed {
    fn send(&mut self, honest: &Beacon, _: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        if self.frozen.is_none() && rng.random_bool(PROBABILITY) {
            self.frozen = Some(honest.speed());
        }
        let Some(speed) = self.frozen else {
            return vec![Sent::truth(honest.clone())];
        };
        let beacon = Beacon {
            velocity: vector(speed, honest.course()),
            ..honest.clone()
        };
        let is_false = (speed - honest.speed()).abs() > MOVING;
        vec![Sent { beacon, is_false }]
    }
}
