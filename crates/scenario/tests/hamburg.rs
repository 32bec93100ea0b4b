//! Real streets: needs the folder of test data in `CAIRN_DATA`, which is not part of the project.

use cairn_scenario::{FcdReader, Frame, RadioMap, RadioRange, Site, place_sites, read_sites};
use std::{collections::HashSet, path::PathBuf, time::Instant};

fn hamburg() -> Option<PathBuf> {
    let folder = std::env::var_os("CAIRN_DATA");
    if folder.is_none() {
        println!("skipped: CAIRN_DATA not set");
    }
    Some(PathBuf::from(folder?).join("hamburg"))
}

/// Vehicles, rows, and the percentages of rows heard by one site and by three.
fn count(trace: FcdReader, sites: &[Site]) -> (usize, usize, [usize; 2]) {
    let map = RadioMap::new(
        sites.iter().map(|site| site.position),
        RadioRange::default(),
    );
    let (mut rows, mut heard, mut by_three) = (0, 0, 0);
    let mut ids = HashSet::new();
    for step in trace {
        for sample in step.unwrap().vehicles {
            rows += 1;
            let sites = map.in_range(sample.position).count();
            heard += usize::from(sites >= 1);
            by_three += usize::from(sites >= 3);
            ids.insert(sample.id);
        }
    }
    let percent = |part: usize| (part * 100 + rows / 2) / rows;
    (ids.len(), rows, [percent(heard), percent(by_three)])
}

#[test]
fn five_minutes_in_metres_and_in_degrees() {
    let Some(folder) = hamburg() else { return };
    let sites = read_sites(folder.join("rsu_sites.csv"), None).unwrap();
    assert_eq!(sites.len(), 16);
    let open = |name: &str, frame| FcdReader::open(folder.join(name), frame).unwrap();
    let metric = || open("hamburg-5min.fcd.xml.gz", Frame::Metric);
    let geo = || open("hamburg-5min.geo.fcd.xml.gz", Frame::Geo);
    let counted = count(metric(), &sites);
    assert_eq!(counted, (102, 15_446, [94, 47]));

    let mut first = geo();
    first.next().unwrap().unwrap();
    let projected = read_sites(folder.join("rsu_sites.csv"), first.projection()).unwrap();
    let degrees = count(geo(), &projected);
    assert_eq!((degrees.0, degrees.1), (102, 15_446));
    for (a, b) in counted.2.into_iter().zip(degrees.2) {
        assert!(a.abs_diff(b) <= 1, "{counted:?} {degrees:?}");
    }

    // Both frames agree on the distances between neighbours in the file.
    let mut pairs = 0;
    for (a, b) in metric().zip(geo()) {
        let (a, b) = (a.unwrap().vehicles, b.unwrap().vehicles);
        for (a, b) in a.windows(2).zip(b.windows(2)) {
            let metric = a[0].position.distance(a[1].position);
            let degrees = b[0].position.distance(b[1].position);
            assert!(
                (metric - degrees).abs() <= 0.3 + 0.002 * metric,
                "{metric} {degrees}"
            );
            pairs += 1;
        }
    }
    assert!(pairs > 10_000);
}

#[test]
fn fifteen_minutes_of_load() {
    let Some(folder) = hamburg() else { return };
    let sites = read_sites(folder.join("rsu_sites.csv"), None).unwrap();
    let open = || FcdReader::open(folder.join("hamburg-15min.fcd.xml.gz"), Frame::Metric).unwrap();

    let begin = Instant::now();
    let rows: usize = open().map(|step| step.unwrap().vehicles.len()).sum();
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "15 min: {rows} rows in {seconds:.2} s, {:.0} rows/s",
        rows as f64 / seconds
    );

    let (vehicles, rows, heard) = count(open(), &sites);
    assert_eq!((vehicles, rows), (6_441, 1_073_393));
    println!("15 min: heard by one, by three: {heard:?} %");

    let begin = Instant::now();
    let placed = place_sites(open(), RadioRange::default(), 16).unwrap();
    let seconds = begin.elapsed().as_secs_f64();
    let (_, _, heard) = count(open(), &placed.sites);
    println!(
        "16 placed: at least {:.3}, heard {heard:?} %, {seconds:.2} s",
        placed.coverage()
    );
    assert!(placed.coverage() > 0.90);
    assert!(placed.coverage() * 100.0 <= heard[0] as f64 + 0.5);
}
