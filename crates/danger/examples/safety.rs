//! Every scenario of the program over many seeds, without and with the system, and how well danger
//! predicts: the tables of `docs/danger.md`.
//!
//! ```sh
//! cargo run --release -p cairn-danger --example safety -- 200
//! ```

use cairn_contracts::danger::Model;
use cairn_danger::{
    compare::{Tally, tally},
    fit,
    scenario::Scenario,
    simulation::Arm,
};

const ARMS: [(Arm, &str); 3] = [
    (Arm::Driver, "drivers alone"),
    (Arm::Sensors, "own sensors"),
    (Arm::Network, "network"),
];

fn main() {
    let seeds = std::env::args().nth(1).map_or(Ok(200), |text| text.parse());
    let seeds: u64 = seeds.expect("expected a number of seeds");
    let model = Model::default();
    println!("{seeds} seeds, 12 vehicles each\n");
    println!(
        "| scenario | who helps | runs with a collision | collisions | hard brakings | least time gap, median | least TTC, median |"
    );
    println!("|---|---|---|---|---|---|---|");
    for name in Scenario::names() {
        let scenario = Scenario::built_in(name).expect("a name of its own");
        for (arm, who) in ARMS {
            let Tally {
                runs,
                runs_with_collision,
                collisions,
                hard_brakings,
                median_min_time_gap_s,
                median_min_ttc_s,
            } = tally(&scenario, &model, arm, 1..=seeds);
            println!(
                "| {name} | {who} | {runs_with_collision} of {runs} | {collisions} | {hard_brakings} | {} | {} |",
                seconds(median_min_time_gap_s),
                seconds(median_min_ttc_s),
            );
        }
    }
    println!("\n| scenario | samples | R² |\n|---|---|---|");
    let mut all = Vec::new();
    for name in Scenario::names() {
        let scenario = Scenario::built_in(name).expect("a name of its own");
        let seeds = 1..=seeds.min(20);
        let samples: Vec<_> = seeds
            .flat_map(|seed| fit::samples(&scenario, &model, seed))
            .collect();
        let r_squared = fit::r_squared(&samples, &model.weights);
        println!("| {name} | {} | {r_squared:.2} |", samples.len());
        all.extend(samples);
    }
    let r_squared = fit::r_squared(&all, &model.weights);
    println!("| all | {} | {r_squared:.2} |", all.len());
    // Halves must be alike: every second sample of each scenario.
    let (even, odd): (Vec<_>, Vec<_>) = all
        .iter()
        .enumerate()
        .partition(|(place, _)| place % 2 == 0);
    let halves: Vec<_> = even
        .into_iter()
        .chain(odd)
        .map(|(_, sample)| *sample)
        .collect();
    match fit::refit(&halves, &model.weights) {
        Some(weights) => println!(
            "\nWeights that predict better: {weights:?}, R² {:.2}",
            fit::r_squared(&all, &weights)
        ),
        None => println!("\nNo other weights predict better by {}.", fit::MARGIN),
    }
}

fn seconds(value: Option<f64>) -> String {
    value.map_or("–".into(), |value| format!("{value:.1} s"))
}
