//! What location services cost on one core: the vehicle that asks, the RSU that vouches, the provider that answers.
//!
//! ```text
//! cargo run --release -p cairn-protocol --example service_cost
//! ```
//!
//! Every question is complete: sealed, in a session of its own, under a statement of one of 100 RSUs that the provider has
//! in its cache, to a provider of 100,000 charging points. Sockets and the ledger's proofs are not measured.

use cairn_contracts::{
    keys::{RsuRecord, rsu_key},
    providers::{ProviderId, ProviderRecord, Service, provider_key},
};
use cairn_crypto::{
    noise::{Established, Initiator, Responder, Secret as Ephemeral},
    suite::{Ristretto255, Secret},
};
use cairn_ledger::{
    Address, ChainId, Position, PrivateKey, Record, Rid, Uid, genesis::NetworkKey, light::Verified,
};
use cairn_protocol::{
    plausibility::Bounds,
    service::{
        Answer, Asked, Book, Cell, Client, Desk, Got, Name, Notice, Order, Point, Points, Provider,
        Question, Reach, reply,
    },
    session::{RoadsideSession, VehicleSession},
    token::Holder,
    trust::Road,
    wire::Message,
};
use commonware_cryptography::Signer as _;
use commonware_math::algebra::{CryptoGroup as _, Random as _};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::time::{Duration, Instant};

const CHAIN: ChainId = ChainId([7; 32]);
const KEYS: Address = Address([8; 20]);
const CONTRACT: Address = Address([11; 20]);
const ID: ProviderId = ProviderId(1);
const NOW: u64 = 1_800_000_000_000;
const DAY: u64 = 86_400_000;
const QUESTIONS: usize = 20_000;
const RSUS: u32 = 100;
const POINTS: usize = 100_000;

/// Side of the square that RSUs and points stand in, in centimetres: a city and its surroundings.
const SIDE_CM: i32 = 5_000_000;

