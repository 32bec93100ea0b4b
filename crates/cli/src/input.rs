//! What a run reads before it starts, checked.

use crate::{
    args,
    liars::{self, Liars},
    run::RunError,
};
use cairn_node::replay::{Pace, ReplayError};
use cairn_scenario::{
    FcdReader, Frame, PointOfInterest, Projection, RadioRange, Site, TraceError,
    beacons::{BeaconReader, TruthReader},
    parse_points, place_sites, read_points, read_sites,
    traffic::{Drivers, Moment, RecordedBeacons},
};
use futures::{Stream, StreamExt as _, stream::BoxStream};
use rand::{
    Rng as _, SeedableRng as _,
    rngs::{StdRng, SysRng},
};
use std::{
    io::Cursor,
    path::{Path, PathBuf},
};

/// The trace of the demo, made with SUMO on a road network of our own (scenarios/crossroads).
const DEMO_TRACE: &[u8] = include_bytes!("../../../scenarios/crossroads/crossroads.fcd.xml.gz");
const DEMO_SITES: &[u8] = include_bytes!("../../../scenarios/crossroads/sites.csv");
const DEMO_POINTS: &[u8] = include_bytes!("../../../scenarios/crossroads/charging.geojson");

/// Trace seconds per second of the demo: five minutes in one.
const DEMO_PACE: f64 = 6.0;

/// Draws the demo's errors and lies, so that it shows the same to everybody.
const DEMO_SEED: u64 = 1;

/// The most sites that the program places by itself.
const MAX_PLACED_SITES: usize = 16;

/// Steps that are read ahead.
const READ_AHEAD: usize = 8;

/// Everything about the road that a run needs.
pub struct Input {
    /// For people: what is replayed.
    pub title: String,
    pub trace: Trace,
    /// Which messages are false, where that is in a file.
    pub truth: Option<PathBuf>,
    pub liars: Liars,
    /// Draws who lies, how, and all errors of receivers.
    pub seed: u64,
    pub sites: Vec<Site>,
    /// The share of rows that placed sites cover, if the program placed them.
    pub placed_coverage: Option<f64>,
    /// Charging points, if vehicles are to ask for them.
    pub points: Option<Vec<PointOfInterest>>,
    pub range: RadioRange,
    /// How far vehicles hear each other, if they relay.
    pub hop_range: Option<RadioRange>,
    pub pace: Pace,
    /// From the first step to the last in milliseconds, where it is known beforehand.
    pub duration_ms: Option<u64>,
}

/// Where the steps come from.
#[derive(Clone)]
pub enum Trace {
    Demo,
    File(PathBuf, Frame),
    Beacons(PathBuf),
}

impl Trace {
    /// The steps, with what `drivers` say in them; beacons say it themselves.
    pub fn stream<'a>(
        &self,
        drivers: &'a mut Drivers,
    ) -> Result<BoxStream<'a, Result<Moment, ReplayError>>, RunError> {
        let steps = match self {
            Self::Demo => read_ahead(demo_trace()?),
            Self::File(path, frame) => read_ahead(FcdReader::open(path, *frame)?),
            Self::Beacons(path) => {
                let steps = RecordedBeacons::new(BeaconReader::open(path)?);
                return Ok(read_ahead(steps).map(|step| Ok(step?)).boxed());
            }
        };
        Ok(steps.map(|step| Ok(drivers.drive(step?))).boxed())
    }
}

fn demo_trace() -> Result<FcdReader, TraceError> {
    FcdReader::from_reader(Cursor::new(DEMO_TRACE), "demo trace", Frame::Metric)
}

/// Reads in a thread of its own a little ahead of the replay.
fn read_ahead<T: Send + 'static>(
    reader: impl Iterator<Item = T> + Send + 'static,
) -> impl Stream<Item = T> + Send {
    let (sender, receiver) = tokio::sync::mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        for step in reader {
            if sender.blocking_send(step).is_err() {
                return; // The replay was stopped.
            }
        }
    });
    futures::stream::unfold(receiver, |mut receiver| async {
        let step = receiver.recv().await?;
        Some((step, receiver))
    })
}

