//! What happens on the road, as files (JSON).
//!
//! ```json
//! { "title": "…", "duration_s": 60, "limit_m_s": 22.2, "column": 4, "sight_m": 300,
//!   "events": [ { "kind": "obstacle", "at_s": 12, "until_s": 40, "position_m": 800 } ],
//!   "expect": { "collisions_at_most": 0, "course": ["safe", "steady", "safe"] } }
//! ```
//!
//! Every class has a lane of its own on the same road, with a column of vehicles that begin at
//! [`START_M`] with the time gap that their drivers like.

use cairn_contracts::danger::{Road, State, Weather};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where the first vehicle of each column begins, in metres along the road.
pub const START_M: f64 = 500.0;

/// The longest run, in seconds: at ten steps a second, some thousand points for a plot.
pub const MAX_DURATION_S: f64 = 600.0;

/// The most vehicles of a column: 500 m of queue behind [`START_M`] and a bit.
pub const MAX_COLUMN: usize = 8;

/// The most events of a scenario.
pub const MAX_EVENTS: usize = 32;

/// The largest scenario file, in bytes.
pub const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The furthest place on the road, in metres.
const MAX_ROAD_M: f64 = 50_000.0;

/// The scenarios that come with the program: name and content.
const BUILT_IN: [(&str, &str); 5] = [
    (
        "network-attack",
        include_str!("../../../scenarios/drive/network-attack.json"),
    ),
    (
        "obstacle",
        include_str!("../../../scenarios/drive/obstacle.json"),
    ),
    ("ice", include_str!("../../../scenarios/drive/ice.json")),
    ("fog", include_str!("../../../scenarios/drive/fog.json")),
    (
        "combined",
        include_str!("../../../scenarios/drive/combined.json"),
    ),
];

/// Why a scenario cannot be used. Its author is at fault.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// No JSON of this shape.
    #[error("scenario {0}: {1}")]
    Format(String, serde_json::Error),
    /// A value out of bounds.
    #[error("scenario {name}: {field} is {found}, expected {expected}")]
    Bounds {
        /// Which scenario.
        name: String,
        /// Which value.
        field: &'static str,
        /// What it is.
        found: f64,
        /// What it may be.
        expected: &'static str,
    },
}

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name: that of the file, without ending.
    #[serde(skip)]
    pub name: String,
    /// For people.
    pub title: String,
    /// How long it lasts, in seconds.
    pub duration_s: f64,
    /// Speed limit in m/s.
    pub limit_m_s: f64,
    /// Vehicles of each class.
    pub column: usize,
    /// How far the road lets see, in metres: bends, crests.
    pub sight_m: f64,
    /// Weather at the beginning.
    #[serde(default = "clear")]
    pub weather: WeatherName,
    /// How long what happens on the road stays unknown to the network, in seconds.
    pub noticed_s: f64,
    /// The way from a report to the command, in seconds.
    pub delay_s: f64,
    /// What happens.
    pub events: Vec<Event>,
    /// What is expected.
    pub expect: Expect,
}

fn clear() -> WeatherName {
    WeatherName::Clear
}

/// Something happens. Times in seconds, places in metres along the road.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// Something stands in every lane.
    Obstacle {
        /// From when on.
        at_s: f64,
        /// Until when; without it, for good.
        until_s: Option<f64>,
        /// Where its near end is.
        position_m: f64,
    },
    /// A stretch of the road is slippery.
    Surface {
        /// From when on.
        at_s: f64,
        /// What lies there.
        road: RoadName,
        /// Where it begins.
        from_m: f64,
        /// Where it ends.
        to_m: f64,
    },
    /// The weather changes.
    Weather {
        /// From when on.
        at_s: f64,
        /// To what.
        weather: WeatherName,
    },
    /// Validators contradict themselves and their certificates.
    Attack {
        /// From when on.
        at_s: f64,
        /// How many of four; one is tolerated, two raise the network alarm.
        liars: usize,
    },
    /// Somebody with a stolen key of an RSU tells every vehicle of an obstacle that is not there.
    StolenKey {
        /// From when on.
        at_s: f64,
        /// Until when.
        until_s: f64,
        /// How far ahead of each vehicle it is said to be, in metres.
        claimed_m: f64,
    },
}

/// [`Weather`], in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeatherName {
    /// See [`Weather::Clear`].
    Clear,
    /// See [`Weather::Rain`].
    Rain,
    /// See [`Weather::Fog`].
    Fog,
    /// See [`Weather::Snow`].
    Snow,
}

/// [`Road`], in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoadName {
    /// See [`Road::Dry`].
    Dry,
    /// See [`Road::Wet`].
    Wet,
    /// See [`Road::Snowy`].
    Snowy,
    /// See [`Road::Icy`].
    Icy,
}

