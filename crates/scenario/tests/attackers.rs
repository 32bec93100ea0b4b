//! What attackers send: each does what its authors say, and all stay within what can be sent.

use cairn_scenario::{
    Metres,
    attackers::{ATTACKERS, RSU_VILLAINS, Scene, Sent, Source, attacker},
    beacons::Beacon,
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::collections::HashSet;

const AREA_M: f64 = 4_000.0;

/// A vehicle's beacon after so many seconds: it drives east at 10 and 12 m/s by turns.
fn honest(name: &str, second: u64, y: f64) -> Beacon {
    Beacon {
        message: second,
        time_ms: 1_000 * second,
        sender: name.into(),
        class: None,
        position: Metres {
            x: 1_000.0 + 10.0 * second as f64,
            y,
        },
        velocity: [if second % 20 < 10 { 10.0 } else { 12.0 }, 0.0],
        acceleration: Some([1.0, 0.0]),
        heading: Some(90.0),
        heard_by: None,
    }
}

/// What an attacker sends in so many seconds beside two honest neighbours.
fn run(name: &str, seconds: u64, seed: u64) -> Vec<(Beacon, Vec<Sent>)> {
    let mut rng = StdRng::seed_from_u64(seed);
    let corner = |metres| Metres {
        x: metres,
        y: metres,
    };
    let mut scene = Scene::new(corner(AREA_M), corner(0.0));
    let mut liar = attacker(name).unwrap().make(&scene, &mut rng);
    let mut sent = Vec::new();
    for second in 0..seconds {
        for (name, y) in [("n1", 1_020.0), ("n2", 1_050.0), ("liar", 1_000.0)] {
            scene.observe(&honest(name, second, y));
        }
        let own = honest("liar", second, 1_000.0);
        sent.push((own.clone(), liar.send(&own, &scene, &mut rng)));
    }
    sent
}

/// The one message that is sent in place of each honest one.
fn single(name: &str, seconds: u64) -> Vec<(Beacon, Sent)> {
    let one = |(own, mut sent): (_, Vec<_>)| {
        assert_eq!(sent.len(), 1, "{name}");
        (own, sent.remove(0))
    };
    run(name, seconds, 7).into_iter().map(one).collect()
}

#[test]
fn every_attack_is_there_once() {
    let names: HashSet<_> = ATTACKERS.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), ATTACKERS.len());
    let numbers: Vec<u8> = ATTACKERS
        .iter()
        .filter_map(|kind| match kind.source {
            Source::F2md(number) => Some(number),
            Source::NextGen => None,
        })
        .collect();
    assert_eq!(numbers, (1..=19).collect::<Vec<_>>());
    // All fifteen but positionMirroring, which needs the road's edge.
    assert_eq!(ATTACKERS.len() - numbers.len(), 14);
    assert!(attacker("positionMirroring").is_none());
}

#[test]
fn a_seed_determines_everything() {
    for kind in ATTACKERS {
        assert_eq!(
            run(kind.name, 80, 3),
            run(kind.name, 80, 3),
            "{}",
            kind.name
        );
    }
}

#[test]
fn all_lie_and_none_sends_what_cannot_be_sent() {
    for kind in ATTACKERS {
        let mut lies = 0;
        for (own, sent) in (0..5).flat_map(|seed| run(kind.name, 120, seed)) {
            assert!((1..=7).contains(&sent.len()), "{}", kind.name);
            for Sent { beacon, is_false } in sent {
                lies += u32::from(is_false);
                let name = &beacon.sender;
                assert!(**name == *own.sender || name.starts_with("liar~"), "{name}");
                assert!(beacon.position.x.is_finite() && beacon.position.y.is_finite());
                assert!(beacon.speed() < 60.0);
                assert!((0.0..360.0).contains(&beacon.course()));
                assert!(beacon.time_ms >= own.time_ms && beacon.time_ms <= own.time_ms + 4_000);
                // What is called true is what is true.
                if !is_false && !["accelerationMultiplication"].contains(&kind.name) {
                    assert!(
                        beacon.position.distance(own.position) <= 20.0,
                        "{}",
                        kind.name
                    );
                }
            }
        }
        assert!(lies > 50, "{}: {lies}", kind.name);
    }
}

