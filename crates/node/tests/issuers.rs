//! Issuers that fail while vehicles enrol, traces, and revoked vehicles on the road.

mod simulated;

use cairn_crypto::{
    issuer::{IssuerIndex, Quorum},
    linkage::LinkageValue,
};
use cairn_node::{
    authority::{AuthorityError, Enrolled, Enrolment, invented_person},
    issuer::IssuerError,
    network::NetworkError,
    replay::{Pace, replay},
};
use cairn_protocol::{issuing::trace::TraceError, vehicle::Papers};
use cairn_scenario::{
    Metres, RadioRange, Sample, Site, Step, TraceError as FcdError, traffic::Moment,
};
use commonware_p2p::simulated::Link;
use commonware_utils::probability;
use futures::stream;
use simulated::{BATCH_INTERVAL, Options, Simulation, air::Faults, run};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

fn options(seed: u64) -> Options {
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
            jitter: Duration::ZERO,
            success_rate: probability!(1.0),
        },
        faults: Faults::default(),
        batch_interval: BATCH_INTERVAL,
        enrolment: Enrolment::default(),
        hop_range: None,
        villains: HashMap::new(),
        points: None,
    }
}

fn issuer(number: u8) -> IssuerIndex {
    Quorum::default().index(number).unwrap()
}

async fn enrol(simulation: &mut Simulation, name: &str) -> Result<Vec<LinkageValue>, NetworkError> {
    let enrolled = simulation.network.enrol(&[Arc::from(name)]).await?;
    let [
        Enrolled {
            papers: Papers::Anonymous(wallet),
            ..
        },
    ] = &enrolled[..]
    else {
        panic!("one anonymous vehicle")
    };
    let credentials = wallet.credentials().iter();
    Ok(credentials
        .map(|credential| credential.certificate().attributes().linkage)
        .collect())
}

#[test]
fn enrolment_goes_on_while_issuers_are_killed_in_turn() {
    let outcome = run(options(1), async |simulation: &mut Simulation| {
        let mut values = enrol(simulation, "first").await.unwrap();
        for (number, name) in [(1, "second"), (2, "third"), (3, "fourth")] {
            simulation
                .network
                .stop_issuer(issuer(number))
                .await
                .unwrap();
            values.extend(enrol(simulation, name).await.unwrap());
            simulation
                .network
                .restart_issuer(issuer(number))
                .await
                .unwrap();
        }
        assert_eq!(values.len(), 4 * 3, "three credentials each");
        let distinct: HashSet<_> = values.iter().collect();
        assert_eq!(distinct.len(), values.len());

        simulation.network.stop_issuer(issuer(1)).await.unwrap();
        simulation.network.stop_issuer(issuer(3)).await.unwrap();
        let refused = enrol(simulation, "fifth").await;
        let too_few = matches!(
            refused,
            Err(NetworkError::Authority(AuthorityError::Issuer(
                IssuerError::TooFew {
                    needed: 2,
                    found: 1
                }
            )))
        );
        assert!(too_few, "one alone issues nothing");
        simulation.network.restart_issuer(issuer(3)).await.unwrap();
        let later = enrol(simulation, "fifth").await.unwrap();
        assert_eq!(later.len(), 3, "the same order goes through now");
        assert_eq!(enrol(simulation, "fifth").await.unwrap(), later, "kept");
    });
    outcome.unwrap();
}

#[test]
fn a_traced_vehicles_identity_is_the_true_one_also_with_one_issuer_down() {
    let outcome = run(options(2), async |simulation: &mut Simulation| {
        let attacker = enrol(simulation, "attacker").await.unwrap();
        enrol(simulation, "bystander").await.unwrap();
        simulation.network.stop_issuer(issuer(1)).await.unwrap();
        for value in &attacker[..2] {
            let (_, person) = simulation.network.trace(*value, b"warrant").await.unwrap();
            assert!(person == invented_person("attacker"));
        }
        let nobody = LinkageValue([7; 9]);
        let refused = simulation.network.trace(nobody, b"warrant").await;
        assert!(matches!(
            refused.map(|_| ()),
            Err(NetworkError::Authority(AuthorityError::Issuer(
                IssuerError::Trace(TraceError::Unknown)
            )))
        ));
        let requests = simulation.network.trace_requests().await.unwrap();
        let answered: Vec<bool> = requests.iter().map(|r| r.answer.is_some()).collect();
        assert_eq!(answered, [true, true, false]);
    });
    outcome.unwrap();
}

/// Two vehicles beside the RSU for some seconds.
fn traffic() -> Vec<Result<Moment, FcdError>> {
    let sample = |name: &str| Sample {
        id: Arc::from(name),
        position: Metres { x: 10.0, y: 0.0 },
        speed: None,
        angle: None,
        acceleration: None,
        kind: None,
        lane: None,
    };
    let step = |second: u64| Step {
        time_ms: second * 1_000,
        offset_ms: second * 1_000,
        vehicles: vec![sample("attacker"), sample("bystander")],
    };
    (0..5).map(|second| Ok(step(second).into())).collect()
}

#[test]
fn a_revoked_vehicle_is_refused_on_the_road_and_nobody_else() {
    let outcome = run(options(3), async |simulation: &mut Simulation| {
        let attacker = enrol(simulation, "attacker").await.unwrap();
        let network = &mut simulation.network;
        let (traced, _) = network.trace(attacker[0], b"warrant").await.unwrap();
        network.revoke(&traced).await.unwrap();
        let steps = stream::iter(traffic());
        let report = replay(network, steps, Pace::Times(1.0), |_| true).await;
        let login = report.unwrap().report.login;
        assert_eq!((login.anonymous, login.vehicles), (1, 1), "the bystander");
        assert_eq!(login.refused, 1);
    });
    outcome.unwrap();
}
