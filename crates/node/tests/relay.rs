//! Logins through neighbours in a whole network: over a bad radio link, past relays that drop, and what
//! relays are paid.

mod simulated;

use cairn_contracts::credits::{
    Account, CreditId, CreditRecord, LOGIN_POT, account_key, credit_key,
};
use cairn_ledger::Address;
use cairn_node::{
    authority::Enrolment,
    network::Network,
    obu::Relays,
    replay::{Pace, replay},
    report::Report,
};
use cairn_protocol::{
    relay::Claim,
    vehicle::Papers,
    wire::{Message, is_relayed},
};
use cairn_scenario::{Metres, RadioRange, Sample, Site, Step, TraceError, traffic::Moment};
use commonware_p2p::simulated::Link;
use commonware_runtime::{Clock as _, Spawner as _, Supervisor as _, deterministic::Context};
use commonware_utils::probability;
use futures::stream;
use simulated::{
    BATCH_INTERVAL, Options, Simulation,
    air::{Air, Faults},
    run,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::mpsc;

/// One RSU at the origin, which hears 500 m; vehicles hear each other at 300 m.
fn options(seed: u64, faults: Faults) -> Options {
    Options {
        seed,
        validators: 1,
        sites: vec![Site {
            id: Arc::from("site"),
            position: Metres { x: 0.0, y: 0.0 },
        }],
        range: RadioRange::default(),
        link: Link {
            latency: Duration::from_millis(5),
            jitter: Duration::from_millis(1),
            success_rate: probability!(1.0),
        },
        faults,
        batch_interval: BATCH_INTERVAL,
        villains: HashMap::new(),
        enrolment: Enrolment::default(),
        points: None,
        hop_range: Some(RadioRange::new(300.0).unwrap()),
    }
}

/// Vehicles by their places in each of `seconds` seconds.
fn traffic(seconds: u32, places: impl Fn(u32) -> Vec<(f64, f64)>) -> Vec<Moment> {
    let step = |second| {
        let vehicle = |(number, (x, y)): (usize, (f64, f64))| Sample {
            id: Arc::from(format!("vehicle-{number}")),
            position: Metres { x, y },
            speed: None,
            angle: None,
            acceleration: None,
            kind: None,
            lane: None,
        };
        let vehicles = places(second).into_iter().enumerate().map(vehicle);
        Moment::from(Step {
            time_ms: u64::from(second) * 1_000,
            offset_ms: u64::from(second) * 1_000,
            vehicles: vehicles.collect(),
        })
    };
    (0..seconds).map(step).collect()
}

async fn drive(simulation: &mut Simulation, moments: Vec<Moment>) -> Report {
    let moments = moments.into_iter().map(Ok::<_, TraceError>);
    let network = &mut simulation.network;
    let outcome = replay(network, stream::iter(moments), Pace::Times(1.0), |_| true).await;
    outcome.expect("the replay ends by itself").report
}

fn drive_with(options: Options, moments: Vec<Moment>) -> Report {
    run(options, async |simulation: &mut Simulation| {
        drive(simulation, moments).await
    })
    .unwrap()
}

/// Vehicles that stand 250 m apart, the first of them 450 m from the RSU; each hears the next.
fn row(vehicles: usize) -> Vec<(f64, f64)> {
    let place = |number| (450.0 + 250.0 * number as f64, 0.0);
    (0..vehicles).map(place).collect()
}

#[test]
fn vehicles_in_a_row_are_served_over_one_two_and_three_relays_and_no_more() {
    let report = drive_with(options(1, Faults::default()), traffic(30, |_| row(5)));
    let relay = report.relay.unwrap();
    assert_eq!(report.login.vehicles, 1, "one hears the RSU");
    assert_eq!(relay.vehicles_only, 3, "the fifth is too far");
    assert!(relay.hops.iter().all(|hops| *hops > 0), "{:?}", relay.hops);
    assert_eq!((report.login.refused, report.login.unanswered), (0, 0));
    // Without relays one in five; with them four, but for the first seconds.
    assert!(relay.served_share > 0.6, "{relay:?}");
    assert!(relay.served_share_direct < 0.21, "{relay:?}");
    assert_eq!(report.network.transactions_refused, 0);
    let pots = relay.logins + relay.handovers;
    assert_eq!(relay.granted, pots * u64::from(LOGIN_POT));
}

#[test]
fn without_relaying_nobody_seeks() {
    let options = Options {
        hop_range: None,
        ..options(1, Faults::default())
    };
    let report = drive_with(options, traffic(5, |_| row(2)));
    assert_eq!(report.relay, None);
    assert_eq!(report.login.vehicles, 1);
}

#[test]
fn over_a_radio_that_loses_delays_and_repeats_relayed_vehicles_are_served_too() {
    let faults = Faults {
        loss: 0.05,
        reordering: 0.05,
        duplication: 0.05,
    };
    for seed in 10..14 {
        // Two ways to each of the rear ones.
        let places = |_| vec![(450.0, 0.0), (450.0, 50.0), (700.0, 0.0), (940.0, 0.0)];
        let report = drive_with(options(seed, faults), traffic(40, places));
        let relay = report.relay.unwrap();
        assert_eq!(relay.vehicles_only, 2, "seed {seed}");
        assert!(relay.served_share > 0.75, "seed {seed}: {relay:?}");
        assert_eq!(report.network.transactions_refused, 0);
        assert_eq!(report.login.refused, 0);
    }
}

/// Has the relay that is the first to reach the RSU drop all that it carries from then on.
fn first_relay_drops(simulation: &Simulation) {
    let network = &simulation.network;
    let rsu = network.rsus[0].0.address;
    let mut dropper = None;
    network
        .radio
        .lose_if(move |from: SocketAddr, to: SocketAddr, datagram: &[u8]| {
            let message = Message::decode(datagram);
            if to == rsu && matches!(message, Ok(Message::Up(_))) {
                dropper.get_or_insert(from);
            }
            dropper == Some(from) && matches!(message, Ok(Message::Up(_) | Message::Down(_)))
        });
}

#[test]
fn a_relay_that_drops_is_routed_around_in_a_network() {
    let beside = vec![(450.0, 0.0), (450.0, 50.0), (700.0, 0.0)];
    let behind_another = vec![(450.0, 0.0), (450.0, 50.0), (700.0, 0.0), (950.0, 0.0)];
    for (places, relayed) in [(beside, 1), (behind_another, 2)] {
        let moments = traffic(30, |_| places.clone());
        let report = run(
            options(2, Faults::default()),
            async |simulation: &mut Simulation| {
                first_relay_drops(simulation);
                drive(simulation, moments).await
            },
        );
        let relay = report.unwrap().relay.unwrap();
        assert!(relay.given_up > 0);
        assert_eq!(relay.vehicles_only, relayed, "{relay:?}");
    }
}

#[test]
fn a_search_that_nobody_answers_passes_everybody_once_even_if_all_is_heard_twice() {
    const CROWD: u64 = 8;
    let place = |number| (5_000.0, 10.0 * number as f64);
    for duplication in [0.0, 1.0] {
        let faults = Faults {
            duplication,
            ..Faults::default()
        };
        let moments = traffic(12, |_| (0..CROWD).map(place).collect());
        let sent: Arc<Mutex<BTreeMap<[u8; 8], u64>>> = Arc::default();
        let counts = sent.clone();
        let report = run(options(3, faults), async |simulation: &mut Simulation| {
            simulation
                .network
                .radio
                .watch(move |_, _, datagram: &[u8]| {
                    if let Ok(Message::Seek(seek)) = Message::decode(datagram) {
                        *counts.lock().unwrap().entry(seek.route.0).or_default() += 1;
                    }
                });
            drive(simulation, moments).await
        });
        let relay = report.unwrap().relay.unwrap();
        let sent = sent.lock().unwrap();
        assert_eq!(sent.len() as u64, relay.searches);
        assert!(relay.searches >= 2 * CROWD, "{relay:?}");
        assert!(
            sent.values().all(|count| *count == CROWD * (CROWD - 1)),
            "{sent:?}"
        );
    }
}

#[test]
fn what_relays_carry_names_nobody() {
    let carried: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let kept = carried.clone();
    let names = run(
        options(6, Faults::default()),
        async |simulation: &mut Simulation| {
            simulation
                .network
                .radio
                .watch(move |_, _, datagram: &[u8]| {
                    if is_relayed(datagram) {
                        kept.lock().unwrap().push(datagram.to_vec());
                    }
                });
            let report = drive(simulation, traffic(30, |_| row(4))).await;
            assert_eq!(report.relay.unwrap().vehicles_only, 3);
            // Who enrols again gets what it has.
            let ids: Vec<Arc<str>> = (0..4).map(|k| Arc::from(format!("vehicle-{k}"))).collect();
            let enrolled = simulation.network.enrol(&ids).await.unwrap();
            let names = enrolled.iter().flat_map(|enrolled| {
                let Papers::Anonymous(wallet) = &enrolled.papers else {
                    panic!("all are anonymous")
                };
                let credentials = wallet.credentials().iter();
                let linkage = credentials
                    .map(|credential| credential.certificate().attributes().linkage.0.to_vec());
                linkage.chain([enrolled.uid.0.to_vec()]).collect::<Vec<_>>()
            });
            names.collect::<Vec<_>>()
        },
    )
    .unwrap();
    assert!(names.len() > 8, "UIDs and linkage values");
    let carried = carried.lock().unwrap();
    assert!(carried.len() > 100, "{}", carried.len());
    for datagram in carried.iter() {
        for name in &names {
            assert!(!datagram.windows(name.len()).any(|window| window == name));
        }
    }
}

#[test]
fn a_vehicle_that_comes_into_range_goes_on_or_hands_over_without_relays() {
    // Within reach of the RSU that it is logged in to, or of another.
    for (x, other) in [(400.0, None), (1_100.0, Some(1_500.0))] {
        let moments = traffic(20, |second| {
            vec![(450.0, 0.0), (if second < 12 { 700.0 } else { x }, 0.0)]
        });
        let mut options = options(4, Faults::default());
        options.sites.extend(other.map(|x| Site {
            id: Arc::from("other"),
            position: Metres { x, y: 0.0 },
        }));
        let report = drive_with(options, moments);
        let relay = report.relay.unwrap();
        let login = &report.login;
        assert_eq!((relay.logins, relay.handovers), (1, 0));
        assert_eq!(login.anonymous, 2);
        assert_eq!(login.handover, u64::from(other.is_some()));
        assert_eq!(relay.vehicles_only, u64::from(other.is_none()));
        // Most of twelve seconds over the relay, eight without; and the other vehicle always.
        assert!(relay.served_positions >= 6, "{relay:?}");
        assert!(login.served_positions >= 7 + 18, "{login:?}");
        assert_eq!((login.refused, login.unanswered), (0, 0));
    }
}

/// Hands in for `relays` whatever vehicles claim: first as somebody else's, then twice, and all that was
/// claimed before again. Returns what was claimed.
fn greedy(context: &Context, relays: &mut Relays) -> Arc<Mutex<Vec<Claim>>> {
    let (hand_in, mut claimed) = mpsc::channel::<Vec<Claim>>(8);
    let honest = std::mem::replace(&mut relays.claims, hand_in);
    let all: Arc<Mutex<Vec<Claim>>> = Arc::default();
    let before = all.clone();
    context.child("greedy").spawn(move |_| async move {
        while let Some(claims) = claimed.recv().await {
            let stolen = claims.iter().map(|claim| Claim {
                account: THIEF,
                ..*claim
            });
            let mut greed: Vec<Claim> = stolen.collect();
            for _ in 0..2 {
                greed.extend(claims.iter().cloned());
            }
            let before = {
                let mut before = before.lock().unwrap();
                before.extend(claims);
                before.clone()
            };
            greed.extend(before);
            honest.send(greed).await.unwrap();
        }
    });
    all
}

const THIEF: Account = Account([7; 32]);

#[test]
fn a_credit_that_is_claimed_twice_or_by_another_is_paid_once_to_its_owner() {
    // The keys of the first minute are claimed in the third and paid in its middle, and so on.
    let moments = traffic(215, |_| row(4));
    run(
        options(5, Faults::default()),
        async |simulation: &mut Simulation| {
            let network = &mut simulation.network;
            let relays = network.relays.as_mut().unwrap();
            let contract = relays.credits;
            let claimed = greedy(&network.context, relays);
            let report = drive(simulation, moments).await;
            let network = &simulation.network;
            network.context.sleep(Duration::from_secs(3)).await;
            let claimed = claimed.lock().unwrap().clone();
            let mut owed: BTreeMap<Account, u64> = BTreeMap::new();
            let mut keys = BTreeSet::new();
            for claim in &claimed {
                let id = CreditId::of(&claim.key.to_bytes());
                assert!(keys.insert(id), "an honest vehicle claims once");
                let found = network.ledger.get(&[credit_key(&contract, &id)]).await;
                let record = found.unwrap().remove(0).1;
                let credit: Option<CreditRecord> = record.map(|record| record.decode_as().unwrap());
                if let Some(credit) = credit.filter(|credit| credit.is_redeemed) {
                    *owed.entry(claim.account).or_default() += u64::from(credit.amount);
                }
            }
            assert_eq!(owed.len(), 3, "three relays");
            for (account, owed) in &owed {
                assert_eq!(paid(network, &contract, account).await, Some(*owed));
            }
            assert_eq!(paid(network, &contract, &THIEF).await, None);
            let relay = network.counters.relay_report();
            assert_eq!(relay.redeemed, owed.values().sum::<u64>());
            assert!(relay.redeemed < relay.granted, "the last minute is not due");
            assert_eq!(report.network.transactions_refused, 0);
        },
    )
    .unwrap();
}

async fn paid(
    network: &Network<Context, Air>,
    contract: &Address,
    account: &Account,
) -> Option<u64> {
    let key = account_key(contract, account);
    let found = network.ledger.get(&[key]).await.unwrap().remove(0).1;
    found.map(|record| record.decode_as().unwrap())
}
