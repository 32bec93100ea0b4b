//! Values of the fields: from JSON to checked numbers, times and names.

use super::{BeaconsFault, turned};
use crate::{MAX_COORDINATE_M, MAX_NAME_BYTES, MAX_RATE, MAX_TIME_MS, Metres};
use serde::Deserialize;
use serde_json::Number;
use std::sync::Arc;

/// Most sites that hear one beacon: far more than stand within range of any point.
pub const MAX_HEARERS: usize = 1_024;

/// Largest magnitude of an angle as read, in degrees; both usual ranges lie within.
const MAX_ANGLE_DEG: f64 = 360.0;

/// A name or a number that serves as one.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Name {
    Number(u64),
    Text(String),
}

/// Two or three numbers, as an array or as text with commas.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Vector {
    Array(Vec<f64>),
    Text(String),
}

pub(super) fn name(name: Name, field: &'static str) -> Result<Arc<str>, BeaconsFault> {
    match name {
        Name::Number(number) => Ok(number.to_string().into()),
        Name::Text(text) => text_name(text, field),
    }
}

pub(super) fn text_name(text: String, field: &'static str) -> Result<Arc<str>, BeaconsFault> {
    let is_name = (1..=MAX_NAME_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
    is_name
        .then(|| text.into())
        .ok_or(BeaconsFault::BadName { field })
}

/// The east and north of two or three numbers, within ±`limit`.
pub(super) fn plane(
    vector: Vector,
    field: &'static str,
    limit: f64,
) -> Result<[f64; 2], BeaconsFault> {
    let bad = || BeaconsFault::BadText {
        field,
        expected: "two or three numbers",
    };
    let numbers = match vector {
        Vector::Array(numbers) => numbers,
        Vector::Text(text) => text
            .splitn(4, ',')
            .map(|part| part.trim().parse().map_err(|_| bad()))
            .collect::<Result<_, _>>()?,
    };
    match numbers[..] {
        [east, north] | [east, north, _] => {
            Ok([number(east, field, limit)?, number(north, field, limit)?])
        }
        _ => Err(bad()),
    }
}

pub(super) fn position(vector: Vector, field: &'static str) -> Result<Metres, BeaconsFault> {
    plane(vector, field, MAX_COORDINATE_M).map(|[x, y]| Metres { x, y })
}

/// A velocity or acceleration.
pub(super) fn rate(vector: Vector, field: &'static str) -> Result<[f64; 2], BeaconsFault> {
    plane(vector, field, MAX_RATE)
}

/// A finite number within ±`limit`.
pub(super) fn number(found: f64, field: &'static str, limit: f64) -> Result<f64, BeaconsFault> {
    // Written so that it holds for what is no number, too.
    if found.abs() <= limit {
        Ok(found)
    } else {
        Err(BeaconsFault::OutOfRange { field, limit })
    }
}

/// A heading in degrees, as 0 to below 360.
pub(super) fn heading(found: f64, field: &'static str) -> Result<f64, BeaconsFault> {
    number(found, field, MAX_ANGLE_DEG).map(|degrees| turned(degrees, 0.0))
}

/// Seconds, as milliseconds, rounded to the nearest.
pub(super) fn seconds(found: f64, field: &'static str) -> Result<u64, BeaconsFault> {
    let ms = (found * 1_000.0).round();
    if (0.0..=MAX_TIME_MS as f64).contains(&ms) {
        Ok(ms as u64)
    } else {
        Err(BeaconsFault::BadTime { field })
    }
}

/// A time in VeReMi NextGen's two spellings: an integer is nanoseconds, a real number seconds.
pub(super) fn seconds_or_nanoseconds(
    found: &Number,
    field: &'static str,
) -> Result<u64, BeaconsFault> {
    const NS_PER_MS: u64 = 1_000_000;
    let bad = BeaconsFault::BadTime { field };
    match (found.as_u64(), found.as_f64()) {
        (Some(ns), _) => {
            let ms = ns / NS_PER_MS + u64::from(ns % NS_PER_MS >= NS_PER_MS / 2);
            (ms <= MAX_TIME_MS).then_some(ms).ok_or(bad)
        }
        (None, Some(real)) => seconds(real, field),
        (None, None) => Err(bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Option<u64> {
        seconds_or_nanoseconds(&serde_json::from_str(text).unwrap(), "t").ok()
    }

    #[test]
    fn both_spellings_of_a_time_are_one_time() {
        assert_eq!(time("25200.25"), Some(25_200_250));
        assert_eq!(time("25200250000000"), Some(25_200_250));
        assert_eq!(time("2.52e4"), Some(25_200_000));
        assert_eq!(time("499999"), Some(0));
        assert_eq!(time("500000"), Some(1));
        assert_eq!(time("-1"), None);
        assert_eq!(time("1e300"), None);
        // The largest count of nanoseconds is five hundred years and fits.
        assert_eq!(time("18446744073709551615"), Some(18_446_744_073_710));
        assert_eq!(time("18446744073709551616"), None);
    }

    #[test]
    fn both_spellings_of_a_position_are_one_position() {
        let read = |text: &str| position(serde_json::from_str(text).unwrap(), "pos").ok();
        let expected = Some(Metres { x: 1.5, y: -2.0 });
        assert_eq!(read("[1.5,-2.0,0.0]"), expected);
        assert_eq!(read("[1.5,-2.0]"), expected);
        assert_eq!(read("\"1.5,-2.0,0.0\""), expected);
        assert_eq!(read("\" 1.5 , -2 \""), expected);
        for bad in [
            "[]",
            "[1]",
            "[1,2,3,4]",
            "\"1,2,3,4\"",
            "\"1,2,3,4,5\"",
            "\"1;2\"",
            "\"nan,1\"",
            "\"inf,1\"",
            "[3e7,0]",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_are_short_and_printable() {
        let text = |text: &str| text_name(text.into(), "sender").is_ok();
        assert!(text("bus.1~2"));
        assert!(text(&"x".repeat(MAX_NAME_BYTES)));
        assert!(!text(""));
        assert!(!text("a\nb"));
        assert!(!text(&"x".repeat(MAX_NAME_BYTES + 1)));
    }
}
