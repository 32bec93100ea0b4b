//! One scenario, three times: with drivers alone, with own sensors, with the network. The same seed gives
//! the same drivers and brakes in all three.

use crate::{
    controller::Advice,
    outcome::{Outcome, Watch},
    scenario::Scenario,
    simulation::{Arm, Due, Simulation},
};
use cairn_contracts::danger::Model;
use serde::Serialize;
use std::collections::VecDeque;

/// Lying validators that a chain of four tolerates.
pub const TOLERATED_LIARS: usize = 1;

/// How long advice counts after it was given, in seconds: the life of a command.
pub const LIFE_S: f64 = 2.0;

/// Runs a scenario without a chain: the model is asked directly, and its answer takes the scenario's
/// time for the way back.
#[must_use]
pub fn run(scenario: &Scenario, model: &Model, arm: Arm, seed: u64) -> Outcome {
    let mut simulation = Simulation::new(scenario, model, arm, seed);
    let mut watch = Watch::new(&simulation);
    let mut way: VecDeque<(f64, usize, Advice, bool)> = VecDeque::new();
    watch.look(&simulation);
    while !simulation.is_over() {
        let now_s = simulation.now_s();
        if arm == Arm::Network {
            raise_alarm(scenario, &mut simulation);
            if !simulation.is_alarmed() {
                let arrival_s = now_s + scenario.delay_s;
                for due in simulation.reports() {
                    for (advice, is_false) in advice(model, &due, arrival_s + LIFE_S) {
                        way.push_back((arrival_s, due.vehicle, advice, is_false));
                    }
                }
            }
            while way
                .front()
                .is_some_and(|(arrival_s, ..)| *arrival_s <= now_s)
            {
                let (_, vehicle, advice, is_false) = way.pop_front().expect("just seen");
                watch.advised(simulation.deliver(vehicle, advice), is_false);
            }
        }
        simulation.advance();
        watch.look(&simulation);
    }
    watch.finish(&simulation)
}

/// Raises the alarm one way of a message after more validators lie than the chain tolerates.
fn raise_alarm(scenario: &Scenario, simulation: &mut Simulation) {
    let heard_s = simulation.now_s() - scenario.delay_s;
    if scenario.liars_at(heard_s) > TOLERATED_LIARS && !simulation.is_alarmed() {
        simulation.set_alarm(true);
    }
}

/// What the vehicle is told: the truth, and what a thief tells.
fn advice(model: &Model, due: &Due, until_s: f64) -> impl Iterator<Item = (Advice, bool)> {
    let of = |inputs| Advice {
        inputs,
        evaluation: model.evaluate(&inputs),
        until_s,
    };
    let forged = due.forged.map(|inputs| (of(inputs), true));
    std::iter::once((of(due.inputs), false)).chain(forged)
}

/// Many seeds of one scenario, under one arm.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Runs.
    pub runs: usize,
    /// Runs with at least one collision.
    pub runs_with_collision: usize,
    /// Collisions, all runs together.
    pub collisions: usize,
    /// Brakings above 4 m/s², all runs together.
    pub hard_brakings: usize,
    /// Smallest time gap of each run, in seconds: median over runs.
    pub median_min_time_gap_s: Option<f64>,
    /// Smallest time to collision of each run, in seconds: median over runs.
    pub median_min_ttc_s: Option<f64>,
}

/// Runs a scenario for every seed.
#[must_use]
pub fn tally(
    scenario: &Scenario,
    model: &Model,
    arm: Arm,
    seeds: impl Iterator<Item = u64>,
) -> Tally {
    let mut tally = Tally::default();
    let (mut gaps, mut times) = (Vec::new(), Vec::new());
    for seed in seeds {
        let outcome = run(scenario, model, arm, seed);
        tally.runs += 1;
        tally.runs_with_collision += usize::from(outcome.collisions > 0);
        tally.collisions += outcome.collisions;
        tally.hard_brakings += outcome.hard_brakings();
        gaps.extend(outcome.min_time_gap_s());
        times.extend(outcome.min_ttc_s());
    }
    tally.median_min_time_gap_s = median(gaps);
    tally.median_min_ttc_s = median(times);
    tally
}

/// The middle value.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
