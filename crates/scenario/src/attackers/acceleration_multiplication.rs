//! accelerationMultiplication (NextGen): the acceleration times 2 to 4, another factor in each
//! message. False if the true one is above 0.5 m/s² either way.

use super::{Attacker, Scene, Sent, feigned_braking::with_acceleration};
use crate::beacons::Beacon;
use rand::{Rng, RngExt as _};

/// Acceleration above which the lie is one, in m/s².
const NOTICEABLE: f64 = 0.5;

pub(super) struct AccelerationMultiplication;

impl Attacker for AccelerationMultiplication {
    fn send(&mut self, honest: &Beacon, _: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        let factor = rng.random_range(2.0..=4.0);
        let along = honest.forward_acceleration();
        let is_false = along.is_some_and(|a| a.abs() > NOTICEABLE);
        let beacon = with_acceleration(honest, factor);
        vec![Sent { beacon, is_false }]
    }
}
