//! Claims for the tests of this module, in metres and seconds.

use super::{Claim, Class, Subject};
use cairn_ledger::Position;

/// Where a vehicle is and how it moves: metres, m/s, degrees, m/s².
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Motion {
    pub x: f64,
    pub y: f64,
    pub speed: f64,
    pub heading: f64,
    pub acceleration: f64,
}

pub(super) fn metres(x: f64, y: f64) -> Position {
    Position {
        x_cm: (x * 100.0).round() as i32,
        y_cm: (y * 100.0).round() as i32,
    }
}

/// A car's claim; its sequence number is its time.
pub(super) fn claim(time_ms: u64, motion: Motion) -> Claim {
    Claim {
        subject: Subject([1; 32]),
        sequence: time_ms as u32,
        time_ms,
        position: metres(motion.x, motion.y),
        speed_cm_s: (motion.speed * 100.0).round() as u16,
        heading_cdeg: (motion.heading * 100.0).round() as u16,
        acceleration_cm_s2: (motion.acceleration * 100.0).round() as i16,
        class: Class::Car,
    }
}
