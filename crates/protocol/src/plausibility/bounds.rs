//! Every threshold of the checks, in one place.
//!
//! "F2MD" is the framework of Kamel et al., `josephkamel/veins-f2md`, file `F2MDParameters.h`;
//! its name of a value stands beside it. "Ours" says why the value is what it is.

use super::claim::Class;

/// Thresholds of the checks. [`Bounds::default`] fits a city network with one message a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Farthest that this RSU hears a vehicle, in metres. A property of the site: 500 m is the
    /// ideal disc that the scenarios assume (F2MD's own radio: 420, `MAX_PLAUSIBLE_RANGE`).
    pub radio_range_m: f64,
    /// Error of an honest position, in metres: 10 (F2MD `MAX_CONFIDENCE_RANGE`). Its model of honest
    /// GPS errors stays around 3 to 5 m.
    pub position_error_m: f64,
    /// A vehicle comes into range from outside; first heard nearer than this many metres is
    /// remarkable: 420 (F2MD `MAX_SA_RANGE`).
    pub appearance_range_m: f64,
    /// Highest speed in m/s: 40 (F2MD `MIN_MAX_SPEED`). Raise it where a motorway is in range.
    pub max_speed_m_s: f64,
    /// Strongest acceleration in m/s²: 5. Ours; F2MD's 3 (`MIN_MAX_ACCEL`) is that of an average
    /// car, and electric cars on the market reach 5 from standstill.
    pub max_acceleration_m_s2: f64,
    /// Strongest braking of a car in m/s²: 9. Ours: full braking on dry road, and SUMO's emergency
    /// deceleration; F2MD's 4.5 (`MIN_MAX_DECEL`) would accuse whoever brakes for a child.
    pub max_car_braking_m_s2: f64,
    /// Strongest braking of a truck or bus in m/s²: 7, SUMO's emergency deceleration.
    pub max_heavy_braking_m_s2: f64,
    /// How much a speed may be off, in m/s: 0.5. Ours: ten times what satellite receivers state.
    pub speed_error_m_s: f64,
    /// How much the error of a position may change from one message to the next, in metres: 1.5.
    /// Ours: F2MD's honest error changes by 0.17 m (standard deviation, at its largest); real
    /// receivers in streets change several times more.
    pub position_jitter_m: f64,
    /// How much the acceleration may differ, in m/s², from all values between those claimed at
    /// both ends of an interval, which covers a pedal pressed and released in between: 3. Ours.
    pub acceleration_error_m_s2: f64,
    /// Longest gap over which two claims are compared as one movement, in milliseconds: 3,100
    /// (F2MD `MAX_TIME_DELTA`).
    pub max_gap_ms: u64,
    /// Shortest time between two messages of one key, in milliseconds: 900
    /// (F2MD `MAX_BEACON_FREQUENCY`), for one message a second.
    pub min_interval_ms: u64,
    /// Largest difference of directions in degrees: 90 (F2MD `MAX_HEADING_CHANGE`).
    pub max_heading_change_deg: f64,
    /// Slowest movement in m/s at which directions are compared: 5. Ours: below it vehicles
    /// reverse and turn on the spot, and the compass of a slow vehicle is off by 20° (F2MD).
    pub min_heading_speed_m_s: f64,
    /// Speed in m/s from which a vehicle cannot repeat its position to the centimetre: 1. Ours.
    pub min_moving_speed_m_s: f64,
    /// Two vehicles are never as near to each other as this, in metres: 1. Ours: half the width of
    /// a small car. Honest errors can make it seem so.
    pub same_space_m: f64,
    /// Other RSUs that must contradict a claim before their word counts: 3, which is f_r + 1, so
    /// that at least one of them is honest.
    pub min_witnesses: usize,
    /// Accepted age of a message and tolerated clock offset, in milliseconds: THR.
    pub max_age_ms: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            radio_range_m: 500.0,
            position_error_m: 10.0,
            appearance_range_m: 420.0,
            max_speed_m_s: 40.0,
            max_acceleration_m_s2: 5.0,
            max_car_braking_m_s2: 9.0,
            max_heavy_braking_m_s2: 7.0,
            speed_error_m_s: 0.5,
            position_jitter_m: 1.5,
            acceleration_error_m_s2: 3.0,
            max_gap_ms: 3_100,
            min_interval_ms: 900,
            max_heading_change_deg: 90.0,
            min_heading_speed_m_s: 5.0,
            min_moving_speed_m_s: 1.0,
            same_space_m: 1.0,
            min_witnesses: 3,
            max_age_ms: crate::THR_MS,
        }
    }
}

impl Bounds {
    /// Strongest braking of a class, in m/s².
    pub(super) fn max_braking_m_s2(&self, class: Class) -> f64 {
        match class {
            Class::Car => self.max_car_braking_m_s2,
            Class::Truck | Class::Bus => self.max_heavy_braking_m_s2,
        }
    }
}
