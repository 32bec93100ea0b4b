//! Basic safety messages (SAE J2735) as the USDOT Operational Data Environment writes them.
//!
//! One JSON object per message. Read are `metadata.recordGeneratedAt` and, of
//! `payload.data.coreData`, `msgCnt`, `id`, `secMark`, `position`, `accelSet.accelLong`, `speed`
//! and `heading`. `id` is temporary: it changes every few minutes, and with it the sender's name.
//!
//! The message's own time is `secMark`, milliseconds within a minute; which minute, says
//! `recordGeneratedAt`, the logging unit's clock, to which the nearest such time is taken.

use super::{Beacon, BeaconsError, BeaconsFault, objects::Objects, value, vector};
use crate::{MAX_LATITUDE_DEG, MAX_RATE, MAX_TIME_MS, Projection};
use serde::Deserialize;
use std::{io::Read, path::Path, sync::Arc};

const MINUTE_MS: u64 = 60_000;

/// The largest `secMark` that is a time; J2735 allows for a leap second.
const MAX_SEC_MARK: u16 = 60_999;

/// The `secMark` that means unavailable.
const NO_SEC_MARK: u16 = 65_535;

/// Reads a log. After an error or the end it yields `None`.
pub struct BsmReader {
    objects: Objects,
    next_message: u64,
}

/// A basic safety message.
#[derive(Clone, Debug, PartialEq)]
pub struct Bsm {
    /// Which object of the file it is, from 0: the messages have no number of their own.
    pub message: u64,
    /// When it was sent, in milliseconds since 1970.
    pub time_ms: u64,
    /// The sender's temporary id.
    pub sender: Arc<str>,
    /// The sender's count of messages, 0 to 127.
    pub count: u8,
    /// Longitude in degrees, WGS 84.
    pub longitude: f64,
    /// Latitude in degrees, WGS 84.
    pub latitude: f64,
    /// Speed in m/s, if known.
    pub speed: Option<f64>,
    /// Heading in degrees clockwise from north, if known.
    pub heading: Option<f64>,
    /// Acceleration along the heading in m/s², if known.
    pub acceleration: Option<f64>,
}

impl Bsm {
    /// The message on a local plane; `None` if it is too far from the plane's origin, or does not
    /// say how fast and whither.
    pub fn beacon(&self, plane: &Projection) -> Option<Beacon> {
        let heading = self.heading?;
        Some(Beacon {
            message: self.message,
            time_ms: self.time_ms,
            sender: self.sender.clone(),
            class: None,
            position: plane.project(self.longitude, self.latitude)?,
            velocity: vector(self.speed?, heading),
            acceleration: self.acceleration.map(|along| vector(along, heading)),
            heading: Some(heading),
            heard_by: None,
        })
    }
}

#[derive(Deserialize)]
struct Message {
    metadata: Metadata,
    payload: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    record_generated_at: String,
}

#[derive(Deserialize)]
struct Payload {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    core_data: Core,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Core {
    msg_cnt: u8,
    id: String,
    sec_mark: u16,
    position: Position,
    accel_set: Option<Acceleration>,
    speed: Option<f64>,
    heading: Option<f64>,
}

#[derive(Deserialize)]
struct Position {
    latitude: f64,
    longitude: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Acceleration {
    accel_long: Option<f64>,
}

impl BsmReader {
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
            next_message: 0,
        }
    }
}

impl Iterator for BsmReader {
    type Item = Result<Bsm, BeaconsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let message = self.next_message;
        self.next_message += 1;
        let check = |found: Message| {
            let core = found.payload.data.core_data;
            let rate = |rate: Option<f64>, field| {
                rate.map(|rate| value::number(rate, field, MAX_RATE))
                    .transpose()
            };
            Ok(Bsm {
                message,
                time_ms: sent_ms(&found.metadata.record_generated_at, core.sec_mark)?,
                sender: value::text_name(core.id, "id")?,
                count: core.msg_cnt,
                longitude: value::number(core.position.longitude, "longitude", 180.0)?,
                latitude: value::number(core.position.latitude, "latitude", MAX_LATITUDE_DEG)?,
                speed: rate(core.speed, "speed")?,
                heading: core
                    .heading
                    .map(|heading| value::heading(heading, "heading"))
                    .transpose()?,
                acceleration: rate(core.accel_set.and_then(|set| set.accel_long), "accelLong")?,
            })
        };
        self.objects.next("a BSM of the ODE", check)
    }
}

