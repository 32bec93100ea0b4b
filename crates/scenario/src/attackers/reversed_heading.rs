//! reversedHeading (NextGen): the heading turned by 180°. False if the vehicle drives faster than
//! 1 m/s and has moved more than 1 m since its last message.

use super::{Attacker, Scene, Sent, zero_speed::is_moving};
use crate::{
    Metres,
    beacons::{Beacon, turned},
};
use rand::Rng;

#[derive(Default)]
pub(super) struct ReversedHeading {
    last: Option<Metres>,
}

impl Attacker for ReversedHeading {
    fn send(&mut self, honest: &Beacon, _: &Scene, _: &mut dyn Rng) -> Vec<Sent> {
        let is_false = is_moving(honest, &mut self.last);
        let beacon = Beacon {
            heading: Some(turned(honest.course(), 180.0)),
            ..honest.clone()
        };
        vec![Sent { beacon, is_false }]
    }
}
