//! Replaying a trace on a running network, step by step.
//!
//! 1. The clock moves to the step.
//! 2. Vehicles that are new on the road are enrolled.
//! 3. Every vehicle learns where it is and which RSUs it can hear; every RSU sends a beacon to
//!    those who hear it.
//! 4. The step ends when every vehicle has done what it can. Nothing is dropped: a step that takes
//!    longer than it should makes the replay late, and the report says so.

use crate::{
    network::{Network, NetworkError},
    obu::{self, Audible, Obu},
    radio::Radio,
    report::{NetworkReport, PaceReport, Quantiles, Report, TraceReport, peak_rss_mib},
    roadside::Beacon,
};
use cairn_chain::Runtime;
use cairn_scenario::{RadioMap, Step, TraceError};
use futures::{Stream, StreamExt as _};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{
    collections::HashMap,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};
use thiserror::Error;
use tokio::sync::oneshot;

/// Length of the last step of a trace, whose end nothing says, in milliseconds.
const DEFAULT_STEP_MS: u64 = 1_000;

/// How fast to replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as the network can.
    Fastest,
    /// This many seconds of the trace in each second.
    Times(f64),
}

/// Why a replay ended early.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The trace is not what was expected.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The network failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// What the caller hears after each step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Trace time since the first step.
    pub trace: Duration,
    /// Vehicles on the road.
    pub vehicles: usize,
    /// Full logins so far.
    pub logins: u64,
    /// Handovers so far.
    pub handovers: u64,
    /// Logins so far that were refused or not answered.
    pub failed: u64,
    /// Height of the ledger.
    pub height: u64,
    /// How far the replay is behind the pace that was asked for.
    pub late: Duration,
}

/// Replays `steps` on `network` and reports. Ends early, with a report of what was done, when
/// `observe` says so by returning `false`.
pub async fn replay<E: Runtime, R: Radio>(
    network: &mut Network<E, R>,
    steps: impl Stream<Item = Result<Step, TraceError>>,
    pace: Pace,
    mut observe: impl FnMut(Progress) -> bool,
) -> Result<Report, ReplayError> {
    let mut run = Run::new(network, pace);
    let mut steps = pin!(steps.peekable());
    loop {
        let waiting = run.now();
        let Some(step) = steps.next().await else {
            break;
        };
        let step = step?;
        let next = steps.as_mut().peek().await;
        let length_ms = match next {
            Some(Ok(next)) => next.offset_ms - step.offset_ms,
            _ => DEFAULT_STEP_MS,
        };
        run.waited_for_trace += run.since(waiting);
        run.keep_pace(step.offset_ms).await;
        run.step(&step, length_ms).await?;
        if !observe(run.progress()) {
            break;
        }
    }
    Ok(run.report())
}

/// A replay under way.
struct Run<'a, E: Runtime, R: Radio> {
    network: &'a mut Network<E, R>,
    radio_map: RadioMap,
    started: SystemTime,
    start_ms: u64,
    /// Vehicles on the road.
    on_road: HashMap<Arc<str>, Obu>,
    /// Numbers of all vehicles so far, in the order of their appearance.
    numbers: HashMap<Arc<str>, Seen>,
    rows: u64,
    rows_in_range: u64,
    offset_ms: u64,
    pace: Pace,
    late: Duration,
    waited_for_trace: Duration,
    waited_for_ledger: Duration,
    waited_for_radio: Duration,
}

/// What is remembered of a vehicle after it has left.
struct Seen {
    number: u32,
    was_in_range: bool,
}

impl<'a, E: Runtime, R: Radio> Run<'a, E, R> {
    fn new(network: &'a mut Network<E, R>, pace: Pace) -> Self {
        let sites = network.rsus.iter().map(|(_, position)| *position);
        Self {
            radio_map: RadioMap::new(sites, network.range),
            started: network.context.current(),
            start_ms: network.clock.now_ms(),
            network,
            on_road: HashMap::new(),
            numbers: HashMap::new(),
            rows: 0,
            rows_in_range: 0,
            offset_ms: 0,
            pace,
            late: Duration::ZERO,
            waited_for_trace: Duration::ZERO,
            waited_for_ledger: Duration::ZERO,
            waited_for_radio: Duration::ZERO,
        }
    }

    fn now(&self) -> SystemTime {
        self.network.context.current()
    }

    fn since(&self, then: SystemTime) -> Duration {
        self.now().duration_since(then).unwrap_or_default()
    }

    /// Waits for the moment at which the step is due; notes how late it is.
    async fn keep_pace(&mut self, offset_ms: u64) {
        let Pace::Times(times) = self.pace else {
            return;
        };
        let due = self.started + Duration::from_secs_f64(offset_ms as f64 / 1000.0 / times);
        self.late = self.since(due);
        if self.late.is_zero() {
            self.network.context.sleep_until(due).await;
        }
    }

