//! RandomSpeed (F2MD 7): 0 to 40 m/s to the east and to the north, another in each message.

use super::{Attacker, Scene, Sent};
use crate::beacons::Beacon;
use rand::{Rng, RngExt as _};

pub(super) struct RandomSpeed;

impl Attacker for RandomSpeed {
    fn send(&mut self, honest: &Beacon, _: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        vec![Sent::lie(Beacon {
            velocity: [(); 2].map(|()| rng.random_range(0.0..=40.0)),
            ..honest.clone()
        })]
    }
}
