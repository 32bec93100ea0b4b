//! Our own formats: beacons, and the truth about them, as JSON lines.
//!
//! ```json
//! {"sendTime":900.0,"messageID":0,"sender":"bus.1","vclass":"bus","pos":[10.0,20.0],
//!  "spd":[0.0,8.0],"acl":[0.0,0.5],"hed":0.0,"heard_by":["north","south"]}
//! {"messageID":0,"sendTime":900.0,"vehicle":"bus.1","attackName":"Genuine","attack":0}
//! ```
//! (Each on one line.)
//!
//! 1. Beacons come in the order of `sendTime`, in seconds. `vclass`, `acl`, `hed` and `heard_by`
//!    may be missing. A Sybil attacker's ghosts are called `vehicle~k`.
//! 2. Truth names, for each message, the vehicle that sent it, the attack it mounts (`Genuine` if
//!    none), and whether this message is false. A detector never reads it.

use super::{
    Beacon, BeaconsError, BeaconsFault, Class, MAX_HEARERS,
    objects::Objects,
    value::{self, Vector},
};
use serde::Deserialize;
use std::{io::Read, path::Path, sync::Arc};

/// Reads beacons. After an error or the end it yields `None`.
pub struct BeaconReader {
    objects: Objects,
    previous_ms: u64,
}

/// What a message really was.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Number of the message.
    pub message: u64,
    /// When it was sent, in the file's own milliseconds.
    pub time_ms: u64,
    /// The vehicle that sent it.
    pub vehicle: Arc<str>,
    /// The attack that this vehicle mounts; [`Truth::GENUINE`] if none.
    pub attack: Arc<str>,
    /// Whether this message is false. Attackers send true ones, too.
    pub is_false: bool,
}

impl Truth {
    /// The name of no attack.
    pub const GENUINE: &str = "Genuine";

    /// Whether the vehicle mounts no attack.
    pub fn is_honest(&self) -> bool {
        &*self.attack == Self::GENUINE
    }
}

/// Reads the truth about messages. After an error or the end it yields `None`.
pub struct TruthReader {
    objects: Objects,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BeaconLine {
    send_time: f64,
    #[serde(rename = "messageID")]
    message: u64,
    sender: String,
    vclass: Option<Class>,
    pos: Vector,
    spd: Vector,
    acl: Option<Vector>,
    hed: Option<f64>,
    #[serde(rename = "heard_by")]
    heard_by: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TruthLine {
    #[serde(rename = "messageID")]
    message: u64,
    send_time: f64,
    vehicle: String,
    attack_name: String,
    attack: u8,
}

impl BeaconReader {
    /// Opens a file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BeaconsError> {
        Objects::open(path).map(Self::new)
    }

    /// Reads from any input; `file` is its name in errors.
    pub fn from_reader(
        input: impl Read + Send + 'static,
        file: impl Into<String>,
    ) -> Result<Self, BeaconsError> {
        Objects::new(input, file).map(Self::new)
    }

    fn new(objects: Objects) -> Self {
        Self {
            objects,
            previous_ms: 0,
        }
    }
}

impl Iterator for BeaconReader {
    type Item = Result<Beacon, BeaconsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let previous_ms = &mut self.previous_ms;
        self.objects.next("a beacon", |line: BeaconLine| {
            let found_ms = value::seconds(line.send_time, "sendTime")?;
            if found_ms < *previous_ms {
                let previous_ms = *previous_ms;
                return Err(BeaconsFault::TimeGoesBack {
                    previous_ms,
                    found_ms,
                });
            }
            *previous_ms = found_ms;
            Ok(Beacon {
                message: line.message,
                time_ms: found_ms,
                sender: value::text_name(line.sender, "sender")?,
                class: line.vclass,
                position: value::position(line.pos, "pos")?,
                velocity: value::rate(line.spd, "spd")?,
                acceleration: line.acl.map(|acl| value::rate(acl, "acl")).transpose()?,
                heading: line.hed.map(|hed| value::heading(hed, "hed")).transpose()?,
                heard_by: line.heard_by.map(hearers).transpose()?,
            })
        })
    }
}

fn hearers(names: Vec<String>) -> Result<Vec<Arc<str>>, BeaconsFault> {
    if names.len() > MAX_HEARERS {
        return Err(BeaconsFault::TooManyHearers);
    }
    let names = names.into_iter();
    names
        .map(|name| value::text_name(name, "heard_by"))
        .collect()
}

impl TruthReader {
    /// Opens a file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BeaconsError> {
        Objects::open(path).map(|objects| Self { objects })
    }

    /// Reads from any input; `file` is its name in errors.
    pub fn from_reader(
        input: impl Read + Send + 'static,
        file: impl Into<String>,
    ) -> Result<Self, BeaconsError> {
        Objects::new(input, file).map(|objects| Self { objects })
    }
}

impl Iterator for TruthReader {
    type Item = Result<Truth, BeaconsError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.objects
            .next("the truth about a beacon", |line: TruthLine| {
                Ok(Truth {
                    message: line.message,
                    time_ms: value::seconds(line.send_time, "sendTime")?,
                    vehicle: value::text_name(line.vehicle, "vehicle")?,
                    attack: value::text_name(line.attack_name, "attackName")?,
                    is_false: match line.attack {
                        0 => false,
                        1 => true,
                        _ => {
                            return Err(BeaconsFault::BadText {
                                field: "attack",
                                expected: "0 or 1",
                            });
                        }
                    },
                })
            })
    }
}
