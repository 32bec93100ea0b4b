//! All RSUs of a city: each judges what it hears and votes by itself.

use cairn_ledger::Position;
use cairn_protocol::plausibility::{Bounds, Check, Claim, Class, Report, Severity, Subject, Watch};
use cairn_scenario::{
    Metres, RadioMap, RadioRange, Site, beacons, beacons::Beacon, scoring::Findings,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// RSUs whose votes revoke a vehicle: f_r + 1.
pub const VOTERS: usize = 3;

pub struct City {
    rsus: Vec<Rsu>,
    names: HashMap<Arc<str>, usize>,
    map: RadioMap,
    vehicles: HashMap<Arc<str>, Vehicle>,
    /// What was found, for scoring.
    pub findings: Findings,
    /// How often each check found something.
    pub found: BTreeMap<Check, u64>,
    /// Messages that some RSU heard.
    pub heard: u64,
    /// Messages that no RSU heard.
    pub unheard: u64,
}

struct Rsu {
    position: Position,
    watch: Watch,
}

struct Vehicle {
    subject: Subject,
    sequence: u32,
    hearers: BTreeSet<usize>,
    voters: BTreeSet<usize>,
}

impl City {
    pub fn new(sites: &[Site], bounds: Bounds) -> Self {
        let rsu = |site: &Site| {
            let position = position(site.position);
            let watch = Watch::new(position, bounds);
            Rsu { position, watch }
        };
        let named = sites.iter().zip(0..);
        Self {
            rsus: sites.iter().map(rsu).collect(),
            names: named
                .map(|(site, index)| (site.id.clone(), index))
                .collect(),
            map: RadioMap::new(
                sites.iter().map(|site| site.position),
                RadioRange::default(),
            ),
            vehicles: HashMap::new(),
            findings: Findings::default(),
            found: BTreeMap::new(),
            heard: 0,
            unheard: 0,
        }
    }

    /// Lets every RSU in range judge a beacon. A beacon that does not say who hears it is heard
    /// where it says it is, which holds for honest ones.
    pub fn hear(&mut self, beacon: &Beacon) {
        let hearers: BTreeSet<usize> = match &beacon.heard_by {
            Some(names) => names
                .iter()
                .filter_map(|name| self.names.get(name))
                .copied()
                .collect(),
            None => self
                .map
                .in_range(beacon.position)
                .map(|(index, _)| index)
                .collect(),
        };
        let counter = if hearers.is_empty() {
            &mut self.unheard
        } else {
            &mut self.heard
        };
        *counter += 1;

        // Ghosts sign with their maker's credentials.
        let signer = beacon.sender.split('~').next().unwrap_or_default();
        let next = self.vehicles.len() as u64;
        let vehicle = self.vehicles.entry(signer.into()).or_insert_with(|| {
            let mut subject = [0; 32];
            subject[..8].copy_from_slice(&next.to_be_bytes());
            Vehicle {
                subject: Subject(subject),
                sequence: 0,
                hearers: BTreeSet::new(),
                voters: BTreeSet::new(),
            }
        });
        vehicle.sequence += 1;
        vehicle.hearers.extend(&hearers);
        let claim = claim(vehicle, beacon);
        for &index in &hearers {
            let others = self
                .rsus
                .iter()
                .zip(0..)
                .filter(|&(_, other)| other != index);
            let report = |(rsu, other): (&Rsu, usize)| Report {
                rsu: rsu.position,
                has_heard: hearers.contains(&other),
            };
            let reports: Vec<Report> = others.map(report).collect();
            // An attacker's late clock does not make the RSUs' late.
            let now_ms = beacon.time_ms;
            let Ok(judged) = self.rsus[index].watch.hear(&claim, &reports, now_ms) else {
                continue;
            };
            for suspicion in judged.suspicions {
                *self.found.entry(suspicion.check).or_default() += 1;
                if suspicion.severity >= Severity::Implausible {
                    self.findings.flagged.insert(beacon.message);
                }
            }
            if judged.is_vote_due {
                vehicle.voters.insert(index);
            }
        }
        if vehicle.voters.len() >= VOTERS {
            let revoked = &mut self.findings.revoked_ms;
            revoked.entry(signer.into()).or_insert(beacon.time_ms);
        }
    }

    /// How many RSUs ever heard a vehicle.
    pub fn hearers(&self, vehicle: &str) -> usize {
        self.vehicles
            .get(vehicle)
            .map_or(0, |vehicle| vehicle.hearers.len())
    }

    /// How many RSUs voted against a vehicle.
    pub fn voters(&self, vehicle: &str) -> usize {
        self.vehicles
            .get(vehicle)
            .map_or(0, |vehicle| vehicle.voters.len())
    }

    /// How many votes there are against such vehicles.
    pub fn votes_against(&self, is_meant: impl Fn(&str) -> bool) -> usize {
        let meant = self.vehicles.iter().filter(|(name, _)| is_meant(name));
        meant.map(|(_, vehicle)| vehicle.voters.len()).sum()
    }
}

fn position(metres: Metres) -> Position {
    Position {
        x_cm: (metres.x * 100.0).round() as i32,
        y_cm: (metres.y * 100.0).round() as i32,
    }
}

fn claim(vehicle: &Vehicle, beacon: &Beacon) -> Claim {
    let acceleration = beacon.forward_acceleration().unwrap_or_default();
    Claim {
        subject: vehicle.subject,
        sequence: vehicle.sequence,
        time_ms: beacon.time_ms,
        position: position(beacon.position),
        speed_cm_s: (beacon.speed() * 100.0).round() as u16,
        heading_cdeg: (beacon.course() * 100.0).round() as u16,
        acceleration_cm_s2: (acceleration * 100.0).round() as i16,
        class: match beacon.class {
            None | Some(beacons::Class::Car) => Class::Car,
            Some(beacons::Class::Truck) => Class::Truck,
            Some(beacons::Class::Bus) => Class::Bus,
        },
    }
}
