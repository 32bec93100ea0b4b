//! Good traces: what is read from them, in bounded memory, and that no input breaks the reader.

use cairn_scenario::{FcdReader, Frame, Metres, RadioMap, RadioRange, Step, read_sites};
use flate2::{Compression, write::GzEncoder};
use proptest::{collection::vec, prelude::*};
use std::{
    collections::HashSet,
    io::{self, Cursor, Read, Write},
    path::PathBuf,
    sync::Arc,
};

fn read(content: impl Into<Vec<u8>>) -> Vec<Step> {
    FcdReader::from_reader(Cursor::new(content.into()), "t.xml", Frame::Metric)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// A trace with everything that a reader has to pass over.
const TRACE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- <vehicle> -->
<fcd-export version="1">
    <unknown><timestep time="9"/><deeper>text &amp; more</deeper></unknown>
    <timestep time="900.00">
        <vehicle id="a" x="1.5" y="-2" angle="-90" type="car" speed="3" lane=":n_0" acceleration="-0.5" slope="0"/>
        <person id="a" x="0" y="0"/>
        <container id="c"><vehicle/></container>
        <vehicle y='2' id='b&lt;' x='1e2'><param key="k"/></vehicle>
    </timestep>
    <timestep time="900.5"/>
    <timestep time="902"><vehicle id="a" x="1" y="1" angle="360" type="car"/></timestep>
</fcd-export>
"#;

#[test]
fn only_what_is_there_is_read() {
    let steps = read(TRACE);
    let times: Vec<_> = steps.iter().map(|s| (s.time_ms, s.offset_ms)).collect();
    assert_eq!(times, [(900_000, 0), (900_500, 500), (902_000, 2_000)]);
    let [a, b] = &steps[0].vehicles[..] else {
        panic!("two vehicles");
    };
    assert_eq!((&*a.id, a.position), ("a", Metres { x: 1.5, y: -2.0 }));
    assert_eq!(
        (a.speed, a.angle, a.acceleration),
        (Some(3.0), Some(270.0), Some(-0.5))
    );
    assert_eq!(
        (a.kind.as_deref(), a.lane.as_deref()),
        (Some("car"), Some(":n_0"))
    );
    assert_eq!((&*b.id, b.position), ("b<", Metres { x: 100.0, y: 2.0 }));
    assert_eq!((b.speed, b.angle, b.acceleration), (None, None, None));
    assert_eq!((&b.kind, &b.lane), (&None, &None));
    assert!(steps[1].vehicles.is_empty());
    assert_eq!(steps[2].vehicles[0].angle, Some(0.0));
}

#[test]
fn packing_makes_no_difference() {
    let pack = |text: &str| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let plain = read(TRACE);
    assert_eq!(read(pack(TRACE)), plain);
    let (head, tail) = TRACE.split_at(400);
    assert_eq!(read([pack(head), pack(tail)].concat()), plain);
    assert_eq!(read(format!("\u{feff}{TRACE}")), plain);
}

#[test]
fn an_input_may_come_in_single_bytes() {
    struct Trickle(Cursor<&'static [u8]>);
    impl Read for Trickle {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let end = out.len().min(1);
            self.0.read(&mut out[..end])
        }
    }
    let input = Trickle(Cursor::new(TRACE.as_bytes()));
    let reader = FcdReader::from_reader(input, "t.xml", Frame::Metric).unwrap();
    let steps: Vec<Step> = reader.collect::<Result<_, _>>().unwrap();
    assert_eq!(steps, read(TRACE));
}

#[test]
fn degrees_become_metres_around_the_first_sample() {
    let content = r#"<fcd-export><timestep time="0"/><timestep time="1">
        <vehicle id="a" x="10" y="53.5"/><vehicle id="b" x="10.001" y="53.501"/>
        </timestep></fcd-export>"#;
    let input = Cursor::new(content);
    let mut reader = FcdReader::from_reader(input, "t.xml", Frame::Geo).unwrap();
    reader.next().unwrap().unwrap();
    assert!(reader.projection().is_none());
    let vehicles = reader.next().unwrap().unwrap().vehicles;
    assert_eq!(vehicles[0].position, Metres { x: 0.0, y: 0.0 });
    assert_eq!(
        reader.projection().unwrap().project(10.001, 53.501),
        Some(vehicles[1].position)
    );
    assert!((vehicles[1].position.x - 66.3).abs() < 0.1);
    assert!((vehicles[1].position.y - 111.3).abs() < 0.1);
}

/// A trace that exists nowhere as a whole: 200,000 rows, each vehicle in the traffic for ten steps.
struct Endless {
    step: usize,
    line: Cursor<Vec<u8>>,
}

impl Endless {
    const STEPS: usize = 2_000;
    const VEHICLES: usize = 100;
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.line.position() == self.line.get_ref().len() as u64 && self.step <= Self::STEPS {
            let step = self.step;
            let mut text = match step {
                0 => String::from("<fcd-export>\n"),
                _ => String::new(),
            };
            if step == Self::STEPS {
                text += "</fcd-export>";
            } else {
                text += &format!("<timestep time=\"{step}\">");
                for vehicle in 0..Self::VEHICLES {
                    let id = (step + vehicle) / 10 * Self::VEHICLES + vehicle;
                    text += &format!("<vehicle id=\"{id}\" x=\"{vehicle}\" y=\"{step}\"/>\n");
                }
                text += "</timestep>";
            }
            self.line = Cursor::new(text.into_bytes());
            self.step += 1;
        }
        self.line.read(out)
    }
}

