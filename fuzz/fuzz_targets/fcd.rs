//! A traffic trace from anywhere: it is read or refused, and what is read keeps its promises.
#![no_main]

use cairn_scenario::{FcdReader, Frame, MAX_COORDINATE_M, MAX_EXTENT_M};
use libfuzzer_sys::fuzz_target;
use std::{collections::HashSet, io::Cursor};

fuzz_target!(|content: &[u8]| {
    for (frame, limit) in [
        (Frame::Metric, MAX_COORDINATE_M),
        (Frame::Geo, MAX_EXTENT_M),
    ] {
        read(content, frame, limit);
    }
});

fn read(content: &[u8], frame: Frame, limit: f64) {
    let input = Cursor::new(content.to_vec());
    let mut reader = match FcdReader::from_reader(input, "trace", frame) {
        Ok(reader) => reader,
        Err(error) => return one_line(&error.to_string()),
    };
    let mut previous = None;
    for step in reader.by_ref() {
        let step = match step {
            Ok(step) => step,
            Err(error) => {
                one_line(&error.to_string());
                break;
            }
        };
        assert!(previous < Some(step.time_ms));
        previous = Some(step.time_ms);
        let mut ids = HashSet::new();
        for sample in &step.vehicles {
            assert!(ids.insert(&sample.id));
            assert!(sample.position.x.abs() <= limit && sample.position.y.abs() <= limit);
            assert!(sample.speed.is_none_or(f64::is_finite));
            assert!(sample.acceleration.is_none_or(f64::is_finite));
            assert!(
                sample
                    .angle
                    .is_none_or(|angle| (0.0..360.0).contains(&angle))
            );
        }
    }
    assert!(reader.next().is_none());
}

/// An error is a line that a terminal can show, and short although the input chose parts of it.
fn one_line(error: &str) {
    assert!(!error.chars().any(char::is_control), "{error:?}");
    assert!(error.chars().count() < 600, "{error:?}");
}
