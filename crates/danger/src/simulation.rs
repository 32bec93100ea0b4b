//! The road, in steps of 0.1 s.
//!
//! Each step: every vehicle sees what is ahead as far as it can; its driver and, where there is one, its
//! controller decide; it moves; what touched has collided and stands. Every half second each
//! vehicle's report is due ([`Simulation::reports`]); whoever evaluates it hands the result back with
//! [`Simulation::deliver`].

use crate::{
    STEP_S,
    controller::{Advice, Controller, Limit, SENSOR_RANGE_M, View},
    driver::Driver,
    scenario::{START_M, Scenario, StateName},
    vehicle::{Gap, Vehicle, build},
};
use cairn_contracts::danger::{Ahead, Class, Inputs, MAX_SPEED_CM_S, Model, Road, Weather};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// Seconds between two reports of a vehicle; ours.
pub const REPORT_S: f64 = 0.5;

/// How far ahead the network knows the road's surface, in metres; ours.
const HORIZON_M: f64 = 300.0;

/// Share of the speed limit that everybody drives at the beginning; ours.
const START_SHARE: f64 = 0.85;

/// From this speed on an alarm counts in full, in m/s: 36 km/h; ours.
const ALARM_SPEED: f64 = 10.0;

/// Who helps the drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// Nobody.
    Driver,
    /// Own sensors.
    Sensors,
    /// Own sensors and the network.
    Network,
}

/// One vehicle with its people and devices.
#[derive(Clone, Debug)]
pub struct Participant {
    /// The body.
    pub body: Vehicle,
    /// Which lane: that of its class.
    pub lane: usize,
    /// Place in the column, 0 for the first.
    pub place: usize,
    /// Whether it has hit something or was hit.
    pub crashed: bool,
    /// What limits it now.
    pub limit: Option<Limit>,
    driver: Driver,
    controller: Option<Controller>,
}

/// A report that is due.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// Whose: the place in [`Simulation::participants`].
    pub vehicle: usize,
    /// What the vehicle knows by itself.
    pub own: Inputs,
    /// What the network knows of it and of the road ahead.
    pub inputs: Inputs,
    /// What somebody with a stolen key makes of it.
    pub forged: Option<Inputs>,
}

/// A road with its vehicles.
pub struct Simulation {
    scenario: Scenario,
    model: Model,
    step: u32,
    participants: Vec<Participant>,
    alarm: bool,
    /// Collisions so far, by lane.
    pub collisions: [usize; 3],
}

impl Simulation {
    /// The road at the beginning. What is random, drivers and brakes, depends on the seed alone, and so
    /// is the same for every arm.
    #[must_use]
    pub fn new(scenario: &Scenario, model: &Model, arm: Arm, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut participants = Vec::new();
        for (lane, class) in Class::ALL.iter().enumerate() {
            let mut front_m = START_M;
            for place in 0..scenario.column {
                let driver = Driver::draw(*class, &mut rng);
                if place > 0 {
                    front_m -=
                        driver.settled_gap_m(scenario.limit_m_s * START_SHARE, scenario.limit_m_s);
                }
                let body = Vehicle {
                    class: *class,
                    // In good order to a bit worn: 85 to 100 % of what the class must have; ours.
                    condition: rng.random_range(85..=100),
                    front_m,
                    speed: scenario.limit_m_s * START_SHARE,
                    acceleration: 0.0,
                };
                front_m = body.rear_m();
                participants.push(Participant {
                    body,
                    lane,
                    place,
                    crashed: false,
                    limit: None,
                    driver,
                    controller: (arm != Arm::Driver).then(|| Controller::of(model, *class)),
                });
            }
        }
        Self {
            scenario: scenario.clone(),
            model: *model,
            step: 0,
            participants,
            alarm: false,
            collisions: [0; 3],
        }
    }

    /// Seconds since the beginning.
    #[must_use]
    pub fn now_s(&self) -> f64 {
        f64::from(self.step) * STEP_S
    }

