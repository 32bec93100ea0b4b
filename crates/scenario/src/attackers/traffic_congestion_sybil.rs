//! trafficCongestionSybil (NextGen): four to six phantoms, in pairs before and behind the attacker.
//!
//! Phantom `k` belongs to pair `m = ⌈k/2⌉`: it is `m` times 5 to 6 m ahead (odd) or behind (even),
//! and 2 to 3 m to either side; drawn once. Each message adds up to 2 m of noise to both and up to
//! 5 % to the speed. NextGen sends phantoms microseconds apart; here each is 1 ms after the one
//! before.

use super::{Attacker, Scene, Sent, as_ghost, either_sign, grid_sybil};
use crate::beacons::Beacon;
use rand::{Rng, RngExt as _};

/// Largest noise of a phantom's place, in metres.
const NOISE_M: f64 = 2.0;

pub(super) struct TrafficCongestionSybil {
    /// Metres ahead of the attacker and to its right.
    phantoms: Vec<[f64; 2]>,
}

impl TrafficCongestionSybil {
    pub(super) fn new(rng: &mut dyn Rng) -> Self {
        let count: u32 = rng.random_range(4..=6);
        let place = |k: u32| {
            let side = if k % 2 == 1 { 1.0 } else { -1.0 };
            let ahead = side * f64::from(k.div_ceil(2)) * rng.random_range(5.0..=6.0);
            [ahead, either_sign(&(2.0..=3.0), rng)]
        };
        let phantoms = (1..=count).map(place).collect();
        Self { phantoms }
    }
}

impl Attacker for TrafficCongestionSybil {
    fn send(&mut self, honest: &Beacon, _: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        let places = self.phantoms.iter().zip(1..);
        let phantoms = places.map(|(place, k)| {
            let [ahead, right] = place.map(|metres| metres + rng.random_range(-NOISE_M..=NOISE_M));
            let factor = rng.random_range(grid_sybil::SPEED);
            let mut phantom = grid_sybil::beside(honest, ahead, right, factor);
            phantom.time_ms += u64::from(k);
            Sent::lie(as_ghost(phantom, k))
        });
        [Sent::truth(honest.clone())]
            .into_iter()
            .chain(phantoms)
            .collect()
    }
}
