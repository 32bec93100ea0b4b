//! Floods: four messages a second (or two) where one is due.
//!
//! | name | what is in them |
//! |---|---|
//! | DoS (F2MD 13) | what is true |
//! | DoSRandom (14) | random position, speed, acceleration and heading |
//! | DoSDisruptive (15) | stored beacons of neighbours |
//! | DoSRandomSybil (18) | as 14, each under a new name |
//! | DoSDisruptiveSybil (19) | as 15, each under a new name |
//! | dosAttack (NextGen) | what is true, and two to four copies within half a second |
//!
//! F2MD's true first message of each second is true, its extra ones false; NextGen calls all of
//! them false.

use super::{Attacker, Scene, Sent, as_ghost, disruptive::disrupted, n_or_floor};
use crate::beacons::{Beacon, vector};
use rand::{Rng, RngExt as _};

/// The interval of honest beacons, in milliseconds.
const INTERVAL_MS: u64 = 1_000;

/// In what time NextGen sends its copies, in milliseconds.
const NEXT_GEN_MS: u64 = 500;

/// Highest speed to the east and to the north (F2MD), in m/s, and acceleration, in m/s².
const MAX_SPEED: f64 = 40.0;
const MAX_ACCELERATION: f64 = 4.0;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Content {
    True,
    Random,
    Disruptive,
}

pub(super) struct Dos {
    messages: u32,
    content: Content,
    is_sybil: bool,
    ghosts: u32,
}

impl Dos {
    pub(super) fn new(content: Content, is_sybil: bool, rng: &mut dyn Rng) -> Self {
        Self {
            messages: n_or_floor(4, 2, rng),
            content,
            is_sybil,
            ghosts: 0,
        }
    }
}

impl Attacker for Dos {
    fn send(&mut self, honest: &Beacon, scene: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        let send = |i: u32| {
            let mut own = honest.clone();
            own.time_ms += u64::from(i) * INTERVAL_MS / u64::from(self.messages);
            let mut sent = match self.content {
                Content::True if i == 0 => Sent::truth(own),
                Content::True => Sent::lie(own),
                Content::Random => Sent::lie(random(own, scene, rng)),
                Content::Disruptive => Sent {
                    is_false: true,
                    ..disrupted(&own, scene, rng)
                },
            };
            if self.is_sybil {
                self.ghosts += 1;
                sent.beacon = as_ghost(sent.beacon, self.ghosts);
            }
            sent
        };
        (0..self.messages).map(send).collect()
    }
}

pub(super) struct Copies;

impl Attacker for Copies {
    fn send(&mut self, honest: &Beacon, _: &Scene, rng: &mut dyn Rng) -> Vec<Sent> {
        let copies = rng.random_range(2..=4);
        let copy = |i| {
            let mut own = honest.clone();
            own.time_ms += i * NEXT_GEN_MS / copies;
            Sent::lie(own)
        };
        (0..=copies).map(copy).collect()
    }
}

fn random(own: Beacon, scene: &Scene, rng: &mut dyn Rng) -> Beacon {
    let heading = rng.random_range(0.0..360.0);
    let acceleration = rng.random_range(-MAX_ACCELERATION..=MAX_ACCELERATION);
    Beacon {
        position: scene.anywhere(rng),
        velocity: [(); 2].map(|()| rng.random_range(0.0..=MAX_SPEED)),
        acceleration: own.acceleration.map(|_| vector(acceleration, heading)),
        heading: own.heading.map(|_| heading),
        ..own
    }
}
