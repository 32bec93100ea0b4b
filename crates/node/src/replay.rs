//! Replaying traffic on a running network, step by step.
//!
//! 1. The clock moves to the step.
//! 2. Vehicles that are new on the road come, enrolled while the step before was under way, and those that
//!    will be new in the next step begin to be.
//! 3. Every vehicle learns where it is, which RSUs it can hear and what it is to say; every RSU sends a
//!    beacon to those who hear it.
//! 4. When every vehicle has done what it can, every RSU judges the position messages that it heard.
//! 5. Then the step ends. Nothing is dropped: a step that takes longer than it should makes the replay
//!    late, and the report says so.
//!
//! Who is heard by whom follows from where vehicles are, not from what they say.

use crate::{
    network::{Enrolling, Network, NetworkError},
    obu::{self, Audible, Obu},
    radio::Radio,
    report::{
        LoginReport, NetworkReport, PaceReport, PositionsReport, Quantiles, RelayReport, Report,
        TraceReport, peak_rss_mib,
    },
    roadside,
    voice::Saying,
    witness,
};
use cairn_chain::Runtime;
use cairn_ledger::Uid;
use cairn_scenario::{
    Metres, RadioMap, TraceError,
    beacons::BeaconsError,
    scoring,
    traffic::{Moment, Vehicle},
};
use futures::{Stream, StreamExt as _};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};
use thiserror::Error;
use tokio::sync::oneshot;

/// Length of the last step of a trace, whose end nothing says, in milliseconds.
const DEFAULT_STEP_MS: u64 = 1_000;

/// Vehicles that listen to others' position messages in a step, by turns: everybody hearing everybody
/// would take as many datagrams as the square of the traffic.
const LISTENERS: usize = 16;

/// The nearest others that each of them hears.
const NEIGHBOURS: usize = 32;

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
    /// The beacons are not what was expected.
    #[error(transparent)]
    Beacons(#[from] BeaconsError),
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
    /// Vehicles revoked so far.
    pub revoked: u64,
    /// Height of the ledger.
    pub height: u64,
    /// How far the replay is behind the pace that was asked for.
    pub late: Duration,
}

/// What a replay came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// In numbers.
    pub report: Report,
    /// What was found of each message and vehicle, for scoring; times are the file's own.
    pub findings: scoring::Findings,
}

/// Replays `steps` on `network`. Ends early, with a report of what was done, when `observe` says so by
/// returning `false`.
pub async fn replay<E: Runtime, R: Radio, F>(
    network: &mut Network<E, R>,
    steps: impl Stream<Item = Result<Moment, F>>,
    pace: Pace,
    mut observe: impl FnMut(Progress) -> bool,
) -> Result<Outcome, ReplayError>
where
    ReplayError: From<F>,
{
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
        let next = next.and_then(|next| next.as_ref().ok());
        run.step(&step, length_ms, next).await?;
        if !observe(run.progress()) {
            break;
        }
    }
    Ok(Outcome {
        report: run.report(),
        findings: run.findings(),
    })
}

/// A replay under way.
struct Run<'a, E: Runtime, R: Radio> {
    network: &'a mut Network<E, R>,
    radio_map: RadioMap,
    started: SystemTime,
    start_ms: u64,
    /// The file's own time of the first step.
    file_start_ms: u64,
    /// Vehicles on the road.
    on_road: HashMap<Arc<str>, Obu>,
    /// Vehicles that come with the next step, and their enrolment.
    expected: Option<(Vec<Arc<str>>, Enrolling)>,
    /// Numbers of all vehicles so far, in the order of their appearance.
    numbers: HashMap<Arc<str>, Seen>,
    /// Names of all vehicles so far.
    names: HashMap<Uid, Arc<str>>,
    /// Trace time of all vehicles together.
    driven_ms: u64,
    rows: u64,
    rows_in_range: u64,
    offset_ms: u64,
    pace: Pace,
    late: Duration,
    waited_for_trace: Duration,
    waited_for_ledger: Duration,
    waited_for_radio: Duration,
    waited_for_witnesses: Duration,
}

/// What is remembered of a vehicle after it has left.
struct Seen {
    number: u32,
    steps_in_range: u32,
}

