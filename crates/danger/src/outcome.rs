//! What came of a run.

use crate::{
    STEP_S,
    scenario::{Scenario, StateName},
    simulation::Simulation,
};
use cairn_contracts::danger::Class;
use serde::Serialize;

/// Braking above this counts as hard, in m/s²: what UN R157 allows a minimal-risk manoeuvre.
pub const HARD_BRAKING: f64 = 4.0;

/// Below this speed time gaps and brakings say nothing, in m/s.
const CREEPING: f64 = 1.0;

/// One moment of one vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// Seconds since the beginning.
    pub time_s: f64,
    /// Danger, 0 to 100.
    pub danger: f64,
    /// Speed in m/s.
    pub speed_m_s: f64,
    /// State.
    pub state: StateName,
}

/// What the vehicles of one class went through.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ClassOutcome {
    /// How many there are.
    pub vehicles: usize,
    /// Collisions in their lane.
    pub collisions: usize,
    /// Brakings above 4 m/s².
    pub hard_brakings: usize,
    /// Smallest time to collision, in seconds.
    pub min_ttc_s: Option<f64>,
    /// Smallest time gap, in seconds.
    pub min_time_gap_s: Option<f64>,
    /// Greatest danger of the first vehicle, 0 to 100.
    pub peak_danger: f64,
    /// The first vehicle's states, each with the second in which it began.
    pub course: Vec<(f64, StateName)>,
    /// When the first vehicle came to its first standstill, in seconds.
    pub standstill_s: Option<f64>,
    /// The first vehicle's speed at the end, in m/s.
    pub speed_at_end_m_s: f64,
    /// The first vehicle, step by step.
    #[serde(skip)]
    pub trace: Vec<Moment>,
}

/// What came of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// By class, in the order of [`Class::ALL`].
    #[serde(skip)]
    pub classes: Vec<ClassOutcome>,
    /// Pairs that collided.
    pub collisions: usize,
    /// Advice that vehicles obeyed or kept.
    pub advice_taken: usize,
    /// Advice that own sensors contradicted.
    pub advice_refused: usize,
    /// Of false advice, what was taken.
    pub false_advice_taken: usize,
    /// False advice.
    pub false_advice: usize,
}

impl Outcome {
    /// Brakings above 4 m/s², over all vehicles.
    #[must_use]
    pub fn hard_brakings(&self) -> usize {
        self.classes.iter().map(|class| class.hard_brakings).sum()
    }

    /// The smallest time gap of anybody, in seconds.
    #[must_use]
    pub fn min_time_gap_s(&self) -> Option<f64> {
        let gaps = self.classes.iter().filter_map(|class| class.min_time_gap_s);
        gaps.min_by(f64::total_cmp)
    }

    /// The smallest time to collision of anybody, in seconds.
    #[must_use]
    pub fn min_ttc_s(&self) -> Option<f64> {
        let times = self.classes.iter().filter_map(|class| class.min_ttc_s);
        times.min_by(f64::total_cmp)
    }
}

/// Watches a simulation from step to step.
#[derive(Default)]
pub struct Watch {
    outcome: Outcome,
    is_braking_hard: Vec<bool>,
    /// The class of each vehicle that has crashed is counted once.
    crashed: Vec<bool>,
}

impl Watch {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(simulation: &Simulation) -> Self {
        let count = simulation.participants().len();
        let mut classes = vec![ClassOutcome::default(); Class::ALL.len()];
        for one in simulation.participants() {
            classes[one.lane].vehicles += 1;
        }
        Self {
            outcome: Outcome {
                classes,
                ..Outcome::default()
            },
            is_braking_hard: vec![false; count],
            crashed: vec![false; count],
        }
    }

    /// What became of a piece of advice.
    pub fn advised(&mut self, taken: bool, is_false: bool) {
        let outcome = &mut self.outcome;
        outcome.advice_taken += usize::from(taken);
        outcome.advice_refused += usize::from(!taken);
        outcome.false_advice += usize::from(is_false);
        outcome.false_advice_taken += usize::from(is_false && taken);
    }