#[test]
fn positions() {
    let sent = single("ConstPos", 20);
    assert!(
        sent.windows(2)
            .all(|pair| pair[0].1.beacon.position == pair[1].1.beacon.position)
    );
    let offset = |own: &Beacon, sent: &Sent| {
        let (a, b) = (sent.beacon.position, own.position);
        [a.x - b.x, a.y - b.y]
    };
    for (name, low, high, is_const) in [
        ("ConstPosOffset", 31.5, 108.5, true),
        ("RandomPosOffset", 0.0, 35.0, false),
        ("constantPositionOffset", 20.0, 70.0, true),
        ("randomPositionOffset", 20.0, 70.0, false),
    ] {
        let sent = single(name, 50);
        let first = offset(&sent[0].0, &sent[0].1);
        let mut same = 0;
        for (own, sent) in &sent {
            let found = offset(own, sent);
            assert!(
                found
                    .iter()
                    .all(|m| (low - 1e-9..=high + 1e-9).contains(&m.abs())),
                "{name}"
            );
            same += usize::from((found[0] - first[0]).abs() < 1e-9);
        }
        assert_eq!(same == sent.len(), is_const, "{name}");
    }
    for (_, sent) in single("RandomPos", 50) {
        let Metres { x, y } = sent.beacon.position;
        assert!((0.0..=AREA_M).contains(&x) && (0.0..=AREA_M).contains(&y));
    }
}

#[test]
fn speeds() {
    for (_, sent) in single("RandomSpeed", 50) {
        assert!(
            sent.beacon
                .velocity
                .iter()
                .all(|part| (0.0..=40.0).contains(part))
        );
    }
    for (name, low, high) in [
        ("ConstSpeedOffset", 3.15, 10.85),
        ("RandomSpeedOffset", 3.15, 10.85),
    ] {
        for (own, sent) in single(name, 50) {
            let off = [0, 1].map(|axis| (sent.beacon.velocity[axis] - own.velocity[axis]).abs());
            assert!(
                off.iter()
                    .all(|part| (low - 1e-9..=high + 1e-9).contains(part)),
                "{name}"
            );
        }
    }
    for name in ["constantSpeedOffset", "randomSpeedOffset"] {
        for (own, sent) in single(name, 50) {
            let off = (sent.beacon.speed() - own.speed()).abs();
            assert!((1.0 - 1e-9..=7.0 + 1e-9).contains(&off), "{name}");
            assert!((sent.beacon.course() - 90.0).abs() < 1e-9);
        }
    }
    for (own, sent) in single("zeroSpeedReport", 10) {
        assert_eq!(sent.beacon.speed(), 0.0);
        // Whether it has moved cannot be told from its first message.
        assert_eq!(sent.is_false, own.time_ms > 0);
    }
}

#[test]
fn accelerations_and_headings() {
    for (_, sent) in single("feignedBraking", 20) {
        let braking = sent.beacon.forward_acceleration().unwrap();
        assert!((-4.0..=-2.0).contains(&braking) && sent.is_false);
    }
    for (_, sent) in single("accelerationMultiplication", 20) {
        assert!((2.0..=4.0).contains(&sent.beacon.forward_acceleration().unwrap()));
    }
    for (_, sent) in single("reversedHeading", 20) {
        assert_eq!(sent.beacon.heading, Some(270.0));
    }
}

#[test]
fn stops_and_stale_messages() {
    for name in ["EventualStop", "suddenStop"] {
        let sent = single(name, 200);
        let stopped = sent
            .iter()
            .position(|(_, sent)| sent.beacon.speed() == 0.0)
            .unwrap();
        let place = sent[stopped].1.beacon.position;
        assert!(sent[..stopped].iter().all(|(_, sent)| !sent.is_false));
        assert!(
            sent[stopped..]
                .iter()
                .all(|(_, sent)| sent.is_false && sent.beacon.position == place)
        );
    }
    let sent = single("StaleMessages", 100);
    assert_eq!(sent[30].1.beacon.position, sent[0].0.position);
    assert_eq!(sent[99].1.beacon.position, sent[39].0.position);
    assert_eq!(sent[99].1.beacon.time_ms, 99_000);
    assert!(!sent[2].1.is_false && sent[3].1.is_false);
}

