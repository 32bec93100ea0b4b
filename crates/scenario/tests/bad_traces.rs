//! Every fault of a trace: its kind, its line and column, and its one line of text.

use cairn_scenario::{
    FcdReader, Frame, MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, MAX_DEPTH, MAX_MARKUP_BYTES,
    MAX_NAME_BYTES, MAX_VEHICLES_PER_STEP, TraceError, TraceFault,
};
use flate2::{Compression, write::GzEncoder};
use std::io::{Cursor, Read, Write};

/// The error that ends this trace, and how many steps came before it.
fn read(frame: Frame, content: impl Into<Vec<u8>>) -> (usize, TraceError) {
    let mut steps = 0;
    let reader = match FcdReader::from_reader(Cursor::new(content.into()), "t.xml", frame) {
        Ok(reader) => reader,
        Err(error) => return (steps, error),
    };
    for step in reader {
        match step {
            Ok(_) => steps += 1,
            Err(error) => return (steps, error),
        }
    }
    panic!("read to its end, {steps} steps");
}

/// The line, column and kind of the fault in a trace in metres.
fn fault(content: impl Into<Vec<u8>>) -> (u64, u64, TraceFault) {
    match read(Frame::Metric, content).1 {
        TraceError::Content { at, fault, .. } => (at.line, at.column, fault),
        TraceError::Open { .. } => panic!("nothing was opened"),
    }
}

/// A trace with this in its first step, from line 2, column 1.
fn in_step(content: &str) -> String {
    format!("<fcd-export><timestep time=\"0\">\n{content}\n</timestep></fcd-export>")
}

