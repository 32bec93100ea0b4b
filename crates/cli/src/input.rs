//! What a run reads before it starts, checked.

use crate::{args, run::RunError};
use cairn_node::replay::Pace;
use cairn_scenario::{
    FcdReader, Frame, RadioRange, Site, Step, TraceError, place_sites, read_sites,
};
use futures::Stream;
use std::{
    io::Cursor,
    path::{Path, PathBuf},
};

/// The trace of the demo, made with SUMO on a road network of our own (scenarios/crossroads).
const DEMO_TRACE: &[u8] = include_bytes!("../../../scenarios/crossroads/crossroads.fcd.xml.gz");
const DEMO_SITES: &[u8] = include_bytes!("../../../scenarios/crossroads/sites.csv");

/// Trace seconds per second of the demo: five minutes in one.
const DEMO_PACE: f64 = 6.0;

/// The most sites that the program places by itself.
const MAX_PLACED_SITES: usize = 16;

/// Steps that are read ahead.
const READ_AHEAD: usize = 8;

/// Everything about the road that a run needs.
pub struct Input {
    /// For people: what is replayed.
    pub title: String,
    pub trace: Trace,
    pub sites: Vec<Site>,
    /// The share of rows that placed sites cover, if the program placed them.
    pub placed_coverage: Option<f64>,
    pub range: RadioRange,
    pub pace: Pace,
    /// From the first step to the last in milliseconds, where it is known beforehand.
    pub duration_ms: Option<u64>,
}

/// Where the steps come from.
#[derive(Clone)]
pub enum Trace {
    Demo,
    File(PathBuf, Frame),
}

impl Trace {
    fn open(&self) -> Result<FcdReader, TraceError> {
        match self {
            Self::Demo => {
                FcdReader::from_reader(Cursor::new(DEMO_TRACE), "demo trace", Frame::Metric)
            }
            Self::File(path, frame) => FcdReader::open(path, *frame),
        }
    }

    /// The steps, read by a thread of its own a little ahead of the replay.
    pub fn stream(
        &self,
    ) -> Result<impl Stream<Item = Result<Step, TraceError>> + Unpin, TraceError> {
        let reader = self.open()?;
        let (sender, receiver) = tokio::sync::mpsc::channel(READ_AHEAD);
        std::thread::spawn(move || {
            for step in reader {
                if sender.blocking_send(step).is_err() {
                    return; // The replay was stopped.
                }
            }
        });
        Ok(Box::pin(futures::stream::unfold(
            receiver,
            |mut receiver| async {
                let step = receiver.recv().await?;
                Some((step, receiver))
            },
        )))
    }
}

/// The demo's road.
pub fn demo(range_m: f64) -> Result<Input, RunError> {
    let sites = cairn_scenario::parse_sites(DEMO_SITES, "demo sites", None)?;
    Ok(Input {
        title: "demo: a town of our own, 5 minutes of cars, trucks and buses".into(),
        sites,
        placed_coverage: None,
        range: RadioRange::new(range_m)?,
        pace: Pace::Times(DEMO_PACE),
        duration_ms: duration_ms(&Trace::Demo)?,
        trace: Trace::Demo,
    })
}

/// The road of a replay.
pub fn replay(replay: &args::Replay) -> Result<Input, RunError> {
    let range = RadioRange::new(replay.common.range)?;
    let frame = if replay.geo {
        Frame::Geo
    } else {
        Frame::Metric
    };
    let trace = Trace::File(replay.trace.clone(), frame);
    let (sites, placed_coverage) = match &replay.sites {
        Some(sites) => {
            let mut reader = trace.open()?;
            // The first vehicle tells where the projection of longitude and latitude touches.
            while frame == Frame::Geo && reader.projection().is_none() {
                if reader.next().transpose()?.is_none() {
                    break;
                }
            }
            (read_sites(sites, reader.projection())?, None)
        }
        None => {
            let placement = place_sites(trace.open()?, range, MAX_PLACED_SITES)?;
            let coverage = placement.coverage();
            (placement.sites, Some(coverage))
        }
    };
    Ok(Input {
        title: format!("replay of {}", replay.trace.display()),
        trace,
        sites,
        placed_coverage,
        range,
        pace: match replay.speed {
            Some(speed) => Pace::Times(speed),
            None if replay.realtime => Pace::Times(1.0),
            None => Pace::Fastest,
        },
        duration_ms: None,
    })
}

fn duration_ms(trace: &Trace) -> Result<Option<u64>, TraceError> {
    let last = trace.open()?.last().transpose()?;
    Ok(last.map(|step| step.offset_ms))
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
