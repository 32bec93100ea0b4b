//! What happens on the road: traffic traces in, roadside unit (RSU) sites, and who hears whom.
//!
//! * [`FcdReader`] streams SUMO floating-car data, plain or gzipped, one [`Step`] at a time.
//! * [`read_sites`] reads RSU sites from CSV; [`place_sites`] chooses them from the traffic.
//! * [`read_points`] reads charging points from GeoJSON or CSV.
//! * [`RadioMap`] answers which sites hear a position.
//! * [`beacons`] reads position messages, ours and researchers'; [`attackers`] makes them false.
//! * [`traffic`] is what all of that makes: where vehicles are and what they say, step by step.
//! * [`traci`] talks to a running SUMO.
//! * [`scoring`] compares what was found with the truth.
//!
//! Everything is synchronous, and memory is bounded by named limits however large the input is.
//! All input is taken to be hostile; what is wrong with it is said with file, line and column.
//!
//! ```
//! use cairn_scenario::{FcdReader, Frame, RadioMap, RadioRange, parse_sites};
//!
//! let trace = r#"<fcd-export>
//!     <timestep time="900.00"><vehicle id="bus.1" x="310" y="0"/></timestep>
//! </fcd-export>"#;
//! let sites = parse_sites(b"site_id,x_m,y_m\nfar,900,0\nnear,0,0\n", "sites.csv", None)?;
//! let map = RadioMap::new(sites.iter().map(|site| site.position), RadioRange::default());
//! for step in FcdReader::from_reader(trace.as_bytes(), "trace.xml", Frame::Metric)? {
//!     for vehicle in step?.vehicles {
//!         let heard: Vec<_> = map.in_range(vehicle.position).collect();
//!         assert_eq!(heard, [(1, 310.0)]);
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod attackers;
pub mod beacons;
mod fcd;
mod frame;
mod placement;
mod points;
mod radio;
mod rows;
pub mod scoring;
mod sites;
pub mod traci;
pub mod traffic;

pub use fcd::{
    FcdReader, Location, MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, MAX_DEPTH, MAX_MARKUP_BYTES,
    MAX_NAME_BYTES, MAX_RATE, MAX_TIME_MS, MAX_VEHICLES_PER_STEP, Sample, Step, TraceError,
    TraceFault,
};
pub use frame::{Frame, MAX_COORDINATE_M, MAX_EXTENT_M, MAX_LATITUDE_DEG, Metres, Projection};
pub use placement::{MAX_CELLS, PlaceError, Placement, place_sites};
pub use points::{
    MAX_KW, MAX_POINTS, MAX_POINTS_FILE_BYTES, PointOfInterest, PointsError, PointsFault,
    parse_points, read_points,
};
pub use radio::{RadioMap, RadioRange, RangeError};
pub use sites::{
    MAX_SITES, MAX_SITES_FILE_BYTES, Site, SitesError, SitesFault, parse_sites, read_sites,
};