fn pack(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

/// Asserts line, column and kind.
macro_rules! refused {
    ($content:expr, $line:expr, $column:expr, $fault:pat $(if $guard:expr)?) => {{
        let (line, column, found) = fault($content);
        assert_eq!((line, column), ($line, $column), "{found:?}");
        assert!(matches!(&found, $fault $(if $guard)?), "{found:?}");
    }};
}

#[test]
fn no_trace_at_all() {
    refused!("", 1, 1, TraceFault::NoRoot);
    refused!(
        "<?xml version=\"1.0\"?>\n<!-- -->\n",
        3,
        1,
        TraceFault::NoRoot
    );
    refused!("\n  id,x,y", 2, 3, TraceFault::Text { found } if found == "id,x,y");
    refused!("\n<net>", 2, 1, TraceFault::WrongRoot { found } if found == "net");
    refused!("<fcd-export/>", 1, 1, TraceFault::NoTimesteps);
    refused!("<fcd-export>\n</fcd-export>", 2, 1, TraceFault::NoTimesteps);
    refused!("<!DOCTYPE a><fcd-export/>", 1, 1, TraceFault::DocType);
}

#[test]
fn a_missing_file() {
    let error = FcdReader::open("no/such.xml", Frame::Metric).err().unwrap();
    assert!(matches!(&error, TraceError::Open { file, .. } if file == "no/such.xml"));
    assert!(error.to_string().starts_with("cannot open no/such.xml: "));
}

#[test]
fn malformed_xml() {
    refused!(
        "<fcd-export>\n <timestep time=\"0\"",
        2,
        2,
        TraceFault::Malformed(_)
    );
    refused!("<fcd-export>\n</fcd>", 2, 1, TraceFault::Malformed(_));
    refused!("</fcd-export>", 1, 1, TraceFault::Malformed(_));
    refused!("<fcd-export>\n<!-- ", 2, 1, TraceFault::Malformed(_));
    refused!("<fcd-export>\n<>", 2, 1, TraceFault::Malformed(_));
    refused!(in_step("<vehicle id=a/>"), 2, 13, TraceFault::Malformed(_));
    refused!(in_step("<vehicle\n id/>"), 3, 4, TraceFault::Malformed(_));
    refused!(
        in_step("<vehicle id=\"a\" id=\"b\"/>"),
        2,
        17,
        TraceFault::Malformed(_)
    );
}

#[test]
fn a_writer_that_was_killed() {
    let open = "<fcd-export>\n<timestep time=\"0\">\n";
    refused!(open, 3, 1, TraceFault::UnexpectedEnd { open: "timestep" });
    refused!(
        format!("{open}<person>"),
        3,
        9,
        TraceFault::UnexpectedEnd { open: "timestep" }
    );
    let step = format!("{open}</timestep>");
    refused!(
        step,
        3,
        12,
        TraceFault::UnexpectedEnd { open: "fcd-export" }
    );
}

#[test]
fn elements_and_text_out_of_place() {
    let vehicle = "<vehicle id=\"a\" x=\"1\" y=\"1\"/>";
    refused!(
        format!("<fcd-export>\n {vehicle}"),
        2,
        2,
        TraceFault::Misplaced {
            expected: "<timestep>",
            ..
        }
    );
    refused!(in_step(" <timestep/>"), 2, 2, TraceFault::Misplaced { .. });
    refused!(
        in_step("") + "\n" + &in_step(""),
        4,
        1,
        TraceFault::Misplaced { .. }
    );
    refused!(in_step(" lost"), 2, 2, TraceFault::Text { found } if found == "lost");
    refused!(in_step("&amp;"), 2, 1, TraceFault::Text { found } if found == "&amp;");
    refused!(in_step("<![CDATA[a]]>"), 2, 1, TraceFault::Text { found } if found == "a");
}

#[test]
fn times_that_do_not_run() {
    let times = |times: &[&str]| {
        let steps: Vec<_> = times
            .iter()
            .map(|t| format!("<timestep time={t:?}/>"))
            .collect();
        format!("<fcd-export>\n{}", steps.join("\n"))
    };
    refused!(
        times(&["1", "0.5"]),
        3,
        17,
        TraceFault::TimeNotIncreasing {
            previous_ms: 1_000,
            found_ms: 500
        }
    );
    refused!(
        times(&["1", "2", "2.0"]),
        4,
        17,
        TraceFault::TimeNotIncreasing {
            previous_ms: 2_000,
            found_ms: 2_000
        }
    );
    for time in ["", "-1", "nan", "1e3", "0:15:00", "0.0001", "100000000001"] {
        refused!(times(&[time]), 2, 17, TraceFault::BadTime { found } if found == time);
    }
    refused!(
        "<fcd-export>\n<timestep>",
        2,
        1,
        TraceFault::Missing {
            element: "timestep",
            attribute: "time"
        }
    );
}

#[test]
fn vehicles_without_what_they_need() {
    for (content, missing) in [
        ("<vehicle x=\"1\" y=\"1\"/>", "id"),
        ("<vehicle id=\"a\" y=\"1\"/>", "x"),
        ("<vehicle id=\"a\" x=\"1\"/>", "y"),
    ] {
        refused!(
            in_step(content),
            2,
            1,
            TraceFault::Missing { element: "vehicle", attribute } if *attribute == missing
        );
    }
}

#[test]
fn numbers_that_are_none() {
    for attribute in ["x", "y", "speed", "angle", "acceleration"] {
        let with = |value: &str| in_step(&format!("<vehicle\n{attribute}=\"{value}\" id=\"a\"/>"));
        // The value begins behind the name, the equals sign and the quote.
        let column = attribute.len() as u64 + 3;
        for value in ["", "one", "1,5", " 1", "0x10"] {
            refused!(
                with(value), 3, column,
                TraceFault::BadNumber { attribute: a, found } if *a == attribute && found == value
            );
        }
        for value in ["NaN", "inf", "-infinity", "1e999"] {
            refused!(
                with(value),
                3,
                column,
                TraceFault::NotFinite { attribute: a, .. } if *a == attribute
            );
        }
        refused!(
            with("-20000001"), 3, column,
            TraceFault::OutOfRange { attribute: a, found: -20_000_001.0, .. } if *a == attribute
        );
    }
}

#[test]
fn degrees_off_the_map() {
    let geo = |content: &str| match read(Frame::Geo, in_step(content)).1 {
        TraceError::Content { at, fault, .. } => (at.line, at.column, fault),
        TraceError::Open { .. } => panic!("nothing was opened"),
    };
    let found = geo("<vehicle id=\"a\" x=\"181\" y=\"53\"/>");
    assert!(matches!(
        found,
        (2, 20, TraceFault::OutOfRange { attribute: "x", .. })
    ));
    let found = geo("<vehicle id=\"a\" x=\"10\" y=\"86\"/>");
    assert!(matches!(
        found,
        (2, 27, TraceFault::OutOfRange { attribute: "y", .. })
    ));
    let found = geo("<vehicle id=\"a\" x=\"10\" y=\"53\"/>\n<vehicle id=\"b\" x=\"10\" y=\"56\"/>");
    assert!(matches!(found, (3, 1, TraceFault::TooFar)), "{found:?}");
}

#[test]
fn names_that_are_none() {
    let long = "a".repeat(MAX_NAME_BYTES + 1);
    for value in ["", "a&#10;b", "\u{85}", "&unknown;", "&#xD800;", &long] {
        refused!(
            in_step(&format!("<vehicle id=\"{value}\"/>")),
            2,
            14,
            TraceFault::BadName { attribute: "id" }
        );
    }
    refused!(
        in_step("<vehicle lane=\"\"/>"),
        2,
        16,
        TraceFault::BadName { attribute: "lane" }
    );
    let mut latin1 = in_step("<vehicle type=\"?\"/>").into_bytes();
    let at = latin1.iter().position(|&byte| byte == b'?').unwrap();
    latin1[at] = 0xe9;
    refused!(latin1, 2, 16, TraceFault::BadName { attribute: "type" });
}

#[test]
fn a_vehicle_twice_in_a_step() {
    let content = "<vehicle id=\"a&amp;\" x=\"1\" y=\"1\"/>\n<vehicle x=\"2\" id=\"a&#38;\"/>";
    refused!(
        in_step(content),
        3,
        20,
        TraceFault::DuplicateVehicle { id } if &**id == "a&"
    );
}

#[test]
fn more_than_the_limits() {
    let many: String = (0..=MAX_ATTRIBUTES)
        .map(|n| format!(" a{n}=\"\""))
        .collect();
    refused!(
        in_step(&format!("<vehicle{many}/>")),
        2,
        1,
        TraceFault::TooManyAttributes
    );
    let long = "a".repeat(MAX_ATTRIBUTE_BYTES + 1);
    refused!(
        in_step(&format!("<vehicle note=\"{long}\"/>")),
        2,
        16,
        TraceFault::AttributeTooLong { attribute } if attribute == "note"
    );
    let huge = "a".repeat(MAX_MARKUP_BYTES);
    refused!(
        in_step(&format!("<!--{huge}-->")),
        2,
        1,
        TraceFault::TooLong
    );
    refused!(in_step(&format!("<{huge}/>")), 2, 1, TraceFault::TooLong);
    refused!(
        in_step(&format!("<vehicle id=\"{huge}\"/>")),
        2,
        1,
        TraceFault::TooLong
    );
    // Two elements are open already.
    let deep = "<a>".repeat(MAX_DEPTH - 1);
    refused!(in_step(&deep), 2, 43, TraceFault::TooDeep);
    let vehicles: String = (0..=MAX_VEHICLES_PER_STEP)
        .map(|n| format!("<vehicle id=\"{n}\" x=\"0\" y=\"0\"/>\n"))
        .collect();
    refused!(in_step(&vehicles), 100_002, 1, TraceFault::TooManyVehicles);
}

#[test]
fn damaged_packing() {
    let mut text = String::from("<fcd-export>\n");
    for time in 0..20_000 {
        text += &format!("<timestep time=\"{time}\"/>\n");
    }
    let packed = pack(&(text + "</fcd-export>"));

    let (steps, error) = read(Frame::Metric, &packed[..packed.len() / 2]);
    assert!(steps > 1_000);
    let TraceError::Content { at, fault, .. } = error else {
        panic!("nothing was opened");
    };
    assert!(matches!(fault, TraceFault::TruncatedGzip));
    // It is seen where the text ends that could be unpacked.
    let first = 2 + steps as u64;
    assert!((first..=first + 1).contains(&at.line), "{at}");

    refused!(&packed[..2], 1, 1, TraceFault::TruncatedGzip);
    refused!(
        &packed[..packed.len() - 4],
        20_002,
        14,
        TraceFault::TruncatedGzip
    );
    let mut damaged = packed.clone();
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    refused!(damaged, 20_002, 14, TraceFault::CorruptGzip(_));
    let mut garbage = packed;
    garbage.extend(b"garbage behind");
    refused!(garbage, 20_002, 14, TraceFault::CorruptGzip(_));
}

#[test]
fn an_input_that_fails() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("unplugged"))
        }
    }
    let input = "<fcd-export>\n<timestep time=\"0\"/>"
        .as_bytes()
        .chain(Failing);
    let mut reader = FcdReader::from_reader(input, "t.xml", Frame::Metric).unwrap();
    assert!(reader.next().unwrap().is_ok());
    let error = reader.next().unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "t.xml, line 2, column 21: cannot read: unplugged"
    );
    assert!(reader.next().is_none());
}

#[test]
fn an_error_is_one_harmless_line() {
    let error = read(Frame::Metric, in_step("<vehicle x=\"\u{1b}[2J\n2\"/>")).1;
    assert_eq!(
        error.to_string(),
        "t.xml, line 2, column 13: expected a number in x, found \"\u{fffd}[2J\u{fffd}2\""
    );
    let long = "9".repeat(200);
    let error = read(Frame::Metric, in_step(&format!("<vehicle x=\"{long}x\"/>"))).1;
    assert!(error.to_string().ends_with("99…\"") && error.to_string().len() < 120);
}
