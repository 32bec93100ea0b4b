//! `cairn drive`: from reports to slow and stop.

use crate::{args::Drive, output};
use cairn_contracts::danger::Model;
use cairn_danger::{
    plot,
    report::{ByArm, DriveReport},
    scenario::{MAX_FILE_BYTES, Scenario, ScenarioError, StateName},
};
use cairn_node::danger::{self, DangerError, NetworkReport, SumoError, SumoReport};
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};
use thiserror::Error;

/// Exit code when a run ended otherwise than its scenario expects.
const UNEXPECTED: u8 = 1;

/// Why there is no run. The command line or the scenario file is at fault.
#[derive(Debug, Error)]
pub enum DriveError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error("{0:?} is no scenario of the program ({names}) and cannot be read as a file: {1}", names = Scenario::names().join(", "))]
    Unknown(String, io::Error),
    #[error("scenario {0} is larger than {MAX_FILE_BYTES} bytes")]
    TooLarge(String),
    #[error("cannot write {0}: {1}")]
    Write(PathBuf, io::Error),
    #[error(transparent)]
    Network(#[from] DangerError),
    #[error(transparent)]
    Sumo(#[from] SumoError),
}

impl DriveError {
    /// Whether the network failed, rather than the input.
    pub fn is_network(&self) -> bool {
        matches!(self, Self::Network(_))
    }
}

/// What is written with `--report`.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    drive: &'a DriveReport,
    network: &'a NetworkReport,
}

/// Runs a scenario with and without the system, and compares.
pub fn run(command: &Drive) -> Result<ExitCode, DriveError> {
    let scenario = scenario(&command.scenario)?;
    let model = Model::default();
    println!("{}", scenario.title);
    if let Some(config) = &command.sumo {
        return sumo(command, config, &scenario, &model);
    }
    println!(
        "  {0} cars, {0} trucks and {0} buses; {1} validators and the ledger in this process",
        scenario.column, command.validators
    );
    let validators = usize::try_from(command.validators).expect("at most 32");
    let (outcome, network) = danger::drive(&scenario, &model, validators, command.seed)?;
    let report = DriveReport::new(&scenario, &model, command.seed, &outcome);
    show(&report);
    show_network(&network);
    show_expected(&report);
    let failed = |path: &Path| {
        let path = path.to_owned();
        |error| DriveError::Write(path, error)
    };
    if let Some(path) = &command.report {
        let written = Report {
            drive: &report,
            network: &network,
        };
        output::write_json(path, &written).map_err(failed(path))?;
    }
    if let Some(path) = &command.plot {
        let svg = plot::svg(&scenario, &model, &outcome);
        output::write(path, svg.as_bytes()).map_err(failed(path))?;
    }
    Ok(if report.is_as_expected() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(UNEXPECTED)
    })
}

/// The same in SUMO's traffic.
fn sumo(
    command: &Drive,
    config: &Path,
    scenario: &Scenario,
    model: &Model,
) -> Result<ExitCode, DriveError> {
    println!("  in SUMO's traffic: {}", config.display());
    let report: SumoReport = danger::drive_sumo(config, scenario, model, command.seed)?;
    let SumoReport {
        collisions,
        hard_brakings,
        commands,
        ..
    } = &report;
    println!("\n                      SUMO's drivers   with commands");
    println!(
        "  vehicles in collisions {:>11} {:>15}",
        collisions.without, collisions.with
    );
    println!(
        "  hard brakings {:>20} {:>15}",
        hard_brakings.without, hard_brakings.with
    );
    println!("  commands {commands:>41}");
    if let Some(path) = &command.report {
        let written = output::write_json(path, &report);
        written.map_err(|error| DriveError::Write(path.clone(), error))?;
    }
    let is_safer = collisions.with <= collisions.without;
    Ok(if is_safer {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(UNEXPECTED)
    })
}

/// A scenario of the program, or a file.
fn scenario(name: &str) -> Result<Scenario, DriveError> {
    if let Some(scenario) = Scenario::built_in(name) {
        return Ok(scenario);
    }
    let unknown = |error| DriveError::Unknown(name.to_owned(), error);
    let mut text = String::new();
    File::open(name)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text))
        .map_err(unknown)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(DriveError::TooLarge(name.to_owned()));
    }
    let stem = Path::new(name).file_stem().unwrap_or_default();
    Ok(Scenario::parse(&stem.to_string_lossy(), &text)?)
}

/// The report for people.
fn show(report: &DriveReport) {
    println!("\n                        drivers alone   own sensors   with the network");
    let row = |name: &str, values: &ByArm<String>| {
        let ByArm {
            without,
            sensors_only,
            with,
        } = values;
        println!("  {name:<20} {without:>14} {sensors_only:>13} {with:>18}");
    };
    row("collisions", &report.collisions.each(ToString::to_string));
    row(
        "hard brakings",
        &report.hard_brakings.each(ToString::to_string),
    );
    row("least time gap", &report.min_time_gap_s.each(seconds));
    row("least TTC", &report.min_ttc_s.each(seconds));
    println!("\n           greatest danger   first vehicle of the class");
    let classes = [
        ("car", &report.classes.car),
        ("truck", &report.classes.truck),
        ("bus", &report.classes.bus),
    ];
    for (name, class) in classes {
        let course = class.course.iter();
        let course = course.map(|(time_s, state)| format!("{} {time_s:.0} s", state_name(*state)));
        let course = course.collect::<Vec<_>>().join(", ");
        println!("  {name:<8} {:>15.0}   {course}", class.peak_danger);
    }
}

fn show_network(network: &NetworkReport) {
    let NetworkReport {
        evaluations,
        commands,
        command_bytes,
        report_to_command: whole,
        consensus,
        faulty_validators,
        ..
    } = network;
    println!(
        "\n  {evaluations} reports sealed, evaluated and recorded; {commands} commands believed, {command_bytes} bytes each with proof"
    );
    println!(
        "  report to command p50 {:.0} ms, p99 {:.0} ms; of that consensus {:.0} and {:.0} ms",
        whole.p50_ms, whole.p99_ms, consensus.p50_ms, consensus.p99_ms
    );
    println!("  {faulty_validators} validators contradicted themselves or a certificate\n");
}

fn show_expected(report: &DriveReport) {
    for check in &report.expected {
        let verdict = if check.met {
            "as expected"
        } else {
            "NOT AS EXPECTED"
        };
        println!("  {verdict}: {}; found {}", check.expected, check.found);
    }
}

fn state_name(state: StateName) -> &'static str {
    match state {
        StateName::Safe => "safe",
        StateName::Steady => "steady",
        StateName::Dangerous => "dangerous",
        StateName::NetworkAttack => "network attack",
    }
}

fn seconds(value: &Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{value:.1} s"))
}
