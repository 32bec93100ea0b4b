//! Traffic as the network sees it: step by step, where vehicles are and what they say of it.
//!
//! * [`Drivers`] puts drivers into the vehicles of a traffic trace: each says once a second where
//!   its receiver believes it is, and some of them lie.
//! * [`RecordedBeacons`] takes what is said from a file of beacons.
//!
//! Where a vehicle *is* decides who hears it; a detector sees only what it *says*.

mod drivers;
mod recorded;

pub use drivers::Drivers;
pub use recorded::{MAX_BEACONS_PER_STEP, RecordedBeacons};

use crate::{Metres, Step, beacons::Beacon};
use std::sync::Arc;

/// The shortest time between two messages of an honest vehicle, in milliseconds.
pub const INTERVAL_MS: u64 = 1_000;

/// All vehicles on the road in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// The file's own time, in milliseconds.
    pub time_ms: u64,
    /// Time since the file's first step, in milliseconds.
    pub offset_ms: u64,
    /// The vehicles; each id once.
    pub vehicles: Vec<Vehicle>,
}

/// One vehicle in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Vehicle {
    /// Its name.
    pub id: Arc<str>,
    /// Where it is. Of a recorded beacon that is not known, and this is where it says it is.
    pub position: Metres,
    /// The RSU sites that hear it; without that, those within radio range of its position.
    pub heard_by: Option<Vec<Arc<str>>>,
    /// What it sends, in the order of time, under its own name or a ghost's.
    pub says: Vec<Beacon>,
}

/// Traffic in which nobody says anything.
impl From<Step> for Moment {
    fn from(step: Step) -> Self {
        let vehicles = step.vehicles.into_iter().map(|sample| Vehicle {
            id: sample.id,
            position: sample.position,
            heard_by: None,
            says: Vec::new(),
        });
        Self {
            time_ms: step.time_ms,
            offset_ms: step.offset_ms,
            vehicles: vehicles.collect(),
        }
    }
}