/// State of a vehicle, in files and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateName {
    /// See [`State::Safe`].
    Safe,
    /// See [`State::Steady`].
    Steady,
    /// See [`State::Dangerous`].
    Dangerous,
    /// The network alarm is raised.
    NetworkAttack,
}

impl From<State> for StateName {
    fn from(state: State) -> Self {
        match state {
            State::Safe => Self::Safe,
            State::Steady => Self::Steady,
            State::Dangerous => Self::Dangerous,
        }
    }
}

impl From<WeatherName> for Weather {
    fn from(name: WeatherName) -> Self {
        match name {
            WeatherName::Clear => Self::Clear,
            WeatherName::Rain => Self::Rain,
            WeatherName::Fog => Self::Fog,
            WeatherName::Snow => Self::Snow,
        }
    }
}

impl From<RoadName> for Road {
    fn from(name: RoadName) -> Self {
        match name {
            RoadName::Dry => Self::Dry,
            RoadName::Wet => Self::Wet,
            RoadName::Snowy => Self::Snowy,
            RoadName::Icy => Self::Icy,
        }
    }
}

/// What is expected of a run with the system; what is left out is not checked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Collisions with the system.
    pub collisions_at_most: Option<usize>,
    /// Brakings above 4 m/s² with the system, over all vehicles.
    pub hard_brakings_at_most: Option<usize>,
    /// Every class's first vehicle passes through these states, in this order; others may lie
    /// between them.
    pub course: Vec<StateName>,
    /// Every class's first vehicle comes to a standstill, cars first, buses last.
    pub standstill_in_order: bool,
    /// Every class's first vehicle is at this share of the limit again at the end.
    pub speed_at_end: Option<f64>,
    /// Every piece of false advice is refused by the vehicles.
    pub false_advice_refused: bool,
}

