//! Reading beacons: our own fixtures of every format, and every fault told with its line.

use cairn_scenario::{
    Metres, Projection,
    beacons::{
        Beacon, BeaconReader, BeaconsError, BeaconsFault, BsmReader, Class, MAX_HEARERS,
        MAX_OBJECT_BYTES, NextGenReader, TruthReader, VeremiReader, VeremiRecord,
    },
};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use std::io::{Cursor, Write as _};

fn fixture(name: &str) -> String {
    format!("{}/tests/beacons/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn read(text: impl Into<Vec<u8>>) -> Vec<Result<Beacon, BeaconsError>> {
    let input = Cursor::new(text.into());
    BeaconReader::from_reader(input, "b.jsonl")
        .unwrap()
        .collect()
}

/// The one error with which the reading of this text ends.
fn refusal(text: impl Into<Vec<u8>>) -> BeaconsError {
    read(text).pop().unwrap().unwrap_err()
}

fn line(time: &str, sender: &str) -> String {
    format!(r#"{{"sendTime":{time},"messageID":1,"sender":"{sender}","pos":[0,0],"spd":[0,0]}}"#)
}

#[test]
fn beacons_and_their_truth() {
    let reader = BeaconReader::open(fixture("beacons.jsonl")).unwrap();
    let beacons: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(
        beacons[0],
        Beacon {
            message: 0,
            time_ms: 900_000,
            sender: "bus.1".into(),
            class: Some(Class::Bus),
            position: Metres { x: 10.0, y: 20.0 },
            velocity: [0.0, 8.0],
            acceleration: Some([0.0, 0.5]),
            heading: Some(0.0),
            heard_by: Some(vec!["north".into(), "south".into()]),
        }
    );
    assert_eq!((beacons[1].class, beacons[1].heading), (None, None));
    assert_eq!(beacons[1].speed(), 5.0);
    assert!((beacons[1].course() - 36.87).abs() < 0.01);
    assert_eq!(
        (beacons[2].time_ms, beacons[2].heading),
        (900_001, Some(270.0))
    );

    let reader = TruthReader::open(fixture("truth.jsonl")).unwrap();
    let truth: Vec<_> = reader.map(Result::unwrap).collect();
    let said: Vec<_> = truth
        .iter()
        .map(|truth| {
            (
                truth.message,
                &*truth.vehicle,
                &*truth.attack,
                truth.is_false,
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (0, "bus.1", "GridSybil", false),
            (1, "car.7", "Genuine", false),
            (2, "bus.1", "GridSybil", true),
        ]
    );
    assert!(truth[1].is_honest() && !truth[0].is_honest());
}

#[test]
fn veremi_of_2018() {
    let reader = VeremiReader::open(fixture("JSONlog-0-7-A0.json")).unwrap();
    let records: Vec<_> = reader.map(Result::unwrap).collect();
    let VeremiRecord::Own(own) = &records[0] else {
        panic!("{records:?}");
    };
    assert_eq!((own.time_ms, own.velocity), (21_600_500, [0.5, -2.0]));
    let VeremiRecord::Received {
        received_ms,
        vehicle,
        beacon,
    } = &records[1]
    else {
        panic!("{records:?}");
    };
    assert_eq!(
        (*received_ms, &**vehicle, &*beacon.sender),
        (21_601_250, "13", "13")
    );
    assert_eq!((beacon.heading, beacon.acceleration), (None, None));
    assert_eq!(beacon.course(), 180.0);
}

#[test]
fn veremi_extension() {
    let reader = VeremiReader::open(fixture("traceJSON-9-7-A0-25200-7.json")).unwrap();
    let records: Vec<_> = reader.map(Result::unwrap).collect();
    let [
        VeremiRecord::Own(_),
        VeremiRecord::Received {
            vehicle, beacon, ..
        },
        VeremiRecord::Received { beacon: still, .. },
    ] = &records[..]
    else {
        panic!("{records:?}");
    };
    assert_eq!(
        (&**vehicle, &*beacon.sender, beacon.message),
        ("15", "10155", 1_021)
    );
    assert_eq!(beacon.heading, Some(180.0));
    // It moves south and accelerates to the north: it brakes.
    assert!((beacon.forward_acceleration().unwrap() + 1.5).abs() < 1e-9);
    assert_eq!(still.heading, None);

    let truth = VeremiReader::open(fixture("traceGroundTruthJSON-7.json")).unwrap();
    let truth: Vec<_> = truth.map(Result::unwrap).collect();
    let [VeremiRecord::Truth { beacon: truth, .. }] = &truth[..] else {
        panic!("{truth:?}");
    };
    assert_eq!(truth.message, beacon.message);
    assert!(truth.position.distance(beacon.position) > 2.0);
}

#[test]
fn both_spellings_of_nextgen_are_one() {
    let open = |name| {
        let reader = NextGenReader::open(fixture(name)).unwrap();
        reader.map(Result::unwrap).collect::<Vec<_>>()
    };
    let (nanoseconds, seconds) = (
        open("nextgen-nanoseconds.json"),
        open("nextgen-seconds.json"),
    );
    assert_eq!(nanoseconds[..], seconds[..1]);
    let first = &seconds[0];
    assert_eq!(
        (first.received_ms, first.beacon.time_ms),
        (25_200_250, 25_200_250)
    );
    assert_eq!((&*first.vehicle, &*first.beacon.sender), ("veh_12", "77"));
    assert_eq!(first.receiver, Metres { x: 10.0, y: 20.0 });
    assert!((first.beacon.velocity[0] - 10.0).abs() < 1e-9);
    assert!((first.beacon.forward_acceleration().unwrap() + 2.0).abs() < 1e-9);
    assert!(seconds[1].is_false && !first.is_false);
    assert_eq!(seconds[1].beacon.heading, Some(0.0));
}

#[test]
fn basic_safety_messages() {
    let reader = BsmReader::open(fixture("bsm.json")).unwrap();
    let messages: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!((messages[0].message, messages[0].count), (0, 119));
    assert_eq!(messages[0].time_ms, 1_525_190_155_494);
    assert_eq!(messages[1].time_ms, 1_525_190_159_990);
    let plane = Projection::around(10.0, 53.55).unwrap();
    let beacon = messages[0].beacon(&plane).unwrap();
    assert!(beacon.position.distance(Metres { x: 0.0, y: 0.0 }) < 1e-6);
    assert!((beacon.speed() - 4.5).abs() < 1e-9);
    assert_eq!(&*beacon.sender, "0A1B2C3D");
    // It does not say how fast it is.
    assert_eq!(messages[1].beacon(&plane), None);
}

#[test]
fn packed_input_is_known_by_its_first_bytes() {
    let text = format!("{}\n{}\n", line("1.0", "a"), line("2.5", "b"));
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let times = |beacons: Vec<Result<Beacon, _>>| -> Vec<u64> {
        beacons
            .into_iter()
            .map(|beacon| beacon.unwrap().time_ms)
            .collect()
    };
    assert_eq!(times(read(packed.clone())), [1_000, 2_500]);
    assert_eq!(times(read(text)), [1_000, 2_500]);
    let cut = refusal(&packed[..packed.len() - 9]);
    assert!(
        matches!(
            cut,
            BeaconsError::Content {
                fault: BeaconsFault::Read(_),
                ..
            }
        ),
        "{cut}"
    );
}

#[test]
fn no_beacons_are_a_fault_and_an_empty_array_is_not() {
    assert_eq!(read("[]").len(), 0);
    assert_eq!(
        refusal(" \n").to_string(),
        "b.jsonl, line 2: expected a JSON object or an array of them, found the end of the file"
    );
}

#[test]
fn a_fault_is_told_with_its_line_and_ends_the_reading() {
    let good = line("1.0", "a");
    let third = |bad: &str| format!("{good}\n{good}\n{bad}\n{good}\n");
    for (bad, expected) in [
        ("nonsense".into(), "expected a JSON object, found 'n'"),
        (
            good.replace("sendTime", "time"),
            "expected a beacon: missing field `sendTime`",
        ),
        (
            good.replace("1.0", "-1.0"),
            "expected sendTime from 0 to 100000000000 s",
        ),
        (
            good.replace("1.0", "0.5"),
            "expected sendTime not to go back: 500 ms after 1000 ms",
        ),
        (
            good.replace("\"a\"", "\"\""),
            "expected sender of 1 to 256 bytes without control characters",
        ),
        (
            good.replace("\"a\"", "\"\\u0007\""),
            "expected sender of 1 to 256 bytes without control characters",
        ),
        (
            good.replace("\"pos\":[0,0]", "\"pos\":[0]"),
            "expected pos to be two or three numbers",
        ),
        (
            good.replace("\"pos\":[0,0]", "\"pos\":[0,3e7]"),
            "expected pos within ±20000000",
        ),
        (
            good.replace("\"spd\":[0,0]", "\"spd\":[0,1e4]"),
            "expected spd within ±1000",
        ),
        (
            good.replace("\"spd\"", "\"hed\":361,\"spd\""),
            "expected hed within ±360",
        ),
    ] {
        let found = read(third(&bad));
        assert_eq!(found.len(), 3, "{bad}");
        let said = found[2].as_ref().unwrap_err().to_string();
        assert_eq!(said, format!("b.jsonl, line 3: {expected}"));
    }
    let class = refusal(third(
        &good.replace("\"spd\"", "\"vclass\":\"tank\",\"spd\""),
    ));
    assert!(
        class.to_string().contains("unknown variant `tank`"),
        "{class}"
    );
    let many = vec!["\"s\""; MAX_HEARERS + 1].join(",");
    let many = refusal(good.replace("\"spd\"", &format!("\"heard_by\":[{many}],\"spd\"")));
    assert!(many.to_string().ends_with("at most 1024 sites"), "{many}");
}

#[test]
fn arrays_are_arrays() {
    let good = line("1.0", "a");
    assert_eq!(read(format!("[\n{good},\n{good}\n]\n")).len(), 2);
    for (text, expected) in [
        (
            format!("[{good}"),
            "line 1: expected , or ], found the end of the file",
        ),
        (
            format!("[{good},]"),
            "line 1: expected a JSON object, found ']'",
        ),
        (
            format!("[{good}\n{good}]"),
            "line 2: expected , or ], found '{'",
        ),
        (
            format!("[{good}]\n\n{good}"),
            "line 3: expected nothing after the array, found '{'",
        ),
        (
            format!("{good},{good}"),
            "line 1: expected a JSON object, found ','",
        ),
        (
            format!("{good}\n{{\"a\":\n"),
            "line 3: expected the end of the object, found the end of the file",
        ),
    ] {
        assert_eq!(refusal(text).to_string(), format!("b.jsonl, {expected}"));
    }
}

#[test]
fn an_object_without_end_takes_bounded_memory() {
    let endless = "{\"a\":\"".to_string() + &"x".repeat(2 * MAX_OBJECT_BYTES);
    let error = refusal(endless);
    assert!(matches!(
        error,
        BeaconsError::Content {
            line: 1,
            fault: BeaconsFault::TooLong,
            ..
        }
    ));
    let deep = "{\"a\":".repeat(5_000);
    assert!(
        refusal(deep.clone() + &"}".repeat(5_000))
            .to_string()
            .starts_with("b.jsonl, line 1")
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = BeaconReader::open("no/such.jsonl").err().unwrap();
    assert!(error.to_string().starts_with("cannot open no/such.jsonl: "));
}

#[test]
fn real_files_are_read_to_their_end() {
    let Ok(data) = std::env::var("CAIRN_DATA") else {
        println!("skipped: CAIRN_DATA not set");
        return;
    };
    let file = |name: &str| format!("{data}/{name}");
    let beacons = BeaconReader::open(file("hamburg/attacked.beacons.jsonl.gz")).unwrap();
    assert_eq!(beacons.map(Result::unwrap).count(), 18_033);
    let truth = TruthReader::open(file("hamburg/attacked.truth.jsonl.gz")).unwrap();
    assert_eq!(
        truth
            .filter(|truth| truth.as_ref().unwrap().is_false)
            .count(),
        6_063
    );
    for (name, messages) in [("bsmLogDuringEvent", 222), ("bsmTx", 16)] {
        let reader = BsmReader::open(file(&format!("bsm/jpo-ode_{name}.json"))).unwrap();
        let read: Vec<_> = reader.map(Result::unwrap).collect();
        assert_eq!(read.len(), messages);
        let plane = Projection::around(read[0].longitude, read[0].latitude).unwrap();
        assert!(read.iter().all(|message| message.beacon(&plane).is_some()));
    }
}

proptest! {
    #[test]
    fn no_bytes_bring_a_reader_down(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let name = "any";
        let input = || Cursor::new(bytes.clone());
        let _ = BeaconReader::from_reader(input(), name).map(Iterator::count);
        let _ = VeremiReader::from_reader(input(), name).map(Iterator::count);
        let _ = NextGenReader::from_reader(input(), name).map(Iterator::count);
        let _ = BsmReader::from_reader(input(), name).map(Iterator::count);
    }

    #[test]
    fn a_spoilt_byte_is_read_or_refused(at in 0..2_000_usize, byte: u8) {
        let mut text = std::fs::read(fixture("nextgen-nanoseconds.json")).unwrap();
        let at = at % text.len();
        text[at] = byte;
        let reader = NextGenReader::from_reader(Cursor::new(text), "any").unwrap();
        for record in reader.flatten() {
            prop_assert!(record.beacon.speed().is_finite());
        }
    }
}