fn main() {
    let mut rng = StdRng::seed_from_u64(1);
    let road = Road {
        chain: CHAIN,
        network_key: NetworkKey::generator(),
        keys: KEYS,
        plausible_range_m: 600.0,
    };
    let secret = Secret::<Ristretto255>::random(&mut rng);
    let place = |rng: &mut StdRng| Position {
        x_cm: rng.random_range(0..SIDE_CM),
        y_cm: rng.random_range(0..SIDE_CM),
    };
    let points = (0..POINTS).map(|number| Point {
        position: place(&mut rng),
        kw: if number % 10 == 0 { 150 } else { 11 },
        name: Name::cut("a charging point"),
    });
    let book = Book::Charging(Points::new(points.collect()).expect("fewer than the most"));
    let record = ProviderRecord {
        service: Service::Charging,
        operator: PrivateKey::random(&mut rng).public_key(),
        key: secret.public().to_bytes(),
        valid_from_ms: NOW - DAY,
        valid_until_ms: NOW + DAY,
        is_revoked: false,
    };
    let bounds = Bounds::default();
    let mut provider = Provider::new(&road, ID, secret, bounds.radio_range_m, book);

    let mut desks: Vec<(Desk, Cell)> = Vec::new();
    for rid in (1..=RSUS).map(Rid) {
        let (signer, here) = (PrivateKey::random(&mut rng), place(&mut rng));
        let rsu = RsuRecord {
            key: signer.public_key(),
            position: here,
            valid_from_ms: NOW - DAY,
            valid_until_ms: NOW + DAY,
            revoked_ms: None,
        };
        let shown = vec![(rsu_key(&KEYS, rid), Some(Record::of(&rsu)))];
        provider
            .learn(rid, &verified(shown), NOW)
            .expect("a fresh state");
        let desk = Desk::new(CHAIN, rid, signer, Reach::new(here, &bounds));
        desks.push((desk, Cell::of(here)));
    }

    let mut spent: [Vec<Duration>; 4] = Default::default();
    let mut named = 0;
    for number in 0..QUESTIONS {
        let (desk, cell) = &mut desks[number % RSUS as usize];
        let (vehicle, rsu) = session(&mut rng);
        let holder = Holder::Registered(Uid((number as u64).to_be_bytes()));
        let mut client = Client::new(&road, CONTRACT);
        let question = Question::Charging { least_kw: 50 };
        // The first time it asks for the proof.
        let ask = |client: &mut Client, rng: &mut StdRng| {
            client
                .ask(ID, question.clone(), *cell, &vehicle, NOW, rng)
                .expect("nothing is open")
        };
        ask(&mut client, &mut rng);
        let shown = vec![(provider_key(&CONTRACT, ID), Some(Record::of(&record)))];
        client.learn(&verified(shown), NOW).expect("a fresh state");

        let asked = timed(&mut spent[0], || ask(&mut client, &mut rng));
        let Asked::Question(datagram) = asked else {
            panic!("the provider is known");
        };
        let order = timed(&mut spent[1], || {
            let Ok(Message::ServiceOrder(frame)) = Message::decode(&datagram) else {
                panic!("an order");
            };
            desk.take(&frame, (holder, &rsu), NOW, &mut rng)
        });
        let Ok(Order::Query { request, asked_ms }) = order else {
            panic!("a good order");
        };
        let request = request.to_bytes();
        let sealed = timed(&mut spent[2], || provider.receive(&request, NOW, &mut rng));
        let sealed = sealed.expect("a good request");
        let got = timed(&mut spent[3], || {
            let sealed = sealed.as_slice().try_into().expect("a sealed answer");
            let notice = Notice::Answer { asked_ms, sealed };
            let datagram = reply(rsu.key(), rsu.asc(), &notice, &mut rng);
            client.receive(&datagram, &vehicle, NOW, &mut rng)
        });
        let answer = got.expect("the answer to the question");
        let is_named = matches!(
            answer,
            Got::Answer {
                answer: Answer::Charging { .. },
                ..
            }
        );
        named += usize::from(is_named);
    }
    assert_eq!(named, QUESTIONS);
    println!("{QUESTIONS} questions, {RSUS} RSUs, {POINTS} charging points; one core");
    for (what, spent) in [
        "vehicle: seals a question",
        "RSU: judges it and signs",
        "provider: checks and answers",
        "RSU and vehicle: pass on and open",
    ]
    .into_iter()
    .zip(&mut spent)
    {
        report(what, spent);
    }
}

fn verified(entries: Vec<(cairn_ledger::StateKey, Option<Record>)>) -> Verified {
    Verified {
        height: 1,
        time_ms: NOW,
        entries,
    }
}

/// Both ends of a session.
fn session(rng: &mut StdRng) -> (VehicleSession, RoadsideSession) {
    let ours = Ephemeral::random(rng);
    let initiator = Initiator::new(ours.public(), b"", rng);
    let (hello, waiting) = initiator.hello(b"").expect("a good key");
    let (_, responder) = Responder::hello(&ours, b"", &hello).expect("its own hello");
    let (answer, at_rsu): (_, Established) = responder.accept(b"", rng).expect("a good key");
    let (_, at_vehicle) = waiting.accept(&answer).expect("the answer");
    let until_ms = NOW + 600_000;
    (
        VehicleSession::new(&at_vehicle, until_ms),
        RoadsideSession::new(&at_rsu, until_ms),
    )
}

fn timed<T>(spent: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    spent.push(started.elapsed());
    result
}

fn report(what: &str, spent: &mut [Duration]) {
    spent.sort_unstable();
    let total: Duration = spent.iter().sum();
    let micros = |share: f64| {
        let place = (spent.len() as f64 * share) as usize;
        spent[place.min(spent.len() - 1)].as_secs_f64() * 1e6
    };
    println!(
        "  {what:<34} p50 {:>5.0} µs, p99 {:>5.0} µs, {:>6.0} a second",
        micros(0.5),
        micros(0.99),
        spent.len() as f64 / total.as_secs_f64()
    );
}
