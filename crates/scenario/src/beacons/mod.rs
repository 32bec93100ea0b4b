//! Position beacons from files: our own JSON lines and the logs that researchers have.
//!
//! | reader | format | one record |
//! |---|---|---|
//! | [`BeaconReader`] | JSON lines: what vehicles sent | [`Beacon`] |
//! | [`TruthReader`] | JSON lines: which of it was false, for scoring only | [`Truth`] |
//! | [`VeremiReader`] | VeReMi (2018) and VeReMi Extension (F2MD, 2020) | [`VeremiRecord`] |
//! | [`NextGenReader`] | VeReMi NextGen (2026) | [`NextGenRecord`] |
//! | [`BsmReader`] | SAE J2735 BSM as the ODE writes it | [`Bsm`] |
//! | [`Log`] | any of the last three: what one receiver heard | [`Reception`] |
//!
//! 1. Every input is a sequence of JSON objects, bare or in one array, gzipped or not; the first
//!    bytes tell. Its length does not matter: one object is in memory at a time.
//! 2. Fields that a reader does not know are passed over; those it knows must be valid.
//! 3. The first fault ends the reading; it is told with file, line and what was expected.

mod bsm;
mod error;
mod gps;
mod jsonl;
mod log;
mod nextgen;
mod objects;
mod value;
mod veremi;

pub use bsm::{Bsm, BsmReader};
pub use error::{BeaconsError, BeaconsFault};
pub use gps::GpsError;
pub use jsonl::{BeaconReader, Truth, TruthReader};
pub use log::{Log, Reception};
pub use nextgen::{NextGenReader, NextGenRecord};
pub use objects::MAX_OBJECT_BYTES;
pub use value::MAX_HEARERS;
pub use veremi::{OwnPosition, VeremiReader, VeremiRecord, label};

use crate::Metres;
use serde::Deserialize;
use std::sync::Arc;

/// Degrees that two headings may differ at most.
const CIRCLE_DEG: f64 = 360.0;

/// One position message as it was sent, true or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Beacon {
    /// Number of the message, unique in its file.
    pub message: u64,
    /// When it says it was sent, in the file's own milliseconds.
    pub time_ms: u64,
    /// Who it says it is from: a name or pseudonym.
    pub sender: Arc<str>,
    /// What kind of vehicle it says it is from, if the format has that.
    pub class: Option<Class>,
    /// Where it says the vehicle is.
    pub position: Metres,
    /// Speed to the east and to the north, in m/s.
    pub velocity: [f64; 2],
    /// Acceleration to the east and to the north, in m/s², if the format has it.
    pub acceleration: Option<[f64; 2]>,
    /// Heading in degrees clockwise from north, 0 to below 360, if the format has it.
    pub heading: Option<f64>,
    /// The RSU sites that heard it, if the format has that.
    pub heard_by: Option<Vec<Arc<str>>>,
}

/// Kind of vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Passenger car.
    Car,
    /// Goods vehicle.
    Truck,
    /// Bus.
    Bus,
}

impl Beacon {
    /// Speed in m/s, never negative.
    pub fn speed(&self) -> f64 {
        self.velocity[0].hypot(self.velocity[1])
    }

    /// The heading, or else the direction of the velocity, in degrees clockwise from north.
    pub fn course(&self) -> f64 {
        self.heading.unwrap_or_else(|| compass(self.velocity))
    }

    /// Acceleration along the course in m/s², if the format has it.
    pub fn forward_acceleration(&self) -> Option<f64> {
        let [east, north] = vector(1.0, self.course());
        self.acceleration
            .map(|acceleration| acceleration[0] * east + acceleration[1] * north)
    }
}

/// Direction of a vector to the east and north, in degrees clockwise from north, 0 to below 360.
pub(crate) fn compass([east, north]: [f64; 2]) -> f64 {
    turned(east.atan2(north).to_degrees(), 0.0)
}

/// A vector of this length in this direction, to the east and north.
pub(crate) fn vector(length: f64, heading: f64) -> [f64; 2] {
    let (sin, cos) = heading.to_radians().sin_cos();
    [length * sin, length * cos]
}

/// A heading after a turn, 0 to below 360.
pub(crate) fn turned(heading: f64, degrees: f64) -> f64 {
    let turned = (heading + degrees).rem_euclid(CIRCLE_DEG);
    // A tiny negative angle is rounded up to the full circle.
    if turned < CIRCLE_DEG { turned } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_those_of_the_compass() {
        for (vector_found, heading) in [
            ([0.0, 1.0], 0.0),
            ([1.0, 0.0], 90.0),
            ([0.0, -2.0], 180.0),
            ([-1.0, 0.0], 270.0),
        ] {
            assert_eq!(compass(vector_found), heading);
            let length = vector_found[0].hypot(vector_found[1]);
            let back = vector(length, heading);
            assert!((back[0] - vector_found[0]).abs() < 1e-12);
            assert!((back[1] - vector_found[1]).abs() < 1e-12);
        }
        assert_eq!(turned(350.0, 20.0), 10.0);
        assert_eq!(turned(-1e-20, 0.0), 0.0);
    }

    #[test]
    fn braking_is_negative_along_the_course() {
        let beacon = Beacon {
            message: 0,
            time_ms: 0,
            sender: "a".into(),
            class: None,
            position: Metres { x: 0.0, y: 0.0 },
            velocity: [3.0, 4.0],
            acceleration: Some([-0.6, -0.8]),
            heading: None,
            heard_by: None,
        };
        assert_eq!(beacon.speed(), 5.0);
        assert!((beacon.forward_acceleration().unwrap() + 1.0).abs() < 1e-12);
    }
}
