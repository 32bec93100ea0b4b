//! The run as a whole: on the terminal, as JSON, and as `docs/benchmarks.md` with its charts.

use std::{fmt::Write as _, fs, io, path::Path, process::Command, thread::available_parallelism};

use serde::Serialize;

use crate::{
    chart,
    figure::{Figure, Short, Table},
};

/// What `--json` writes.
#[derive(Serialize)]
struct Json<'a> {
    machine: &'a str,
    commit: &'a str,
    figures: Vec<&'a Figure>,
}

/// A finished run.
pub struct Report {
    machine: String,
    load: Option<String>,
    commit: String,
    quick: bool,
    tables: Vec<Table>,
}

impl Report {
    /// A run that begins now, on this machine.
    pub fn begin(quick: bool) -> Self {
        Self {
            machine: machine(),
            load: load(),
            commit: commit(),
            quick,
            tables: Vec::new(),
        }
    }

    /// Adds a table, and prints it.
    pub fn add(&mut self, table: Table) {
        print(&table);
        self.tables.push(table);
    }

    /// Writes the JSON file.
    pub fn json(&self, path: &Path) -> io::Result<()> {
        let json = Json {
            machine: &self.machine,
            commit: &self.commit,
            figures: self
                .tables
                .iter()
                .flat_map(|table| &table.figures)
                .collect(),
        };
        let text = serde_json::to_string_pretty(&json)?;
        fs::write(path, text + "\n")
    }

    /// Writes the page, and its charts into a folder of its name beside it.
    pub fn markdown(&self, path: &Path) -> io::Result<()> {
        let folder = path.with_extension("");
        fs::create_dir_all(&folder)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let mut page = String::from(HEAD);
        let length = if self.quick {
            "shortened (`--quick`)"
        } else {
            "complete"
        };
        let _ = writeln!(
            page,
            "Measured on: {}. Commit {}. The run was {length}.\n",
            self.machine, self.commit
        );
        if let Some(load) = &self.load {
            let _ = writeln!(
                page,
                "Load of the machine when the run began: {load}. Other programs slow down what is measured by the wall clock: chains, danger, the disk.\n"
            );
        }
        for table in &self.tables {
            let _ = writeln!(page, "## {}\n\n{}\n", table.title, table.text);
            for chart in &table.charts {
                let file = format!("{}.svg", chart.file);
                fs::write(folder.join(&file), chart::svg(chart))?;
                let _ = writeln!(page, "![{}]({name}/{file})\n", chart.title);
            }
            page.push_str(&rows(&table.figures));
        }
        fs::write(path, page)
    }

    /// Whether every target is met.
    pub fn summary(&self) -> String {
        let figures = || self.tables.iter().flat_map(|table| &table.figures);
        let with_target = figures()
            .filter(|figure| figure.target_met.is_some())
            .count();
        let missed: Vec<_> = figures()
            .filter(|figure| figure.target_met == Some(false))
            .map(|figure| figure.name.as_str())
            .collect();
        match missed[..] {
            _ if with_target == 0 => "No targets.".into(),
            [] => format!("All {with_target} targets met."),
            _ => format!(
                "{} of {with_target} targets missed: {}.",
                missed.len(),
                missed.join("; ")
            ),
        }
    }
}

/// Prints a table to the terminal.
fn print(table: &Table) {
    println!("\n{}", table.title);
    println!(
        "{:58}{:>12}{:>10}{:>12}{:>7}{:>10}{:>10}{:>14}  unit",
        "", "ours", "spread", "reference", "ratio", "paper", "floor", "target"
    );
    for figure in &table.figures {
        let cell =
            |value: Option<f64>| value.map_or(String::new(), |value| Short(value).to_string());
        let met = match figure.target_met {
            Some(true) => " ok",
            Some(false) => " MISS",
            None => "",
        };
        println!(
            "{:58}{:>12}{:>10}{:>12}{:>7}{:>10}{:>10}{:>14}  {}",
            figure.name,
            Short(figure.ours).to_string(),
            Short(figure.spread).to_string(),
            cell(figure.reference),
            cell(figure.ratio),
            cell(figure.paper),
            cell(figure.floor),
            cell(figure.target) + met,
            figure.unit,
        );
    }
}

fn rows(figures: &[Figure]) -> String {
    let mut out = String::from(
        "| figure | unit | Cairn | spread | beside | | ratio | paper | floor | target |\n\
         |---|---|---:|---:|---|---:|---:|---:|---:|---|\n",
    );
    for figure in figures {
        let cell =
            |value: Option<f64>| value.map_or(String::new(), |value| Short(value).to_string());
        let target = match (figure.target, figure.target_met) {
            (Some(target), Some(true)) => format!("{}, met", Short(target)),
            (Some(target), _) => format!("{}, **missed**", Short(target)),
            (None, _) => String::new(),
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {target} |",
            figure.name,
            figure.unit,
            Short(figure.ours),
            Short(figure.spread),
            figure.reference_name.as_deref().unwrap_or_default(),
            cell(figure.reference),
            cell(figure.ratio),
            cell(figure.paper),
            cell(figure.floor),
        );
    }
    out.push('\n');
    let notes = figures
        .iter()
        .filter_map(|figure| Some((figure, figure.note.as_ref()?)));
    for (figure, note) in notes {
        let _ = writeln!(out, "* *{}*: {note}", figure.name);
    }
    out.push('\n');
    out
}

/// Machine and commit, for a line of text.
pub fn place() -> String {
    format!("{}; commit {}", machine(), commit())
}

/// Processor, cores, system.
fn machine() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "model name").then(|| value.trim().to_owned())
    });
    let cores = available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{}, {cores} cores, {} {}",
        processor.as_deref().unwrap_or(std::env::consts::ARCH),
        std::env::consts::OS,
        kernel.trim(),
    )
}

/// How many programs wanted to run in the last minute, on Linux.
fn load() -> Option<String> {
    let averages = fs::read_to_string("/proc/loadavg").ok()?;
    averages.split(' ').next().map(str::to_owned)
}

/// What was measured: the commit that is checked out, with a mark when files differ from it.
fn commit() -> String {
    let git = Command::new("git")
        .args([
            "describe",
            "--always",
            "--dirty",
            "--abbrev=12",
            "--exclude=*",
        ])
        .output();
    let text = git.ok().filter(|output| output.status.success());
    let text = text.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|| "unknown".into())
}

const HEAD: &str = "\
# Benchmarks

Written by `cargo run --release -p cairn-bench -- all --markdown docs/benchmarks.md`; do not edit. `--quick` takes less than ten
minutes, `--json FILE` writes the same figures for programs, and a table's name in place of `all` measures that table alone.

How to read a row:

* **Cairn** is the median of rounds, *spread* the distance between their quartiles. Times of one thread are processor time.
* **beside** is what Cairn is compared with, measured in the same run in alternating rounds on the same libraries; *ratio* is Cairn
  divided by it. The papers' schemes are reconstructed: their authors published no code.
* **paper** is what the paper prints, from its own machine. Times there and here do not compare; bytes do.
* **floor** is what the primitives alone cost in the same run (group operations, hashes, disk, wire).
* **target** is the most (of a cost) or least (of a rate) that Cairn's figure is to be, in the unit of the row.

";