    /// Looks at the present step.
    pub fn look(&mut self, simulation: &Simulation) {
        for (index, one) in simulation.participants().iter().enumerate() {
            let class = &mut self.outcome.classes[one.lane];
            let is_hard = one.body.acceleration < -HARD_BRAKING && one.body.speed > CREEPING;
            class.hard_brakings += usize::from(is_hard && !self.is_braking_hard[index]);
            self.is_braking_hard[index] = is_hard;
            let gap = simulation.gap(index).filter(|_| !one.crashed);
            if let Some(gap) = gap {
                lower(&mut class.min_ttc_s, gap.time_to_collision());
                let time_gap_s = gap.gap_m.max(0.0) / one.body.speed;
                lower(
                    &mut class.min_time_gap_s,
                    (one.body.speed > CREEPING).then_some(time_gap_s),
                );
            }
            if one.crashed && !self.crashed[index] {
                self.crashed[index] = true;
                lower(&mut class.min_ttc_s, Some(0.0));
                lower(&mut class.min_time_gap_s, Some(0.0));
            }
            if one.place == 0 {
                follow(class, simulation, index);
            }
        }
        self.outcome.collisions = simulation.collisions.iter().sum();
    }

    /// The end.
    #[must_use]
    pub fn finish(mut self, simulation: &Simulation) -> Outcome {
        for class in &mut self.outcome.classes {
            if let Some(last) = class.trace.last() {
                class.speed_at_end_m_s = last.speed_m_s;
            }
        }
        for (class, collisions) in self.outcome.classes.iter_mut().zip(simulation.collisions) {
            class.collisions = collisions;
        }
        self.outcome
    }
}

/// The first vehicle of a class.
fn follow(class: &mut ClassOutcome, simulation: &Simulation, index: usize) {
    let time_s = simulation.now_s();
    let (danger, state) = simulation.danger(index);
    let speed_m_s = simulation.participants()[index].body.speed;
    class.peak_danger = class.peak_danger.max(danger);
    if class.course.last().is_none_or(|(_, last)| *last != state) {
        class.course.push((time_s, state));
    }
    if speed_m_s < STEP_S && class.standstill_s.is_none() {
        class.standstill_s = Some(time_s);
    }
    class.trace.push(Moment {
        time_s,
        danger,
        speed_m_s,
        state,
    });
}

fn lower(least: &mut Option<f64>, value: Option<f64>) {
    if let Some(value) = value {
        *least = Some(least.map_or(value, |least| least.min(value)));
    }
}

/// One expectation of a scenario, and whether it was met.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// Whether they agree.
    pub met: bool,
}

/// What a scenario expects of a run with the system.
#[must_use]
pub fn check(scenario: &Scenario, outcome: &Outcome) -> Vec<Check> {
    let expect = &scenario.expect;
    let mut checks = Vec::new();
    let mut at_most = |what: &str, most: Option<usize>, found: usize| {
        if let Some(most) = most {
            checks.push(Check {
                expected: format!("at most {most} {what}"),
                found: found.to_string(),
                met: found <= most,
            });
        }
    };
    at_most("collisions", expect.collisions_at_most, outcome.collisions);
    let hard = outcome.hard_brakings();
    at_most("hard brakings", expect.hard_brakings_at_most, hard);
    if !expect.course.is_empty() {
        for (class, outcome) in Class::ALL.iter().zip(&outcome.classes) {
            let states: Vec<StateName> = outcome.course.iter().map(|(_, state)| *state).collect();
            checks.push(Check {
                expected: format!("{class:?}: {:?}", expect.course),
                found: format!("{states:?}"),
                met: passes_through(&states, &expect.course),
            });
        }
    }
    if expect.standstill_in_order {
        let times: Vec<Option<f64>> = outcome.classes.iter().map(|c| c.standstill_s).collect();
        checks.push(Check {
            expected: "car, truck and bus stand, in this order".into(),
            found: times
                .iter()
                .map(|time| time.map_or("never".into(), |s| format!("after {s:.1} s")))
                .collect::<Vec<_>>()
                .join(", "),
            met: times.iter().all(Option::is_some) && times.is_sorted(),
        });
    }
    if let Some(share) = expect.speed_at_end {
        let least = share * scenario.limit_m_s;
        let speeds = outcome.classes.iter().map(|class| class.speed_at_end_m_s);
        let slowest = speeds.fold(f64::INFINITY, f64::min);
        checks.push(Check {
            expected: format!("at least {least:.1} m/s at the end"),
            found: format!("{slowest:.1} m/s"),
            met: slowest >= least,
        });
    }
    if expect.false_advice_refused {
        checks.push(Check {
            expected: "every false command is refused".into(),
            found: format!(
                "{} of {} taken",
                outcome.false_advice_taken, outcome.false_advice
            ),
            met: outcome.false_advice > 0 && outcome.false_advice_taken == 0,
        });
    }
    checks
}

/// Whether `wanted` occurs in `states` in order.
fn passes_through(states: &[StateName], wanted: &[StateName]) -> bool {
    let mut wanted = wanted.iter().peekable();
    for state in states {
        wanted.next_if(|next| *next == state);
    }
    wanted.peek().is_none()
}
