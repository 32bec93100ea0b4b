//! ConstSpeed (F2MD 5): always the same speed, 0 to 40 m/s to the east and to the north, drawn
//! once.

use super::{Attacker, Scene, Sent};
use crate::beacons::Beacon;
use rand::{Rng, RngExt as _};

pub(super) struct ConstSpeed {
    velocity: [f64; 2],
}

impl ConstSpeed {
    pub(super) fn new(rng: &mut dyn Rng) -> Self {
        let velocity = [(); 2].map(|()| rng.random_range(0.0..=40.0));
        Self { velocity }
    }
}

impl Attacker for ConstSpeed {
    fn send(&mut self, honest: &Beacon, _: &Scene, _: &mut dyn Rng) -> Vec<Sent> {
        vec![Sent::lie(Beacon {
            velocity: self.velocity,
            ..honest.clone()
        })]
    }
}
