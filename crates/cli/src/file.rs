//! `cairn file`: audited files.

mod watch;
mod words;

use crate::args::{File as Command, FileStore, Group, Member};
use cairn_node::files::{self, FilesError, GetReport, Name, Store, Who};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs,
    io::{self, BufWriter, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// Exit code when a file is not, or not known to be, intact.
const NOT_INTACT: u8 = 1;

/// Runs one command.
pub fn run(command: Command, progress: bool) -> Result<ExitCode, FilesError> {
    match command {
        Command::Put {
            path,
            group,
            member,
            store,
        } => {
            let bar = upload_bar(progress, &path)?;
            let who = who(group, &member);
            let report = files::open(&store.directory, true, async |files: &mut Store| {
                files
                    .put(&path, &who, |bytes| bar.set_position(bytes))
                    .await
            });
            bar.finish_and_clear();
            let report = report?;
            words::show(&store, &report, words::uploaded);
            Ok(ExitCode::SUCCESS)
        }
        Command::Update {
            id,
            path,
            member,
            store,
        } => {
            let id = files::parse_id(&id)?;
            let bar = upload_bar(progress, &path)?;
            let who = who(None, &member);
            let report = files::open(&store.directory, false, async |files: &mut Store| {
                files
                    .update(id, &path, &who, |bytes| bar.set_position(bytes))
                    .await
            });
            bar.finish_and_clear();
            let report = report?;
            words::show(&store, &report, words::uploaded);
            Ok(ExitCode::SUCCESS)
        }
        Command::Get {
            id,
            output,
            member,
            store,
        } => {
            let who = who(None, &member);
            get(&id, output.as_deref(), &who, &store, progress)?;
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
            words::show(&store, &report, words::audited);
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
            words::show(&store, &report, words::verified);
            Ok(code(report.intact))
        }
        Command::List { store } => {
            let report = files::open(&store.directory, false, async |files: &mut Store| {
                files.list().await
            })?;
            words::show(&store, &report, |files| {
                files.iter().for_each(words::listed)
            });
            Ok(ExitCode::SUCCESS)
        }
        Command::Watch { every, once, store } => watch::run(every, once, &store),
        Command::Group(command) => {
            group(command)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Trace {
            id,
            version,
            reason,
            store,
        } => {
            let id = files::parse_id(&id)?;
            let why = read_reason(&reason)?;
            let report = files::open(&store.directory, false, async |files: &mut Store| {
                files.trace(&id, version, &why).await
            })?;
            words::show(&store, &report, words::traced);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn group(command: Group) -> Result<(), FilesError> {
    let (store, report) = match command {
        Group::Create {
            group,
            member,
            store,
        } => {
            let first = who(None, &member).member();
            let report = files::open(&store.directory, true, async |files: &mut Store| {
                files.found(group, first).await
            });
            (store, report?)
        }
        Group::Join { group, name, store } => {
            let report = files::open(&store.directory, false, async |files: &mut Store| {
                files.join(&group, name).await
            });
            (store, report?)
        }
        Group::Leave { group, name, store } => {
            let report = files::open(&store.directory, false, async |files: &mut Store| {
                files.leave(&group, name).await
            });
            (store, report?)
        }
        Group::Show { group, store } => {
            let report = files::open(&store.directory, false, async |files: &mut Store| {
                files.group(&group).await
            });
            (store, report?)
        }
    };
    words::show(&store, &report, words::grouped);
    Ok(())
}

fn who(group: Option<Name>, member: &Member) -> Who {
    Who {
        group,
        member: member.name,
    }
}

/// A reason is a letter, not a book.
const MAX_REASON_BYTES: u64 = 1 << 20;

fn read_reason(path: &Path) -> Result<Vec<u8>, FilesError> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path)
        .and_then(|file| file.take(MAX_REASON_BYTES + 1).read_to_end(&mut bytes))
        .and_then(|_| match bytes.len() as u64 > MAX_REASON_BYTES {
            true => Err(io::Error::other("expected at most 1 MiB")),
            false => Ok(()),
        });
    read.map_err(|source| FilesError::Path {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    Ok(bytes)
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
    who: &Who,
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
                files.get(&id, who, &mut out, &stdout).await
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
                files.get(&id, who, &mut out, path).await
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
    words::show(store, &report, |report| {
        println!(
            "{} bytes, version {}, every block checked against the ledger",
            report.bytes, report.version
        );
    });
    Ok(())
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
