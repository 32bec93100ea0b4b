//! How a vehicle moves: along its lane, with the brakes of its class on the road that there is.
//!
//! 1. The wanted acceleration is bounded by what the engine gives, and by what brakes and friction
//!    give together ([`Model::deceleration_cm_s2`]): the smaller of the two.
//! 2. The real acceleration follows it with a lag ([`Class`] decides: air brakes build up pressure).
//! 3. Speed and position follow by Euler's method; speed never becomes negative.

use crate::STEP_S;
use cairn_contracts::danger::{Class, Model, Road};

/// What all vehicles of a class have in common, beside the braking of the [`Model`].
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// Metres from bumper to bumper.
    pub length_m: f64,
    /// Greatest acceleration in m/s²: SUMO's default for passenger, truck and bus.
    pub acceleration: f64,
    /// Lag of the brakes in seconds; ours, below the 0.6 s that UN R13 allows air brakes.
    pub lag_s: f64,
}

/// The build of a class.
#[must_use]
pub const fn build(class: Class) -> Build {
    let (length_m, acceleration, lag_s) = match class {
        Class::Car => (4.5, 2.6, 0.2),
        Class::Truck => (10.0, 1.3, 0.4),
        Class::Bus => (12.0, 1.2, 0.4),
    };
    Build {
        length_m,
        acceleration,
        lag_s,
    }
}

/// A moving body in a lane.
#[derive(Clone, Copy, Debug)]
pub struct Vehicle {
    /// What kind.
    pub class: Class,
    /// Braking power left, in percent.
    pub condition: u8,
    /// Front bumper, metres along the road.
    pub front_m: f64,
    /// Speed in m/s.
    pub speed: f64,
    /// Acceleration in m/s².
    pub acceleration: f64,
}

impl Vehicle {
    /// Rear bumper, metres along the road.
    #[must_use]
    pub fn rear_m(&self) -> f64 {
        self.front_m - build(self.class).length_m
    }

    /// The hardest braking on this road, in m/s².
    #[must_use]
    pub fn braking(&self, model: &Model, road: Road) -> f64 {
        model.deceleration_cm_s2(self.class, self.condition, road) as f64 / 100.0
    }

    /// One step with this wanted acceleration.
    pub fn advance(&mut self, wanted: f64, model: &Model, road: Road) {
        let Build {
            acceleration,
            lag_s,
            ..
        } = build(self.class);
        let bounded = wanted.clamp(-self.braking(model, road), acceleration);
        self.acceleration += (bounded - self.acceleration) * (STEP_S / lag_s).min(1.0);
        let before = self.speed;
        self.speed = (before + self.acceleration * STEP_S).max(0.0);
        self.front_m += f64::midpoint(before, self.speed) * STEP_S;
        if self.speed == 0.0 {
            self.acceleration = self.acceleration.max(0.0);
        }
    }

    /// Stands at once: it hit something.
    pub fn crash(&mut self) {
        self.speed = 0.0;
        self.acceleration = 0.0;
    }
}

/// What is ahead of a bumper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// Metres, bumper to bumper.
    pub gap_m: f64,
    /// Speed at which it shrinks, in m/s.
    pub closing: f64,
}

impl Gap {
    /// Seconds until contact at the present speeds; `None` when it does not shrink.
    #[must_use]
    pub fn time_to_collision(&self) -> Option<f64> {
        (self.closing > 0.0).then(|| self.gap_m.max(0.0) / self.closing)
    }

    /// The deceleration in m/s² that ends the approach `spare_m` before contact.
    #[must_use]
    pub fn demanded(&self, spare_m: f64) -> f64 {
        if self.closing <= 0.0 {
            return 0.0;
        }
        self.closing * self.closing / (2.0 * (self.gap_m - spare_m).max(0.1))
    }
}
