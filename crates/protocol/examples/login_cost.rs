//! What logins cost an RSU on one core, and what they take on the air.
//!
//! ```text
//! cargo run --release -p cairn-protocol --example login_cost
//! ```
//!
//! Every login is complete: the `Hello` is opened (two X25519 agreements), judged, and answered with a
//! fresh key agreement. Registered logins find their record in memory: a ledger's read is not measured.

mod issuers;

use cairn_contracts::keys::{VehicleRecord, vehicle_key};
use cairn_crypto::{
    credential::{Batch, Credential, Policy},
    noise,
    schnorr::SecretKey,
    suite::Ristretto255,
};
use cairn_ledger::{Address, ChainId, PrivateKey, Record, Rid, Uid};
use cairn_protocol::{
    login::{Anonymous, Context, Credential as Shown, Registered, prologue},
    roadside::{Issuers, Opened, Received, Roadside, Site},
    wire::{Beacon, Hello, Message, Sealed},
};
use commonware_cryptography::Signer as _;
use issuers::{EPOCH, credential, issuers, slots};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{sync::Arc, time::Instant};

type S = Ristretto255;

const CHAIN: ChainId = ChainId([7; 32]);
const KEYS: Address = Address([8; 20]);
const NOW: u64 = 1_800_000_000_000;
const LOGINS: usize = 2_048;

fn main() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut issuers = issuers(&mut rng);
    let policy = Policy::default();
    let slot = slots(&policy, NOW)[0];
    let credentials: Vec<Credential<S>> = (0..LOGINS)
        .map(|number| credential(&mut issuers, slot, number, &mut rng))
        .collect();
    let key = Arc::new(issuers[0].key().set().issuer_key());

    println!("anonymous proofs, one core");
    let context_beacon = rsu(&policy, &key, &mut rng).1;
    let shown: Vec<_> = credentials
        .iter()
        .map(|credential| {
            let context = Context {
                chain: &CHAIN,
                beacon: &context_beacon,
                ephemeral: &[1; 32],
            };
            let next = SecretKey::random(&mut rng).public();
            let shown = Anonymous::show(&context, credential, next, &mut rng);
            (shown.clone(), context.anonymous(&next))
        })
        .collect();
    let started = Instant::now();
    for (shown, statement) in &shown {
        let (_, certificate) = shown.certificate(&policy).expect("a slot of the policy");
        key.verify(&certificate, statement, &shown.proof)
            .expect("a good proof");
    }
    rate("single", LOGINS, started);
    for size in [16, 64, 256] {
        let started = Instant::now();
        for chunk in shown.chunks(size) {
            let mut batch = Batch::new(&key);
            for (shown, statement) in chunk {
                let (_, certificate) = shown.certificate(&policy).expect("a slot of the policy");
                batch.push(certificate, *statement, shown.proof);
            }
            batch.verify(&mut rng).expect("good proofs");
        }
        rate(&format!("in batches of {size}"), LOGINS, started);
    }

    println!("complete logins, one core");
    let (mut roadside, beacon) = rsu(&policy, &key, &mut rng);
    let vehicle_keys: Vec<SecretKey> = (0..LOGINS).map(|_| SecretKey::random(&mut rng)).collect();
    let hellos: Vec<Vec<u8>> = (0..LOGINS)
        .map(|number| {
            hello(&beacon, &mut rng, |context, next, rng| {
                let uid = uid(number);
                let key = &vehicle_keys[number];
                Shown::Registered(Registered::sign(context, uid, key, next, rng))
            })
        })
        .collect();
    let records: Vec<_> = vehicle_keys
        .iter()
        .enumerate()
        .map(|(number, key)| {
            let record = VehicleRecord {
                key: key.public().to_bytes(),
                valid_from_ms: 0,
                valid_until_ms: u64::MAX,
                revoked_ms: None,
            };
            (vehicle_key(&KEYS, &uid(number)), Some(Record::of(&record)))
        })
        .collect();
    let started = Instant::now();
    let mut accept_bytes = 0;
    for (hello, record) in hellos.iter().zip(&records) {
        let opened = open(&mut roadside, hello, &mut rng);
        let found = std::slice::from_ref(record);
        let accepted = roadside.accept(opened, found, NOW, &mut rng);
        accept_bytes = accepted.expect("a good login").reply.len();
    }
    rate("registered", LOGINS, started);
    println!("    {} + {accept_bytes} bytes", hellos[0].len());

    for size in [1, 16, 64, 256] {
        let (mut roadside, beacon) = rsu(&policy, &key, &mut rng);
        let hellos: Vec<Vec<u8>> = credentials
            .iter()
            .map(|credential| {
                hello(&beacon, &mut rng, |context, next, rng| {
                    Shown::Anonymous(Anonymous::show(context, credential, next, rng))
                })
            })
            .collect();
        let started = Instant::now();
        for chunk in hellos.chunks(size) {
            let logins = chunk
                .iter()
                .map(|hello| (open(&mut roadside, hello, &mut rng), Vec::new()))
                .collect();
            for accepted in roadside.accept_many(logins, NOW, &mut rng) {
                accept_bytes = accepted.expect("a good login").reply.len();
            }
        }
        rate(&format!("anonymous, {size} at a time"), LOGINS, started);
        if size == 1 {
            println!("    {} + {accept_bytes} bytes", hellos[0].len());
        }
    }
    println!("for comparison: paper 000 has 237 + 560 bytes, paper 003 368 / 240");
}

fn rate(what: &str, count: usize, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "  {what:<24} {:>7.0} /s   {:>6.1} µs each",
        count as f64 / seconds,
        1e6 * seconds / count as f64
    );
}

fn uid(number: usize) -> Uid {
    Uid((number as u64).to_be_bytes())
}

fn rsu(
    policy: &Policy,
    key: &Arc<cairn_crypto::credential::IssuerKey<S>>,
    rng: &mut StdRng,
) -> (Roadside, Beacon) {
    let site = Site {
        chain: CHAIN,
        keys: KEYS,
        tokens: Address([9; 20]),
        rid: Rid(1),
        signer: PrivateKey::from_seed(1),
    };
    let mut roadside = Roadside::new(site, rng);
    let mut issuers = Issuers::new(*policy, NOW);
    issuers.install(EPOCH, key.clone());
    roadside.set_issuers(issuers);
    let beacon = roadside.beacon(NOW, rng);
    match Message::decode(&beacon) {
        Ok(Message::Beacon(beacon)) => (roadside, beacon),
        other => panic!("expected a beacon, got {other:?}"),
    }
}

fn hello(
    beacon: &Beacon,
    rng: &mut StdRng,
    credential: impl FnOnce(&Context<'_>, cairn_crypto::schnorr::PublicKey, &mut StdRng) -> Shown,
) -> Vec<u8> {
    let initiator = noise::Initiator::new(beacon.ephemeral, &prologue(beacon), rng);
    let context = Context {
        chain: &CHAIN,
        beacon,
        ephemeral: &initiator.ephemeral(),
    };
    let next = SecretKey::random(rng).public();
    let payload = credential(&context, next, rng).encode();
    let (handshake, _) = initiator.hello(&payload).expect("a good beacon");
    Message::Hello(Hello {
        beacon: beacon.id,
        handshake: Sealed::from_bytes(&handshake).expect("key, credential and a tag"),
    })
    .encode()
}

fn open(roadside: &mut Roadside, hello: &[u8], rng: &mut StdRng) -> Opened {
    match roadside.receive(b"vehicle", hello, NOW, rng) {
        Ok(Received::Login(opened)) => *opened,
        _ => panic!("expected a login"),
    }
}
