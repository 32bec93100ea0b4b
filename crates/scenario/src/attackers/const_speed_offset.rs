//! ConstSpeedOffset (F2MD 6): 3.15 to 10.85 m/s too fast to the east and to the north, drawn once
//! for each. constantSpeedOffset (NextGen): 1 to 7 m/s too fast or too slow along the heading.

use super::{Attacker, Scene, Sent, either_sign};
use crate::beacons::{Beacon, vector};
use rand::{Rng, RngExt as _};

pub(super) struct ConstSpeedOffset {
    offset: [f64; 2],
}

impl ConstSpeedOffset {
    pub(super) fn new(rng: &mut dyn Rng) -> Self {
        let offset = [(); 2].map(|()| rng.random_range(3.15..=10.85));
        Self { offset }
    }
}

impl Attacker for ConstSpeedOffset {
    fn send(&mut self, honest: &Beacon, _: &Scene, _: &mut dyn Rng) -> Vec<Sent> {
        let [east, north] = honest.velocity;
        vec![Sent::lie(Beacon {
            velocity: [east + self.offset[0], north + self.offset[1]],
            ..honest.clone()
        })]
    }
}

pub(super) struct AlongHeading {
    offset: f64,
}

impl AlongHeading {
    pub(super) fn new(rng: &mut dyn Rng) -> Self {
        let offset = either_sign(&(1.0..=7.0), rng);
        Self { offset }
    }
}

impl Attacker for AlongHeading {
    fn send(&mut self, honest: &Beacon, _: &Scene, _: &mut dyn Rng) -> Vec<Sent> {
        vec![Sent::lie(faster(honest, self.offset))]
    }
}

/// The beacon with a speed that is `by` m/s higher, but not below zero.
pub(super) fn faster(honest: &Beacon, by: f64) -> Beacon {
    let speed = (honest.speed() + by).max(0.0);
    Beacon {
        velocity: vector(speed, honest.course()),
        ..honest.clone()
    }
}
