//! Disruptive (F2MD 10): each message is a stored beacon of some neighbour. Without neighbours it
//! is honest.

use super::{Attacker, Scene, Sent, as_own};
use crate::beacons::Beacon;
use rand::Rng;

/// How far away a neighbour may be, in metres: F2MD's radio range.
pub(super) const RANGE_M: f64 = 420.0;

pub(super) struct Disruptive;

impl Attacker for Disruptive {
    fn send(&mut self, honest: &Beacon, scene: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        vec![disrupted(honest, scene, rng)]
    }
}

pub(super) fn disrupted(honest: &Beacon, scene: &Scene, rng: &mut dyn Rng) -> Sent {
    let victim = scene.neighbour(honest, RANGE_M, rng);
    match victim.and_then(|name| scene.stored(&name, rng)) {
        Some(stored) => Sent::lie(as_own(stored, honest)),
        None => Sent::truth(honest.clone()),
    }
}
