//! Honest error of positions and speeds, as F2MD models it.
//!
//! 1. A receiver is off by `E` metres in one direction, which it keeps. `E₀` is uniform in 3 to 5;
//!    then `E_t` is normal around `(E_{t−1} + E₀)/2` with a standard deviation of `0.03·E₀`.
//! 2. Its speed is off by a factor that is normal around 1 with a standard deviation of 0.0016.
//! 3. Its heading is off by `H·e^(−0.1·v)` degrees at `v` m/s, with `H` uniform in 0 to 20.

use super::{Beacon, turned, vector};
use rand::{Rng, RngExt as _};
use std::{f64::consts::TAU, ops::RangeInclusive};

/// Error of a position when the receiver starts, in metres.
const POSITION_M: RangeInclusive<f64> = 3.0..=5.0;

/// How much it wanders from message to message, as a share.
const WANDER: f64 = 0.03;

/// Standard deviation of a speed, as a share.
const SPEED: f64 = 0.0016;

/// Largest error of a standing vehicle's heading, in degrees.
const HEADING_DEG: RangeInclusive<f64> = 0.0..=20.0;

/// How fast the error of the heading falls with speed, per m/s.
const HEADING_DECAY: f64 = 0.1;

/// The error of one vehicle's receiver.
#[derive(Clone, Debug)]
pub struct GpsError {
    direction: f64,
    start_m: f64,
    now_m: f64,
    heading_deg: f64,
}

impl GpsError {
    /// A receiver's error.
    pub fn new(rng: &mut impl Rng) -> Self {
        let start_m = rng.random_range(POSITION_M);
        Self {
            direction: rng.random_range(0.0..360.0),
            start_m,
            now_m: start_m,
            heading_deg: rng.random_range(HEADING_DEG),
        }
    }

    /// Makes a beacon that says what is true say what the receiver believes.
    pub fn apply(&mut self, beacon: &mut Beacon, rng: &mut impl Rng) {
        let mean = (self.now_m + self.start_m) / 2.0;
        self.now_m = mean + WANDER * self.start_m * normal(rng);
        let [east, north] = vector(self.now_m, self.direction);
        beacon.position.x += east;
        beacon.position.y += north;
        let speed = beacon.speed();
        let factor = 1.0 + SPEED * normal(rng);
        beacon.velocity = beacon.velocity.map(|part| part * factor);
        beacon.heading = beacon
            .heading
            .map(|heading| turned(heading, self.heading_deg * (-HEADING_DECAY * speed).exp()));
    }
}

/// A standard normal number (Box and Muller).
fn normal(rng: &mut impl Rng) -> f64 {
    // Above zero, so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (TAU * rng.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng as _, rngs::StdRng};

    #[test]
    fn the_error_stays_what_the_model_says() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..20 {
            let mut error = GpsError::new(&mut rng);
            let mut before = error.now_m;
            for _ in 0..500 {
                let mut beacon = Beacon {
                    message: 0,
                    time_ms: 0,
                    sender: "a".into(),
                    class: None,
                    position: crate::Metres { x: 0.0, y: 0.0 },
                    velocity: [0.0, 10.0],
                    acceleration: None,
                    heading: Some(0.0),
                    heard_by: None,
                };
                error.apply(&mut beacon, &mut rng);
                let off = beacon.position.x.hypot(beacon.position.y);
                assert!((2.0..6.0).contains(&off), "{off}");
                assert!((error.now_m - before).abs() < 1.2);
                assert!((beacon.speed() - 10.0).abs() < 0.1);
                assert!(beacon.course() <= 20.0 * f64::exp(-0.99));
                before = error.now_m;
            }
        }
    }
}
