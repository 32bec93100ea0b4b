//! StaleMessages (F2MD 12): what was true sixty messages ago; until then, the oldest known. The
//! time of sending is the present one.
//!
//! A message is false if it is more than 20 m or 1 m/s off.

use super::{Attacker, MOVING, Scene, Sent, as_own};
use crate::beacons::Beacon;
use rand::Rng;
use std::collections::VecDeque;

/// How many messages the vehicle lags behind.
const LAG: usize = 60;

/// Distance in metres from where a stale position is a lie.
const FAR_M: f64 = 20.0;

#[derive(Default)]
pub(super) struct StaleMessages {
    past: VecDeque<Beacon>,
}

impl Attacker for StaleMessages {
    fn send(&mut self, honest: &Beacon, _: &Scene, _: &mut dyn Rng) -> Vec<Sent> {
        self.past.push_back(honest.clone());
        if self.past.len() > LAG + 1 {
            self.past.pop_front();
        }
        let oldest = self.past.front().unwrap_or(honest);
        let is_false = oldest.position.distance(honest.position) > FAR_M
            || (oldest.speed() - honest.speed()).abs() > MOVING;
        let beacon = as_own(oldest, honest);
        vec![Sent { beacon, is_false }]
    }
}
