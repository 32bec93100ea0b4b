//! Sensor rows to feed a factory with: recorded ones, or made ones where there are none.

use std::{fs, io, path::Path};

/// One row: when (milliseconds since 1970), and what the sensor said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// When.
    pub time_ms: u64,
    /// In the sensor's own unit.
    pub value: f64,
}

/// Reads at most `most` rows of a CSV file with the columns `timestamp` (`YYYY-MM-DD HH:MM:SS`, UTC) and
/// `value`. Rows whose time is not later than the one before are passed over: a device has one
/// reading at a time.
///
/// # Errors
///
/// When the file cannot be read, or a row is not of this form; the message names the line.
pub fn recorded(path: &Path, most: usize) -> io::Result<Vec<Row>> {
    let text = fs::read_to_string(path)?;
    let mut rows: Vec<Row> = Vec::new();
    for (number, line) in (1..).zip(text.lines()).skip(1) {
        if rows.len() == most {
            break;
        }
        let row = parse(line).ok_or_else(|| {
            let expected = "expected a row like 2013-12-02 21:15:00,73.9";
            let message = format!("{}, line {number}: {expected}", path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        if rows.last().is_none_or(|last| last.time_ms < row.time_ms) {
            rows.push(row);
        }
    }
    Ok(rows)
}

fn parse(line: &str) -> Option<Row> {
    let (time, value) = line.split_once(',')?;
    let (date, clock) = time.split_once(' ')?;
    let numbers = |text: &str, separator| -> Option<[u64; 3]> {
        let parts: Option<Vec<u64>> = text.split(separator).map(|n| n.parse().ok()).collect();
        parts?.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let fits = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    let value: f64 = value.parse().ok()?;
    (fits && value.is_finite()).then(|| Row {
        time_ms: 1_000 * (86_400 * days(year, month, day) + 3_600 * hour + 60 * minute + second),
        value,
    })
}

/// Days since 1970-01-01 in the Gregorian calendar. Years begin in March here, so that the leap
/// day is the last one.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// `count` rows of a machine that warms up and cools down, every five minutes.
#[must_use]
pub fn made(count: usize) -> Vec<Row> {
    const START_MS: u64 = 1_700_000_000_000;
    let row = |index: u32| {
        let phase = f64::from(index % 288) / 288.0 * std::f64::consts::TAU;
        Row {
            time_ms: START_MS + u64::from(index) * 300_000,
            value: (750.0 + 80.0 * phase.sin()).round() / 10.0,
        }
    };
    (0..u32::try_from(count).unwrap_or(u32::MAX))
        .map(row)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc() {
        let row = |line| parse(line).map(|row| row.time_ms);
        assert_eq!(row("1970-01-01 00:00:00,1"), Some(0));
        assert_eq!(row("2000-02-29 12:00:00,1"), Some(951_825_600_000));
        assert_eq!(row("2013-12-02 21:15:00,73.9"), Some(1_386_018_900_000));
    }

    #[test]
    fn other_rows_are_refused_by_line() {
        for line in [
            "",
            "now,1",
            "2013-13-02 21:15:00,1",
            "2013-12-02 21:15:00,warm",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.csv");
        fs::write(&path, "timestamp,value\n2013-12-02 21:15:00,1\noops\n").unwrap();
        let error = recorded(&path, 10).unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
    }
}