#[test]
fn replays_repeat_one_neighbour_for_a_while() {
    let ys = |name| -> Vec<f64> {
        single(name, 120)
            .iter()
            .map(|(_, sent)| sent.beacon.position.y)
            .collect()
    };
    let all = ys("dataReplay");
    assert!(all.iter().all(|&y| y == 1_020.0 || y == 1_050.0));
    assert!(
        all.chunk_by(|a, b| a == b)
            .all(|victim| victim.len() >= 4 || victim.len() == all.len() % 4)
    );
    assert!(
        ys("Disruptive")
            .iter()
            .all(|&y| y == 1_020.0 || y == 1_050.0)
    );
    // Alone there is nobody to repeat.
    let mut rng = StdRng::seed_from_u64(1);
    let corner = Metres { x: 0.0, y: 0.0 };
    let scene = Scene::new(corner, corner);
    for name in ["DataReplay", "DataReplaySybil", "dataReplay", "Disruptive"] {
        let own = honest("liar", 5, 0.0);
        let sent = attacker(name)
            .unwrap()
            .make(&scene, &mut rng)
            .send(&own, &scene, &mut rng);
        assert!(sent[0].beacon == own && !sent[0].is_false, "{name}");
    }
}

#[test]
fn floods_fill_the_second() {
    let mut counts = HashSet::new();
    for seed in 0..20 {
        for (own, sent) in run("DoS", 5, seed) {
            counts.insert(sent.len());
            let interval = 1_000 / sent.len() as u64;
            for (sent, i) in sent.iter().zip(0..) {
                assert_eq!(sent.beacon.time_ms, own.time_ms + i * interval);
                assert_eq!(sent.is_false, i > 0);
                assert_eq!(sent.beacon.position, own.position);
            }
        }
    }
    assert_eq!(counts, HashSet::from([2, 4]));
    for name in ["DoSRandomSybil", "DoSDisruptiveSybil"] {
        let all = run(name, 20, 1);
        let sent = all.iter().flat_map(|(_, sent)| sent);
        let names: HashSet<_> = sent
            .clone()
            .map(|sent| sent.beacon.sender.clone())
            .collect();
        assert_eq!(names.len(), sent.count(), "{name}");
    }
}

#[test]
fn ghosts_stand_around_their_maker() {
    for (name, counts) in [
        ("GridSybil", &[1, 5][..]),
        ("trafficCongestionSybil", &[4, 5, 6]),
    ] {
        for seed in 0..20 {
            for (own, sent) in run(name, 3, seed) {
                assert!(counts.contains(&(sent.len() - 1)), "{name}");
                assert!(sent[0].beacon == own && !sent[0].is_false);
                for (ghost, k) in sent[1..].iter().zip(1..) {
                    assert_eq!(*ghost.beacon.sender, format!("liar~{k}"));
                    assert!(ghost.is_false);
                    let metres = ghost.beacon.position.distance(own.position);
                    assert!((1.0..26.0).contains(&metres), "{name}: {metres}");
                    assert!(ghost.beacon.time_ms < own.time_ms + 1_000);
                }
            }
        }
    }
}

#[test]
fn rsu_villains_vote_as_they_like() {
    let votes = |name: &str, would_vote| {
        let villain = RSU_VILLAINS.iter().find(|villain| villain.0 == name);
        villain.unwrap().1(would_vote)
    };
    assert_eq!(
        (votes("lying_rsu", false), votes("lying_rsu", true)),
        (1, 0)
    );
    assert_eq!(
        (votes("silent_rsu", false), votes("silent_rsu", true)),
        (0, 0)
    );
    assert!(votes("spamming_rsu", false) > 1 && votes("spamming_rsu", true) > 1);
}
