//! Who lies in a run, and the truth about it.

use crate::{args::Attack, run::RunError};
use cairn_scenario::{
    FcdReader, Metres, RadioRange, Site,
    attackers::{self, AttackerKind, RsuVotes},
    traffic::Drivers,
};
use rand::{SeedableRng as _, rngs::StdRng, seq::IteratorRandom as _};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// The demo's liars. Their names are those of the demo's trace, their lies of three kinds: about the
/// position, about the speed, and about how many vehicles there are (of a GridSybil with one ghost that goes by
/// its other credential nobody would see it).
const DEMO: [(&str, &str); 3] = [
    ("car-west-east.2", "RandomPosOffset"),
    ("truck-west-east.1", "ConstSpeedOffset"),
    ("car-to-town.5", "trafficCongestionSybil"),
];

/// Who lies.
#[derive(Default)]
pub struct Liars {
    /// Vehicles, by name.
    pub vehicles: BTreeMap<Arc<str>, &'static AttackerKind>,
    /// RSUs, by their place in the list of sites.
    pub rsus: Option<(Vec<usize>, RsuVotes)>,
    /// The attack's name, if there is but one.
    pub attack: Option<&'static str>,
}

/// Those of the demo.
pub fn demo() -> Liars {
    let liar =
        |(vehicle, kind): &(&str, &str)| Some((Arc::from(*vehicle), attackers::attacker(kind)?));
    Liars {
        vehicles: DEMO.iter().filter_map(liar).collect(),
        ..Liars::default()
    }
}

/// Draws `count` attackers from the vehicles of a trace, or from its sites.
pub fn draw(
    attack: Attack,
    count: usize,
    trace: FcdReader,
    sites: &[Site],
    seed: u64,
) -> Result<Liars, RunError> {
    let mut rng = StdRng::seed_from_u64(seed);
    Ok(match attack {
        Attack::Vehicles(kind) => {
            let mut names = BTreeSet::new();
            for step in trace {
                names.extend(step?.vehicles.into_iter().map(|sample| sample.id));
            }
            let drawn = names.into_iter().sample(&mut rng, count);
            Liars {
                vehicles: drawn.into_iter().map(|name| (name, kind)).collect(),
                attack: Some(kind.name),
                ..Liars::default()
            }
        }
        Attack::Rsus(name, votes) => Liars {
            rsus: Some(((0..sites.len()).sample(&mut rng, count), votes)),
            attack: Some(name),
            ..Liars::default()
        },
    })
}

impl Liars {
    /// Drivers for all vehicles. Liars know the area in range of the RSUs.
    pub fn drivers(&self, sites: &[Site], range: RadioRange, seed: u64) -> Drivers {
        let corner = |start: f64, pick: fn(f64, f64) -> f64, margin: f64| Metres {
            x: sites.iter().map(|site| site.position.x).fold(start, pick) + margin,
            y: sites.iter().map(|site| site.position.y).fold(start, pick) + margin,
        };
        let low = corner(f64::MAX, f64::min, -range.metres());
        let high = corner(f64::MIN, f64::max, range.metres());
        let vehicles: HashMap<_, _> = self
            .vehicles
            .iter()
            .map(|(name, kind)| (name.clone(), *kind))
            .collect();
        Drivers::new(vehicles, [low, high], seed)
    }
}
