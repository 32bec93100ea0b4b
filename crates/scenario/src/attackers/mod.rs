//! Vehicles that lie, one file each, and road-side units that do.
//!
//! An [`Attacker`] sits in one vehicle. For each beacon that the vehicle would honestly send, it
//! says what is sent instead: the same, another, several, or one under a ghost's name. A ghost of
//! `vehicle` is called `vehicle~k` and signs with that vehicle's own credentials.
//!
//! Definitions and parameters are those of F2MD (`josephkamel/veins-f2md`, `MDAttack.cc` and
//! `F2MDParameters.h`, its numbers 1 to 19) and of VeReMi NextGen (its attack generator). Of the
//! latter, `positionMirroring` is missing: it needs the distance to the road's edge, which traffic
//! traces do not have. What is drawn "once" is drawn when the attacker is made.
//!
//! RSUs that lie are in [`lying_rsu`], [`silent_rsu`] and [`spamming_rsu`].

mod acceleration_multiplication;
mod const_pos;
mod const_pos_offset;
mod const_speed;
mod const_speed_offset;
mod data_replay;
mod disruptive;
mod dos;
mod eventual_stop;
mod feigned_braking;
mod grid_sybil;
pub mod lying_rsu;
mod random_pos;
mod random_pos_offset;
mod random_speed;
mod random_speed_offset;
mod registry;
mod reversed_heading;
mod scene;
pub mod silent_rsu;
pub mod spamming_rsu;
mod stale_messages;
mod sudden_constant_speed;
mod time_delay;
mod traffic_congestion_sybil;
mod zero_speed;

pub use registry::{ATTACKERS, AttackerKind, RSU_VILLAINS, RsuVotes, Source, attacker};
pub use scene::{MAX_NEIGHBOURS, MEMORY_MS, Scene};

use crate::{Metres, beacons::Beacon};
use rand::{Rng, RngExt as _};
use std::ops::RangeInclusive;

/// A vehicle that lies.
pub trait Attacker: Send {
    /// What is sent in place of this honest beacon. Each is sent at the time that it says, which is
    /// that of the honest one or up to four seconds later.
    ///
    /// Message numbers are those of the honest beacon; whoever merges the streams numbers them.
    fn send(&mut self, honest: &Beacon, scene: &Scene, rng: &mut dyn Rng) -> Vec<Sent>;
}

/// A beacon of an attacker.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// What is sent.
    pub beacon: Beacon,
    /// Whether it is false, by the rule of the attack's authors; for scoring only.
    pub is_false: bool,
}

/// Speed in m/s, and distance in metres moved since the last message, above which NextGen calls
/// a vehicle moving.
const MOVING: f64 = 1.0;

impl Sent {
    fn truth(beacon: Beacon) -> Self {
        let is_false = false;
        Self { beacon, is_false }
    }

    fn lie(beacon: Beacon) -> Self {
        let is_false = true;
        Self { beacon, is_false }
    }
}

/// A number of random sign whose magnitude is uniform in the range.
fn either_sign(magnitude: &RangeInclusive<f64>, rng: &mut dyn Rng) -> f64 {
    let sign = if rng.random() { 1.0 } else { -1.0 };
    sign * rng.random_range(magnitude.clone())
}

/// F2MD's counts: `n`, or as often the floor, because it casts a factor of 0.45 to 1.55 to an
/// integer before it multiplies.
fn n_or_floor(n: u32, floor: u32, rng: &mut dyn Rng) -> u32 {
    let factor: f64 = rng.random_range(0.45..=1.55);
    if factor < 1.0 { floor } else { n }
}

fn shifted(position: Metres, [east, north]: [f64; 2]) -> Metres {
    Metres {
        x: position.x + east,
        y: position.y + north,
    }
}

/// Gives a beacon the name of the attacker's `k`-th ghost.
fn as_ghost(mut beacon: Beacon, k: u32) -> Beacon {
    beacon.sender = format!("{}~{k}", beacon.sender).into();
    beacon
}

/// What `seen` said, as if `own` said it now.
fn as_own(seen: &Beacon, own: &Beacon) -> Beacon {
    Beacon {
        position: seen.position,
        velocity: seen.velocity,
        acceleration: seen.acceleration,
        heading: seen.heading,
        ..own.clone()
    }
}
