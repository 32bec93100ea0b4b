//! What a vehicle is to say in a step: a beacon of the traffic in the units of the wire.

use cairn_protocol::{plausibility::Class, position::Motion};
use cairn_scenario::beacons::{self, Beacon};

/// A position message to be signed and broadcast.
#[derive(Clone, Copy, Debug)]
pub struct Saying {
    /// Its number in the traffic, for scoring.
    pub number: u64,
    /// When it says it was sent, in milliseconds of trace time.
    pub time_ms: u64,
    /// What it says.
    pub motion: Motion,
}

impl Saying {
    /// What `beacon` says, sent at `time_ms`. Numbers that the wire cannot hold become the nearest
    /// that it can.
    pub fn of(beacon: &Beacon, time_ms: u64) -> Self {
        const HUNDREDTHS: f64 = 100.0;
        let acceleration = beacon.forward_acceleration().unwrap_or_default();
        // Conversions from floating point saturate.
        let motion = Motion {
            position: crate::to_position(beacon.position),
            speed_cm_s: (beacon.speed() * HUNDREDTHS).round() as u16,
            heading_cdeg: (beacon.course() * HUNDREDTHS).round() as u16 % 36_000,
            acceleration_cm_s2: (acceleration * HUNDREDTHS).round() as i16,
            class: match beacon.class {
                None | Some(beacons::Class::Car) => Class::Car,
                Some(beacons::Class::Truck) => Class::Truck,
                Some(beacons::Class::Bus) => Class::Bus,
            },
        };
        Self {
            number: beacon.message,
            time_ms,
            motion,
        }
    }
}
