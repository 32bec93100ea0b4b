//! From what is known about a vehicle and the road ahead to a danger value, a state and an action.
//!
//! 1. Stopping distance `S = v·t_r + v²/(2·a)` (AASHTO Green Book, stopping sight distance), where
//!    `a` is the smaller of what the vehicle's brakes give and what the road's friction carries,
//!    `μ·g`.
//! 2. Four factors, each 0 to 100, with the names of paper 004, algorithm 2. Each is linear between
//!    two bounds; what it means is ours, because the paper does not say:
//!    * *weather*: share of the visible distance that stopping takes; 0 up to 25 %, 100 from 100 %;
//!    * *road*: share of the possible deceleration that the thing ahead demands, 0 to 100 %; or the
//!      braking distance beyond that on dry asphalt, 0 to 100 m, whichever is greater;
//!    * *speed*: time gap to the thing ahead, 0 from the class's gap, 100 up to 0.5 s; or time to
//!      collision, 0 from 6 s, 100 up to 1.5 s, whichever is greater;
//!    * *vehicle*: braking distance beyond that of a sound car on the same road, 0 to 50 m.
//! 3. Danger `R = Σ w_k·f_k`, weights in percent, so `R` comes in hundredths from 0 to 10,000.
//! 4. State: *safe* below [`Model::steady_from`] (10.00, the paper's threshold), *dangerous* from
//!    [`Model::dangerous_from`] on, *steady* between them.
//! 5. Action: steady, slow down to the greatest speed at which the same surroundings are safe;
//!    dangerous, stop; safe, keep, or, where 2 m/s more would not be safe, do not exceed what is.
//!
//! Every factor grows with speed and is 0 at standstill, if nothing comes nearer by itself: a
//! vehicle that obeys returns to *safe*.
//!
//! Integers only, so that every node computes the same.

use crate::encoding::record;
use bytes::BufMut;
use commonware_codec::{Buf, Error, FixedSize, Read, ReadExt, Write};

/// Standard gravity in cm/s².
const GRAVITY_CM_S2: u64 = 981;

/// The greatest speed that is evaluated, in cm/s: 360 km/h.
pub const MAX_SPEED_CM_S: u16 = 10_000;

/// By how much a safe vehicle may become faster before its speed is bounded, in cm/s: what a car gains
/// in half a second, and reserve; ours.
const HEADROOM_CM_S: u16 = 200;

/// What stays free in front of a standing vehicle, in centimetres; ours.
const STANDSTILL_CM: u64 = 100;

/// The greatest danger, in hundredths.
pub const MAX_DANGER: Danger = Danger(10_000);

/// Declares an enum whose variants are one byte on the wire.
macro_rules! byte_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant = $code,)+ }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The place in a table of this kind.
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }
        }

        impl Write for $name {
            fn write(&self, buf: &mut impl BufMut) {
                (*self as u8).write(buf);
            }
        }

        impl FixedSize for $name {
            const SIZE: usize = 1;
        }

        impl Read for $name {
            type Cfg = ();

            fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
                match u8::read(buf)? {
                    $($code => Ok(Self::$variant),)+
                    other => Err(Error::InvalidEnum(other)),
                }
            }
        }
    };
}

byte_enum! {
    /// What kind of vehicle it is.
    Class {
        /// Up to 3.5 t.
        Car = 0,
        /// Goods, above 3.5 t.
        Truck = 1,
        /// Passengers, some of them standing.
        Bus = 2,
    }
}

byte_enum! {
    /// What limits the sight.
    Weather {
        /// Nothing.
        Clear = 0,
        /// Rain.
        Rain = 1,
        /// Fog.
        Fog = 2,
        /// Falling snow.
        Snow = 3,
    }
}

byte_enum! {
    /// What lies on the road.
    Road {
        /// Dry asphalt.
        Dry = 0,
        /// Wet asphalt.
        Wet = 1,
        /// Snow.
        Snowy = 2,
        /// Ice.
        Icy = 3,
    }
}

byte_enum! {
    /// How dangerous it is.
    State {
        /// Below the threshold.
        Safe = 0,
        /// From the threshold on.
        Steady = 1,
        /// From the upper bound on.
        Dangerous = 2,
    }
}

