//! Running an embedded network from start to report.

use crate::{
    args::{self, Common},
    input::{self, Input},
    live::{self, Live},
    show,
};
use cairn_node::{
    embedded::{self, EmbeddedError, Options, Running},
    files::FilesError,
    home::HomeError,
    network::NetworkError,
    replay::{ReplayError, replay as replay_steps},
    report::Report,
};
use cairn_scenario::{PlaceError, RangeError, SitesError, TraceError};
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use thiserror::Error;

/// Exit code when the input or the command line is at fault.
const INPUT_AT_FAULT: u8 = 2;

/// Exit code when the network failed.
const NETWORK_FAILED: u8 = 1;

/// Why there is no report.
#[derive(Debug, Error)]
pub enum RunError {
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error(transparent)]
    Sites(#[from] SitesError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Range(#[from] RangeError),
    #[error("cannot write the report to {0}: {1}")]
    Report(PathBuf, io::Error),
    #[error("cannot listen at {0}: {1}; choose another address with --listen")]
    Listen(SocketAddr, io::Error),
    #[error("--log {0:?}: {1}; expected for example info or cairn_node=debug,warn")]
    Log(String, tracing_subscriber::filter::ParseError),
    #[error("cannot listen for Ctrl-C: {0}")]
    Signal(io::Error),
    #[error(transparent)]
    Network(#[from] EmbeddedError),
    #[error(transparent)]
    Replay(NetworkError),
    #[error(transparent)]
    Files(#[from] FilesError),
}

impl From<ReplayError> for RunError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Trace(error) => error.into(),
            ReplayError::Network(error) => Self::Replay(error),
        }
    }
}

impl RunError {
    /// The process's exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Network(EmbeddedError::Network(error)) | Self::Replay(error) => match error {
                NetworkError::Home(HomeError::Corrupt { .. }) => NETWORK_FAILED,
                NetworkError::Home(_) | NetworkError::OtherNetwork { .. } => INPUT_AT_FAULT,
                NetworkError::Validator { .. } => INPUT_AT_FAULT,
                _ => NETWORK_FAILED,
            },
            Self::Network(_) | Self::Signal(_) => NETWORK_FAILED,
            Self::Files(error) if !error.is_input() => NETWORK_FAILED,
            _ => INPUT_AT_FAULT,
        }
    }
}

/// `cairn demo`.
pub fn demo(demo: args::Demo, progress: bool) -> Result<(), RunError> {
    run(&demo.common, input::demo(demo.common.range)?, progress)
}

/// `cairn replay`.
pub fn replay(replay: args::Replay, progress: bool) -> Result<(), RunError> {
    run(&replay.common, input::replay(&replay)?, progress)
}

fn run(common: &Common, input: Input, progress: bool) -> Result<(), RunError> {
    if let Some(path) = &common.report {
        input::check_report_path(path)?;
    }
    let listener = match common.listen {
        Some(address) => Some(live::bind(address)?),
        None if common.hold => Some(live::bind((std::net::Ipv4Addr::LOCALHOST, 0).into())?),
        None => None,
    };
    show::title(&input, common);
    let options = Options {
        validators: usize::try_from(common.validators).expect("at most 32"),
        sites: input.sites.clone(),
        range: input.range,
        batch_interval: Duration::from_millis(common.batch),
        seed: common.seed,
        data: common.data.clone(),
    };
    let report = embedded::run(options, async |network: &mut Running| {
        work(network, &input, listener, common.hold, progress).await
    })??;
    if let Some(path) = &common.report {
        write_report(path, &report)?;
    }
    Ok(())
}

/// What happens while the network is up.
async fn work(
    network: &mut Running,
    input: &Input,
    listener: Option<std::net::TcpListener>,
    hold: bool,
    progress: bool,
) -> Result<Report, RunError> {
    let stopped = Arc::new(AtomicBool::new(false));
    let (stop, mut stops) = tokio::sync::watch::channel(false);
    let heard = stopped.clone();
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            heard.store(true, Relaxed);
            let _ = stop.send(true);
        }
    });

    let live = Live::new(
        &network.context,
        network.ledger.clone(),
        network.counters.clone(),
    );
    if let Some(listener) = listener {
        show::address(live.serve(listener)?);
    }
    let bar = show::Bar::new(progress, input.duration_ms);
    let report = replay_steps(network, input.trace.stream()?, input.pace, |now| {
        bar.update(&now);
        !stopped.load(Relaxed)
    })
    .await?;
    bar.finish();
    show::summary(&report, stopped.load(Relaxed));
    if hold && !stopped.load(Relaxed) {
        show::holding();
        // The sender lives as long as the task above, which is as long as the process.
        let _ = stops.changed().await;
    }
    Ok(report)
}

/// Written beside its place and renamed: a report is there whole or not at all.
fn write_report(path: &Path, report: &Report) -> Result<(), RunError> {
    let failed = |source| RunError::Report(path.to_owned(), source);
    let mut json = serde_json::to_vec_pretty(report).map_err(|error| failed(error.into()))?;
    json.push(b'\n');
    let beside = path.with_extension("json.new");
    std::fs::write(&beside, json).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}
