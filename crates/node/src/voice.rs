//! What a vehicle is to say in a step: a beacon of the traffic in the units of the wire, under its own
//! name or, of a liar, a ghost's.

use cairn_crypto::linkage::LinkageValue;
use cairn_protocol::{
    plausibility::Class,
    position::{Motion, Signed},
    vehicle::{Papers, Refusal, Vehicle},
};
use cairn_scenario::beacons::{self, Beacon};
use rand_core::CryptoRng;

/// A position message to be signed and broadcast.
#[derive(Clone, Copy, Debug)]
pub struct Saying {
    /// Its number in the traffic, for scoring.
    pub number: u64,
    /// When it says it was sent, in milliseconds of trace time.
    pub time_ms: u64,
    /// What it says.
    pub motion: Motion,
    /// Which of the vehicle's ghosts says it, from 1; 0 for the vehicle itself.
    pub ghost: u32,
}

impl Saying {
    /// What `beacon` says, sent at `time_ms`. Numbers that the wire cannot hold become the nearest
    /// that it can.
    pub fn of(beacon: &Beacon, time_ms: u64) -> Self {
        const HUNDREDTHS: f64 = 100.0;
        let acceleration = beacon.forward_acceleration().unwrap_or_default();
        // Conversions from floating point saturate.
        let motion = Motion {
            position: crate::to_position(beacon.position),
            speed_cm_s: (beacon.speed() * HUNDREDTHS).round() as u16,
            heading_cdeg: (beacon.course() * HUNDREDTHS).round() as u16 % 36_000,
            acceleration_cm_s2: (acceleration * HUNDREDTHS).round() as i16,
            class: match beacon.class {
                None | Some(beacons::Class::Car) => Class::Car,
                Some(beacons::Class::Truck) => Class::Truck,
                Some(beacons::Class::Bus) => Class::Bus,
            },
        };
        let ghost = beacon.sender.split_once('~');
        Self {
            number: beacon.message,
            time_ms,
            motion,
            ghost: ghost.map_or(0, |(_, number)| number.parse().unwrap_or(1)),
        }
    }

    /// Signs it. Ghosts take turns with the two credentials that their maker has at a time, the older one
    /// first: it speaks itself under the newer one.
    pub fn sign(
        &self,
        vehicle: &mut Vehicle,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Signed, Refusal> {
        let mut valid: Vec<(u32, LinkageValue)> = match vehicle.papers() {
            Papers::Anonymous(wallet) if self.ghost > 0 => {
                let credentials = wallet.credentials().iter();
                let attributes = credentials.map(|one| one.certificate().attributes());
                attributes
                    .filter(|attributes| attributes.slot.contains(now_ms, 0))
                    .map(|attributes| (attributes.slot.start_s(), attributes.linkage))
                    .collect()
            }
            _ => Vec::new(),
        };
        valid.sort_unstable();
        let turn = self.ghost.saturating_sub(1) as usize;
        match valid.get(turn % valid.len().max(1)) {
            Some((_, linkage)) => {
                vehicle.speak_under(linkage, self.motion, self.time_ms, now_ms, rng)
            }
            None => vehicle.speak(self.motion, self.time_ms, now_ms, rng),
        }
    }
}
