//! ConstPosOffset (F2MD 2): 31.5 to 108.5 m too far east and north, drawn once for each axis.
//! constantPositionOffset (NextGen): 20 to 70 m either way.

use super::{Attacker, Scene, Sent, either_sign, shifted};
use crate::beacons::Beacon;
use rand::{Rng, RngExt as _};

pub(super) struct ConstPosOffset {
    offset_m: [f64; 2],
}

impl ConstPosOffset {
    pub(super) fn f2md(rng: &mut dyn Rng) -> Self {
        let offset_m = [(); 2].map(|()| rng.random_range(31.5..=108.5));
        Self { offset_m }
    }

    pub(super) fn next_gen(rng: &mut dyn Rng) -> Self {
        let offset_m = [(); 2].map(|()| either_sign(&(20.0..=70.0), rng));
        Self { offset_m }
    }
}

impl Attacker for ConstPosOffset {
    fn send(&mut self, honest: &Beacon, _: &Scene, _: &mut dyn Rng) -> Vec<Sent> {
        vec![Sent::lie(Beacon {
            position: shifted(honest.position, self.offset_m),
            ..honest.clone()
        })]
    }
}