/// A danger value in hundredths, 0 to 10,000: the paper's threshold 10 is 1,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Danger(pub u16);

impl Danger {
    /// On the paper's scale, 0 to 100.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// The next thing ahead in the same lane: a vehicle or an obstacle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// From bumper to bumper, in decimetres, at most [`Ahead::MAX_GAP_DM`].
    pub gap_dm: u16,
    /// Speed at which the gap shrinks, in cm/s; negative when it grows.
    pub closing_cm_s: i16,
}

impl Ahead {
    /// 6.5 km: further than anybody sees, and than any vehicle needs to stop.
    pub const MAX_GAP_DM: u16 = u16::MAX - 1;
}

/// What an evaluation starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// What kind of vehicle.
    pub class: Class,
    /// Braking power left, in percent of what the class must have, 1 to 100.
    pub condition: u8,
    /// Speed in cm/s, at most [`MAX_SPEED_CM_S`].
    pub speed_cm_s: u16,
    /// What is ahead in the lane.
    pub ahead: Option<Ahead>,
    /// What limits the sight.
    pub weather: Weather,
    /// What lies on the road, here or where the vehicle will have to brake.
    pub road: Road,
}

/// The four factors, each 0 to 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Factors {
    /// Sight against stopping distance.
    pub weather: u8,
    /// Friction, and braking that the thing ahead demands.
    pub road: u8,
    /// Time gap and time to collision.
    pub speed: u8,
    /// The vehicle's brakes.
    pub vehicle: u8,
}

/// What the vehicle is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Keep the speed, or accelerate.
    Keep,
    /// Slow down to this speed in cm/s, and do not exceed it.
    SlowDown(u16),
    /// Stop.
    Stop,
}

record! {
    /// The result of an evaluation.
    #[derive(Copy)]
    Evaluation {
        /// `R`.
        danger: Danger,
        /// Its band.
        state: State,
        /// What follows.
        action: Action,
    }
}

/// The numbers of an evaluation, in the order of [`Class::ALL`], [`Weather::ALL`], [`Road::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// Weights of weather, road, speed and vehicle, in percent; together 100.
    pub weights: [u8; 4],
    /// From here on *steady*, in hundredths.
    pub steady_from: Danger,
    /// From here on *dangerous*, in hundredths.
    pub dangerous_from: Danger,
    /// Deceleration of sound brakes by class, in cm/s².
    pub braking_cm_s2: [u16; 3],
    /// Deceleration that nobody need fear, by class, in cm/s².
    pub gentle_cm_s2: [u16; 3],
    /// Time gap by class, in milliseconds.
    pub time_gap_ms: [u16; 3],
    /// Sight by weather, in metres.
    pub visibility_m: [u16; 4],
    /// Friction coefficient by road, in hundredths.
    pub friction: [u8; 4],
    /// From seeing to braking, in milliseconds.
    pub reaction_ms: u16,
}

impl Default for Model {
    /// Published values where there are some, with their source; the others are ours.
    fn default() -> Self {
        Self {
            // Ours. The paper names the four and gives no numbers.
            weights: [25, 35, 25, 15],
            // Paper 004, algorithm 3: R >= 10.
            steady_from: Danger(1_000),
            // Ours.
            dangerous_from: Danger(5_000),
            // UN R13-H for M1 (6.43 m/s²); UN R13 for N2, N3, M2 and M3 (5.0 m/s²).
            braking_cm_s2: [643, 500, 500],
            // Car: AASHTO Green Book, comfortable for most drivers (3.4 m/s²). Truck, and bus with
            // passengers who stand: ours. UN R157 5.5 wants at most 4.0 of a minimal-risk manoeuvre.
            gentle_cm_s2: [340, 250, 150],
            // Ours; UN R157 asks 1.5 s of a car at 50 km/h.
            time_gap_ms: [1_500, 2_000, 2_000],
            // Ours, by the classes of road weather: fog is sight below 1 km, this is dense fog.
            visibility_m: [1_000, 400, 60, 150],
            // Noon 1994 (Engineering Analysis of Vehicular Accidents): dry and wet asphalt, lower
            // ends for snow (0.20 to 0.25) and ice (0.10 to 0.15).
            friction: [65, 50, 20, 10],
            // AASHTO Green Book, perception-reaction time.
            reaction_ms: 2_500,
        }
    }
}