impl<'a, E: Runtime, R: Radio> Run<'a, E, R> {
    fn new(network: &'a mut Network<E, R>, pace: Pace) -> Self {
        let sites = network.rsus.iter().map(|(_, position)| *position);
        Self {
            radio_map: RadioMap::new(sites, network.range),
            started: network.context.current(),
            start_ms: network.clock.now_ms(),
            file_start_ms: 0,
            network,
            on_road: HashMap::new(),
            expected: None,
            numbers: HashMap::new(),
            names: HashMap::new(),
            driven_ms: 0,
            rows: 0,
            rows_in_range: 0,
            offset_ms: 0,
            pace,
            late: Duration::ZERO,
            waited_for_trace: Duration::ZERO,
            waited_for_ledger: Duration::ZERO,
            waited_for_radio: Duration::ZERO,
            waited_for_witnesses: Duration::ZERO,
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

    async fn step(
        &mut self,
        step: &Moment,
        length_ms: u64,
        next: Option<&Moment>,
    ) -> Result<(), ReplayError> {
        self.network
            .clock
            .advance(self.start_ms + step.offset_ms, length_ms);
        self.network.findings.next_step();
        self.offset_ms = step.offset_ms;
        self.file_start_ms = step.time_ms - step.offset_ms;
        self.rows += step.vehicles.len() as u64;
        self.driven_ms += step.vehicles.len() as u64 * length_ms;
        let started = self.now();
        self.network.keep_certificates_fresh().await?;
        self.welcome(step).await?;
        self.expect(next);
        self.waited_for_ledger += self.since(started);

        let started = self.now();

        let mut listeners: Vec<Vec<SocketAddr>> = vec![Vec::new(); self.network.rsus.len()];
        let mut waiting = Vec::with_capacity(step.vehicles.len());
        let places: Vec<_> = step
            .vehicles
            .iter()
            .map(|vehicle| self.in_range(vehicle))
            .collect();
        let mut listening = self.listeners(step, &places);
        let mut near = self.near(step, &places).into_iter();
        for (place, (vehicle, (position, in_range))) in step.vehicles.iter().zip(places).enumerate()
        {
            let obu = &self.on_road[&vehicle.id];
            let hearing = in_range
                .iter()
                .map(|(index, _)| self.network.ears[*index].address);
            let mut ears: Vec<SocketAddr> = hearing.collect();
            ears.append(&mut listening[place]);
            let audible: Vec<_> = in_range
                .into_iter()
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
                if let Some(seen) = self.numbers.get_mut(&vehicle.id) {
                    seen.steps_in_range += 1;
                }
            }
            let (done, is_done) = oneshot::channel();
            let order = obu::Step {
                near: near.next().unwrap_or_default(),
                position: crate::to_position(position),
                audible,
                says: vehicle
                    .says
                    .iter()
                    .map(|beacon| {
                        let since_start_ms = beacon.time_ms - self.file_start_ms;
                        Saying::of(beacon, self.start_ms + since_start_ms)
                    })
                    .collect(),
                ears,
                done,
            };
            if obu.steps.send(order).await.is_ok() {
                waiting.push(is_done);
            }
        }
        for ((rsu, _), listeners) in self.network.rsus.iter().zip(listeners) {
            if rsu
                .orders
                .send(roadside::Order::Beacon(listeners))
                .await
                .is_err()
            {
                return Err(NetworkError::RsuStopped(rsu.rid).into());
            }
        }
        for is_done in waiting {
            // An OBU ends only with the replay.
            let _ = is_done.await;
        }
        self.waited_for_radio += self.since(started);

        let started = self.now();
        let mut judging = Vec::with_capacity(self.network.ears.len());
        for ((rsu, _), ear) in self.network.rsus.iter().zip(&self.network.ears) {
            let (done, is_done) = oneshot::channel();
            let order = witness::Order::Judge(done);
            if ear.orders.send(order).await.is_err() {
                return Err(NetworkError::RsuStopped(rsu.rid).into());
            }
            judging.push(is_done);
        }
        for is_done in judging {
            // A witness ends only with the network.
            let _ = is_done.await;
        }
        self.waited_for_witnesses += self.since(started);
        Ok(())
    }

    /// Where a vehicle is, and the RSUs that it hears and is heard by, nearest first.
    ///
    /// A recorded beacon may name who heard it and lie about where that was. Then the vehicle, which
    /// knows better, is taken to be in the middle of those who heard it.
    fn in_range(&self, vehicle: &Vehicle) -> (Metres, Vec<(usize, f64)>) {
        let claimed = vehicle.position;
        let Some(heard_by) = &vehicle.heard_by else {
            return (claimed, self.radio_map.in_range(claimed).collect());
        };
        // A site that this network does not have hears nothing.
        let hearers = heard_by
            .iter()
            .filter_map(|name| self.network.sites.get(name));
        let hearers: BTreeSet<usize> = hearers.copied().collect();
        let places = hearers.iter().map(|index| self.network.rsus[*index].1);
        let places: Vec<Metres> = places.collect();
        let reach_m = self.network.range.metres();
        let is_possible = places
            .iter()
            .all(|place| place.distance(claimed) <= reach_m);
        let position = if is_possible {
            claimed
        } else {
            let mean =
                |of: fn(&Metres) -> f64| places.iter().map(of).sum::<f64>() / places.len() as f64;
            Metres {
                x: mean(|place| place.x),
                y: mean(|place| place.y),
            }
        };
        let distances = places.iter().map(|place| place.distance(position));
        let mut in_range: Vec<(usize, f64)> = hearers.into_iter().zip(distances).collect();
        in_range.sort_by(|one, other| one.1.total_cmp(&other.1));
        (position, in_range)
    }

    /// The vehicles that listen to each vehicle in this step.
    fn listeners(
        &self,
        step: &Moment,
        places: &[(Metres, Vec<(usize, f64)>)],
    ) -> Vec<Vec<SocketAddr>> {
        let mut listening = vec![Vec::new(); places.len()];
        if step.vehicles.iter().all(|vehicle| vehicle.says.is_empty()) {
            return listening;
        }
        let turns = places.len().div_ceil(LISTENERS);
        let turn = (step.offset_ms / DEFAULT_STEP_MS) as usize % turns;
        for listener in (turn..places.len()).step_by(turns) {
            let (here, _) = places[listener];
            let mut others: Vec<(usize, f64)> = places
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != listener)
                .map(|(other, (there, _))| (other, there.distance(here)))
                .filter(|(_, distance_m)| *distance_m <= self.network.range.metres())
                .collect();
            others.sort_by(|one, other| one.1.total_cmp(&other.1));
            let address = self.on_road[&step.vehicles[listener].id].address;
            for (other, _) in others.into_iter().take(NEIGHBOURS) {
                listening[other].push(address);
            }
        }
        listening
    }

