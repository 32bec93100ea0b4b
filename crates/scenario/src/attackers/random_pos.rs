//! RandomPos (F2MD 3): another point of the area in each message.

use super::{Attacker, Scene, Sent};
use crate::beacons::Beacon;
use rand::Rng;

pub(super) struct RandomPos;

impl Attacker for RandomPos {
    fn send(&mut self, honest: &Beacon, scene: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        vec![Sent::lie(Beacon {
            position: scene.anywhere(rng),
            ..honest.clone()
        })]
    }
}
