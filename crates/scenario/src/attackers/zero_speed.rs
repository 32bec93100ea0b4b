//! zeroSpeedReport (NextGen): no speed. False if the vehicle drives faster than 1 m/s and has moved
//! more than 1 m since its last message.

use super::{Attacker, MOVING, Scene, Sent};
use crate::{Metres, beacons::Beacon};
use rand::Rng;

#[derive(Default)]
pub(super) struct ZeroSpeed {
    last: Option<Metres>,
}

impl Attacker for ZeroSpeed {
    fn send(&mut self, honest: &Beacon, _: &Scene, _: &mut dyn Rng) -> Vec<Sent> {
        let is_false = is_moving(honest, &mut self.last);
        let beacon = Beacon {
            velocity: [0.0; 2],
            // The heading stays, though it can no longer be told from the velocity.
            heading: Some(honest.course()),
            ..honest.clone()
        };
        vec![Sent { beacon, is_false }]
    }
}

/// Whether the vehicle drives and has moved since its last message; keeps its position.
pub(super) fn is_moving(honest: &Beacon, last: &mut Option<Metres>) -> bool {
    let before = last.replace(honest.position);
    honest.speed() > MOVING
        && before.is_some_and(|before| before.distance(honest.position) > MOVING)
}
