//! Paper 004: danger evaluation of driving-map data (Computer Engineering 2022, 228160).
//!
//! The model is `S = (A, B, F(λ, R², t), J, D)`. **F, the weights and the table from danger to
//! action are not given anywhere** and cannot be recovered; what stands here beside the printed
//! listing is ours and is marked.
//!
//! **Algorithm 2**, per block, as printed \[paper\]:
//! ```text
//! rate = Data / Old
//! if rate > 0.5 { if community fork { s = 0 }  s = 1 }
//! s = 0
//! if s = 0 { R = (weather, road, speed, vehicle) × weights;  D = s + R }
//! ```
//! The fork's 0 is overwritten by 1, and everything by 0: **the attack flag is always 0**
//! ([`attack_d1`]; the id is ours, the other papers' lists have no letter for it).
//!
//! **Repaired** \[ours\]: `rate` = share of nodes whose digest of a settled block changed; `s = 1`
//! when `rate > 0.5` and no quorum signed a fork; `R = Σ w·f`; `D = D_MAX` under attack, else `R`.
//!
//! **Action**: only the threshold 10 and "−max, whatever distance and speed" for the dangerous
//! state are in the text. Bands 0–10, 10–50, from 50 \[ours\].

use rand_core::CryptoRng;

use crate::Outcome;

/// θ: share of changed nodes above which an attack is assumed \[paper\].
pub const THRESHOLD: f64 = 0.5;

/// Danger under attack \[ours: the paper's scale has no stated end\].
pub const D_MAX: f64 = 100.0;

/// From here on the state is steady \[paper: the number 10\].
pub const STEADY_FROM: f64 = 10.0;

/// From here on the state is dangerous \[ours\].
pub const DANGEROUS_FROM: f64 = 50.0;

/// Weights of weather, road, speed, vehicle \[ours: the paper gives none\].
pub const WEIGHTS: [f64; 4] = [0.25, 0.35, 0.25, 0.15];

/// Danger of each feature, from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Features {
    /// Weather.
    pub weather: f64,
    /// Road.
    pub road: f64,
    /// Speed.
    pub speed: f64,
    /// Vehicle.
    pub vehicle: f64,
}

impl Features {
    /// `R`, the weighted danger of the surroundings.
    #[must_use]
    pub fn weighted(&self) -> f64 {
        [self.weather, self.road, self.speed, self.vehicle]
            .iter()
            .zip(WEIGHTS)
            .map(|(feature, weight)| feature * weight)
            .sum()
    }
}

/// Result of Algorithm 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// D.
    pub danger: f64,
    /// R.
    pub surroundings: f64,
    /// s: the network is under attack.
    pub attack: bool,
}

/// Share of nodes whose digest of a settled block is another one than before. Nodes that are
/// missing on one side count as changed; 0 without nodes.
#[must_use]
pub fn changed_rate(before: &[[u8; 32]], now: &[[u8; 32]]) -> f64 {
    let nodes = before.len().max(now.len());
    if nodes == 0 {
        return 0.0;
    }
    let same = before.iter().zip(now).filter(|(a, b)| a == b).count();
    (nodes - same) as f64 / nodes as f64
}

/// Algorithm 2 as printed.
#[must_use]
#[expect(
    unused_assignments,
    reason = "the printed listing overwrites its own flag"
)]
pub fn evaluate_printed(rate: f64, community_fork: bool, features: &Features) -> Evaluation {
    let mut s = 0.0;
    if rate > THRESHOLD {
        if community_fork {
            s = 0.0;
        }
        s = 1.0;
    }
    s = 0.0;
    let surroundings = features.weighted();
    Evaluation {
        danger: s + surroundings,
        surroundings,
        attack: s != 0.0,
    }
}

/// Algorithm 2 repaired.
#[must_use]
pub fn evaluate_repaired(rate: f64, signed_fork: bool, features: &Features) -> Evaluation {
    let surroundings = features.weighted();
    let attack = rate > THRESHOLD && !signed_fork;
    let danger = if attack { D_MAX } else { surroundings };
    Evaluation {
        danger,
        surroundings,
        attack,
    }
}

/// What the vehicle is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Safe: keep speed or accelerate.
    Keep,
    /// Steady: slow down as a function of distance and speed.
    SlowDown,
    /// Dangerous or attacked: −max, emergency braking whatever distance and speed.
    EmergencyBrake,
}

impl Evaluation {
    /// The table from danger to action.
    #[must_use]
    pub fn action(&self) -> Action {
        if self.attack || self.danger >= DANGEROUS_FROM {
            Action::EmergencyBrake
        } else if self.danger >= STEADY_FROM {
            Action::SlowDown
        } else {
            Action::Keep
        }
    }
}

/// D1: nine of ten nodes hold other blocks than before, and the printed listing says that the
/// road is clear.
pub fn attack_d1(rng: &mut dyn CryptoRng) -> Outcome {
    let mut before = [[0; 32]; 10];
    for digest in &mut before {
        rng.fill_bytes(digest);
    }
    let mut now = before;
    for digest in now.iter_mut().skip(1) {
        digest[0] ^= 1;
    }
    let rate = changed_rate(&before, &now);
    let clear = Features {
        weather: 2.0,
        road: 2.0,
        speed: 5.0,
        vehicle: 1.0,
    };
    let blocked = Features {
        weather: 20.0,
        road: 100.0,
        speed: 60.0,
        vehicle: 20.0,
    };
    let printed = evaluate_printed(rate, false, &clear);
    let seen = evaluate_repaired(rate, false, &clear).attack;
    // The listing is not blind altogether: it reports a blocked road.
    let control = seen && evaluate_printed(0.0, false, &blocked).action() != Action::Keep;
    Outcome {
        succeeded: !printed.attack && printed.action() == Action::Keep,
        control,
        achieved: format!(
            "{:.0} % of the nodes rewritten, answer: keep speed",
            rate * 100.0
        ),
    }
}
