//! The same commands in SUMO's traffic, over TraCI.
//!
//! SUMO runs twice with the same seed: its drivers alone, and with commands. Every half second the speed
//! of every vehicle and what drives before it are asked for; the model evaluates, and commands go back as
//! gentle `slowDown`s. There is no ledger behind it: what a ledger costs is measured by
//! [`super::drive`].
//!
//! What scenarios mean here:
//!
//! * *obstacle*: a vehicle that has another close behind it brakes with 9 m/s² and stands until the
//!   obstacle is cleared; the same vehicle at the same time in both runs;
//! * *surface*: the whole town; brakes give no more than the friction carries, in both runs;
//! * *weather*: what evaluations go by. SUMO's drivers see as always.
//!
//! Attacks have no counterpart here, and places are ignored.

use cairn_contracts::danger::{Action, Ahead, Class, Inputs, MAX_SPEED_CM_S, Model, Road};
use cairn_danger::{
    outcome::HARD_BRAKING,
    scenario::{Event, Scenario},
};
use cairn_scenario::traci::{Braking, Traci, TraciError};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use thiserror::Error;

/// SUMO's step, which is also the time between two reports, in seconds.
const STEP_S: f64 = 0.5;

/// How far ahead is looked, in metres.
const LOOK_M: f64 = 300.0;

/// Vehicles that the network sees past.
const CHAIN: usize = 5;

/// The gap that SUMO's vehicles keep when standing and leave out of what they tell, in metres.
const MIN_GAP_M: f64 = 2.5;

/// Below this speed a vehicle stands, in m/s.
const STANDING: f64 = 0.5;

/// How long SUMO may take to load its network.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pause before it is asked again whether it listens.
const RETRY: Duration = Duration::from_millis(50);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(60);

/// Why there is no run in SUMO.
#[derive(Debug, Error)]
pub enum SumoError {
    /// The program is not there.
    #[error(
        "cannot start sumo: {0}; it comes with `pip install eclipse-sumo`, and must be in PATH"
    )]
    Start(io::Error),
    /// It ended before it listened.
    #[error("sumo ended at once ({0}); see what it says to `sumo -c FILE`")]
    Ended(std::process::ExitStatus),
    /// It does not listen.
    #[error("sumo did not listen within a minute: {0}")]
    Silent(io::Error),
    /// TraCI.
    #[error(transparent)]
    Traci(#[from] TraciError),
}

/// What came of one class in one run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ClassCounts {
    /// Vehicles that were on the road.
    pub vehicles: usize,
    /// Vehicles that collided.
    pub collided: usize,
    /// Brakings above 4 m/s².
    pub hard_brakings: usize,
    /// Smallest time gap of a moving vehicle, in seconds.
    pub min_time_gap_s: Option<f64>,
    /// Greatest danger, 0 to 100.
    pub peak_danger: f64,
}

/// What came of one run, by class.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counts {
    /// Cars.
    pub car: ClassCounts,
    /// Trucks.
    pub truck: ClassCounts,
    /// Buses.
    pub bus: ClassCounts,
}

/// A figure without and with commands.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct WithWithout {
    /// SUMO's drivers alone.
    pub without: usize,
    /// With commands.
    pub with: usize,
}

/// What came of both runs.
#[derive(Clone, Debug, Serialize)]
pub struct SumoReport {
    /// Name of the scenario.
    pub scenario: String,
    /// SUMO's seed.
    pub seed: u64,
    /// With commands, by class.
    pub classes: Counts,
    /// SUMO's drivers alone, by class.
    pub classes_without: Counts,
    /// Vehicles that collided.
    pub collisions: WithWithout,
    /// Brakings above 4 m/s².
    pub hard_brakings: WithWithout,
    /// Commands to slow down or stop.
    pub commands: usize,
}