impl Model {
    /// Whether the numbers make sense: weights add up to 100, bands are in order, nothing is
    /// divided by zero, and nobody is gentler than its brakes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let weights: u16 = self.weights.iter().copied().map(u16::from).sum();
        let gentle = self.gentle_cm_s2.iter().zip(&self.braking_cm_s2);
        weights == 100
            && self.steady_from.0 > 0
            && self.steady_from < self.dangerous_from
            && self.dangerous_from <= MAX_DANGER
            && gentle
                .into_iter()
                .all(|(gentle, hard)| *gentle > 0 && gentle <= hard)
            && self.time_gap_ms.iter().all(|gap_ms| *gap_ms > FULL_GAP_MS)
            && self.visibility_m.iter().all(|metres| *metres > 0)
            && self.friction.iter().all(|friction| *friction > 0)
    }

    /// The deceleration that brakes and road give, in cm/s², at least 1.
    #[must_use]
    pub fn deceleration_cm_s2(&self, class: Class, condition: u8, road: Road) -> u64 {
        let brakes = u64::from(self.braking_cm_s2[class.index()]) * u64::from(condition) / 100;
        let grip = u64::from(self.friction[road.index()]) * GRAVITY_CM_S2 / 100;
        brakes.min(grip).max(1)
    }

    /// Step 1: the way from seeing to standing, in centimetres.
    #[must_use]
    pub fn stopping_cm(&self, inputs: &Inputs) -> u64 {
        let speed = u64::from(inputs.speed_cm_s);
        let a = self.deceleration_cm_s2(inputs.class, inputs.condition, inputs.road);
        speed * u64::from(self.reaction_ms) / 1_000 + braking_cm(speed, a)
    }

    /// Step 2.
    #[must_use]
    pub fn factors(&self, inputs: &Inputs) -> Factors {
        let speed = u64::from(inputs.speed_cm_s);
        let Inputs {
            class,
            condition,
            road,
            ..
        } = *inputs;
        let way = |class, condition, road| {
            braking_cm(speed, self.deceleration_cm_s2(class, condition, road))
        };
        let here = way(class, condition, road);

        let visible_cm = 100 * u64::from(self.visibility_m[inputs.weather.index()]);
        let slippery = here.saturating_sub(way(class, condition, Road::Dry));
        let weak = here.saturating_sub(way(Class::Car, 100, road));
        let (demanded, near) = inputs.ahead.map_or((0, 0), |ahead| {
            let a = self.deceleration_cm_s2(class, condition, road);
            (
                demanded_percent(&ahead, u64::from(self.reaction_ms), a),
                self.nearness(&ahead, class, speed),
            )
        });
        Factors {
            weather: rising(100 * self.stopping_cm(inputs) / visible_cm, 25, 100),
            road: rising(slippery, 0, 10_000).max(demanded),
            speed: near,
            vehicle: rising(weak, 0, 5_000),
        }
    }

    /// Step 3.
    #[must_use]
    pub fn danger(&self, inputs: &Inputs) -> Danger {
        let Factors {
            weather,
            road,
            speed,
            vehicle,
        } = self.factors(inputs);
        let weighted = self.weights.iter().zip([weather, road, speed, vehicle]);
        Danger(weighted.map(|(w, f)| u16::from(*w) * u16::from(f)).sum())
    }

    /// Step 4.
    #[must_use]
    pub fn state(&self, danger: Danger) -> State {
        if danger >= self.dangerous_from {
            State::Dangerous
        } else if danger >= self.steady_from {
            State::Steady
        } else {
            State::Safe
        }
    }

    /// Steps 3 to 5.
    #[must_use]
    pub fn evaluate(&self, inputs: &Inputs) -> Evaluation {
        self.conclude(inputs, self.danger(inputs))
    }

    /// Steps 4 and 5 for a danger that was found before.
    #[must_use]
    pub fn conclude(&self, inputs: &Inputs, danger: Danger) -> Evaluation {
        let state = self.state(danger);
        let freely = inputs.speed_cm_s.saturating_add(HEADROOM_CM_S);
        let action = match (state, self.safe_speed(inputs, freely)) {
            (State::Dangerous, _) => Action::Stop,
            (State::Safe, speed) if speed >= freely => Action::Keep,
            // J may have raised the danger above what the inputs alone give.
            (State::Safe | State::Steady, speed) => Action::SlowDown(speed),
        };
        Evaluation {
            danger,
            state,
            action,
        }
    }

    /// The greatest speed up to `most`, in cm/s, at which the same surroundings are safe; 0 if there
    /// is none.
    fn safe_speed(&self, inputs: &Inputs, most: u16) -> u16 {
        // Danger grows with speed, so halving finds the bound.
        let (mut safe, mut too_fast) = (0, most.saturating_add(1));
        while too_fast - safe > 1 {
            let middle = safe + (too_fast - safe) / 2;
            if self.danger(&inputs.at_speed(middle)) < self.steady_from {
                safe = middle;
            } else {
                too_fast = middle;
            }
        }
        safe
    }

    /// The factor *speed*.
    fn nearness(&self, ahead: &Ahead, class: Class, speed: u64) -> u8 {
        let gap_cm = 10 * u64::from(ahead.gap_dm);
        let headway_ms = (1_000 * gap_cm).checked_div(speed).unwrap_or(u64::MAX);
        let full = u64::from(FULL_GAP_MS);
        let follows = falling(headway_ms, u64::from(self.time_gap_ms[class.index()]), full);
        let closing = u64::try_from(ahead.closing_cm_s).unwrap_or(0);
        let collision_ms = (1_000 * gap_cm).checked_div(closing).unwrap_or(u64::MAX);
        follows.max(falling(collision_ms, 6_000, 1_500))
    }
}

