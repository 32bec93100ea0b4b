//! RandomSpeedOffset (F2MD 8): off by 3.15 to 10.85 m/s to the east and to the north, another
//! amount in each message. randomSpeedOffset (NextGen): by 1 to 7 m/s along the heading.

use super::{Attacker, Scene, Sent, const_speed_offset::faster, either_sign};
use crate::beacons::Beacon;
use rand::Rng;

pub(super) struct RandomSpeedOffset;

impl Attacker for RandomSpeedOffset {
    fn send(&mut self, honest: &Beacon, _: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        let velocity = honest
            .velocity
            .map(|part| part + either_sign(&(3.15..=10.85), rng));
        vec![Sent::lie(Beacon {
            velocity,
            ..honest.clone()
        })]
    }
}

pub(super) struct AlongHeading;

impl Attacker for AlongHeading {
    fn send(&mut self, honest: &Beacon, _: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        vec![Sent::lie(faster(honest, either_sign(&(1.0..=7.0), rng)))]
    }
}
