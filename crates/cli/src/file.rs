//! `cairn file`: audited files.

use crate::args::{File as Command, FileStore};
use cairn_node::files::{
    self, AuditReport, FilesError, GetReport, Store, UploadReport, VerifyReport,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::{
    fs,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// Exit code when a file is not, or not known to be, intact.
const NOT_INTACT: u8 = 1;

/// Runs one command.
pub fn run(command: Command, progress: bool) -> Result<ExitCode, FilesError> {
    match command {
        Command::Put { path, store } => {
            let bar = upload_bar(progress, &path)?;
            let report = files::open(&store.directory, true, async |files: &mut Store| {
                files.put(&path, |bytes| bar.set_position(bytes)).await
            });
            bar.finish_and_clear();
            let report = report?;
            show(&store, &report, uploaded);
            Ok(ExitCode::SUCCESS)
        }
        Command::Update { id, path, store } => {
            let id = files::parse_id(&id)?;
            let bar = upload_bar(progress, &path)?;
            let report = files::open(&store.directory, false, async |files: &mut Store| {
                files
                    .update(id, &path, |bytes| bar.set_position(bytes))
                    .await
            });
            bar.finish_and_clear();
            let report = report?;
            show(&store, &report, uploaded);
            Ok(ExitCode::SUCCESS)
        }
        Command::Get { id, output, store } => {
            get(&id, output.as_deref(), &store, progress)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Audit { id, store } => {
            let id = files::parse_id(&id)?;
            let bar = spinner(progress, "challenging the vault");
            let report = files::open(&store.directory, false, async |files: &mut Store| {
                files.audit(&id).await
            });
            bar.finish_and_clear();
            let report = report?;
            show(&store, &report, audited);
            Ok(code(report.intact))
        }
        Command::Verify { id, store } => {
            let id = files::parse_id(&id)?;
            let bar = spinner(progress, "checking the last audit");
            let report = files::open(&store.directory, false, async |files: &mut Store| {
                files.verify(&id).await
            });
            bar.finish_and_clear();
            let report = report?;
            show(&store, &report, verified);
            Ok(code(report.intact))
        }
    }
}

fn code(intact: bool) -> ExitCode {
    if intact {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_INTACT)
    }
}

fn get(
    id: &str,
    output: Option<&Path>,
    store: &FileStore,
    progress: bool,
) -> Result<(), FilesError> {
    let id = files::parse_id(id)?;
    let bar = spinner(progress, "reading");
    let report: GetReport = match output {
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            let stdout = PathBuf::from("standard output");
            files::open(&store.directory, false, async |files: &mut Store| {
                files.get(&id, &mut out, &stdout).await
            })?
        }
        Some(path) => {
            let failed = |source| FilesError::Path {
                action: "write",
                path: path.to_owned(),
                source,
            };
            // Beside its place and renamed: there whole or not at all.
            let beside = path.parent().filter(|p| !p.as_os_str().is_empty());
            let beside = beside.unwrap_or(Path::new("."));
            let mut out = tempfile::NamedTempFile::new_in(beside).map_err(failed)?;
            let report = files::open(&store.directory, false, async |files: &mut Store| {
                files.get(&id, &mut out, path).await
            })?;
            let kept = out.persist(path);
            kept.map_err(|error| failed(error.error))?;
            report
        }
    };
    bar.finish_and_clear();
    // Without --output the content went to standard output, so the rest goes elsewhere.
    if output.is_none() {
        return Ok(());
    }
    show(store, &report, |report| {
        println!(
            "{} bytes, version {}, every block checked against the ledger",
            report.bytes, report.version
        );
    });
    Ok(())
}

/// JSON if asked for, words otherwise.
fn show<T: Serialize>(store: &FileStore, report: &T, words: impl FnOnce(&T)) {
    if store.json {
        let json = serde_json::to_string(report).expect("reports hold only what JSON can say");
        println!("{json}");
    } else {
        words(report);
    }
    // A closed pipe is the reader's choice.
    let _ = io::stdout().flush();
}

fn uploaded(report: &UploadReport) {
    println!("file {}", report.file);
    println!(
        "  version {}: {} bytes in {} blocks, {} of them sent now ({:.1} MB/s with tags made and verified)",
        report.version,
        report.bytes,
        report.blocks,
        report.sent_blocks,
        report.bytes as f64 / 1e6 / report.send_seconds.max(1e-6),
    );
    println!(
        "  the vault verified every tag and signed its acceptance; the record is on the ledger"
    );
}

fn audited(report: &AuditReport) {
    match &report.reason {
        None => println!("Yes: your file is intact."),
        Some(reason) => println!("NO: your file is damaged. {reason}."),
    }
    println!(
        "  audit {}: {} of {} blocks challenged; a loss of one block in a hundred is found with {:.1} %",
        report.audit,
        report.challenged,
        report.blocks,
        100.0 * report.detection_probability,
    );
    println!(
        "  proof of {} bytes, verified in {:.1} ms; challenge from block {}, which nobody knew before",
        report.proof_bytes, report.verify_ms, report.round_height
    );
}

fn verified(report: &VerifyReport) {
    match (&report.reason, report.audit) {
        (None, Some(audit)) => {
            println!("Yes: audit {audit} found your file intact, and its evidence says so.")
        }
        (Some(reason), _) => println!("Not known to be intact: {reason}."),
        (None, None) => {}
    }
    println!(
        "  version {}; {} failed and {} abandoned audits; the next audit is {}overdue",
        report.version,
        report.failed_audits,
        report.abandoned_audits,
        if report.overdue { "" } else { "not " },
    );
}

fn upload_bar(progress: bool, path: &Path) -> Result<ProgressBar, FilesError> {
    let metadata = fs::metadata(path).map_err(|source| FilesError::Path {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    if !progress {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec}")
        .expect("a valid template");
    Ok(ProgressBar::new(metadata.len()).with_style(style))
}

fn spinner(progress: bool, what: &'static str) -> ProgressBar {
    if !progress {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
