//! Handovers in a whole network: over a bad radio link, and at an RSU that crashes.

use crate::{
    good_link, options,
    simulated::{
        Options, Simulation,
        air::{Counts, Faults},
        run,
    },
    traffic,
};
use cairn_node::{
    authority::Enrolment,
    radio::{Endpoint as _, Radio as _},
    replay::{Pace, replay},
    report::Report,
    roadside::Order,
};
use cairn_protocol::wire::Message;
use cairn_scenario::{Metres, Sample, Step, TraceError, traffic::Moment};
use commonware_runtime::{Clock as _, Spawner as _, Supervisor as _};
use futures::{channel::oneshot, stream};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// Five in a hundred are lost, come late, and come twice.
const BAD_RADIO: Faults = Faults {
    loss: 0.05,
    reordering: 0.05,
    duplication: 0.05,
};

/// Longer than a batch of an RSU needs to be final.
const SETTLED: Duration = Duration::from_secs(3);

async fn drive(
    simulation: &mut Simulation,
    steps: Vec<Result<Moment, TraceError>>,
) -> (Report, Counts) {
    let network = &mut simulation.network;
    let outcome = replay(network, stream::iter(steps), Pace::Times(1.0), |_| true).await;
    network.context.sleep(SETTLED).await;
    let mut report = outcome.expect("the replay ends by itself").report;
    report.network.records = network.counters.records();
    (report, network.radio.counts())
}

/// What RSUs record of these logins: a token and an agreement of each, the agreement of each rekey,
/// and the spend of each handover.
fn records_of(report: &Report) -> u64 {
    let login = &report.login;
    let full = login.anonymous + login.registered;
    2 * full + 3 * login.handover + login.rekeyed
}

#[test]
fn everybody_is_served_once_over_a_radio_that_loses_delays_and_repeats() {
    let (mut handovers, mut faults) = (0, Counts::default());
    for seed in 10..16 {
        let options = Options {
            faults: BAD_RADIO,
            ..options(seed, good_link())
        };
        let (report, counts) = run(options, async |simulation: &mut Simulation| {
            drive(simulation, traffic()).await
        })
        .unwrap();
        let login = &report.login;
        assert_eq!(login.vehicles, 6, "seed {seed}: everybody logs in");
        assert_eq!((login.refused, report.handover.lost_races), (0, 0));
        assert_eq!(report.network.transactions_refused, 0);
        assert_eq!(
            report.network.records,
            records_of(&report),
            "seed {seed}: what was repeated is recorded once"
        );
        handovers += login.handover;
        faults.lost += counts.lost;
        faults.late += counts.late;
        faults.repeated += counts.repeated;
    }
    assert!(handovers > 6 * 6, "{handovers}: most moves are handovers");
    let Counts {
        lost,
        late,
        repeated,
        ..
    } = faults;
    assert!(lost > 0 && late > 0 && repeated > 0, "{faults:?}");
}

/// One vehicle that passes the first RSU, waits at the second for a minute, and passes the third.
fn errand() -> Vec<Result<Moment, TraceError>> {
    (0..100u32)
        .map(|second| {
            let driven_s = second.min(24) + second.saturating_sub(75);
            let vehicle = Sample {
                id: Arc::from("vehicle"),
                position: Metres {
                    x: f64::from(25 * driven_s),
                    y: 0.0,
                },
                speed: None,
                angle: None,
                acceleration: None,
                kind: None,
                lane: None,
            };
            let step = Step {
                time_ms: u64::from(second) * 1_000,
                offset_ms: u64::from(second) * 1_000,
                vehicles: vec![vehicle],
            };
            Ok(step.into())
        })
        .collect()
}

/// Has the second RSU's power fail as it answers its first login; what it answered is sent to it
/// again afterwards, from an address of its own. Tells whether that was answered too.
async fn crash_as_it_serves(simulation: &Simulation) -> Arc<AtomicBool> {
    let network = &simulation.network;
    let (rsu, _) = &network.rsus[1];
    let (crashing, power) = (rsu.address, rsu.orders.clone());
    let (replay, replayed) = oneshot::channel::<Vec<u8>>();
    let mut replay = Some(replay);
    let mut last_hello = Vec::new();
    network
        .radio
        .watch(move |from: SocketAddr, to: SocketAddr, datagram: &[u8]| {
            match Message::decode(datagram) {
                Ok(Message::Hello(_)) if to == crashing => last_hello = datagram.to_vec(),
                Ok(Message::Accept(_)) if from == crashing => {
                    if let Some(replay) = replay.take() {
                        power.try_send(Order::PowerCut).unwrap();
                        replay.send(last_hello.clone()).unwrap();
                    }
                }
                _ => {}
            }
        });
    let is_answered = Arc::new(AtomicBool::new(false));
    let thief = network.radio.open().await.unwrap();
    let answered = is_answered.clone();
    network.context.child("thief").spawn(move |_| async move {
        if let Ok(hello) = replayed.await {
            thief.send(crashing, &hello).await;
            thief.receive().await;
            answered.store(true, Relaxed);
        }
    });
    is_answered
}

#[test]
fn an_rsu_that_crashes_between_serving_and_recording_leaves_nobody_stuck_and_nobody_served_twice() {
    for (seed, registered_share) in [(20, 0.0), (21, 1.0)] {
        let options = Options {
            enrolment: Enrolment {
                registered_share,
                ..Enrolment::default()
            },
            ..options(seed, good_link())
        };
        let ((report, _), is_answered) = run(options, async |simulation: &mut Simulation| {
            let is_answered = crash_as_it_serves(simulation).await;
            let driven = drive(simulation, errand()).await;
            (driven, is_answered.load(Relaxed))
        })
        .unwrap();
        let login = &report.login;
        assert!(!is_answered, "the RSU does not know the login any more");
        // At the second RSU the handover is lost with its batch: the token that it minted is on no
        // ledger, and when the RSU does not answer the rekey the vehicle logs in fully. The third
        // RSU takes the token of that login.
        assert_eq!(
            (login.anonymous + login.registered, login.handover),
            (2, 2),
            "seed {seed}"
        );
        assert_eq!(report.handover.token_refused, 1);
        assert_eq!((login.refused, login.unanswered), (0, 0));
        assert_eq!(report.handover.lost_races, 0);
        // Of the handover that was lost neither token, nor spend, nor agreement.
        assert_eq!(report.network.records, records_of(&report) - 3);
        assert_eq!(report.network.transactions_refused, 0);
    }
}
