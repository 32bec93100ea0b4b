//! The person at the wheel: the Intelligent Driver Model (Treiber, Hennecke, Helbing 2000) with human
//! reaction.
//!
//! 1. What comes into sight is noticed after the time of a surprise (Green 2000: 1.5 s on average;
//!    AASHTO designs for 2.5 s).
//! 2. What the driver watches already is known as it was one attentive reaction ago (Green 2000: 0.7 s
//!    expected, 1.25 s for brake lights). The driver knows the own way since and takes the other's
//!    speed for unchanged, as in the Human Driver Model (Treiber, Kesting, Helbing 2006).
//! 3. The driver sees as far as weather and the road's bends allow, slows down a little in rain, fog
//!    and snow (FHWA: 10 to 25 % on wet roads, 30 to 40 % on snow; fog: ours), and does not see ice.

use crate::{
    STEP_S,
    vehicle::{Gap, build},
};
use cairn_contracts::danger::{Class, Weather};
use rand::{RngExt as _, rngs::StdRng};
use std::collections::VecDeque;

/// Comfortable deceleration of the model, in m/s²; its authors' 1.67 rounded up for city traffic.
const COMFORTABLE: f64 = 2.0;

/// What stays free when standing, in metres; the authors' value.
const STANDSTILL_M: f64 = 2.0;

/// A gap that becomes this much smaller in one step, in metres, is that to something else.
const JUMP_M: f64 = 10.0;

/// One person's habits.
#[derive(Clone, Debug)]
pub struct Driver {
    /// Share of the speed limit that this driver wants to drive.
    pub keenness: f64,
    /// Time gap that this driver keeps, in seconds.
    pub time_gap_s: f64,
    /// Seconds until something new is noticed.
    pub surprise_s: f64,
    /// Reaction time in seconds to what is watched already.
    pub reaction_s: f64,
    acceleration: f64,
    seen: VecDeque<Option<Sight>>,
    /// Metres driven since the beginning.
    driven_m: f64,
    /// Seconds since the thing ahead came into sight.
    watched_s: f64,
}

/// What was seen once.
#[derive(Clone, Copy, Debug)]
struct Sight {
    gap_m: f64,
    /// Speed of what is ahead, in m/s.
    speed: f64,
    /// Metres driven until then.
    driven_m: f64,
}

impl Driver {
    /// Draws a driver: surprise 1.0 to 2.5 s, reaction 0.6 to 1.25 s, time gap 1.0 to 2.0 s, speed 95
    /// to 105 % of the limit; uniform, ours.
    #[must_use]
    pub fn draw(class: Class, rng: &mut StdRng) -> Self {
        Self {
            keenness: rng.random_range(0.95..1.05),
            time_gap_s: rng.random_range(1.0..2.0),
            surprise_s: rng.random_range(1.0..2.5),
            reaction_s: rng.random_range(0.6..1.25),
            acceleration: build(class).acceleration,
            seen: VecDeque::new(),
            driven_m: 0.0,
            // Who starts behind somebody has been following for a while.
            watched_s: f64::INFINITY,
        }
    }

    /// The gap in metres at which the driver follows somebody of the same speed without wanting to
    /// change anything.
    #[must_use]
    pub fn settled_gap_m(&self, speed: f64, limit: f64) -> f64 {
        let free = 1.0 - (speed / (limit * self.keenness)).powi(4);
        (STANDSTILL_M + speed * self.time_gap_s) / free.sqrt()
    }

    /// The acceleration that the driver wants, in m/s², seeing `gap` now.
    pub fn drive(&mut self, speed: f64, limit: f64, weather: Weather, gap: Option<Gap>) -> f64 {
        let known = self.notice(speed, gap);
        let slower = match weather {
            Weather::Clear => 1.0,
            Weather::Rain | Weather::Fog => 0.9,
            Weather::Snow => 0.7,
        };
        let free = 1.0 - (speed / (limit * self.keenness * slower)).powi(4);
        let Some(known) = known else {
            return self.acceleration * free;
        };
        let other_m = known.speed * self.reaction_s;
        let gap_m = (known.gap_m + other_m - (self.driven_m - known.driven_m)).max(0.1);
        let closing = speed - known.speed;
        let braking_m = speed * closing / (2.0 * (self.acceleration * COMFORTABLE).sqrt());
        let wanted_m = STANDSTILL_M + (speed * self.time_gap_s + braking_m).max(0.0);
        self.acceleration * (free - (wanted_m / gap_m).powi(2))
    }

    /// Steps 1 and 2: what the driver goes by, seeing `gap` now.
    fn notice(&mut self, speed: f64, gap: Option<Gap>) -> Option<Sight> {
        self.driven_m += speed * STEP_S;
        let sight = gap.map(|gap| Sight {
            gap_m: gap.gap_m,
            speed: speed - gap.closing,
            driven_m: self.driven_m,
        });
        let before = self.seen.back().copied().flatten();
        let is_new = match (before, &sight) {
            (Some(before), Some(now)) => before.gap_m - now.gap_m > JUMP_M,
            (None, Some(_)) => !self.seen.is_empty(),
            (_, None) => false,
        };
        self.watched_s = if is_new { 0.0 } else { self.watched_s + STEP_S };
        self.seen.push_back(sight);
        let delay = (self.reaction_s / STEP_S).round() as usize;
        while self.seen.len() > delay + 1 {
            self.seen.pop_front();
        }
        let known = self.seen.front().copied().flatten();
        known.filter(|_| self.watched_s >= self.surprise_s)
    }
}
