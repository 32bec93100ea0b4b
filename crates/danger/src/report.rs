//! What `cairn drive` reports, as JSON.

use crate::{
    compare::run,
    fit::{r_squared, samples},
    outcome::{Check, ClassOutcome, Outcome, check},
    scenario::Scenario,
    simulation::Arm,
};
use cairn_contracts::danger::Model;
use serde::Serialize;

/// The same measure for each arm.
#[derive(Clone, Debug, Serialize)]
pub struct ByArm<T> {
    /// Drivers alone.
    pub without: T,
    /// With own sensors only.
    pub sensors_only: T,
    /// With own sensors and the network.
    pub with: T,
}

impl<T> ByArm<T> {
    /// The same for each arm, as something else.
    pub fn each<U>(&self, of: impl Fn(&T) -> U) -> ByArm<U> {
        ByArm {
            without: of(&self.without),
            sensors_only: of(&self.sensors_only),
            with: of(&self.with),
        }
    }
}

/// What happened to the vehicles of each class with the network.
#[derive(Clone, Debug, Serialize)]
pub struct Classes {
    /// Cars.
    pub car: ClassOutcome,
    /// Trucks.
    pub truck: ClassOutcome,
    /// Buses.
    pub bus: ClassOutcome,
}

/// Commands of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Commands {
    /// Taken by the controller.
    pub taken: usize,
    /// Contradicted by own sensors.
    pub refused: usize,
    /// False ones.
    pub forged: usize,
    /// False ones that were taken.
    pub forged_taken: usize,
}

/// A run of a scenario, compared.
#[derive(Clone, Debug, Serialize)]
pub struct DriveReport {
    /// Name of the scenario.
    pub scenario: String,
    /// What is random follows from it.
    pub seed: u64,
    /// By class, with the network.
    pub classes: Classes,
    /// Collisions.
    pub collisions: ByArm<usize>,
    /// Brakings above 4 m/s².
    pub hard_brakings: ByArm<usize>,
    /// Smallest time gap of anybody above 1 m/s, in seconds.
    pub min_time_gap_s: ByArm<Option<f64>>,
    /// Smallest time to collision of anybody, in seconds.
    pub min_ttc_s: ByArm<Option<f64>>,
    /// Commands with the network.
    pub commands: Commands,
    /// How well danger predicts the least time to collision of the next 10 s, with drivers alone.
    pub r_squared: f64,
    /// What the scenario expects, and whether it was met.
    pub expected: Vec<Check>,
}

impl DriveReport {
    /// Compares `with`, a run with the network, with runs of the same seed without.
    ///
    /// # Panics
    ///
    /// When `with` was not made by a [`crate::outcome::Watch`], which knows three classes.
    #[must_use]
    pub fn new(scenario: &Scenario, model: &Model, seed: u64, with: &Outcome) -> Self {
        let arms = ByArm {
            without: run(scenario, model, Arm::Driver, seed),
            sensors_only: run(scenario, model, Arm::Sensors, seed),
            with: with.clone(),
        };
        let [car, truck, bus] = with.classes.as_slice() else {
            panic!("an outcome has three classes");
        };
        Self {
            scenario: scenario.name.clone(),
            seed,
            classes: Classes {
                car: car.clone(),
                truck: truck.clone(),
                bus: bus.clone(),
            },
            collisions: arms.each(|outcome| outcome.collisions),
            hard_brakings: arms.each(Outcome::hard_brakings),
            min_time_gap_s: arms.each(Outcome::min_time_gap_s),
            min_ttc_s: arms.each(Outcome::min_ttc_s),
            commands: Commands {
                taken: with.advice_taken,
                refused: with.advice_refused,
                forged: with.false_advice,
                forged_taken: with.false_advice_taken,
            },
            r_squared: r_squared(&samples(scenario, model, seed), &model.weights),
            expected: check(scenario, with),
        }
    }

    /// Whether everything went as the scenario expects.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.expected.iter().all(|check| check.met)
    }
}