/// Runs a scenario in SUMO with this configuration, without commands and with them.
///
/// # Errors
///
/// [`SumoError`].
pub fn drive_sumo(
    config: &Path,
    scenario: &Scenario,
    model: &Model,
    seed: u64,
) -> Result<SumoReport, SumoError> {
    let (without, breakdown, _) = run(config, scenario, model, seed, Drivers::Alone)?;
    let (with, _, commands) = run(config, scenario, model, seed, Drivers::Commanded(breakdown))?;
    let compare = |of: fn(&ClassCounts) -> usize| WithWithout {
        without: without.sum(of),
        with: with.sum(of),
    };
    Ok(SumoReport {
        scenario: scenario.name.clone(),
        seed,
        collisions: compare(|class| class.collided),
        hard_brakings: compare(|class| class.hard_brakings),
        classes: with,
        classes_without: without,
        commands,
    })
}

impl Counts {
    fn of(&mut self, class: Class) -> &mut ClassCounts {
        match class {
            Class::Car => &mut self.car,
            Class::Truck => &mut self.truck,
            Class::Bus => &mut self.bus,
        }
    }

    fn sum(&self, of: fn(&ClassCounts) -> usize) -> usize {
        [&self.car, &self.truck, &self.bus].map(of).iter().sum()
    }
}

/// A SUMO that ends with us.
struct Sumo(Child);

impl Drop for Sumo {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One of the two runs.
enum Drivers {
    /// SUMO's drivers; the obstacle is sought.
    Alone,
    /// With commands, and the obstacle of the other run.
    Commanded(Option<Breakdown>),
}

/// Which vehicle becomes the obstacle, and when, in seconds.
#[derive(Clone)]
struct Breakdown {
    vehicle: String,
    at_s: f64,
}

fn run(
    config: &Path,
    scenario: &Scenario,
    model: &Model,
    seed: u64,
    drivers: Drivers,
) -> Result<(Counts, Option<Breakdown>, usize), SumoError> {
    let (_sumo, stream) = start(config, seed)?;
    let (is_commanded, breakdown) = match drivers {
        Drivers::Alone => (false, None),
        Drivers::Commanded(breakdown) => (true, breakdown),
    };
    let mut town = Town {
        traci: Traci::new(stream),
        model,
        scenario,
        counts: Counts::default(),
        known: BTreeMap::new(),
        collided: BTreeSet::new(),
        breakdown,
        is_commanded,
        broken: None,
        commands: 0,
    };
    let steps = (scenario.duration_s / STEP_S) as u32;
    for step in 0..steps {
        town.step(f64::from(step) * STEP_S)?;
    }
    // SUMO closes the connection without an answer when it has already ended.
    let _ = town.traci.close();
    Ok((town.counts, town.breakdown, town.commands))
}

/// Starts SUMO and connects.
fn start(config: &Path, seed: u64) -> Result<(Sumo, TcpStream), SumoError> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
    let port = free.map_err(SumoError::Start)?.port();
    // SUMO's seeds are positive 32-bit integers.
    let seed = seed % 0x7fff_ffff;
    let sumo = Command::new("sumo")
        .arg("--configuration-file")
        .arg(config)
        .args(["--remote-port", &port.to_string()])
        .args(["--seed", &seed.to_string()])
        .args(["--step-length", &STEP_S.to_string()])
        // Drivers decide once a second: their reaction time.
        .args(["--default.action-step-length", "1"])
        .args([
            "--collision.action",
            "warn",
            // A collision is a contact; SUMO would count a gap below 2.5 m as one.
            "--collision.mingap-factor",
            "0",
            "--no-step-log",
            "--no-warnings",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut sumo = Sumo(sumo.map_err(SumoError::Start)?);
    let begun = Instant::now();
    loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(SumoError::Silent)?;
                let timeout = Some(ANSWER);
                stream
                    .set_read_timeout(timeout)
                    .map_err(SumoError::Silent)?;
                return Ok((sumo, stream));
            }
            Err(error) => {
                if let Ok(Some(status)) = sumo.0.try_wait() {
                    return Err(SumoError::Ended(status));
                }
                if begun.elapsed() > PATIENCE {
                    return Err(SumoError::Silent(error));
                }
                std::thread::sleep(RETRY);
            }
        }
    }
}