#[test]
fn a_long_trace_leaves_nothing_behind() {
    let input = Endless {
        step: 0,
        line: Cursor::default(),
    };
    let mut reader = FcdReader::from_reader(input, "t.xml", Frame::Metric).unwrap();
    let mut rows = 0;
    let mut early = Vec::new();
    for step in reader.by_ref() {
        let step = step.unwrap();
        rows += step.vehicles.len();
        if step.offset_ms < 100_000 {
            early.extend(step.vehicles.into_iter().map(|sample| sample.id));
        }
    }
    assert_eq!(rows, Endless::STEPS * Endless::VEHICLES);
    // A name is stored once for as long as its vehicle stays, and the reader has let go of it:
    // every owner that is left is in `early`.
    let distinct: HashSet<*const u8> = early.iter().map(|id| id.as_ptr()).collect();
    let names: HashSet<Arc<str>> = early.iter().cloned().collect();
    assert_eq!(distinct.len(), names.len());
    let owners: usize = names.iter().map(|id| Arc::strong_count(id) - 1).sum();
    assert_eq!(owners, early.len());
}

/// What a reader promises of every step, whatever it reads.
fn check(content: Vec<u8>, frame: Frame) -> Result<(), TestCaseError> {
    let Ok(reader) = FcdReader::from_reader(Cursor::new(content), "t.xml", frame) else {
        return Ok(());
    };
    let mut previous = None;
    for step in reader {
        let Ok(step) = step else { break };
        prop_assert!(previous < Some(step.time_ms));
        previous = Some(step.time_ms);
        let mut ids = HashSet::new();
        for sample in &step.vehicles {
            prop_assert!(ids.insert(&sample.id));
            prop_assert!(sample.position.x.is_finite() && sample.position.y.is_finite());
            prop_assert!(
                sample
                    .angle
                    .is_none_or(|angle| (0.0..360.0).contains(&angle))
            );
        }
    }
    Ok(())
}

proptest! {
    // Regressions become tests of their own, so nothing is written beside the sources.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(mut content in vec(any::<u8>(), 0..600), packed: bool) {
        if packed {
            content.splice(0..0, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]);
        }
        check(content, Frame::Metric)?;
    }

    #[test]
    fn a_damaged_trace_is_read_or_refused(
        edits in vec((0..TRACE.len(), any::<u8>()), 0..8),
        cut in 0..=TRACE.len(),
        geo: bool,
    ) {
        let mut content = TRACE.as_bytes().to_vec();
        for (at, byte) in edits {
            content[at] = byte;
        }
        content.truncate(cut);
        check(content, if geo { Frame::Geo } else { Frame::Metric })?;
    }

    #[test]
    fn any_order_of_parts_is_read_or_refused(
        parts in vec(prop::sample::select(vec![
            "<fcd-export>", "</fcd-export>", "<timestep time=\"1\">", "<timestep time=\"2\"/>",
            "</timestep>", "<vehicle id=\"a\" x=\"1\" y=\"2\"/>", "<vehicle id=\"b\"", " x=\"-1e9\"",
            "/>", ">", "<", "&", "\"", "<!--", "-->", "<a>", "</a>", "<![CDATA[", "]]>", "\n",
        ]), 0..30),
    ) {
        check(parts.concat().into_bytes(), Frame::Metric)?;
        check(format!("<fcd-export>{}", parts.concat()).into_bytes(), Frame::Geo)?;
    }
}

#[test]
fn the_crossroads_fixture() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/crossroads");
    let sites = read_sites(folder.join("sites.csv"), None).unwrap();
    assert_eq!(sites.len(), 8);
    let map = RadioMap::new(
        sites.iter().map(|site| site.position),
        RadioRange::default(),
    );
    let trace = FcdReader::open(folder.join("crossroads.fcd.xml.gz"), Frame::Metric).unwrap();

    let (mut rows, mut heard, mut by_three, mut steps) = (0, 0, 0, 0);
    let mut kinds = HashSet::new();
    let mut met: std::collections::HashMap<Arc<str>, HashSet<usize>> = Default::default();
    for step in trace {
        steps += 1;
        for sample in step.unwrap().vehicles {
            let sites = met.entry(sample.id).or_default();
            let before = map.in_range(sample.position).count();
            sites.extend(map.in_range(sample.position).map(|(site, _)| site));
            rows += 1;
            heard += usize::from(before > 0);
            by_three += usize::from(before >= 3);
            kinds.extend(sample.kind);
        }
    }
    assert_eq!((steps, rows, met.len()), (300, 20_776, 100));
    assert_eq!(kinds, ["car", "truck", "bus"].map(Arc::from).into());
    assert_eq!((heard * 100 / rows, by_three * 100 / rows), (96, 35));
    assert!(met.values().all(|sites| (3..=8).contains(&sites.len())));
}
