//! EventualStop (F2MD 9): in each message it stops for good with a probability of 0.05, times 0.45
//! to 1.55; from then on it repeats its position with no speed and no acceleration.
//! suddenStop (NextGen): the same with a probability of 0.05.
//!
//! Labels are NextGen's: the stop itself is false if the vehicle drives faster than 1 m/s and does
//! not brake; what follows, if it drives faster than 1 m/s or is 20 m or more from the stop.

use super::{Attacker, MOVING, Scene, Sent};
use crate::{Metres, beacons::Beacon};
use rand::{Rng, RngExt as _};
use std::ops::RangeInclusive;

/// Probability of the stop in one message.
const PROBABILITY: f64 = 0.05;

/// Distance in metres from where a standing vehicle's stop is a lie.
const FAR_M: f64 = 20.0;

pub(super) struct EventualStop {
    factor: RangeInclusive<f64>,
    stop: Option<Metres>,
}

impl EventualStop {
    pub(super) fn f2md() -> Self {
        let factor = 0.45..=1.55;
        Self { factor, stop: None }
    }

    pub(super) fn next_gen() -> Self {
        let factor = 1.0..=1.0;
        Self { factor, stop: None }
    }
}

impl Attacker for EventualStop {
    fn send(&mut self, honest: &Beacon, _: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        let is_driving = honest.speed() > MOVING;
        let (stop, is_false) = match self.stop {
            Some(stop) => {
                let is_far = stop.distance(honest.position) >= FAR_M;
                (stop, is_driving || is_far)
            }
            None => {
                let probability = PROBABILITY * rng.random_range(self.factor.clone());
                if !rng.random_bool(probability) {
                    return vec![Sent::truth(honest.clone())];
                }
                let is_braking = honest.forward_acceleration().is_some_and(|a| a < 0.0);
                (honest.position, is_driving && !is_braking)
            }
        };
        self.stop = Some(stop);
        let beacon = Beacon {
            position: stop,
            velocity: [0.0; 2],
            acceleration: honest.acceleration.map(|_| [0.0; 2]),
            ..honest.clone()
        };
        vec![Sent { beacon, is_false }]
    }
}