impl Scenario {
    /// The names of those that come with the program.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        BUILT_IN.iter().map(|(name, _)| *name).collect()
    }

    /// The one of this name that comes with the program.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(name, text).expect("built-in scenarios are tested"))
    }

    /// Reads a scenario and checks its bounds.
    ///
    /// # Errors
    ///
    /// [`ScenarioError`].
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let format = |error| ScenarioError::Format(name.to_owned(), error);
        let mut scenario: Self = serde_json::from_str(text).map_err(format)?;
        name.clone_into(&mut scenario.name);
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), ScenarioError> {
        let within = |field, found: f64, low: f64, high: f64, expected| {
            if (low..=high).contains(&found) {
                return Ok(());
            }
            Err(ScenarioError::Bounds {
                name: self.name.clone(),
                field,
                found,
                expected,
            })
        };
        let time = |field, at_s| within(field, at_s, 0.0, MAX_DURATION_S, "0 to 600 s");
        let place = |field, at_m| within(field, at_m, 0.0, MAX_ROAD_M, "0 to 50,000 m");
        time("duration_s", self.duration_s)?;
        within("limit_m_s", self.limit_m_s, 1.0, 60.0, "1 to 60 m/s")?;
        within(
            "column",
            self.column as f64,
            1.0,
            MAX_COLUMN as f64,
            "1 to 8",
        )?;
        within("sight_m", self.sight_m, 10.0, 10_000.0, "10 to 10,000 m")?;
        within("noticed_s", self.noticed_s, 0.0, 60.0, "0 to 60 s")?;
        within("delay_s", self.delay_s, 0.0, 10.0, "0 to 10 s")?;
        let events = self.events.len() as f64;
        within(
            "number of events",
            events,
            0.0,
            MAX_EVENTS as f64,
            "at most 32",
        )?;
        for event in &self.events {
            match event {
                Event::Obstacle {
                    at_s,
                    until_s,
                    position_m,
                } => {
                    time("at_s", *at_s)?;
                    time("until_s", until_s.unwrap_or(0.0))?;
                    place("position_m", *position_m)?;
                }
                Event::Surface {
                    at_s, from_m, to_m, ..
                } => {
                    time("at_s", *at_s)?;
                    place("from_m", *from_m)?;
                    place("to_m", *to_m)?;
                }
                Event::Weather { at_s, .. } => time("at_s", *at_s)?,
                Event::Attack { at_s, liars } => {
                    time("at_s", *at_s)?;
                    within("liars", *liars as f64, 0.0, 4.0, "0 to 4")?;
                }
                Event::StolenKey {
                    at_s,
                    until_s,
                    claimed_m,
                } => {
                    time("at_s", *at_s)?;
                    time("until_s", *until_s)?;
                    within("claimed_m", *claimed_m, 1.0, 6_000.0, "1 to 6,000 m")?;
                }
            }
        }
        Ok(())
    }

    /// The weather at this time.
    #[must_use]
    pub fn weather_at(&self, now_s: f64) -> Weather {
        let changes = self.events.iter().filter_map(|event| match event {
            Event::Weather { at_s, weather } if *at_s <= now_s => Some((*at_s, *weather)),
            _ => None,
        });
        let last = changes.max_by(|a, b| a.0.total_cmp(&b.0));
        last.map_or(self.weather, |(_, weather)| weather).into()
    }

    /// The most slippery surface between two places at this time.
    #[must_use]
    pub fn road_between(&self, from: f64, to: f64, now_s: f64) -> Road {
        let surfaces = self.events.iter().filter_map(|event| match event {
            Event::Surface {
                at_s,
                road,
                from_m,
                to_m,
            } if *at_s <= now_s && *from_m <= to && from <= *to_m => Some(Road::from(*road)),
            _ => None,
        });
        surfaces.max().unwrap_or(Road::Dry)
    }

    /// The nearest obstacle from `place` on that has stood for `age_s` at this time.
    #[must_use]
    pub fn obstacle_ahead(&self, place: f64, now_s: f64, age_s: f64) -> Option<f64> {
        let obstacles = self.events.iter().filter_map(|event| match event {
            Event::Obstacle {
                at_s,
                until_s,
                position_m,
            } => {
                let stands = *at_s + age_s <= now_s && until_s.is_none_or(|until| now_s < until);
                (stands && *position_m >= place).then_some(*position_m)
            }
            _ => None,
        });
        obstacles.min_by(f64::total_cmp)
    }

    /// Lying validators at this time.
    #[must_use]
    pub fn liars_at(&self, now_s: f64) -> usize {
        let attacks = self.events.iter().map(|event| match event {
            Event::Attack { at_s, liars } if *at_s <= now_s => *liars,
            _ => 0,
        });
        attacks.max().unwrap_or(0)
    }

    /// How far ahead the holder of a stolen key claims an obstacle at this time.
    #[must_use]
    pub fn claimed_at(&self, now_s: f64) -> Option<f64> {
        self.events.iter().find_map(|event| match event {
            Event::StolenKey {
                at_s,
                until_s,
                claimed_m,
            } if (*at_s..*until_s).contains(&now_s) => Some(*claimed_m),
            _ => None,
        })
    }

    /// What happens when, for people.
    #[must_use]
    pub fn marks(&self) -> Vec<(f64, &'static str)> {
        let mut marks: Vec<(f64, &'static str)> = Vec::new();
        for event in &self.events {
            match event {
                Event::Obstacle { at_s, until_s, .. } => {
                    marks.push((*at_s, "obstacle"));
                    marks.extend(until_s.map(|until_s| (until_s, "cleared")));
                }
                Event::Surface { at_s, road, .. } => marks.push((
                    *at_s,
                    match road {
                        RoadName::Dry => "dry",
                        RoadName::Wet => "wet ahead",
                        RoadName::Snowy => "snow ahead",
                        RoadName::Icy => "ice ahead",
                    },
                )),
                Event::Weather { at_s, weather } => marks.push((
                    *at_s,
                    match weather {
                        WeatherName::Clear => "clears up",
                        WeatherName::Rain => "rain",
                        WeatherName::Fog => "fog",
                        WeatherName::Snow => "snow",
                    },
                )),
                Event::Attack { at_s, .. } => marks.push((*at_s, "validators lie")),
                Event::StolenKey { at_s, until_s, .. } => {
                    marks.push((*at_s, "false commands"));
                    marks.push((*until_s, "they end"));
                }
            }
        }
        marks.retain(|(at_s, _)| *at_s > 0.0 && *at_s <= self.duration_s);
        marks.sort_by(|a, b| a.0.total_cmp(&b.0));
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_scenarios_parse_and_are_found_by_name() {
        for name in Scenario::names() {
            assert_eq!(Scenario::built_in(name).unwrap().name, name);
        }
        assert!(Scenario::built_in("flood").is_none());
    }

    #[test]
    fn values_out_of_bounds_and_unknown_fields_are_named() {
        let (_, text) = BUILT_IN[1];
        let slow = text.replacen("\"duration_s\"", "\"duration\"", 1);
        let error = Scenario::parse("mine", &slow).unwrap_err().to_string();
        assert!(error.contains("duration"), "{error}");
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let mut wild = value.clone();
        wild["column"] = 9.into();
        let error = Scenario::parse("mine", &wild.to_string()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "scenario mine: column is 9, expected 1 to 8"
        );
    }
}
