//! Prints what threshold issuing and anonymous proofs cost here, in microseconds on one core.
//!
//! ```text
//! cargo run --release -p cairn-crypto --example credential_cost
//! ```
//!
//! The fastest of many runs, because the machine may be shared. Targets for `Ristretto255`: 40 µs
//! for a single proof, 18 µs in batches of 256.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use cairn_crypto::credential::{
    Attributes, Batch, Credential, Kind, Pending, Policy, Request, request_batch,
};
use cairn_crypto::issuer::dkg::Ceremony;
use cairn_crypto::issuer::{Issuer, IssuerIndex, Quorum, Round, Session};
use cairn_crypto::linkage::{Authority, LinkageValue, Period, Revocation, Revoked, Seed};
use cairn_crypto::suite::{Ristretto255, Sm2, Suite};
use cairn_crypto::transcript::{Digest, Domain, Transcript};
use rand::{SeedableRng, rngs::StdRng};

const STATEMENT: Domain = Domain::new("cairn/1/example/statement");
const RUNS: usize = 101;
const BATCH: usize = 256;

fn main() {
    // A fixed seed: the figures are about time, and nothing here is kept.
    let mut rng = StdRng::seed_from_u64(1);
    println!(
        "{:<44}{:>14}{:>10}",
        "µs, fastest run", "Ristretto255", "Sm2"
    );
    let left = suite::<Ristretto255>(&mut rng);
    let right = suite::<Sm2>(&mut rng);
    for ((what, left), (_, right)) in left.iter().zip(&right) {
        println!("{what:<44}{left:>14.1}{right:>10.1}");
    }
    revocation(&mut rng);
}

fn suite<S: Suite>(rng: &mut StdRng) -> Vec<(&'static str, f64)> {
    let quorum = Quorum::default();
    let ceremony = fastest(3, || {
        black_box(generate::<S>(quorum, rng));
    });
    let mut issuers = generate::<S>(quorum, rng);
    let key = issuers[0].key().set().issuer_key();
    let (pending, request) = request_batch::<S>(1, rng).remove(0);

    let asking = fastest(RUNS, || {
        black_box(request_batch::<S>(1, rng));
    });
    let mut sealed = Vec::new();
    let issuing = fastest(RUNS, || {
        sealed = issue(&mut issuers, request, rng);
    });
    let credential = open(&pending, &sealed, &key);
    let opening = fastest(RUNS, || {
        black_box(open(&pending, &sealed, &key));
    });
    let proving = fastest(RUNS, || {
        black_box(credential.prove(&statement(0), rng));
    });
    let proof = credential.prove(&statement(0), rng);
    let certificate = credential.certificate();
    let single = fastest(RUNS, || {
        key.verify(&certificate, &statement(0), &proof)
            .expect("an honest proof");
    });

    let credentials: Vec<_> = request_batch::<S>(20, rng)
        .into_iter()
        .map(|(pending, request)| {
            let sealed = issue(&mut issuers, request, rng);
            open(&pending, &sealed, &key)
        })
        .collect();
    let proofs: Vec<_> = (0..BATCH)
        .map(|i| {
            let credential = &credentials[i % credentials.len()];
            let statement = statement(i as u64);
            let proof = credential.prove(&statement, rng);
            (credential.certificate(), statement, proof)
        })
        .collect();
    let batched = fastest(21, || {
        let mut batch = Batch::new(&key);
        for (certificate, statement, proof) in &proofs {
            batch.push(*certificate, *statement, *proof);
        }
        batch.verify(rng).expect("honest proofs");
    });
    vec![
        ("2-of-3 key generation, all three", ceremony),
        ("request, one key", asking),
        ("2-of-3 issuance, all parties", issuing),
        ("device opens and checks", opening),
        ("proof", proving),
        ("check, single", single),
        ("check, in a batch of 256, each", batched / BATCH as f64),
    ]
}