    /// The vehicles within reach of each vehicle, where vehicles relay; of a crowd the nearest.
    fn near(&self, step: &Moment, places: &[(Metres, Vec<(usize, f64)>)]) -> Vec<Vec<SocketAddr>> {
        let Some(relays) = &self.network.relays else {
            return Vec::new();
        };
        let map = RadioMap::new(places.iter().map(|(place, _)| *place), relays.hop_range);
        let near = |(this, (place, _)): (usize, &(Metres, _))| {
            let others = map.in_range(*place).filter(|(other, _)| *other != this);
            let others = others.take(NEIGHBOURS);
            let address = |(other, _): (usize, _)| self.on_road[&step.vehicles[other].id].address;
            others.map(address).collect()
        };
        places.iter().enumerate().map(near).collect()
    }

    /// Lets vehicles that have left go, and those that are new come.
    async fn welcome(&mut self, step: &Moment) -> Result<(), ReplayError> {
        let present: HashSet<&Arc<str>> = step.vehicles.iter().map(|vehicle| &vehicle.id).collect();
        self.on_road.retain(|id, _| present.contains(id));
        let (new, enrolled) = match self.expected.take() {
            Some((new, enrolling)) => {
                let enrolled = enrolling
                    .await
                    .map_err(|_| NetworkError::EnrolmentStopped)?;
                (new, enrolled?)
            }
            // The first step.
            None => {
                let new = self.new_in(step);
                let enrolled = self.network.enrol(&new).await?;
                (new, enrolled)
            }
        };
        for (id, enrolled) in new.into_iter().zip(enrolled) {
            self.names.insert(enrolled.uid, id.clone());
            let count = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
            let seen = self.numbers.entry(id.clone()).or_insert(Seen {
                number: count,
                steps_in_range: 0,
            });
            let antenna = self
                .network
                .radio
                .open()
                .await
                .map_err(NetworkError::Radio)?;
            let start = obu::Start {
                number: seen.number,
                papers: enrolled.papers,
                road: self.network.road.clone(),
                antenna,
                clock: self.network.clock.clone(),
                counters: self.network.counters.clone(),
                findings: self.network.findings.clone(),
                ledger: self.network.ledger.clone(),
                services: self
                    .network
                    .services
                    .as_ref()
                    .map(|all| all.directory.clone()),
                relays: self.network.relays.clone(),
                circle: self.network.circle.clone(),
                revocations: self.network.revocations.clone(),
                rng: StdRng::from_rng(&mut self.network.rng),
            };
            let obu = obu::start(&self.network.context, start);
            self.on_road.insert(id, obu);
        }
        Ok(())
    }