/// Below this time gap the factor *speed* is 100, in milliseconds; ours.
const FULL_GAP_MS: u16 = 500;

impl Inputs {
    /// The same surroundings at another speed.
    #[must_use]
    pub fn at_speed(&self, speed_cm_s: u16) -> Self {
        let slower = i32::from(self.speed_cm_s) - i32::from(speed_cm_s);
        let ahead = self.ahead.map(|ahead| Ahead {
            closing_cm_s: clamp_i16(i32::from(ahead.closing_cm_s) - slower),
            ..ahead
        });
        Self {
            speed_cm_s,
            ahead,
            ..*self
        }
    }
}

/// `v²/(2·a)`.
fn braking_cm(speed_cm_s: u64, a_cm_s2: u64) -> u64 {
    speed_cm_s * speed_cm_s / (2 * a_cm_s2)
}

/// The share of the deceleration `a` that keeps the vehicle off the thing ahead after the reaction
/// time, in percent, at most 100.
fn demanded_percent(ahead: &Ahead, reaction_ms: u64, a_cm_s2: u64) -> u8 {
    let Ok(closing) = u64::try_from(ahead.closing_cm_s) else {
        return 0;
    };
    if closing == 0 {
        return 0;
    }
    let lost = STANDSTILL_CM + closing * reaction_ms / 1_000;
    let room = (10 * u64::from(ahead.gap_dm)).saturating_sub(lost);
    let demanded = (closing * closing).checked_div(2 * room);
    demanded.map_or(100, |demanded| rising(demanded, 0, a_cm_s2))
}

/// 0 up to `zero`, 100 from `full` on, linear between them.
fn rising(value: u64, zero: u64, full: u64) -> u8 {
    let share = 100 * (value.clamp(zero, full) - zero) / (full - zero);
    u8::try_from(share).unwrap_or(100)
}

/// 100 up to `full`, 0 from `zero` on, linear between them.
fn falling(value: u64, zero: u64, full: u64) -> u8 {
    let share = 100 * (zero - value.clamp(full, zero)) / (zero - full);
    u8::try_from(share).unwrap_or(100)
}

fn clamp_i16(value: i32) -> i16 {
    let bounded = value.clamp(i32::from(i16::MIN), i32::from(i16::MAX));
    i16::try_from(bounded).expect("the value was clamped")
}
