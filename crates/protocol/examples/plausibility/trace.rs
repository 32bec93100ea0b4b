//! Beacons from a traffic trace: honest ones, and with attackers among them.

use cairn_scenario::{
    FcdReader, Frame, Metres, RadioMap, RadioRange, Sample, Site, TraceError,
    attackers::{AttackerKind, Scene, Sent},
    beacons::{Beacon, Class, GpsError, Truth},
};
use rand::{SeedableRng as _, rngs::StdRng, seq::IteratorRandom as _};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    sync::Arc,
};

/// Vehicles that mount an attack at a time.
const ATTACKERS: usize = 8;

/// What honest vehicles send: the trace's positions with honest errors.
pub fn honest_beacons(
    trace: &Path,
    seed: u64,
) -> Result<impl Iterator<Item = Result<Beacon, TraceError>> + use<>, TraceError> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut errors: HashMap<Arc<str>, GpsError> = HashMap::new();
    let mut message = 0;
    let mut beacons = move |time_ms, sample: Sample| {
        let mut beacon = beacon(message, time_ms, &sample);
        message += 1;
        let error = errors.entry(sample.id);
        error
            .or_insert_with(|| GpsError::new(&mut rng))
            .apply(&mut beacon, &mut rng);
        beacon
    };
    let steps = FcdReader::open(trace, Frame::Metric)?;
    Ok(steps.flat_map(move |step| match step {
        Ok(step) => {
            let sent = step.vehicles.into_iter();
            sent.map(|sample| Ok(beacons(step.time_ms, sample)))
                .collect()
        }
        Err(error) => vec![Err(error)],
    }))
}

fn beacon(message: u64, time_ms: u64, sample: &Sample) -> Beacon {
    let heading = sample.angle.unwrap_or_default();
    let (sin, cos) = heading.to_radians().sin_cos();
    let along = |rate: f64| [rate * sin, rate * cos];
    let kind = sample.kind.as_deref().unwrap_or_default();
    Beacon {
        message,
        time_ms,
        sender: sample.id.clone(),
        class: Some(match kind {
            kind if kind.to_lowercase().contains("bus") => Class::Bus,
            kind if kind.starts_with("LKW") => Class::Truck,
            _ => Class::Car,
        }),
        position: sample.position,
        velocity: along(sample.speed.unwrap_or_default()),
        acceleration: sample.acceleration.map(along),
        heading: Some(heading),
        heard_by: None,
    }
}

/// A trace in which some vehicles, drawn by the seed, mount an attack; and the truth about it.
///
/// RSUs hear a vehicle where it is, not where it says: honest positions decide who hears.
pub fn with_attackers(
    kind: &AttackerKind,
    honest: &[Beacon],
    sites: &[Site],
    seed: u64,
) -> (Vec<Beacon>, Vec<Truth>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let names: BTreeSet<_> = honest.iter().map(|beacon| beacon.sender.clone()).collect();
    let xs = honest.iter().map(|beacon| beacon.position.x);
    let ys = honest.iter().map(|beacon| beacon.position.y);
    let low = Metres {
        x: xs.clone().fold(f64::MAX, f64::min),
        y: ys.clone().fold(f64::MAX, f64::min),
    };
    let high = Metres {
        x: xs.fold(f64::MIN, f64::max),
        y: ys.fold(f64::MIN, f64::max),
    };
    let mut scene = Scene::new(low, high);
    let chosen = names.into_iter().sample(&mut rng, ATTACKERS);
    let mut liars: BTreeMap<_, _> = chosen
        .into_iter()
        .map(|name| (name, kind.make(&scene, &mut rng)))
        .collect();
    let mut sent = Vec::new();
    let map = RadioMap::new(
        sites.iter().map(|site| site.position),
        RadioRange::default(),
    );
    for beacon in honest {
        scene.observe(beacon);
        let hearers = map
            .in_range(beacon.position)
            .map(|(index, _)| sites[index].id.clone());
        let own = Beacon {
            heard_by: Some(hearers.collect()),
            ..beacon.clone()
        };
        let is_false = false;
        let messages = match liars.get_mut(&beacon.sender) {
            Some(liar) => liar.send(&own, &scene, &mut rng),
            None => vec![Sent {
                beacon: own,
                is_false,
            }],
        };
        sent.extend(messages.into_iter().map(|message| (beacon, message)));
    }
    sent.sort_by_key(|(_, message)| message.beacon.time_ms);
    let number = |((honest, message), number): ((&Beacon, Sent), u64)| {
        let is_liar = liars.contains_key(&honest.sender);
        let truth = Truth {
            message: number,
            time_ms: message.beacon.time_ms,
            vehicle: honest.sender.clone(),
            attack: if is_liar { kind.name } else { Truth::GENUINE }.into(),
            is_false: message.is_false,
        };
        let mut beacon = message.beacon;
        beacon.message = number;
        (beacon, truth)
    };
    sent.into_iter().zip(0..).map(number).unzip()
}
