//! Drivers for the vehicles of a traffic trace.
//!
//! 1. A vehicle says once a second where its receiver believes it is, with an honest receiver's
//!    error ([`GpsError`]).
//! 2. What a trace does not tell (speed, heading, acceleration) it takes from its own movement
//!    since the step before; as long as it does not know its speed it says nothing.
//! 3. A liar's honest beacon goes through its [`Attacker`]. What that delays is sent when it says,
//!    if the vehicle is still on the road.
//! 4. The truth about all of that is kept where the lies are, for scoring after the run; a trace
//!    without liars keeps none.

use super::{INTERVAL_MS, Moment, Vehicle};
use crate::{
    Metres, Sample, Step,
    attackers::{Attacker, AttackerKind, Scene, Sent},
    beacons::{Beacon, Class, GpsError, Truth, compass, vector},
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{collections::HashMap, sync::Arc};

/// Slower than this, in m/s, a movement does not tell a heading.
const MIN_HEADING_SPEED: f64 = 0.5;

/// The drivers of all vehicles of a trace.
pub struct Drivers {
    rng: StdRng,
    scene: Scene,
    liars: HashMap<Arc<str>, &'static AttackerKind>,
    on_road: HashMap<Arc<str>, Driver>,
    messages: u64,
    truth: Vec<Truth>,
}

struct Driver {
    receiver: GpsError,
    attacker: Option<Box<dyn Attacker>>,
    said_ms: Option<u64>,
    before: Option<Before>,
    /// What the attacker sends later, in the order of time.
    later: Vec<Sent>,
    step_ms: u64,
}

/// The step before.
#[derive(Clone, Copy)]
struct Before {
    time_ms: u64,
    position: Metres,
    speed: Option<f64>,
    heading: f64,
}

/// How a vehicle moves.
struct Motion {
    speed: f64,
    heading: f64,
    acceleration: f64,
}

impl Drivers {
    /// Drivers of whom the named ones lie. `area` are two opposite corners of what liars know of
    /// the road; `seed` draws all errors and lies.
    pub fn new(
        liars: HashMap<Arc<str>, &'static AttackerKind>,
        area: [Metres; 2],
        seed: u64,
    ) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            scene: Scene::new(area[0], area[1]),
            liars,
            on_road: HashMap::new(),
            messages: 0,
            truth: Vec::new(),
        }
    }

    /// The truth about all messages so far; nothing if nobody lies.
    pub fn into_truth(self) -> Vec<Truth> {
        self.truth
    }

    /// What the vehicles of a step say.
    pub fn drive(&mut self, step: Step) -> Moment {
        let time_ms = step.time_ms;
        let vehicles: Vec<Vehicle> = step
            .vehicles
            .into_iter()
            .map(|sample| self.vehicle(time_ms, sample))
            .collect();
        self.on_road.retain(|_, driver| driver.step_ms == time_ms);
        Moment {
            time_ms,
            offset_ms: step.offset_ms,
            vehicles,
        }
    }

    fn vehicle(&mut self, time_ms: u64, sample: Sample) -> Vehicle {
        let kind = self.liars.get(&sample.id).copied();
        let driver = match self.on_road.get_mut(&sample.id) {
            Some(driver) => driver,
            None => {
                let receiver = GpsError::new(&mut self.rng);
                let attacker = kind.map(|kind| kind.make(&self.scene, &mut self.rng));
                let new = Driver::new(receiver, attacker);
                self.on_road.entry(sample.id.clone()).or_insert(new)
            }
        };
        driver.step_ms = time_ms;
        if let Some(mut honest) = driver.honest(time_ms, &sample) {
            driver.receiver.apply(&mut honest, &mut self.rng);
            if !self.liars.is_empty() {
                self.scene.observe(&honest);
            }
            let sent = match &mut driver.attacker {
                Some(attacker) => attacker.send(&honest, &self.scene, &mut self.rng),
                None => vec![Sent {
                    beacon: honest,
                    is_false: false,
                }],
            };
            driver.later.extend(sent);
            driver.later.sort_by_key(|sent| sent.beacon.time_ms);
        }
        let end_ms = time_ms + INTERVAL_MS;
        let due = |sent: &Sent| sent.beacon.time_ms < end_ms;
        let due = driver.later.partition_point(due);
        let mut says = Vec::with_capacity(due);
        for mut sent in driver.later.drain(..due) {
            sent.beacon.message = self.messages;
            self.messages += 1;
            if !self.liars.is_empty() {
                self.truth.push(Truth {
                    message: sent.beacon.message,
                    time_ms: sent.beacon.time_ms,
                    vehicle: sample.id.clone(),
                    attack: kind.map_or(Truth::GENUINE, |kind| kind.name).into(),
                    is_false: sent.is_false,
                });
            }
            says.push(sent.beacon);
        }
        Vehicle {
            id: sample.id,
            position: sample.position,
            heard_by: None,
            says,
        }
    }
}

impl Driver {
    fn new(receiver: GpsError, attacker: Option<Box<dyn Attacker>>) -> Self {
        Self {
            receiver,
            attacker,
            said_ms: None,
            before: None,
            later: Vec::new(),
            step_ms: 0,
        }
    }