    /// Whether the scenario is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.now_s() >= self.scenario.duration_s
    }

    /// Everybody, lane by lane, each from the first to the last.
    #[must_use]
    pub fn participants(&self) -> &[Participant] {
        &self.participants
    }

    /// Whether the network alarm is raised.
    #[must_use]
    pub fn is_alarmed(&self) -> bool {
        self.alarm
    }

    /// Raises or ends the network alarm in every vehicle that has a controller.
    pub fn set_alarm(&mut self, raised: bool) {
        self.alarm = raised;
        let controllers = self.participants.iter_mut();
        for controller in controllers.filter_map(|one| one.controller.as_mut()) {
            controller.set_alarm(raised);
        }
    }

    /// One step.
    pub fn advance(&mut self) {
        let now_s = self.now_s();
        let weather = self.scenario.weather_at(now_s);
        let gaps: Vec<Option<Gap>> = (0..self.participants.len())
            .map(|index| self.gap(index))
            .collect();
        let surfaces: Vec<Road> = self
            .participants
            .iter()
            .map(|one| {
                let (rear, front) = (one.body.rear_m(), one.body.front_m);
                self.scenario.road_between(rear, front, now_s)
            })
            .collect();
        let limit = self.scenario.limit_m_s;
        for (index, one) in self.participants.iter_mut().enumerate() {
            if one.crashed {
                continue;
            }
            let sight_m = sight_m(&self.scenario, &self.model, weather);
            let seen = gaps[index].filter(|gap| gap.gap_m <= sight_m);
            let mut wanted = one.driver.drive(one.body.speed, limit, weather, seen);
            let view = view(
                &self.model,
                &self.scenario,
                &one.body,
                weather,
                surfaces[index],
                gaps[index],
            );
            let ceiling = one
                .controller
                .as_ref()
                .and_then(|controller| controller.ceiling(&view, now_s));
            one.limit = None;
            if let Some((ceiling, limit)) = ceiling.filter(|(ceiling, _)| *ceiling < wanted) {
                one.limit = Some(limit);
                wanted = ceiling;
            }
            one.body.advance(wanted, &self.model, surfaces[index]);
        }
        self.step += 1;
        self.collide();
    }

    /// What touches has collided: both stand at once, and are in the way of others.
    fn collide(&mut self) {
        for index in 0..self.participants.len() {
            if self.participants[index].crashed {
                continue;
            }
            let Some(gap) = self.gap(index) else {
                continue;
            };
            if gap.gap_m > 0.0 {
                continue;
            }
            self.collisions[self.participants[index].lane] += 1;
            self.participants[index].crashed = true;
            self.participants[index].body.crash();
            let front_m = self.participants[index].body.front_m;
            if self.participants[index].place > 0 {
                let ahead = &mut self.participants[index - 1];
                if ahead.body.rear_m() <= front_m {
                    ahead.crashed = true;
                    ahead.body.crash();
                }
            }
        }
    }

    /// What is ahead of a vehicle in truth: the one before it in its column, or an obstacle,
    /// whichever is nearer.
    #[must_use]
    pub fn gap(&self, index: usize) -> Option<Gap> {
        let one = &self.participants[index];
        let leader = (one.place > 0).then(|| {
            let ahead = &self.participants[index - 1].body;
            Gap {
                gap_m: ahead.rear_m() - one.body.front_m,
                closing: one.body.speed - ahead.speed,
            }
        });
        // An obstacle hit stays in front of the vehicle that hit it: hence from its rear on.
        let rear_m = one.body.rear_m();
        let obstacle = self.scenario.obstacle_ahead(rear_m, self.now_s(), 0.0);
        let obstacle = obstacle.map(|place| Gap {
            gap_m: place - one.body.front_m,
            closing: one.body.speed,
        });
        leader
            .into_iter()
            .chain(obstacle)
            .min_by(|a, b| a.gap_m.total_cmp(&b.gap_m))
    }

    /// What the network knows of a vehicle and the road ahead of it. It sees past the vehicle in front:
    /// of that vehicle and the obstacle that its column will queue at, the more dangerous counts.
    #[must_use]
    pub fn inputs(&self, vehicle: usize) -> Inputs {
        let one = &self.participants[vehicle];
        let noticed = self.now_s() - self.scenario.noticed_s;
        let (rear_m, front_m) = (one.body.rear_m(), one.body.front_m);
        let alone = Inputs {
            class: one.body.class,
            condition: one.body.condition,
            speed_cm_s: centi(one.body.speed),
            ahead: None,
            weather: self.scenario.weather_at(noticed),
            road: self
                .scenario
                .road_between(rear_m, front_m + HORIZON_M, noticed),
        };
        let before = &self.participants[vehicle - one.place..vehicle];
        let leader = before.last().map(|leader| Gap {
            gap_m: leader.body.rear_m() - front_m,
            closing: one.body.speed - leader.body.speed,
        });
        let (now_s, age_s) = (self.now_s(), self.scenario.noticed_s);
        let obstacle = self.scenario.obstacle_ahead(rear_m, now_s, age_s);
        let queue = obstacle.map(|place| {
            let queued = before.iter().filter(|other| other.body.front_m <= place);
            let queued_m: f64 = queued
                .map(|other| build(other.body.class).length_m + 2.0)
                .sum();
            Gap {
                gap_m: place - queued_m - front_m,
                closing: one.body.speed,
            }
        });
        let with = |gap: Gap| Inputs {
            ahead: ahead(&gap),
            ..alone
        };
        let candidates = leader.into_iter().chain(queue).map(with);
        let worst = candidates.max_by_key(|inputs| self.model.danger(inputs));
        worst.unwrap_or(alone)
    }

    /// What a vehicle knows by itself: what its sensors see, and the surface that it stands on.
    #[must_use]
    pub fn own_inputs(&self, vehicle: usize) -> Inputs {
        let now_s = self.now_s();
        let body = &self.participants[vehicle].body;
        let weather = self.scenario.weather_at(now_s);
        let road = self
            .scenario
            .road_between(body.rear_m(), body.front_m, now_s);
        let gap = self.gap(vehicle);
        let view = view(&self.model, &self.scenario, body, weather, road, gap);
        Inputs {
            class: body.class,
            condition: body.condition,
            speed_cm_s: centi(body.speed),
            ahead: view.gap.as_ref().and_then(ahead),
            weather,
            road,
        }
    }

    /// The reports that are due in this step: everybody's, every half second.
    #[must_use]
    pub fn reports(&self) -> Vec<Due> {
        let period = (REPORT_S / STEP_S).round() as u32;
        if !self.step.is_multiple_of(period) {
            return Vec::new();
        }
        let claimed = self.scenario.claimed_at(self.now_s());
        let running = self.participants.iter().enumerate();
        let running = running.filter(|(_, one)| !one.crashed);
        running
            .map(|(vehicle, one)| {
                let inputs = self.inputs(vehicle);
                let forged = claimed.map(|claimed_m| Inputs {
                    ahead: ahead(&Gap {
                        gap_m: claimed_m,
                        closing: one.body.speed,
                    }),
                    ..inputs
                });
                Due {
                    vehicle,
                    own: self.own_inputs(vehicle),
                    inputs,
                    forged,
                }
            })
            .collect()
    }

    /// Hands advice to a vehicle's controller; says whether it was taken. A vehicle without controller
    /// takes none, and while the network alarm is raised nobody does.
    pub fn deliver(&mut self, vehicle: usize, advice: Advice) -> bool {
        let now_s = self.now_s();
        let gap = self.gap(vehicle);
        let weather = self.scenario.weather_at(now_s);
        let body = self.participants[vehicle].body;
        let surface = self
            .scenario
            .road_between(body.rear_m(), body.front_m, now_s);
        let view = view(&self.model, &self.scenario, &body, weather, surface, gap);
        let controller = self.participants[vehicle].controller.as_mut();
        controller.is_some_and(|controller| controller.advise(advice, &view).is_ok())
    }

    /// The danger that is shown for a vehicle, 0 to 100, and its state. Under a network alarm the
    /// security parameter λ is 0, and danger is what λ lacks to 100 as long as the vehicle moves.
    #[must_use]
    pub fn danger(&self, vehicle: usize) -> (f64, StateName) {
        let evaluation = self.model.evaluate(&self.inputs(vehicle));
        let surroundings = evaluation.danger.value();
        if !self.alarm {
            return (surroundings, evaluation.state.into());
        }
        let speed = self.participants[vehicle].body.speed;
        let network = 100.0 * (speed / ALARM_SPEED).min(1.0);
        (surroundings.max(network), StateName::NetworkAttack)
    }
}

