//! Running an embedded network from start to report.

use crate::{
    args::{self, Common},
    device::DeviceError,
    drive::DriveError,
    edge::EdgeError,
    exchange::{self, ExchangeError},
    input::{self, Input},
    judge::JudgeError,
    live::{self, Live},
    loss,
    node::NodeError,
    output, show,
    testnet::TestnetCommandError,
};
use cairn_node::{
    Rotation,
    authority::Enrolment,
    embedded::{self, EmbeddedError, Options, Running},
    files::FilesError,
    home::HomeError,
    network::NetworkError,
    replay::{Outcome, ReplayError, replay as replay_steps},
    report::Report,
    services::charging_points,
    villains::villains,
};
use cairn_scenario::{
    PlaceError, PointsError, RangeError, SitesError, TraceError,
    beacons::{BeaconsError, Truth, TruthReader},
    scoring::{self, Misbehaviour},
    traffic::Drivers,
};
use std::{
    collections::HashMap,
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

/// Metres after which `--rotation distance` changes the credential.
const ROTATION_DISTANCE_M: f64 = 1_000.0;

/// Exit code when the network failed.
const NETWORK_FAILED: u8 = 1;

/// Why there is no report.
#[derive(Debug, Error)]
pub enum RunError {
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error(transparent)]
    Beacons(#[from] BeaconsError),
    #[error(transparent)]
    Sites(#[from] SitesError),
    #[error(transparent)]
    Points(#[from] PointsError),
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
    #[error("the system gives no randomness: {0}")]
    Randomness(rand::rngs::SysError),
    #[error("cannot listen for Ctrl-C: {0}")]
    Signal(io::Error),
    #[error(transparent)]
    Network(#[from] EmbeddedError),
    #[error(transparent)]
    Replay(NetworkError),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error("the audit did not notice that a block was lost")]
    NotCaught,
    #[error("cannot read the reason {0}: {1}")]
    Reason(PathBuf, io::Error),
    #[error("{0:?} is no linkage value: expected 18 hexadecimal digits")]
    Linkage(String),
    #[error("{0} holds no network; make one with demo or replay and --data")]
    NoNetwork(PathBuf),
    #[error(transparent)]
    Drive(#[from] DriveError),
    #[error(transparent)]
    Judge(#[from] JudgeError),
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error(transparent)]
    Testnet(#[from] TestnetCommandError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Edge(#[from] EdgeError),
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl From<ReplayError> for RunError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Trace(error) => error.into(),
            ReplayError::Beacons(error) => error.into(),
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
            Self::Network(_) | Self::Signal(_) | Self::Randomness(_) | Self::NotCaught => {
                NETWORK_FAILED
            }
            Self::Files(error) if !error.is_input() => NETWORK_FAILED,
            Self::Drive(error) if error.is_network() => NETWORK_FAILED,
            Self::Exchange(error) if !error.is_input() => NETWORK_FAILED,
            _ => INPUT_AT_FAULT,
        }
    }
}

/// `cairn demo`.
pub fn demo(demo: args::Demo, progress: bool) -> Result<(), RunError> {
    let is_stopped = run(&demo.common, input::demo(&demo.common)?, progress)?;
    if is_stopped {
        return Ok(());
    }
    exchange::demo()?;
    loss::run()
}

/// `cairn replay`.
pub fn replay(replay: args::Replay, progress: bool) -> Result<(), RunError> {
    run(&replay.common, input::replay(&replay)?, progress).map(|_| ())
}

/// Whether somebody stopped it.
fn run(common: &Common, input: Input, progress: bool) -> Result<bool, RunError> {
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
        top_speed_m_s: common.top_speed,
        batch_interval: Duration::from_millis(common.batch),
        seed: common.seed,
        data: common.data.clone(),
        villains: match &input.liars.rsus {
            Some((places, votes)) => villains(places, *votes),
            None => HashMap::new(),
        },
        enrolment: Enrolment {
            registered_share: common.registered_share,
            rotation: match common.rotation {
                args::Rotation::Period => Rotation::Period,
                args::Rotation::Distance => Rotation::Distance(ROTATION_DISTANCE_M),
                args::Rotation::RandomSilence => Rotation::RandomSilence,
            },
        },
        points: input.points.as_deref().map(charging_points),
        hop_range: input.hop_range,
    };
    let (report, is_stopped) = embedded::run(options, async |network: &mut Running| {
        work(network, &input, listener, common.hold, progress).await
    })??;
    if let Some(path) = &common.report {
        write_report(path, &report)?;
    }
    Ok(is_stopped)
}

/// What happens while the network is up.
async fn work(
    network: &mut Running,
    input: &Input,
    listener: Option<std::net::TcpListener>,
    hold: bool,
    progress: bool,
) -> Result<(Report, bool), RunError> {
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
    let mut drivers = input.liars.drivers(&input.sites, input.range, input.seed);
    let steps = input.trace.stream(&mut drivers)?;
    let outcome = replay_steps(network, steps, input.pace, |now| {
        bar.update(&now);
        !stopped.load(Relaxed)
    })
    .await?;
    bar.finish();
    let report = Report {
        misbehaviour: score(input, drivers, &outcome)?,
        ..outcome.report
    };
    show::summary(&report, stopped.load(Relaxed));
    if hold && !stopped.load(Relaxed) {
        show::holding();
        // The sender lives as long as the task above, which is as long as the process.
        let _ = stops.changed().await;
    }
    Ok((report, stopped.load(Relaxed)))
}

/// Compares what was found with the truth, where that is known.
fn score(
    input: &Input,
    drivers: Drivers,
    outcome: &Outcome,
) -> Result<Option<Misbehaviour>, RunError> {
    if let Some(truth) = &input.truth {
        let truth = TruthReader::open(truth)?;
        return Ok(Some(scoring::score(truth, &outcome.findings)?));
    }
    let truth = drivers.into_truth();
    if truth.is_empty() {
        return Ok(None);
    }
    let truth = truth.into_iter().map(Ok::<Truth, BeaconsError>);
    Ok(Some(scoring::score(truth, &outcome.findings)?))
}

fn write_report(path: &Path, report: &Report) -> Result<(), RunError> {
    output::write_json(path, report).map_err(|source| RunError::Report(path.to_owned(), source))
}