    /// What it would say without any error, if something is due.
    fn honest(&mut self, time_ms: u64, sample: &Sample) -> Option<Beacon> {
        let motion = self.motion(time_ms, sample);
        self.before = Some(Before {
            time_ms,
            position: sample.position,
            speed: motion.as_ref().map(|motion| motion.speed),
            heading: motion.as_ref().map_or(0.0, |motion| motion.heading),
        });
        let motion = motion?;
        let is_recent = |said_ms| time_ms.saturating_sub(said_ms) < INTERVAL_MS;
        if self.said_ms.is_some_and(is_recent) {
            return None;
        }
        self.said_ms = Some(time_ms);
        Some(Beacon {
            message: 0,
            time_ms,
            sender: sample.id.clone(),
            class: Some(class(sample)),
            position: sample.position,
            velocity: vector(motion.speed, motion.heading),
            acceleration: Some(vector(motion.acceleration, motion.heading)),
            heading: Some(motion.heading),
            heard_by: None,
        })
    }

    fn motion(&self, time_ms: u64, sample: &Sample) -> Option<Motion> {
        let seconds = |before: &Before| time_ms.saturating_sub(before.time_ms) as f64 / 1_000.0;
        let before = self.before.filter(|before| seconds(before) > 0.0);
        let moved = before.map(|before| {
            let position = sample.position;
            let way = [
                position.x - before.position.x,
                position.y - before.position.y,
            ];
            way.map(|part| part / seconds(&before))
        });
        let speed = sample.speed;
        let speed = speed.or(moved.map(|[east, north]| east.hypot(north)))?;
        let turned = moved.filter(|[east, north]| east.hypot(*north) > MIN_HEADING_SPEED);
        let heading = sample
            .angle
            .or(turned.map(compass))
            .or(before.map(|before| before.heading))
            .unwrap_or(0.0);
        let gained = before.and_then(|before| Some((speed - before.speed?) / seconds(&before)));
        let acceleration = sample.acceleration.or(gained).unwrap_or(0.0);
        Some(Motion {
            speed,
            heading,
            acceleration,
        })
    }
}

/// By SUMO's usual names of vehicle types.
fn class(sample: &Sample) -> Class {
    let kind = sample.kind.as_deref().unwrap_or_default().to_lowercase();
    if kind.contains("bus") || kind.contains("coach") {
        Class::Bus
    } else if ["truck", "lkw", "trailer"]
        .iter()
        .any(|name| kind.contains(name))
    {
        Class::Truck
    } else {
        Class::Car
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attackers::attacker;

    fn sample(id: &str, x: f64) -> Sample {
        Sample {
            id: id.into(),
            position: Metres { x, y: 0.0 },
            speed: None,
            angle: None,
            acceleration: None,
            kind: None,
            lane: None,
        }
    }

    fn step(time_ms: u64, vehicles: Vec<Sample>) -> Step {
        Step {
            time_ms,
            offset_ms: time_ms,
            vehicles,
        }
    }

    fn drivers(liars: &[(&str, &str)]) -> Drivers {
        let liars = liars
            .iter()
            .map(|(name, kind)| (Arc::from(*name), attacker(kind).unwrap()));
        let [low, high] = [-1_000.0, 1_000.0].map(|x| Metres { x, y: x });
        Drivers::new(liars.collect(), [low, high], 1)
    }

    #[test]
    fn a_bare_trace_tells_speed_and_heading_by_its_movement() {
        let mut drivers = drivers(&[]);
        // Eastward, from standstill to 4 m/s.
        let mut said = Vec::new();
        for (second, x) in (0u64..).zip([0.0, 0.0, 2.0, 6.0]) {
            let moment = drivers.drive(step(1_000 * second, vec![sample("a", x)]));
            said.push(moment.vehicles[0].says.clone());
        }
        assert!(said[0].is_empty(), "its speed is not known yet");
        let [beacon] = &said[3][..] else {
            panic!("one message a second")
        };
        assert!((beacon.speed() - 4.0).abs() < 0.1, "{}", beacon.speed());
        let acceleration = beacon.forward_acceleration().unwrap();
        assert!((acceleration - 2.0).abs() < 0.3, "{acceleration}");
        assert!(beacon.velocity[0] > 3.0, "east");
        assert!(drivers.into_truth().is_empty(), "nobody lies");
    }

    #[test]
    fn whatever_the_step_a_vehicle_speaks_once_a_second() {
        let mut drivers = drivers(&[]);
        let times: Vec<u64> = (0..40)
            .map(|tenth| 100 * tenth)
            .filter(|time_ms| {
                let moving = Sample {
                    speed: Some(10.0),
                    ..sample("a", *time_ms as f64 / 100.0)
                };
                let moment = drivers.drive(step(*time_ms, vec![moving]));
                !moment.vehicles[0].says.is_empty()
            })
            .collect();
        assert_eq!(times, [0, 1_000, 2_000, 3_000]);
    }

    #[test]
    fn what_a_liar_delays_is_sent_when_it_says() {
        let mut drivers = drivers(&[("a", "timeDelayAttack")]);
        let mut sent = Vec::new();
        for second in 0..10u64 {
            let moving = Sample {
                speed: Some(10.0),
                ..sample("a", 10.0 * second as f64)
            };
            let moment = drivers.drive(step(1_000 * second, vec![moving]));
            for beacon in &moment.vehicles[0].says {
                assert!((second * 1_000..second * 1_000 + 1_000).contains(&beacon.time_ms));
            }
            sent.extend(moment.vehicles[0].says.clone());
        }
        assert!((6..=8).contains(&sent.len()), "{} in time", sent.len());
        let numbers: Vec<u64> = sent.iter().map(|beacon| beacon.message).collect();
        let truth = drivers.into_truth();
        assert!(truth.iter().map(|truth| truth.message).eq(numbers));
        assert!(truth.iter().all(|truth| truth.is_false));
    }
}
