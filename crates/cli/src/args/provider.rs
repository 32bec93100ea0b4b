//! What can be typed about location services.

use clap::Args as ClapArgs;
use std::{net::SocketAddr, path::PathBuf};

#[derive(Debug, ClapArgs)]
pub struct Provider {
    /// Charging points: GeoJSON with the properties name and kw, or CSV with the columns name, x_m, y_m
    /// (with --origin: lon, lat) and kw
    #[arg(value_name = "POINTS")]
    pub points: PathBuf,

    /// The network's directory, as demo or replay made it
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,

    /// The points are in degrees, and the network's plane touches the earth here: the first position of
    /// its trace
    #[arg(long, value_name = "LON,LAT", value_parser = origin, allow_hyphen_values = true)]
    pub origin: Option<[f64; 2]>,

    /// Serve status (/) and what a vehicle would be told (/nearest?x=…&y=…&kw=…) over HTTP here
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

fn origin(text: &str) -> Result<[f64; 2], String> {
    let numbers = text.split_once(',').and_then(|(longitude, latitude)| {
        Some([
            longitude.trim().parse().ok()?,
            latitude.trim().parse().ok()?,
        ])
    });
    let on_map = |[longitude, latitude]: &[f64; 2]| {
        cairn_scenario::Projection::on_map(*longitude, *latitude)
    };
    let expected = || "expected for example 9.99,53.55: within ±180 and ±85 degrees".to_owned();
    numbers.filter(on_map).ok_or_else(expected)
}