/// The demo's road.
pub fn demo(common: &args::Common) -> Result<Input, RunError> {
    let sites = cairn_scenario::parse_sites(DEMO_SITES, "demo sites", None)?;
    let last = demo_trace()?.last().transpose()?;
    Ok(Input {
        title: "demo: a town of our own, 5 minutes of cars, trucks and buses".into(),
        trace: Trace::Demo,
        truth: None,
        liars: liars::demo(),
        seed: common.seed.unwrap_or(DEMO_SEED),
        sites,
        placed_coverage: None,
        points: Some(parse_points(DEMO_POINTS, "demo charging points", None)?),
        range: RadioRange::new(common.range)?,
        hop_range: None,
        pace: Pace::Times(DEMO_PACE),
        duration_ms: last.map(|step| step.offset_ms),
    })
}

/// The road of a replay.
pub fn replay(replay: &args::Replay) -> Result<Input, RunError> {
    let range = RadioRange::new(replay.common.range)?;
    let hop_range = replay.relay.map(RadioRange::new).transpose()?;
    let seed = match replay.common.seed {
        Some(seed) => seed,
        None => StdRng::try_from_rng(&mut SysRng)
            .map_err(RunError::Randomness)?
            .next_u64(),
    };
    let pace = match replay.speed {
        Some(speed) => Pace::Times(speed),
        None if replay.realtime => Pace::Times(1.0),
        None => Pace::Fastest,
    };
    let points = |projection: Option<&Projection>| {
        let read = |path| read_points(path, projection);
        replay.points.as_ref().map(read).transpose()
    };
    let input = |path: &Path, trace, points, sites, placed_coverage| Input {
        title: format!("replay of {}", path.display()),
        trace,
        truth: replay.truth.clone(),
        liars: Liars::default(),
        seed,
        sites,
        placed_coverage,
        points,
        range,
        hop_range,
        pace,
        duration_ms: None,
    };
    let (path, frame) = match (&replay.source.trace, &replay.source.beacons, &replay.sites) {
        (Some(path), _, _) if replay.geo => (path, Frame::Geo),
        (Some(path), _, _) => (path, Frame::Metric),
        (None, Some(path), Some(sites)) => {
            // That the files are there is checked now; the truth is read after the run.
            BeaconReader::open(path)?;
            replay.truth.as_ref().map(TruthReader::open).transpose()?;
            let trace = Trace::Beacons(path.clone());
            let sites = read_sites(sites, None)?;
            return Ok(input(path, trace, points(None)?, sites, None));
        }
        (None, ..) => unreachable!("clap demands a trace, or beacons with sites"),
    };
    let mut reader = FcdReader::open(path, frame)?;
    // The first vehicle tells where the projection of longitude and latitude touches.
    while frame == Frame::Geo && reader.projection().is_none() {
        if reader.next().transpose()?.is_none() {
            break;
        }
    }
    let projection = reader.projection();
    let points = points(projection)?;
    let (sites, placed_coverage) = match &replay.sites {
        Some(sites) => (read_sites(sites, projection)?, None),
        None => {
            let placement = place_sites(FcdReader::open(path, frame)?, range, MAX_PLACED_SITES)?;
            let coverage = placement.coverage();
            (placement.sites, Some(coverage))
        }
    };
    let trace = Trace::File(path.clone(), frame);
    let mut input = input(path, trace, points, sites, placed_coverage);
    if let Some(attack) = replay.attack {
        let trace = FcdReader::open(path, frame)?;
        let count = usize::from(replay.attackers);
        input.liars = liars::draw(attack, count, trace, &input.sites, seed)?;
    }
    Ok(input)
}

/// Checks that a report can be written to `path`, without writing it.
pub fn check_report_path(path: &Path) -> Result<(), RunError> {
    let failed = |source| RunError::Report(path.to_owned(), source);
    if path.is_dir() {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    }
    let beside = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    tempfile::tempfile_in(beside.unwrap_or(Path::new("."))).map_err(failed)?;
    Ok(())
}
