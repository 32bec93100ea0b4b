//! R², the coefficient of determination (paper 004, equations 4 and 5): how well a danger value predicts
//! what happens in the next [`OUTLOOK_S`] seconds.
//!
//! 1. Nobody helps the drivers, or advice would change what it predicts. At every report of every vehicle the
//!    four factors and the danger are noted.
//! 2. Observed is the smallest time to collision of the same vehicle in the next 10 s, turned into a
//!    severity `y = 100·(1 − min(TTC, 10 s)/10 s)`.
//! 3. `f` is the straight line through the dangers that fits best, and
//!    `R² = 1 − Σ(y − f)²/Σ(y − ȳ)²`, with `ȳ` the mean (the paper prints the variance there).
//!
//! R² is a number about many samples, not a danger; it gates the weights: [`refit`] proposes others
//! only when they predict better on roads that they were not fitted to.

use crate::{
    STEP_S,
    scenario::Scenario,
    simulation::{Arm, Simulation},
};
use cairn_contracts::danger::{Factors, Model};

/// How far ahead is looked, in seconds.
pub const OUTLOOK_S: f64 = 10.0;

/// By how much R² must rise before other weights are proposed; ours.
pub const MARGIN: f64 = 0.02;

/// One prediction and what came.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// What the danger was made of.
    pub factors: Factors,
    /// Severity of the 10 s that followed, 0 to 100.
    pub severity: f64,
}

impl Sample {
    /// `Σ w·f`, 0 to 100.
    #[must_use]
    pub fn danger(&self, weights: &[u8; 4]) -> f64 {
        let Factors {
            weather,
            road,
            speed,
            vehicle,
        } = self.factors;
        let weighted = weights.iter().zip([weather, road, speed, vehicle]);
        weighted
            .map(|(w, f)| f64::from(*w) * f64::from(f))
            .sum::<f64>()
            / 100.0
    }
}

/// Steps 1 and 2 on one road.
#[must_use]
pub fn samples(scenario: &Scenario, model: &Model, seed: u64) -> Vec<Sample> {
    let mut simulation = Simulation::new(scenario, model, Arm::Driver, seed);
    let count = simulation.participants().len();
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); count];
    let mut noted = Vec::new();
    while !simulation.is_over() {
        for due in simulation.reports() {
            noted.push((
                due.vehicle,
                times[due.vehicle].len(),
                model.factors(&due.inputs),
            ));
        }
        for (vehicle, times) in times.iter_mut().enumerate() {
            let crashed = simulation.participants()[vehicle].crashed;
            let gap = simulation.gap(vehicle).filter(|_| !crashed);
            let time = gap.and_then(|gap| gap.time_to_collision());
            times.push(if crashed {
                0.0
            } else {
                time.unwrap_or(OUTLOOK_S)
            });
        }
        simulation.advance();
    }
    let outlook = (OUTLOOK_S / STEP_S) as usize;
    let whole = noted
        .into_iter()
        .filter(|(vehicle, step, _)| step + outlook <= times[*vehicle].len());
    whole
        .map(|(vehicle, step, factors)| {
            let next = times[vehicle][step..step + outlook].iter();
            let least = next.fold(OUTLOOK_S, |least, time| least.min(*time));
            Sample {
                factors,
                severity: 100.0 * (1.0 - least / OUTLOOK_S),
            }
        })
        .collect()
}

/// Step 3; 0 when all severities are alike or no line fits better than their mean.
#[must_use]
pub fn r_squared(samples: &[Sample], weights: &[u8; 4]) -> f64 {
    let n = samples.len() as f64;
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(&|s| s.danger(weights)), mean(&|s| s.severity));
    let (mut sxx, mut sxy, mut total) = (0.0, 0.0, 0.0);
    for sample in samples {
        let (dx, dy) = (sample.danger(weights) - x, sample.severity - y);
        sxx += dx * dx;
        sxy += dx * dy;
        total += dy * dy;
    }
    if sxx == 0.0 || total == 0.0 {
        return 0.0;
    }
    // Of the best line, 1 − Σ(y − f)²/Σ(y − ȳ)² is the squared correlation.
    (sxy * sxy / (sxx * total)).clamp(0.0, 1.0)
}

/// Other weights, in steps of five percent, that predict better than `present`: found on one half of
/// the samples, proposed only if R² on the other half rises by [`MARGIN`].
#[must_use]
pub fn refit(samples: &[Sample], present: &[u8; 4]) -> Option<[u8; 4]> {
    let (known, unknown) = samples.split_at(samples.len() / 2);
    let best = grid().max_by(|a, b| r_squared(known, a).total_cmp(&r_squared(known, b)))?;
    let gain = r_squared(unknown, &best) - r_squared(unknown, present);
    (gain >= MARGIN).then_some(best)
}

/// All weights in steps of five percent that add up to 100, none below five: nothing that was found
/// dangerous is forgotten because the samples happen to lack it.
fn grid() -> impl Iterator<Item = [u8; 4]> {
    let steps = || (5..=85u8).step_by(5);
    steps().flat_map(move |a| {
        steps().flat_map(move |b| {
            steps().filter_map(move |c| {
                let sum = u16::from(a) + u16::from(b) + u16::from(c);
                let d = u8::try_from(100_u16.checked_sub(sum)?).ok()?;
                (d >= 5).then_some([a, b, c, d])
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(road: u8, speed: u8, severity: f64) -> Sample {
        let factors = Factors {
            road,
            speed,
            ..Factors::default()
        };
        Sample { factors, severity }
    }

    #[test]
    fn a_line_is_predicted_exactly_and_noise_not_at_all() {
        let line: Vec<Sample> = (0..10)
            .map(|n| sample(10 * n, 0, f64::from(3 * n)))
            .collect();
        assert!((r_squared(&line, &[25, 35, 25, 15]) - 1.0).abs() < 1e-9);
        let cross = [(0, 0.0), (0, 9.0), (50, 9.0), (50, 0.0)];
        let cross: Vec<Sample> = cross.iter().map(|(x, y)| sample(*x, 0, *y)).collect();
        assert!(r_squared(&cross, &[25, 35, 25, 15]) < 1e-9);
        assert_eq!(r_squared(&[], &[25, 35, 25, 15]), 0.0);
    }

    #[test]
    fn weights_change_only_when_they_predict_better_elsewhere() {
        // Severity follows `speed`; `road` is noise.
        let noise = |n: u8| n.wrapping_mul(37) % 100;
        let samples: Vec<Sample> = (0..100)
            .map(|n| sample(noise(n), n, f64::from(n)))
            .collect();
        let interleaved: Vec<Sample> = (0..2)
            .flat_map(|half| samples.iter().skip(half).step_by(2).copied())
            .collect();
        let better = refit(&interleaved, &[25, 35, 25, 15]).unwrap();
        assert!(better[2] > 25, "{better:?}");
        assert_eq!(refit(&interleaved, &better), None);
    }
}