    async fn step(&mut self, step: &Step, length_ms: u64) -> Result<(), ReplayError> {
        self.network
            .clock
            .advance(self.start_ms + step.offset_ms, length_ms);
        self.offset_ms = step.offset_ms;
        self.rows += step.vehicles.len() as u64;
        let started = self.now();
        self.network.keep_certificates_fresh().await?;
        self.welcome(step).await?;
        self.waited_for_ledger += self.since(started);

        let started = self.now();

        let mut listeners: Vec<Vec<SocketAddr>> = vec![Vec::new(); self.network.rsus.len()];
        let mut waiting = Vec::with_capacity(step.vehicles.len());
        for sample in &step.vehicles {
            let obu = &self.on_road[&sample.id];
            let audible: Vec<_> = self
                .radio_map
                .in_range(sample.position)
                .map(|(index, distance_m)| {
                    listeners[index].push(obu.address);
                    let (rsu, _) = &self.network.rsus[index];
                    Audible {
                        rid: rsu.rid,
                        address: rsu.address,
                        distance_m,
                    }
                })
                .collect();
            if !audible.is_empty() {
                self.rows_in_range += 1;
                if let Some(seen) = self.numbers.get_mut(&sample.id) {
                    seen.was_in_range = true;
                }
            }
            let (done, is_done) = oneshot::channel();
            let order = obu::Step {
                position: crate::to_position(sample.position),
                audible,
                done,
            };
            if obu.steps.send(order).await.is_ok() {
                waiting.push(is_done);
            }
        }
        for ((rsu, _), listeners) in self.network.rsus.iter().zip(listeners) {
            if rsu.orders.send(Beacon { listeners }).await.is_err() {
                return Err(NetworkError::RsuStopped(rsu.rid).into());
            }
        }
        for is_done in waiting {
            // An OBU ends only with the replay.
            let _ = is_done.await;
        }
        self.waited_for_radio += self.since(started);
        Ok(())
    }

    /// Lets vehicles that have left go, and enrols those that are new.
    async fn welcome(&mut self, step: &Step) -> Result<(), ReplayError> {
        let present: std::collections::HashSet<&Arc<str>> =
            step.vehicles.iter().map(|sample| &sample.id).collect();
        self.on_road.retain(|id, _| present.contains(id));
        let new: Vec<Arc<str>> = step
            .vehicles
            .iter()
            .filter(|sample| !self.on_road.contains_key(&sample.id))
            .map(|sample| sample.id.clone())
            .collect();
        let identities = self.network.enrol(&new).await?;
        for (id, identity) in new.into_iter().zip(identities) {
            let count = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
            let seen = self.numbers.entry(id.clone()).or_insert(Seen {
                number: count,
                was_in_range: false,
            });
            let antenna = self
                .network
                .radio
                .open()
                .await
                .map_err(NetworkError::Radio)?;
            let start = obu::Start {
                number: seen.number,
                identity,
                road: self.network.road.clone(),
                antenna,
                clock: self.network.clock.clone(),
                counters: self.network.counters.clone(),
                rng: StdRng::from_rng(&mut self.network.rng),
            };
            let obu = obu::start(&self.network.context, start);
            self.on_road.insert(id, obu);
        }
        Ok(())
    }

    fn progress(&self) -> Progress {
        let [logins, handovers, failed] = self.network.counters.logins();
        Progress {
            trace: Duration::from_millis(self.offset_ms),
            vehicles: self.on_road.len(),
            logins,
            handovers,
            failed,
            height: self.network.ledger.observed().height,
            late: self.late,
        }
    }

    fn report(&self) -> Report {
        let observed = self.network.ledger.observed();
        let wall_s = self.since(self.started).as_secs_f64();
        let duration_s = self.offset_ms as f64 / 1000.0;
        Report {
            trace: TraceReport {
                vehicles: self.numbers.len() as u64,
                rows: self.rows,
                duration_s,
                vehicles_in_range: self
                    .numbers
                    .values()
                    .filter(|seen| seen.was_in_range)
                    .count() as u64,
                rows_in_range: self.rows_in_range,
            },
            network: NetworkReport {
                validators: self.network.ledger.chain().genesis().validators.len() as u64,
                rsus: self.network.rsus.len() as u64,
                height: observed.height,
                blocks: observed.blocks,
                transactions: observed.transactions,
                transactions_refused: observed.refused,
                records: self.network.counters.records(),
                finality_ms: Quantiles::of(observed.finality_ms),
                disk_bytes: self.network.disk_bytes(),
            },
            login: self.network.counters.login_report(),
            handover: self.network.counters.handover_report(),
            cost: self.network.counters.cost_report(),
            pace: PaceReport {
                asked: match self.pace {
                    Pace::Fastest => None,
                    Pace::Times(times) => Some(times),
                },
                reached: duration_s / wall_s.max(f64::MIN_POSITIVE),
                late_s: self.late.as_secs_f64(),
                waited_for_trace_s: self.waited_for_trace.as_secs_f64(),
                waited_for_ledger_s: self.waited_for_ledger.as_secs_f64(),
                waited_for_radio_s: self.waited_for_radio.as_secs_f64(),
            },
            wall_s,
            peak_rss_mib: peak_rss_mib(),
        }
    }
}
