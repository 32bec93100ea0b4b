//! `cairn file watch`: the auditor as a service.

use super::{code, words};
use crate::args::FileStore;
use cairn_node::files::{self, FilesError, Store};
use std::{
    path::PathBuf,
    process::ExitCode,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Shortest time between two rounds: a file that cannot be audited stays due.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Runs it. The store is closed between two rounds, so that other commands can use it.
pub fn run(every: Duration, once: bool, store: &FileStore) -> Result<ExitCode, FilesError> {
    let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
    let stopped = (!once).then(interrupts).transpose()?;
    loop {
        let report = files::open(&store.directory, false, async |files: &mut Store| {
            files.round(every_ms).await
        })?;
        words::show(store, &report, words::round);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let next = Duration::from_millis(report.next_ms.unwrap_or(u64::MAX));
        let wait = next.saturating_sub(now.unwrap_or_default());
        // A file may be added meanwhile, so it looks after a period at the latest.
        let wait = wait.min(every).max(SHORTEST_WAIT);
        let goes_on = stopped
            .as_ref()
            .is_some_and(|stopped| stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout));
        if !goes_on {
            return Ok(code(report.alarms.is_empty()));
        }
    }
}

/// Hears Ctrl-C, so that a round that is under way comes to its verdicts first.
fn interrupts() -> Result<Receiver<()>, FilesError> {
    let failed = |source| FilesError::Path {
        action: "listen for",
        path: PathBuf::from("Ctrl-C"),
        source,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        // An error ends the watch, like Ctrl-C: it could not be stopped otherwise.
        let _ = runtime.block_on(tokio::signal::ctrl_c());
        let _ = send.send(());
    });
    Ok(receive)
}
