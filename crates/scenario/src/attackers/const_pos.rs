//! ConstPos (F2MD 1): always the same point, uniform over the area, drawn once.

use super::{Attacker, Scene, Sent};
use crate::{Metres, beacons::Beacon};
use rand::Rng;

pub(super) struct ConstPos {
    position: Metres,
}

impl ConstPos {
    pub(super) fn new(scene: &Scene, rng: &mut dyn Rng) -> Self {
        let position = scene.anywhere(rng);
        Self { position }
    }
}

impl Attacker for ConstPos {
    fn send(&mut self, honest: &Beacon, _: &Scene, _: &mut dyn Rng) -> Vec<Sent> {
        vec![Sent::lie(Beacon {
            position: self.position,
            ..honest.clone()
        })]
    }
}
