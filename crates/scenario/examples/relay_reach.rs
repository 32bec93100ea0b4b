//! How many positions of a trace reach an RSU by themselves, and how many over neighbours.
//!
//! ```sh
//! cargo run --release -p cairn-scenario --example relay_reach -- TRACE.fcd.xml.gz [HOP_RANGE_METRES]
//! ```
//!
//! Geometry alone, no messages: in every step of the trace, a vehicle is served directly when a
//! site hears it, and over h relays when h neighbours form a chain, each within the hop range (300 m
//! unless told), the last one served directly. So it is a bound on what relays can bring: in
//! the protocol a vehicle may be late. Sites are placed where the traffic is.

use std::{env, error::Error};

use cairn_scenario::{FcdReader, Frame, Metres, RadioMap, RadioRange, place_sites};

const MAX_HOPS: usize = 3;
const SITES: [usize; 3] = [16, 8, 4];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let trace = arguments.next().ok_or("which trace?")?;
    let hop_range_m: f64 = arguments.next().map_or(Ok(300.0), |text| text.parse())?;
    let range = RadioRange::default();
    println!(
        "RSU range {} m, hop range {hop_range_m} m; percent of positions served",
        range.metres()
    );
    println!("sites  direct  1 relay  2 relays  3 relays  any way");
    for number in SITES {
        let open = || FcdReader::open(&trace, Frame::Metric);
        let placed = place_sites(open()?, range, number)?;
        let map = RadioMap::new(placed.sites.iter().map(|site| site.position), range);
        let mut served = [0_usize; MAX_HOPS + 1];
        let mut positions = 0;
        for step in open()? {
            let vehicles = step?.vehicles;
            let places: Vec<Metres> = vehicles.iter().map(|sample| sample.position).collect();
            positions += places.len();
            for relays in hops(&places, &map, hop_range_m).into_iter().flatten() {
                served[relays] += 1;
            }
        }
        let percent = |count: usize| 100.0 * count as f64 / positions.max(1) as f64;
        let [direct, one, two, three] = served.map(percent);
        let any = percent(served.iter().sum());
        println!("{number:5}  {direct:6.1}  {one:7.1}  {two:8.1}  {three:8.1}  {any:7.1}");
    }
    Ok(())
}

/// For each vehicle the fewest relays to a site, at most [`MAX_HOPS`]: breadth first.
fn hops(places: &[Metres], map: &RadioMap, hop_range_m: f64) -> Vec<Option<usize>> {
    let direct = |place: &Metres| map.in_range(*place).next().map(|_| 0);
    let mut relays: Vec<Option<usize>> = places.iter().map(direct).collect();
    for hop in 1..=MAX_HOPS {
        let near = |k: usize, relays: &[Option<usize>]| {
            places.iter().zip(relays).any(|(place, relays)| {
                *relays == Some(hop - 1) && place.distance(places[k]) <= hop_range_m
            })
        };
        let reached: Vec<usize> = (0..places.len())
            .filter(|k| relays[*k].is_none() && near(*k, &relays))
            .collect();
        reached.into_iter().for_each(|k| relays[k] = Some(hop));
    }
    relays
}
