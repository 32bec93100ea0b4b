//! VeReMi NextGen (2026): an array of the beacons that one vehicle received.
//!
//! Its documentation spells times both as real seconds and as integer nanoseconds, and positions
//! both as an array and as `"x,y,z"`; each is read. Speed and acceleration are single numbers
//! along the heading, which is in degrees clockwise from north.

use super::{
    Beacon, BeaconsError, BeaconsFault,
    objects::Objects,
    value::{self, Name, Vector},
    vector,
};
use crate::{MAX_RATE, Metres};
use serde::Deserialize;
use serde_json::Number;
use std::{io::Read, path::Path, sync::Arc};

/// Reads a log. After an error or the end it yields `None`.
pub struct NextGenReader {
    objects: Objects,
}

/// A beacon that was received.
#[derive(Clone, Debug, PartialEq)]
pub struct NextGenRecord {
    /// When it was received, in milliseconds.
    pub received_ms: u64,
    /// Where the receiver was.
    pub receiver: Metres,
    /// The vehicle that sent it, for scoring only. The beacon's sender is its alias.
    pub vehicle: Arc<str>,
    /// Whether the beacon is false, for scoring only.
    pub is_false: bool,
    /// What was received.
    pub beacon: Beacon,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "rcvTime")]
    rcv_time: Number,
    #[serde(rename = "sendTime")]
    send_time: Number,
    sender_id: Name,
    sender_alias: Name,
    #[serde(rename = "messageID")]
    message: u64,
    attacker: u8,
    receiver: Receiver,
    sender: Sender,
}

#[derive(Deserialize)]
struct Receiver {
    pos: Vector,
}

#[derive(Deserialize)]
struct Sender {
    pos: Vector,
    spd: f64,
    acl: f64,
    hed: f64,
}

impl NextGenReader {
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

impl Iterator for NextGenReader {
    type Item = Result<NextGenRecord, BeaconsError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.objects.next("a record of VeReMi NextGen", record)
    }
}

fn record(line: Line) -> Result<NextGenRecord, BeaconsFault> {
    let sender = line.sender;
    let heading = value::heading(sender.hed, "hed")?;
    let speed = value::number(sender.spd, "spd", MAX_RATE)?;
    let acceleration = value::number(sender.acl, "acl", MAX_RATE)?;
    Ok(NextGenRecord {
        received_ms: value::seconds_or_nanoseconds(&line.rcv_time, "rcvTime")?,
        receiver: value::position(line.receiver.pos, "pos")?,
        vehicle: value::name(line.sender_id, "sender_id")?,
        is_false: match line.attacker {
            0 => false,
            1 => true,
            _ => {
                return Err(BeaconsFault::BadText {
                    field: "attacker",
                    expected: "0 or 1",
                });
            }
        },
        beacon: Beacon {
            message: line.message,
            time_ms: value::seconds_or_nanoseconds(&line.send_time, "sendTime")?,
            sender: value::name(line.sender_alias, "sender_alias")?,
            class: None,
            position: value::position(sender.pos, "pos")?,
            velocity: vector(speed, heading),
            acceleration: Some(vector(acceleration, heading)),
            heading: Some(heading),
            heard_by: None,
        },
    })
}