/// How far anybody sees, in metres.
fn sight_m(scenario: &Scenario, model: &Model, weather: Weather) -> f64 {
    f64::from(model.visibility_m[weather.index()]).min(scenario.sight_m)
}

/// What a vehicle's own sensors know.
fn view(
    model: &Model,
    scenario: &Scenario,
    body: &Vehicle,
    weather: Weather,
    surface: Road,
    gap: Option<Gap>,
) -> View {
    let range_m = sight_m(scenario, model, weather).min(SENSOR_RANGE_M);
    View {
        gap: gap.filter(|gap| gap.gap_m <= range_m),
        range_m,
        speed: body.speed,
        braking: body.braking(model, surface),
    }
}

fn centi(metres: f64) -> u16 {
    (metres * 100.0)
        .round()
        .clamp(0.0, f64::from(MAX_SPEED_CM_S)) as u16
}

/// A gap as evaluations take it; `None` when it is further than they look.
#[must_use]
pub fn ahead(gap: &Gap) -> Option<Ahead> {
    let gap_dm = (gap.gap_m * 10.0).max(0.0);
    (gap_dm <= f64::from(Ahead::MAX_GAP_DM)).then(|| Ahead {
        gap_dm: gap_dm as u16,
        closing_cm_s: (gap.closing * 100.0).clamp(-32_768.0, 32_767.0) as i16,
    })
}
