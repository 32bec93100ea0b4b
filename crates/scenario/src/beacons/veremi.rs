//! VeReMi (van der Heijden et al., 2018) and VeReMi Extension (Kamel et al., F2MD, 2020).
//!
//! One JSON object per line; `type` tells what it is:
//!
//! | type | what | fields |
//! |---|---|---|
//! | 2 | the receiver's own position | `rcvTime`, `pos`, `spd` |
//! | 3 | a beacon it received | `rcvTime`, `sendTime`, `sender`, `messageID`, `pos`, `spd` |
//! | 4 | a beacon's truth (ground-truth file) | as 3 without `rcvTime` |
//!
//! The Extension adds `senderPseudo`, `acl` and `hed`. Times are seconds; vectors have three
//! numbers, east, north and up; `hed` is a vector, too. The fields that end in `_noise` state an
//! uncertainty and are passed over.
//!
//! Which attack a vehicle mounts stands only in the name of its own log: [`label`].

use super::{
    Beacon, BeaconsError, BeaconsFault, Truth, compass,
    objects::Objects,
    value::{self, Name, Vector},
};
use crate::{
    Metres,
    attackers::{ATTACKERS, Source},
};
use serde::Deserialize;
use std::{io::Read, path::Path, sync::Arc};

/// Reads a log of either data set. After an error or the end it yields `None`.
pub struct VeremiReader {
    objects: Objects,
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq)]
pub enum VeremiRecord {
    /// Where the receiver itself was.
    Own(OwnPosition),
    /// A beacon that it received.
    Received {
        /// When it was received, in milliseconds.
        received_ms: u64,
        /// The vehicle that sent it, for scoring only. The beacon's sender is its pseudonym, if
        /// there is one.
        vehicle: Arc<str>,
        /// What was received.
        beacon: Beacon,
    },
    /// What a beacon should have said.
    Truth {
        /// The vehicle that sent it.
        vehicle: Arc<str>,
        /// What is true.
        beacon: Beacon,
    },
}

/// Where a receiver was by its own reckoning.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnPosition {
    /// When, in milliseconds.
    pub time_ms: u64,
    /// Where.
    pub position: Metres,
    /// Speed to the east and north, in m/s.
    pub velocity: [f64; 2],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    r#type: u8,
    rcv_time: Option<f64>,
    send_time: Option<f64>,
    sender: Option<Name>,
    sender_pseudo: Option<Name>,
    #[serde(rename = "messageID")]
    message: Option<u64>,
    pos: Vector,
    spd: Vector,
    acl: Option<Vector>,
    hed: Option<Vector>,
}

impl VeremiReader {
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

impl Iterator for VeremiReader {
    type Item = Result<VeremiRecord, BeaconsError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.objects.next("a line of VeReMi", record)
    }
}

fn record(line: Line) -> Result<VeremiRecord, BeaconsFault> {
    let received = |time: Option<f64>| value::seconds(need(time, "rcvTime")?, "rcvTime");
    match line.r#type {
        2 => Ok(VeremiRecord::Own(OwnPosition {
            time_ms: received(line.rcv_time)?,
            position: value::position(line.pos, "pos")?,
            velocity: value::rate(line.spd, "spd")?,
        })),
        3 => {
            let received_ms = received(line.rcv_time)?;
            let (vehicle, beacon) = sent(line)?;
            Ok(VeremiRecord::Received {
                received_ms,
                vehicle,
                beacon,
            })
        }
        4 => sent(line).map(|(vehicle, beacon)| VeremiRecord::Truth { vehicle, beacon }),
        _ => Err(BeaconsFault::BadText {
            field: "type",
            expected: "2, 3 or 4",
        }),
    }
}

/// The vehicle and the beacon of a line of type 3 or 4.
fn sent(line: Line) -> Result<(Arc<str>, Beacon), BeaconsFault> {
    let vehicle = value::name(need(line.sender, "sender")?, "sender")?;
    let pseudonym = line.sender_pseudo;
    let heading = line.hed.map(|hed| value::rate(hed, "hed")).transpose()?;
    let beacon = Beacon {
        message: need(line.message, "messageID")?,
        time_ms: value::seconds(need(line.send_time, "sendTime")?, "sendTime")?,
        sender: match pseudonym {
            Some(pseudonym) => value::name(pseudonym, "senderPseudo")?,
            None => vehicle.clone(),
        },
        class: None,
        position: value::position(line.pos, "pos")?,
        velocity: value::rate(line.spd, "spd")?,
        acceleration: line.acl.map(|acl| value::rate(acl, "acl")).transpose()?,
        // Before it has moved, a vehicle of the Extension has no direction.
        heading: heading.filter(|hed| *hed != [0.0; 2]).map(compass),
        heard_by: None,
    };
    Ok((vehicle, beacon))
}

fn need<T>(value: Option<T>, field: &'static str) -> Result<T, BeaconsFault> {
    value.ok_or(BeaconsFault::BadText {
        field,
        expected: "there in a line of this type",
    })
}

/// The number of an attack in a log's name: `…-A<number>…` (0: none).
fn attack_type(file_name: &str) -> Option<u8> {
    file_name.split(['-', '.']).find_map(|part| {
        let number = part.strip_prefix('A')?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| number.parse().ok()).flatten()
    })
}

/// Whose log this is, and the attack that it mounts, from the log's name: `JSONlog-…-<vehicle>-A<number>`
/// (VeReMi) or `traceJSON-<vehicle>-…-A<number>` (Extension). Attacks have F2MD's names; a number that
/// the data set does not define keeps its number.
///
/// ```
/// use cairn_scenario::beacons::label;
/// assert_eq!(label("JSONlog-3-25-A16.json"), Some(("25", "EventualStop".into())));
/// assert_eq!(label("traceJSON-9-7-A16-25200-7.json"), Some(("9", "GridSybil".into())));
/// assert_eq!(label("traceJSON-9-7-A0-25200-7.json"), Some(("9", "Genuine".into())));
/// assert_eq!(label("GroundTruthJSONlog.json"), None);
/// ```
pub fn label(file_name: &str) -> Option<(&str, String)> {
    let number = attack_type(file_name)?;
    let mut parts = file_name.split('-');
    let (vehicle, known) = match parts.next()? {
        "JSONlog" => (parts.nth(1)?, first_veremi(number)),
        "traceJSON" => (parts.next()?, extension(number)),
        _ => return None,
    };
    let attack = match number {
        0 => Truth::GENUINE.into(),
        _ => known.map_or_else(|| format!("A{number}"), str::to_owned),
    };
    Some((vehicle, attack))
}

/// The attacks of the first data set are numbered otherwise than F2MD's.
fn first_veremi(number: u8) -> Option<&'static str> {
    match number {
        1 => Some("ConstPos"),
        2 => Some("ConstPosOffset"),
        4 => Some("RandomPos"),
        8 => Some("RandomPosOffset"),
        16 => Some("EventualStop"),
        _ => None,
    }
}

fn extension(number: u8) -> Option<&'static str> {
    let kind = ATTACKERS
        .iter()
        .find(|kind| kind.source == Source::F2md(number));
    kind.map(|kind| kind.name)
}
