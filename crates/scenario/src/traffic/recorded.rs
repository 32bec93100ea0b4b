//! What vehicles say, from a file of beacons.
//!
//! 1. All beacons of one second make a step.
//! 2. A ghost `vehicle~k` is `vehicle`, which signs what the ghost says.
//! 3. A vehicle is heard by the sites that its first beacon of the step names, and stands where
//!    that says. Its own name's beacons go before its ghosts'.

use super::{INTERVAL_MS, Moment, Vehicle};
use crate::beacons::{Beacon, BeaconReader, BeaconsError};
use std::{collections::BTreeMap, iter::Peekable, sync::Arc};

/// The most beacons of one step: four from each of 25,000 vehicles, some 20 MB. Further ones of the
/// same second make a step of their own.
pub const MAX_BEACONS_PER_STEP: usize = 100_000;

/// Steps from a file of beacons. After an error or the end it yields `None`.
pub struct RecordedBeacons {
    beacons: Peekable<BeaconReader>,
    first_ms: Option<u64>,
}

impl RecordedBeacons {
    /// Steps from `beacons`.
    pub fn new(beacons: BeaconReader) -> Self {
        Self {
            beacons: beacons.peekable(),
            first_ms: None,
        }
    }
}

impl Iterator for RecordedBeacons {
    type Item = Result<Moment, BeaconsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.beacons.next()? {
            Ok(beacon) => beacon,
            Err(error) => return Some(Err(error)),
        };
        let first_ms = *self.first_ms.get_or_insert(first.time_ms);
        let offset_ms = (first.time_ms - first_ms) / INTERVAL_MS * INTERVAL_MS;
        let time_ms = first_ms + offset_ms;
        let end_ms = time_ms + INTERVAL_MS;
        let mut sent = vec![first];
        // An error ends the step, too; it is told at the next.
        while sent.len() < MAX_BEACONS_PER_STEP
            && let Some(Ok(beacon)) = self
                .beacons
                .next_if(|next| matches!(next, Ok(beacon) if beacon.time_ms < end_ms))
        {
            sent.push(beacon);
        }
        Some(Ok(Moment {
            time_ms,
            offset_ms,
            vehicles: vehicles(sent),
        }))
    }
}

fn vehicles(sent: Vec<Beacon>) -> Vec<Vehicle> {
    let mut by_vehicle: BTreeMap<Arc<str>, Vec<Beacon>> = BTreeMap::new();
    for beacon in sent {
        let vehicle = match beacon.sender.split_once('~') {
            Some((vehicle, _)) => vehicle.into(),
            None => beacon.sender.clone(),
        };
        by_vehicle.entry(vehicle).or_default().push(beacon);
    }
    let vehicle = |(id, says): (Arc<str>, Vec<Beacon>)| {
        let own = says.iter().find(|beacon| beacon.sender == id);
        let own = own.or(says.first())?;
        Some(Vehicle {
            position: own.position,
            heard_by: own.heard_by.clone(),
            id,
            says,
        })
    };
    by_vehicle.into_iter().filter_map(vehicle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(lines: &[(f64, &str, f64)]) -> Vec<Result<Moment, BeaconsError>> {
        let mut text = String::new();
        for (number, (time, sender, x)) in lines.iter().enumerate() {
            text.push_str(&format!(
                "{{\"sendTime\":{time},\"messageID\":{number},\"sender\":\"{sender}\",\
                 \"pos\":[{x},0.0],\"spd\":[0.0,0.0],\"heard_by\":[\"{x}\"]}}\n"
            ));
        }
        let input = std::io::Cursor::new(text.into_bytes());
        RecordedBeacons::new(BeaconReader::from_reader(input, "test").unwrap()).collect()
    }

    #[test]
    fn beacons_of_one_second_make_a_step_and_ghosts_belong_to_their_maker() {
        let found = steps(&[
            (900.5, "car", 1.0),
            (900.501, "car~1", 2.0),
            (900.6, "bus", 3.0),
            (901.499, "car", 4.0),
            (901.5, "car~2", 5.0),
            (905.5, "bus", 6.0),
        ]);
        let shape: Vec<_> = found
            .iter()
            .map(|step| {
                let step = step.as_ref().unwrap();
                let vehicles: Vec<_> = step
                    .vehicles
                    .iter()
                    .map(|vehicle| (&*vehicle.id, vehicle.position.x, vehicle.says.len()))
                    .collect();
                (step.offset_ms, vehicles)
            })
            .collect();
        assert_eq!(
            shape,
            [
                (0, vec![("bus", 3.0, 1), ("car", 1.0, 3)]),
                (1_000, vec![("car", 5.0, 1)]),
                (5_000, vec![("bus", 6.0, 1)]),
            ]
        );
        let ghost_only = &found[1].as_ref().unwrap().vehicles[0];
        assert_eq!(ghost_only.heard_by, Some(vec!["5".into()]));
    }

    #[test]
    fn an_error_comes_after_the_steps_before_it() {
        let found = steps(&[(1.0, "a", 0.0), (1.5, "a", 0.0), (0.5, "a", 0.0)]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].as_ref().unwrap().vehicles[0].says.len(), 2);
        assert!(found[1].is_err());
    }
}