/// What is known of a vehicle.
#[derive(Clone, Debug)]
struct Known {
    class: Class,
    is_braking_hard: bool,
    is_slippery: bool,
}

/// One vehicle in one step.
struct Seen {
    speed: f64,
    /// Who drives before it, and the gap without what stays free.
    leader: Option<(String, f64)>,
}

struct Town<'a> {
    traci: Traci<TcpStream>,
    model: &'a Model,
    scenario: &'a Scenario,
    counts: Counts,
    known: BTreeMap<String, Known>,
    collided: BTreeSet<String>,
    /// The obstacle of the scenario, once it is known.
    breakdown: Option<Breakdown>,
    is_commanded: bool,
    /// The vehicle that stands as the obstacle now, and how it brakes otherwise.
    broken: Option<(String, Braking)>,
    commands: usize,
}

impl Town<'_> {
    fn step(&mut self, now_s: f64) -> Result<(), SumoError> {
        self.traci.step()?;
        let road = self.scenario.road_between(0.0, f64::MAX, now_s);
        let vehicles = self.traci.vehicles()?;
        let mut seen = BTreeMap::new();
        for vehicle in vehicles {
            self.meet(&vehicle, road)?;
            let speed = self.traci.speed(&vehicle)?;
            let leader = self.traci.leader(&vehicle, LOOK_M)?;
            seen.insert(vehicle, Seen { speed, leader });
        }
        self.break_down(&seen, now_s)?;
        for vehicle in self.traci.colliding()? {
            if let Some(known) = self.known.get(&vehicle)
                && self.collided.insert(vehicle)
            {
                self.counts.of(known.class).collided += 1;
            }
        }
        for (vehicle, one) in &seen {
            self.count(vehicle, one)?;
            if self.is_broken(vehicle) {
                continue;
            }
            let class = self.known[vehicle].class;
            let inputs = self.inputs(class, one, &seen, now_s, road);
            let evaluation = self.model.evaluate(&inputs);
            let counts = self.counts.of(class);
            counts.peak_danger = counts.peak_danger.max(evaluation.danger.value());
            if self.is_commanded {
                self.command(vehicle, class, one.speed, evaluation.action)?;
            }
        }
        Ok(())
    }

    /// Takes note of a vehicle, and of the road under it.
    fn meet(&mut self, vehicle: &str, road: Road) -> Result<(), SumoError> {
        if !self.known.contains_key(vehicle) {
            let class = match self.traci.class(vehicle)?.as_str() {
                "truck" | "trailer" => Class::Truck,
                "bus" | "coach" => Class::Bus,
                _ => Class::Car,
            };
            self.counts.of(class).vehicles += 1;
            let known = Known {
                class,
                is_braking_hard: false,
                is_slippery: false,
            };
            self.known.insert(vehicle.to_owned(), known);
        }
        let known = self.known.get_mut(vehicle).expect("just inserted");
        if road != Road::Dry && !known.is_slippery {
            known.is_slippery = true;
            let braking = self.model.deceleration_cm_s2(known.class, 100, road);
            let braking = Braking::at_most(braking as f64 / 100.0);
            self.traci.set_braking(vehicle, braking)?;
        }
        Ok(())
    }

    /// The scenario's obstacle: a vehicle with another close behind it, which stops dead.
    fn break_down(&mut self, seen: &BTreeMap<String, Seen>, now_s: f64) -> Result<(), SumoError> {
        let obstacle = self.scenario.events.iter().find_map(|event| match event {
            Event::Obstacle { at_s, until_s, .. } => Some((*at_s, until_s.unwrap_or(f64::MAX))),
            _ => None,
        });
        let Some((at_s, until_s)) = obstacle else {
            return Ok(());
        };
        if self.breakdown.is_none() && !self.is_commanded && (at_s..until_s).contains(&now_s) {
            let close = seen.values().find_map(|one| {
                let (leader, gap_m) = one.leader.as_ref()?;
                let is_moving = one.speed > 8.0 && seen.get(leader)?.speed > 8.0;
                (is_moving && *gap_m < 30.0).then(|| leader.clone())
            });
            self.breakdown = close.map(|vehicle| Breakdown {
                vehicle,
                at_s: now_s,
            });
        }
        if let Some(Breakdown { vehicle, at_s }) = &self.breakdown
            && *at_s == now_s
            && seen.contains_key(vehicle)
        {
            let braking = self.traci.braking(vehicle)?;
            self.traci.set_braking(vehicle, Braking::at_most(9.0))?;
            self.traci.set_speed(vehicle, 0.0)?;
            self.broken = Some((vehicle.clone(), braking));
        }
        if now_s >= until_s
            && let Some((vehicle, braking)) = self.broken.take()
            && seen.contains_key(&vehicle)
        {
            self.traci.set_braking(&vehicle, braking)?;
            self.traci.set_speed(&vehicle, -1.0)?;
        }
        Ok(())
    }

    fn is_broken(&self, vehicle: &str) -> bool {
        self.broken
            .as_ref()
            .is_some_and(|(name, _)| name == vehicle)
    }

    fn count(&mut self, vehicle: &str, one: &Seen) -> Result<(), SumoError> {
        let acceleration = self.traci.acceleration(vehicle)?;
        let is_hard = acceleration < -HARD_BRAKING && !self.is_broken(vehicle);
        let known = self.known.get_mut(vehicle).expect("met in this step");
        let counts = self.counts.of(known.class);
        counts.hard_brakings += usize::from(is_hard && !known.is_braking_hard);
        known.is_braking_hard = is_hard;
        if let Some((_, gap_m)) = &one.leader
            && one.speed > 1.0
        {
            let gap_s = (gap_m + MIN_GAP_M).max(0.0) / one.speed;
            let least = counts
                .min_time_gap_s
                .map_or(gap_s, |least| least.min(gap_s));
            counts.min_time_gap_s = Some(least);
        }
        Ok(())
    }

    /// What the network knows of a vehicle: the one before it, or one further ahead that stands, whichever
    /// is more dangerous.
    fn inputs(
        &self,
        class: Class,
        one: &Seen,
        seen: &BTreeMap<String, Seen>,
        now_s: f64,
        road: Road,
    ) -> Inputs {
        let alone = Inputs {
            class,
            condition: 100,
            speed_cm_s: (one.speed * 100.0).clamp(0.0, f64::from(MAX_SPEED_CM_S)) as u16,
            ahead: None,
            weather: self.scenario.weather_at(now_s),
            road,
        };
        let mut worst = alone;
        let (mut gap_m, mut next) = (MIN_GAP_M, one.leader.as_ref());
        for place in 0..CHAIN {
            let Some((leader, gap)) = next else { break };
            let Some(other) = seen.get(leader) else { break };
            gap_m += gap.max(0.0);
            if place == 0 || other.speed < STANDING {
                let gap_dm = (gap_m * 10.0).clamp(0.0, f64::from(Ahead::MAX_GAP_DM));
                let closing = (one.speed - other.speed) * 100.0;
                let with = Inputs {
                    ahead: Some(Ahead {
                        gap_dm: gap_dm as u16,
                        closing_cm_s: closing.clamp(-32_768.0, 32_767.0) as i16,
                    }),
                    ..alone
                };
                if self.model.danger(&with) >= self.model.danger(&worst) {
                    worst = with;
                }
            }
            next = other.leader.as_ref();
        }
        worst
    }

    /// Gently to the commanded speed.
    fn command(
        &mut self,
        vehicle: &str,
        class: Class,
        speed: f64,
        action: Action,
    ) -> Result<(), SumoError> {
        let target = match action {
            Action::Keep => return Ok(()),
            Action::SlowDown(speed_cm_s) => f64::from(speed_cm_s) / 100.0,
            Action::Stop => 0.0,
        };
        if target >= speed {
            return Ok(());
        }
        let gentle = f64::from(self.model.gentle_cm_s2[class.index()]) / 100.0;
        let seconds = ((speed - target) / gentle).max(STEP_S);
        self.traci.slow_down(vehicle, target, seconds)?;
        self.commands += 1;
        Ok(())
    }
}
