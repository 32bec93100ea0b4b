//! What one receiver heard, in any of the formats that researchers and test beds write.
//!
//! 1. The first record tells the format: it has `type` (VeReMi), `sender_alias` (VeReMi NextGen)
//!    or `metadata` (BSMs of the ODE).
//! 2. A VeReMi receiver is where its last line of type 2 says, one of NextGen where each record says.
//!    The ODE does not say where its unit was; its messages are laid on a plane that touches at the
//!    first of them, and those without speed or heading are passed over.
//! 3. Lines of VeReMi's ground truth were sent, not received, and are passed over.

use super::{
    Beacon, BeaconsError, BeaconsFault, BsmReader, NextGenReader, VeremiReader, VeremiRecord,
    objects::Objects,
};
use crate::{Metres, Projection};
use serde_json::{Map, Value};
use std::{path::Path, sync::Arc};

/// A beacon as it was received.
#[derive(Clone, Debug, PartialEq)]
pub struct Reception {
    /// When, in milliseconds.
    pub received_ms: u64,
    /// Where the receiver was, if the log says so.
    pub receiver: Option<Metres>,
    /// The vehicle that sent it, for scoring only.
    pub vehicle: Arc<str>,
    /// Whether it is false, for scoring only, if each record says so.
    pub is_false: Option<bool>,
    /// What was received.
    pub beacon: Beacon,
}

/// Reads a log. After an error or the end it yields `None`.
pub struct Log(Format);

enum Format {
    Veremi(VeremiReader, Option<Metres>),
    NextGen(NextGenReader),
    Bsm(BsmReader, Option<Projection>),
}

impl Log {
    /// Opens a file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BeaconsError> {
        let path = path.as_ref();
        let first = Objects::open(path)?.next("a log", |fields: Map<String, Value>| {
            ["type", "sender_alias", "metadata"]
                .into_iter()
                .find(|name| fields.contains_key(*name))
                .ok_or(BeaconsFault::BadText {
                    field: "the first record",
                    expected: "one with type (VeReMi), sender_alias (VeReMi NextGen) or metadata (ODE)",
                })
        });
        Ok(Self(match first.transpose()? {
            Some("sender_alias") => Format::NextGen(NextGenReader::open(path)?),
            Some("metadata") => Format::Bsm(BsmReader::open(path)?, None),
            // An empty array is a log of any format.
            _ => Format::Veremi(VeremiReader::open(path)?, None),
        }))
    }
}

impl Iterator for Log {
    type Item = Result<Reception, BeaconsError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Format::Veremi(records, receiver) => veremi(records, receiver),
            Format::NextGen(records) => records.next().map(|record| {
                record.map(|record| Reception {
                    received_ms: record.received_ms,
                    receiver: Some(record.receiver),
                    vehicle: record.vehicle,
                    is_false: Some(record.is_false),
                    beacon: record.beacon,
                })
            }),
            Format::Bsm(records, plane) => bsm(records, plane),
        }
    }
}

fn veremi(
    records: &mut VeremiReader,
    receiver: &mut Option<Metres>,
) -> Option<Result<Reception, BeaconsError>> {
    loop {
        return match records.next()? {
            Ok(VeremiRecord::Own(own)) => {
                *receiver = Some(own.position);
                continue;
            }
            Ok(VeremiRecord::Truth { .. }) => continue,
            Ok(VeremiRecord::Received {
                received_ms,
                vehicle,
                beacon,
            }) => Some(Ok(Reception {
                received_ms,
                receiver: *receiver,
                vehicle,
                is_false: None,
                beacon,
            })),
            Err(error) => Some(Err(error)),
        };
    }
}

fn bsm(
    records: &mut BsmReader,
    plane: &mut Option<Projection>,
) -> Option<Result<Reception, BeaconsError>> {
    loop {
        let message = match records.next()? {
            Ok(message) => message,
            Err(error) => return Some(Err(error)),
        };
        if plane.is_none() {
            *plane = Projection::around(message.longitude, message.latitude);
        }
        let Some(beacon) = plane.as_ref().and_then(|plane| message.beacon(plane)) else {
            continue;
        };
        return Some(Ok(Reception {
            received_ms: beacon.time_ms,
            receiver: None,
            vehicle: beacon.sender.clone(),
            is_false: None,
            beacon,
        }));
    }
}