    /// Begins to enrol the vehicles that will be new in the next step.
    fn expect(&mut self, next: Option<&Moment>) {
        self.expected = next.map(|next| {
            let new = self.new_in(next);
            let enrolling = self.network.begin_enrolment(new.clone());
            (new, enrolling)
        });
    }

    /// The vehicles of a step that are not on the road.
    fn new_in(&self, step: &Moment) -> Vec<Arc<str>> {
        let new = step
            .vehicles
            .iter()
            .filter(|vehicle| !self.on_road.contains_key(&vehicle.id));
        new.map(|vehicle| vehicle.id.clone()).collect()
    }

    fn progress(&self) -> Progress {
        let [logins, handovers, failed] = self.network.counters.logins();
        Progress {
            trace: Duration::from_millis(self.offset_ms),
            vehicles: self.on_road.len(),
            logins,
            handovers,
            failed,
            revoked: self.network.findings.report().revoked,
            height: self.network.ledger.height(),
            late: self.late,
        }
    }

    fn findings(&self) -> scoring::Findings {
        let revocations = self.network.findings.revocations();
        let in_file_ms = |time_ms: u64| time_ms - self.start_ms + self.file_start_ms;
        let named = revocations.iter().filter_map(|revoked| {
            let name = self.names.get(&revoked.vehicle)?;
            Some((name.clone(), in_file_ms(revoked.time_ms)))
        });
        scoring::Findings {
            flagged: self.network.findings.flagged_numbers(),
            revoked_ms: named.collect(),
        }
    }

    fn relay_report(&self) -> Option<RelayReport> {
        let relays = self.network.relays.as_ref()?;
        let report = self.network.counters.relay_report();
        let direct = self.network.counters.login_report().served_positions;
        let share = |positions: u64| positions as f64 / self.rows.max(1) as f64;
        Some(RelayReport {
            hop_range_m: relays.hop_range.metres(),
            served_share_direct: share(direct),
            served_share: share(direct + report.served_positions),
            ..report
        })
    }

    fn report(&self) -> Report {
        let observed = self.network.ledger.observed();
        let in_range = || self.numbers.values().filter(|seen| seen.steps_in_range > 0);
        let counters = &self.network.counters;
        let (one_step, longer): (Vec<&Seen>, Vec<&Seen>) = in_range()
            .filter(|seen| !counters.is_served(seen.number))
            .partition(|seen| seen.steps_in_range == 1);
        let wall_s = self.since(self.started).as_secs_f64();
        let duration_s = self.offset_ms as f64 / 1000.0;
        Report {
            trace: TraceReport {
                vehicles: self.numbers.len() as u64,
                rows: self.rows,
                duration_s,
                vehicles_in_range: in_range().count() as u64,
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
            login: LoginReport {
                unserved_one_step: one_step.len() as u64,
                unserved_longer: longer.len() as u64,
                ..self.network.counters.login_report()
            },
            handover: self.network.counters.handover_report(),
            relay: self.relay_report(),
            positions: PositionsReport {
                vehicle_hours: self.driven_ms as f64 / 3_600_000.0,
                ..self.network.findings.report()
            },
            services: self
                .network
                .services
                .as_ref()
                .map(|all| all.directory.tally.report()),
            misbehaviour: None,
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
                waited_for_witnesses_s: self.waited_for_witnesses.as_secs_f64(),
            },
            wall_s,
            peak_rss_mib: peak_rss_mib(),
        }
    }
}
