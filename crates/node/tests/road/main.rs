//! Whole road networks in simulation: traffic, logins, and validators that fail meanwhile.

mod handover;
#[path = "../simulated/mod.rs"]
mod simulated;

use cairn_node::{
    authority::Enrolment,
    replay::{Pace, replay},
    report::Report,
};
use cairn_scenario::{Metres, RadioRange, Sample, Site, Step, TraceError, traffic::Moment};
use commonware_p2p::simulated::Link;
use commonware_utils::probability;
use futures::stream;
use simulated::{BATCH_INTERVAL, Options, Simulation, air::Faults, run};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// Six vehicles that enter one after the other and pass three RSUs in 40 s.
fn traffic() -> Vec<Result<Moment, TraceError>> {
    (0..40u32)
        .map(|second| {
            let on_road = (0..6u32).filter(|vehicle| second >= 3 * vehicle);
            let vehicles = on_road.map(|vehicle| Sample {
                id: Arc::from(format!("vehicle-{vehicle}")),
                position: Metres {
                    x: f64::from(40 * (second - 3 * vehicle)),
                    y: f64::from(vehicle),
                },
                speed: None,
                angle: None,
                acceleration: None,
                kind: None,
                lane: None,
            });
            let step = Step {
                time_ms: u64::from(second) * 1_000,
                offset_ms: u64::from(second) * 1_000,
                vehicles: vehicles.collect(),
            };
            Ok(step.into())
        })
        .collect()
}

fn options(seed: u64, link: Link) -> Options {
    let site = |number: u32| Site {
        id: Arc::from(format!("site-{number}")),
        position: Metres {
            x: f64::from(600 * number),
            y: 10.0,
        },
    };
    Options {
        seed,
        validators: 4,
        sites: (0..3).map(site).collect(),
        range: RadioRange::default(),
        link,
        faults: Faults::default(),
        batch_interval: BATCH_INTERVAL,
        villains: HashMap::new(),
        enrolment: Enrolment {
            registered_share: 0.5,
            ..Enrolment::default()
        },
        points: None,
        hop_range: None,
    }
}

fn good_link() -> Link {
    Link {
        latency: Duration::from_millis(5),
        jitter: Duration::from_millis(1),
        success_rate: probability!(1.0),
    }
}

/// What a run came to: its report without what the machine adds, and the ledger's history.
type Outcome = (Report, String);

async fn drive(simulation: &mut Simulation) -> Outcome {
    let steps = stream::iter(traffic());
    let report = replay(&mut simulation.network, steps, Pace::Times(1.0), |_| true).await;
    let mut report = report.expect("the replay ends by itself").report;
    report.peak_rss_mib = 0.0;
    let history = simulation.network.ledger.observed().history;
    (report, history)
}

fn is_complete(report: &Report) {
    assert_eq!(report.trace.vehicles, 6);
    assert_eq!(report.login.vehicles, 6, "everybody logs in");
    assert_eq!(report.login.refused, 0);
    assert_eq!(report.login.unanswered, 0);
    assert_eq!(report.network.transactions_refused, 0);
}

#[test]
fn the_same_seed_gives_the_same_history_and_report() {
    let once = |seed| run(options(seed, good_link()), drive).unwrap();
    let (first, again, other) = (once(1), once(1), once(2));
    is_complete(&first.0);
    assert_eq!(first, again);
    assert_ne!(first.1, other.1, "another seed gives another history");
}

#[test]
fn traffic_goes_on_while_a_validator_crashes_and_restarts() {
    let outcome = run(
        options(3, good_link()),
        async |simulation: &mut Simulation| {
            simulation.crash(2).await;
            let outcome = drive(simulation).await;
            simulation.restart(2).await.unwrap();
            let height = simulation.network.ledger.observed().height;
            let restarted = simulation.chain(2).unwrap().clone();
            reach(simulation, &restarted, height).await;
            outcome
        },
    );
    is_complete(&outcome.unwrap().0);
}

#[test]
fn traffic_goes_on_while_a_validator_is_cut_off() {
    let outcome = run(
        options(4, good_link()),
        async |simulation: &mut Simulation| {
            simulation.cut(1).await.unwrap();
            let outcome = drive(simulation).await;
            simulation.heal(1).await.unwrap();
            let height = simulation.network.ledger.observed().height;
            let healed = simulation.chain(1).unwrap().clone();
            reach(simulation, &healed, height).await;
            outcome
        },
    );
    is_complete(&outcome.unwrap().0);
}

#[test]
fn traffic_goes_on_while_validators_lose_every_twentieth_message() {
    let lossy = Link {
        success_rate: probability!(0.95),
        ..good_link()
    };
    let (report, _) = run(options(5, lossy), drive).unwrap();
    is_complete(&report);
}

/// Waits until a validator has caught up.
async fn reach(
    simulation: &Simulation,
    chain: &cairn_chain::Chain<commonware_runtime::deterministic::Context>,
    height: u64,
) {
    while chain.status().height < height {
        commonware_runtime::Clock::sleep(&simulation.network.context, Duration::from_millis(50))
            .await;
    }
}
