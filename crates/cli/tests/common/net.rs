//! Ports for networks of several processes.

use std::net::{Ipv4Addr, TcpListener};

/// How many one network may need.
const COUNT: u16 = 64;

/// The first of 64 ports that were free a moment ago, away from those that others get by asking for any. Tests
/// run at the same time, in processes of their own: each begins to look elsewhere.
pub fn free_ports() -> u16 {
    let (first, end) = (20_000, 27_000);
    let places = (end - first) / COUNT;
    let begin = u16::try_from(std::process::id() % u32::from(places)).unwrap();
    (0..places)
        .map(|place| first + (begin + place) % places * COUNT)
        .find(|port| {
            let range = *port..*port + COUNT;
            let held: Vec<_> = range
                .map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)))
                .collect();
            held.iter().all(Result::is_ok)
        })
        .expect("64 ports are free")
}