/// The time that is `mark` into its minute and nearest to when the record was made.
fn sent_ms(generated_at: &str, mark: u16) -> Result<u64, BeaconsFault> {
    let generated_ms = timestamp(generated_at).ok_or(BeaconsFault::BadText {
        field: "recordGeneratedAt",
        expected: "a UTC time like 2018-05-01T15:55:55.494Z",
    })?;
    match mark {
        NO_SEC_MARK => Ok(generated_ms),
        0..=MAX_SEC_MARK => {
            let minute = generated_ms - generated_ms % MINUTE_MS;
            let mark = u64::from(mark);
            let nearest = [
                minute.checked_sub(MINUTE_MS),
                Some(minute),
                Some(minute + MINUTE_MS),
            ];
            let times = nearest.into_iter().flatten().map(|minute| minute + mark);
            let nearest = times.min_by_key(|time| time.abs_diff(generated_ms));
            Ok(nearest.unwrap_or(generated_ms))
        }
        _ => Err(BeaconsFault::BadText {
            field: "secMark",
            expected: "0 to 60999, or 65535 for unavailable",
        }),
    }
}

/// Milliseconds since 1970 of `YYYY-MM-DDThh:mm:ss[.fraction]Z`.
fn timestamp(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = fields(time, ':', [2, 2, 2])?;
    let is_digits =
        (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let february = 28 + u64::from(is_leap(year));
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month_index = usize::try_from(month).ok()?.checked_sub(1)?;
    let is_valid = is_digits
        && year >= 1970
        && months
            .get(month_index)
            .is_some_and(|&days| (1..=days).contains(&day))
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_valid {
        return None;
    }
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    let days = years + months[..month_index].iter().sum::<u64>() + day - 1;
    let thousandths = fraction.bytes().chain([b'0'; 3]).take(3);
    let ms = thousandths.fold(0, |ms, digit| ms * 10 + u64::from(digit - b'0'));
    let ms = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + ms;
    (ms <= MAX_TIME_MS).then_some(ms)
}

/// Three numbers of so many digits each.
fn fields(text: &str, separator: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_milliseconds_since_1970() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T00:00:00.000Z", 951_782_400_000),
            ("2018-05-01T15:55:55.494Z", 1_525_190_155_494),
            ("2018-05-01T15:55:55.494999999Z", 1_525_190_155_494),
            ("2100-03-01T00:00:00.5Z", 4_107_542_400_500),
        ] {
            assert_eq!(timestamp(text), Some(ms), "{text}");
        }
        for text in [
            "",
            "2018-05-01",
            "2018-05-01T15:55:55.494",
            "2018-02-29T00:00:00Z",
            "2018-00-01T00:00:00Z",
            "2018-13-01T00:00:00Z",
            "2018-05-01T24:00:00Z",
            "1969-12-31T23:59:59Z",
            "2018-05-01T15:55:55.Z",
            "9999-01-01T00:00:00Z",
            "+018-05-01T00:00:00Z",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn the_minute_is_the_nearest() {
        let at = |text, mark| sent_ms(text, mark).ok();
        let minute = timestamp("2018-05-01T16:04:00Z").unwrap();
        assert_eq!(
            at("2018-05-01T16:04:23.694Z", 23_794),
            Some(minute + 23_794)
        );
        assert_eq!(at("2018-05-01T16:04:00.010Z", 59_990), Some(minute - 10));
        assert_eq!(at("2018-05-01T16:03:59.990Z", 20), Some(minute + 20));
        assert_eq!(at("2018-05-01T16:04:00.010Z", 65_535), Some(minute + 10));
        assert_eq!(at("2018-05-01T16:04:00.010Z", 61_000), None);
        assert_eq!(at("1970-01-01T00:00:00Z", 5), Some(5));
    }
}