fn generate<S: Suite>(quorum: Quorum, rng: &mut StdRng) -> Vec<Issuer<S>> {
    let begun: Vec<_> = quorum
        .indices()
        .map(|index| {
            let id = [0; 32];
            let ceremony = Ceremony { id, quorum, index };
            let (dealing, opening) = ceremony.begin::<S>(rng).expect("an issuer of the quorum");
            (index, dealing, opening)
        })
        .collect();
    let openings: BTreeMap<_, _> = begun.iter().map(|(i, _, o)| (*i, o.clone())).collect();
    let dealt: Vec<_> = begun
        .into_iter()
        .map(|(index, dealing, _)| {
            let mut others = openings.clone();
            others.remove(&index);
            let (collecting, deals) = dealing.deal(others).expect("honest openings");
            (index, collecting, deals)
        })
        .collect();
    let deals: Vec<_> = dealt.iter().map(|(i, _, d)| (*i, d.clone())).collect();
    dealt
        .into_iter()
        .map(|(index, collecting, _)| {
            let ours = deals.iter().filter(|(from, _)| *from != index);
            let ours = ours.map(|(from, deals)| (*from, deals[&index].clone()));
            Issuer::new(collecting.finish(&ours.collect()).expect("honest deals"))
        })
        .collect()
}

fn issue<S: Suite>(issuers: &mut [Issuer<S>], request: Request<S>, rng: &mut StdRng) -> Vec<u8> {
    let set = issuers[0].key().set().clone();
    let signers = &mut issuers[..2];
    let commitments = signers.iter_mut().map(|i| (i.key().index(), i.commit(rng)));
    let round = Round {
        request,
        attributes: attributes(),
        commitments: commitments.collect(),
    };
    let session = Session::new(set, round).expect("an honest request");
    let sign = |i: &mut Issuer<S>| {
        (
            i.key().index(),
            i.sign(session.round()).expect("a fresh nonce"),
        )
    };
    let shares: BTreeMap<IssuerIndex, _> = signers.iter_mut().map(sign).collect();
    let issued = session.finish(&shares).expect("honest shares");
    issued.seal(rng)
}

fn open<S: Suite>(
    pending: &Pending<S>,
    sealed: &[u8],
    key: &cairn_crypto::credential::IssuerKey<S>,
) -> Credential<S> {
    pending.open(sealed, key).expect("an honest answer")
}

fn attributes() -> Attributes {
    let slot = Policy::default().slot(Period(2_900), 3);
    Attributes {
        kind: Kind::Vehicle,
        linkage: LinkageValue([7; 9]),
        slot: slot.expect("slot 3 of 20"),
        group: 0,
        epoch: 1,
    }
}

fn statement(number: u64) -> Digest {
    Transcript::new(STATEMENT).number(number).finish()
}

fn revocation(rng: &mut StdRng) {
    const VEHICLES: usize = 1_000;
    let period = Period(2_900);
    let mut seed = |authority| Seed::random(authority, period, rng).to_bytes();
    let published: Vec<_> = (0..VEHICLES)
        .map(|_| Revocation {
            period,
            registrar: seed(Authority::Registrar),
            reviewer: seed(Authority::Reviewer),
        })
        .collect();
    let mut revoked = Revoked::new(20, period);
    let expanding = fastest(1, || {
        for revocation in &published {
            revoked.add(*revocation).expect("the current period");
        }
    });
    let value = LinkageValue([7; 9]);
    let checking = fastest(RUNS, || {
        for _ in 0..1_000 {
            let _ = black_box(revoked.check(period, black_box(&value)));
        }
    });
    println!(
        "\nexpand one revoked vehicle for a period: {:.1} µs",
        expanding / VEHICLES as f64
    );
    println!(
        "check one credential against {VEHICLES} revoked vehicles: {:.0} ns",
        checking
    );
}

/// Fastest of `runs`, in microseconds.
fn fastest(runs: usize, mut run: impl FnMut()) -> f64 {
    let times = (0..runs).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e6
    });
    times.fold(f64::INFINITY, f64::min)
}
