//! timeDelayAttack (NextGen): sent 2 to 4 s late, drawn once, with the late time and the position of
//! before. Always false.

use super::{Attacker, Scene, Sent};
use crate::beacons::Beacon;
use rand::{Rng, RngExt as _};

pub(super) struct TimeDelay {
    delay_ms: u64,
}

impl TimeDelay {
    pub(super) fn new(rng: &mut dyn Rng) -> Self {
        let delay_ms = rng.random_range(2_000..=4_000);
        Self { delay_ms }
    }
}

impl Attacker for TimeDelay {
    fn send(&mut self, honest: &Beacon, _: &Scene, _: &mut dyn Rng) -> Vec<Sent> {
        vec![Sent::lie(Beacon {
            time_ms: honest.time_ms + self.delay_ms,
            ..honest.clone()
        })]
    }
}
