//! `cairn judge`: which messages of a researcher's log can be true.

use crate::{args, output, show};
use cairn_node::hindsight::{self, VOTERS};
use cairn_protocol::plausibility::Bounds;
use cairn_scenario::{RadioRange, RangeError, beacons::BeaconsError};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Why there is no judgement. The command line or a log is at fault.
#[derive(Debug, Error)]
pub enum JudgeError {
    #[error(transparent)]
    Log(#[from] BeaconsError),
    #[error(transparent)]
    Range(#[from] RangeError),
    #[error("cannot read {0}: {1}")]
    Folder(PathBuf, io::Error),
    #[error("{0} holds no logs: expected files whose names end in .json, .jsonl or .gz")]
    Empty(PathBuf),
    #[error("cannot write the report to {0}: {1}")]
    Report(PathBuf, io::Error),
}

/// Judges the logs and prints what was found.
pub fn run(command: &args::Judge) -> Result<(), JudgeError> {
    let bounds = Bounds {
        radio_range_m: RadioRange::new(command.range)?.metres(),
        max_speed_m_s: command.top_speed,
        min_interval_ms: command.interval,
        ..Bounds::default()
    };
    let mut logs = Vec::new();
    for path in &command.logs {
        if path.is_dir() {
            logs.extend(folder(path)?);
        } else {
            logs.push(path.clone());
        }
    }
    let found = hindsight::judge(&logs, bounds)?;
    println!(
        "{} receptions by {} receivers from {} senders, counted at each receiver",
        show::count(found.receptions),
        found.receivers,
        show::count(found.senders as u64),
    );
    println!(
        "{} flagged, {} too old or heard before; {} votes, {VOTERS} of which revoke\n",
        show::count(found.flagged),
        show::count(found.passed_over),
        found.votes,
    );
    for (check, count) in &found.findings {
        println!("  {check:<20} {:>10}", show::count(*count));
    }
    match &found.misbehaviour {
        Some(score) => {
            println!();
            show::liars(score);
            show::attacks(score);
        }
        None => println!("\nNo labels: neither in the records nor in the logs' names."),
    }
    match &command.report {
        Some(path) => output::write_json(path, &found)
            .map_err(|source| JudgeError::Report(path.clone(), source)),
        None => Ok(()),
    }
}

/// The logs of a folder, in the order of their names.
fn folder(path: &Path) -> Result<Vec<PathBuf>, JudgeError> {
    let failed = |source| JudgeError::Folder(path.to_owned(), source);
    let mut logs = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let ending = file.extension().and_then(|ending| ending.to_str());
        if file.is_file() && matches!(ending, Some("json" | "jsonl" | "gz")) {
            logs.push(file);
        }
    }
    if logs.is_empty() {
        return Err(JudgeError::Empty(path.to_owned()));
    }
    logs.sort();
    Ok(logs)
}
