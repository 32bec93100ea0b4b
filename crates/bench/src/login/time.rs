//! Processor time of either side.

use std::cell::RefCell;

use cairn_baselines::{
    p000_login::{self, answer_agreement, begin_agreement},
    p003_bpa::{self, Applicant, STANDING, Ta, Vid},
};
use cairn_crypto::{
    credential::{Batch, Certificate, IssuerKey, request_batch},
    schnorr::SecretKey,
    seal::RegisterKey,
    suite::{Proof, Ristretto255},
    transcript::{Digest, Domain, Transcript},
};
use cairn_ledger::{Address, ChainId, PrivateKey};
use cairn_protocol::{
    authority::{Application, Identification, Registrar, Reviewer},
    vehicle::Vehicle,
};
use commonware_cryptography::Signer as _;
use commonware_math::algebra::Random as _;
use curve25519_dalek::{
    RistrettoPoint, Scalar, ristretto::CompressedRistretto, traits::VartimeMultiscalarMul as _,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    Scope,
    figure::{Chart, Figure, Kind, Table},
    issuers::Issuers,
    ledger::START_MS,
    measure::{Round, Sample, alternate, repeated, timed},
    town::Town,
};

const STATEMENT: Domain = Domain::new("cairn/1/bench/login");

/// Logins in a round.
const LOGINS: usize = 32;

/// Proofs in a batch.
const BATCH: usize = 256;

/// What both sides of a run cost.
type Sides<'a> = Round<'a, 2>;

/// Table 2.
pub fn time(scope: Scope) -> Table {
    let rounds = scope.rounds();
    let [ours, nobody, crowd, bpa, p000] = alternate(
        rounds,
        [
            cairn_login(),
            cairn_anonymous(1),
            cairn_anonymous(BATCH),
            bpa_login(),
            p000_login(),
        ],
    );
    let [handover, again] = alternate(rounds, [cairn_handover(), bpa_again()]);
    let [register, bpa_register] = alternate(rounds, [cairn_register(), bpa_register()]);
    let primitives = Primitives::measure(rounds);
    let anonymous = Anonymous::measure(rounds);

    const BPA: &str = "paper 003, reconstructed";
    const P000: &str = "paper 000, reconstructed (P-256)";
    let us = |name: &str, sample: Sample| Figure::new(name, "µs", sample.scaled(1e6));
    let beside = |figure: Figure, name, sample: Sample| figure.beside(name, sample.median * 1e6);
    let target = 0.6 * bpa[1].median;
    let figures = vec![
        beside(us("registration, vehicle", register[0]), BPA, bpa_register[0]),
        beside(us("registration, authorities", register[1]), BPA, bpa_register[1])
            .note("TA and LEA, who each check the application; paper 003 has a TA alone"),
        us("anonymous credential, vehicle", anonymous.device),
        us("anonymous credential, 2 of 3 issuers", anonymous.issuers),
        beside(us("login, vehicle", ours[0]), BPA, bpa[0]).floor(primitives.vehicle() * 1e6),
        beside(us("login, RSU", ours[1]), BPA, bpa[1]).floor(primitives.rsu() * 1e6),
        beside(us("login, vehicle, beside paper 000's", ours[0]), P000, p000[0]),
        beside(us("login, RSU, beside paper 000's", ours[1]), P000, p000[1]),
        beside(us("handover, vehicle", handover[0]), BPA, again[0]),
        beside(us("handover, RSU", handover[1]), BPA, again[1]),
        Figure::new("complete logins, one core", "1/s", ours[1].per_second())
            .beside(BPA, 1.0 / bpa[1].median)
            .floor(1.0 / primitives.rsu())
            .at_least(10_000.0)
            .note(format!(
                "the RSU's whole work: parsing, replay cache, key agreement, signature, record, session, answer. The handshake's group operations alone \
                 allow {:.0} logins a second",
                1.0 / primitives.handshake()
            )),
        Figure::new("anonymous proofs, one core, one by one", "1/s", anonymous.single.per_second()),
        Figure::new("anonymous proofs, one core, batches of 256", "1/s", anonymous.batched.per_second())
            .beside("paper 003's check, one by one", 1.0 / anonymous.bpa_check.median)
            .floor(1.0 / primitives.batch)
            .at_least(40_000.0)
            .note("floor: decompressing one point for each proof, and one multi-scalar multiplication for all"),
        beside(us("anonymous login, vehicle", nobody[0]), BPA, bpa[0]),
        beside(us("anonymous login, RSU, one by one", nobody[1]), BPA, bpa[1]),
        beside(us("anonymous login, RSU, 256 at once", crowd[1]), BPA, bpa[1])
            .floor(primitives.anonymous() * 1e6)
            .at_most(target * 1e6)
            .note(format!(
                "target: 0.6 of paper 003's RSU, whose key leaked later opens every session. Forward secrecy takes two X25519 agreements and a fresh key, {:.0} µs \
                 here, before anything is checked",
                primitives.handshake() * 1e6
            )),
        Figure::new("complete anonymous logins, one core, 256 at once", "1/s", crowd[1].per_second())
            .beside(BPA, 1.0 / bpa[1].median)
            .floor(1.0 / primitives.anonymous())
            .at_least(10_000.0),
    ];
    let bar = |name: &str, sample: Sample| (name.to_owned(), sample.median * 1e6);
    let chart = Chart {
        file: "login-time",
        title: "Processor time of the RSU for one login".into(),
        kind: Kind::Bars(
            "µs",
            vec![
                bar("Cairn, registered key", ours[1]),
                bar("Cairn, anonymous, one by one", nobody[1]),
                bar("Cairn, anonymous, 256 at once", crowd[1]),
                bar("Cairn, handover", handover[1]),
                bar("paper 003, login", bpa[1]),
                bar("paper 003, re-authentication", again[1]),
                bar("paper 000, login and key (P-256)", p000[1]),
            ],
        ),
    };
    Table {
        title: "Processor time of registration, login and handover",
        text: format!(
            "One thread, {rounds} rounds of {LOGINS} runs, from the bytes of a message to the bytes of the answer; the ledger is in memory. \
             Paper 003 stands on the same group and library as Cairn (ristretto255), paper 000 on P-256. Paper 003 prints no totals; of its \
             operations 0.233 ms for a point multiplication."
        ),
        figures,
        charts: vec![chart],
    }
}

fn cairn_login<'a>() -> Sides<'a> {
    let mut town = Town::new(1, 2);
    let mut vehicles: Vec<Vehicle> = (0..LOGINS).map(|_| town.vehicle().0).collect();
    Box::new(move || {
        town.meet_all(&mut vehicles, 0);
        let town = RefCell::new(&mut town);
        let (hellos, asking) = timed(&mut vehicles, |vehicle| town.borrow_mut().hello(vehicle, 0));
        let (accepted, answering) = timed(&hellos, |hello| {
            town.borrow_mut().answer(0, hello).expect("an honest login")
        });
        let (_, taking) = timed(vehicles.iter_mut().zip(&accepted), |(vehicle, accepted)| {
            town.borrow_mut()
                .take(vehicle, &accepted.reply)
                .expect("an honest answer")
        });
        [asking + taking, answering]
    })
}

/// Anonymous logins that the RSU finishes `at_once` so many at a time.
fn cairn_anonymous<'a>(at_once: usize) -> Sides<'a> {
    let mut town = Town::new(1, 12);
    let count = LOGINS.max(at_once);
    let mut vehicles: Vec<Vehicle> = (0..count).map(|_| town.anonymous_vehicle()).collect();
    Box::new(move || {
        town.meet_all(&mut vehicles, 0);
        let town = RefCell::new(&mut town);
        let (hellos, asking) = timed(&mut vehicles, |vehicle| town.borrow_mut().hello(vehicle, 0));
        let (accepted, answering) = timed(hellos.chunks(at_once), |hellos| {
            town.borrow_mut().answer_many(0, hellos)
        });
        let answers = vehicles.iter_mut().zip(accepted.iter().flatten());
        let (_, taking) = timed(answers, |(vehicle, accepted)| {
            let taken = town.borrow_mut().take(vehicle, &accepted.reply);
            taken.expect("an honest answer")
        });
        [asking + taking, answering / at_once as f64]
    })
}

fn cairn_handover<'a>() -> Sides<'a> {
    let mut town = Town::new(2, 3);
    let mut vehicles: Vec<Vehicle> = (0..LOGINS).map(|_| town.vehicle().0).collect();
    Box::new(move || {
        for vehicle in &mut vehicles {
            town.log_in(vehicle, 0);
        }
        town.meet_all(&mut vehicles, 1);
        let town = RefCell::new(&mut town);
        let (hellos, asking) = timed(&mut vehicles, |vehicle| {
            town.borrow_mut().handover_hello(vehicle, 1)
        });
        let (accepted, answering) = timed(&hellos, |hello| {
            town.borrow_mut()
                .answer(1, hello)
                .expect("an honest handover")
        });
        let (_, taking) = timed(vehicles.iter_mut().zip(&accepted), |(vehicle, accepted)| {
            town.borrow_mut()
                .take(vehicle, &accepted.reply)
                .expect("an honest answer")
        });
        [asking + taking, answering]
    })
}

fn cairn_register<'a>() -> Sides<'a> {
    const CHAIN: ChainId = ChainId([7; 32]);
    const KEYS: Address = Address([8; 20]);
    let mut rng = StdRng::seed_from_u64(4);
    let (ta, lea) = (PrivateKey::random(&mut rng), PrivateKey::random(&mut rng));
    let reviewer = Reviewer::new(CHAIN, KEYS, ta.public_key(), lea);
    let register = RegisterKey::new(&rng.random());
    let mut registrar = Registrar::new(CHAIN, KEYS, ta, register, Vec::new());
    let mut number = 0;
    Box::new(move || {
        let plates: Vec<_> = (0..LOGINS).map(|i| format!("HH {}", number + i)).collect();
        number += LOGINS;
        let rng = RefCell::new(&mut rng);
        let (applications, applying) = timed(&plates, |plate| {
            let rng = &mut **rng.borrow_mut();
            let identification = Identification {
                name: "Ada Example".into(),
                document: plate.clone(),
                plate: plate.clone(),
                vehicle: "passenger car".into(),
                licence: plate.clone(),
            };
            let key = SecretKey::random(rng);
            Application::new(&CHAIN, rng.random(), identification, &key, rng)
        });
        let (_, registering) = timed(&applications, |application| {
            let rng = &mut **rng.borrow_mut();
            let registered = registrar.register(application, START_MS, rng);
            let (_, case) = registered.expect("an honest application");
            let proposal = registrar.propose(1, START_MS + 1, vec![case], START_MS);
            let proposal = proposal.expect("an honest case");
            reviewer
                .review(&proposal, |_| None, START_MS, rng)
                .expect("an honest proposal")
        });
        [applying, registering]
    })
}

/// The parties of paper 003.
struct Bpa {
    rng: StdRng,
    params: p003_bpa::Params,
    rsus: [p003_bpa::Rsu; 2],
    ledger: p003_bpa::Ledger,
    vehicles: Vec<p003_bpa::Vehicle>,
}

impl Bpa {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(5);
        let (mut ta, params) = Ta::random(STANDING, &mut rng);
        let mut enrol = |number: usize| {
            let vid = Vid(*format!("CN-A{number:04}")
                .as_bytes()
                .first_chunk()
                .expect("8 bytes"));
            let applied = Applicant::apply(&params, vid, START_MS, &mut rng);
            let (applicant, application) = applied.expect("an embedded identity");
            let issued = ta.register(&params, &application, START_MS, &mut rng);
            applicant
                .finish(&params, &issued.expect("registers"))
                .expect("fits")
        };
        let vehicles = (0..LOGINS).map(&mut enrol).collect();
        Self {
            rsus: [
                p003_bpa::Rsu::random(&mut rng),
                p003_bpa::Rsu::random(&mut rng),
            ],
            ledger: p003_bpa::Ledger::default(),
            params,
            vehicles,
            rng,
        }
    }
}

fn bpa_login<'a>() -> Sides<'a> {
    let mut world = Bpa::new();
    Box::new(move || {
        let Bpa {
            rng,
            params,
            rsus: [rsu, _],
            ledger,
            vehicles,
        } = &mut world;
        let (sent, asking) = timed(&*vehicles, |vehicle| vehicle.request(START_MS, rng));
        let (pending, requests): (Vec<_>, Vec<_>) = sent.into_iter().unzip();
        let (answers, answering) = timed(&requests, |request| {
            let done = rsu.authenticate(params, ledger, request, START_MS, rng);
            done.expect("an honest login").0
        });
        let (_, taking) = timed(pending.into_iter().zip(&answers), |(pending, answer)| {
            let done = pending.finish(STANDING, &rsu.public(), answer, START_MS);
            done.expect("an honest answer")
        });
        [asking + taking, answering]
    })
}

fn bpa_again<'a>() -> Sides<'a> {
    let mut world = Bpa::new();
    Box::new(move || {
        let Bpa {
            rng,
            params,
            rsus: [first, rsu],
            ledger,
            vehicles,
        } = &mut world;
        let established: Vec<_> = vehicles
            .iter()
            .map(|vehicle| {
                let (_, request) = vehicle.request(START_MS, rng);
                let done = first.authenticate(params, ledger, &request, START_MS, rng);
                done.expect("an honest login").1
            })
            .collect();
        let (sent, asking) = timed(&established, |session| session.fast_request(START_MS, rng));
        let (pending, requests): (Vec<_>, Vec<_>) = sent.into_iter().unzip();
        let (answers, answering) = timed(&requests, |request| {
            let done = rsu.reauthenticate(params, ledger, request, START_MS, rng);
            done.expect("an honest login").0
        });
        let (_, taking) = timed(pending.into_iter().zip(&answers), |(pending, answer)| {
            let done = pending.finish(STANDING, &rsu.public(), answer, START_MS);
            done.expect("an honest answer")
        });
        [asking + taking, answering]
    })
}

fn bpa_register<'a>() -> Sides<'a> {
    let mut rng = StdRng::seed_from_u64(6);
    let (mut ta, params) = Ta::random(STANDING, &mut rng);
    Box::new(move || {
        let (applied, applying) = timed(0..LOGINS, |number| {
            let vid = Vid(*format!("CN-A{number:04}")
                .as_bytes()
                .first_chunk()
                .expect("8 bytes"));
            Applicant::apply(&params, vid, START_MS, &mut rng).expect("an embedded identity")
        });
        let (applicants, applications): (Vec<_>, Vec<_>) = applied.into_iter().unzip();
        let (issued, registering) = timed(&applications, |application| {
            let issued = ta.register(&params, application, START_MS, &mut rng);
            issued.expect("an honest application")
        });
        let (_, finishing) = timed(
            applicants.into_iter().zip(&issued),
            |(applicant, issued)| applicant.finish(&params, issued).expect("an honest answer"),
        );
        [applying + finishing, registering]
    })
}

fn p000_login<'a>() -> Sides<'a> {
    const NOW: u32 = 1_700_000_000;
    let mut rng = StdRng::seed_from_u64(7);
    let mut ledger = p000_login::Ledger::default();
    let rsu = p000_login::Rsu::random(p000_login::Rid(*b"RSU00001"), &mut rng);
    let vehicles: Vec<_> = (0..LOGINS as u64)
        .map(|number| ledger.register(p000_login::Uid(number.to_be_bytes()), NOW + 1_000, &mut rng))
        .collect();
    Box::new(move || {
        let rng = RefCell::new(&mut rng);
        let (sent, asking) = timed(&vehicles, |vehicle| {
            let begun = begin_agreement(vehicle, rsu.rid, &rsu.key(), NOW, &mut **rng.borrow_mut());
            (
                vehicle.request(NOW),
                begun.expect("the RSU's key is a point"),
            )
        });
        let (answers, answering) = timed(&sent, |(request, (_, first))| {
            let rng = &mut **rng.borrow_mut();
            let answer = rsu
                .answer(&mut ledger, request, NOW, rng)
                .expect("an honest login");
            let agreed = answer_agreement(&rsu, &ledger, first, NOW, rng);
            (answer, agreed.expect("an honest agreement").1)
        });
        let waiting = sent.into_iter().map(|(_, (waiting, _))| waiting);
        let runs = vehicles.iter().zip(waiting).zip(&answers);
        let (_, taking) = timed(runs, |((vehicle, waiting), (answer, second))| {
            vehicle
                .accept(&rsu.key(), answer, NOW)
                .expect("an honest answer");
            waiting
                .finish(vehicle, second, NOW)
                .expect("an honest agreement")
        });
        [asking + taking, answering]
    })
}

/// What the group operations alone cost, in seconds.
struct Primitives {
    agree: f64,
    exchange_key: f64,
    multiply_base: f64,
    double: f64,
    decompress: f64,
    batch: f64,
}

impl Primitives {
    fn measure(rounds: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(8);
        let secret = x25519_dalek::StaticSecret::random_from_rng(&mut rng);
        let public = x25519_dalek::PublicKey::from(&secret);
        let scalar = Scalar::random(&mut rng);
        let point = RistrettoPoint::random(&mut rng);
        let bytes = point.compress();
        // A batch of n proofs: W of each, which parsing has decompressed, the issuer's key and the
        // base; and M of each, which is decompressed with the batch.
        let count = 2 * BATCH + 2;
        let mut random = |count| {
            (0..count)
                .map(|_| RistrettoPoint::random(&mut rng))
                .collect()
        };
        let parsed: Vec<_> = random(BATCH + 2);
        let commitments: Vec<RistrettoPoint> = random(BATCH);
        let commitments: Vec<_> = commitments.iter().map(RistrettoPoint::compress).collect();
        let scalars: Vec<_> = (0..count).map(|_| Scalar::random(&mut rng)).collect();
        let measured = alternate(
            rounds,
            [
                repeated(|| secret.diffie_hellman(&public)),
                repeated(|| x25519_dalek::PublicKey::from(&secret)),
                repeated(|| RistrettoPoint::mul_base(&scalar)),
                repeated(|| {
                    RistrettoPoint::vartime_double_scalar_mul_basepoint(&scalar, &point, &scalar)
                }),
                repeated(|| bytes.decompress()),
                repeated(|| {
                    let points = commitments.iter().map(CompressedRistretto::decompress);
                    let points = points.chain(parsed.iter().copied().map(Some));
                    RistrettoPoint::optional_multiscalar_mul(&scalars, points)
                }),
            ],
        );
        let [
            agree,
            exchange_key,
            multiply_base,
            double,
            decompress,
            batch,
        ] = measured.map(|[sample]| sample.median);
        Self {
            agree,
            exchange_key,
            multiply_base,
            double,
            decompress,
            batch: batch / BATCH as f64,
        }
    }

    /// Draws `e_v` and n', agrees twice, signs.
    fn vehicle(&self) -> f64 {
        self.handshake() + 2.0 * self.multiply_base
    }

    /// Draws `e_r` and agrees twice.
    fn handshake(&self) -> f64 {
        self.exchange_key + 2.0 * self.agree
    }

    /// Beside the handshake, checks a signature under a key that it has to decompress, and
    /// decompresses the next token.
    fn rsu(&self) -> f64 {
        self.handshake() + self.double + 2.0 * self.decompress
    }

    /// Beside the handshake, decompresses W and the next token and does its share of a batch.
    fn anonymous(&self) -> f64 {
        self.handshake() + 2.0 * self.decompress + self.batch
    }
}

/// Anonymous credentials: issuing and checking.
struct Anonymous {
    device: Sample,
    issuers: Sample,
    single: Sample,
    batched: Sample,
    bpa_check: Sample,
}

impl Anonymous {
    fn measure(rounds: usize) -> Self {
        type S = Ristretto255;
        let mut rng = StdRng::seed_from_u64(9);
        let mut issuers = Issuers::<S>::new(&mut rng);
        let credentials: Vec<_> = (0..20).map(|_| issuers.enrol(&mut rng)).collect();
        let key = IssuerKey::new(issuers.key.element());
        let shown: Vec<(Certificate<S>, Digest, Proof<S>)> = credentials
            .iter()
            .cycle()
            .zip(0..BATCH as u64)
            .map(|(credential, number)| {
                let statement = Transcript::new(STATEMENT).number(number).finish();
                let proof = credential.prove(&statement, &mut rng);
                (credential.certificate(), statement, proof)
            })
            .collect();

        let mut bpa = Bpa::new();
        let (_, request) = bpa.vehicles[0].request(START_MS, &mut bpa.rng);

        let mut batch_rng = StdRng::seed_from_u64(10);
        let (certificate, statement, proof) = shown[0];
        let [[single], [batched], [bpa_check]] = alternate(
            rounds,
            [
                repeated(|| {
                    key.verify(&certificate, &statement, &proof)
                        .expect("honest")
                }),
                repeated(|| {
                    let mut batch = Batch::new(&key);
                    for (certificate, statement, proof) in &shown {
                        batch.push(*certificate, *statement, *proof);
                    }
                    batch.verify(&mut batch_rng).expect("honest proofs");
                }),
                repeated(|| {
                    let checked = bpa.rsus[0].check(&bpa.params, &bpa.ledger, &request, START_MS);
                    checked.expect("an honest login")
                }),
            ],
        );
        let rng = RefCell::new(rng);
        let [[device, issuers]] = alternate(
            rounds,
            [Box::new(|| {
                let rng = &mut *rng.borrow_mut();
                let (asked, asking) = timed(0..LOGINS, |_| request_batch::<S>(1, rng).remove(0));
                let (pending, requests): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
                let (sealed, issuing) = timed(requests, |request| issuers.issue(request, rng));
                let (_, opening) = timed(pending.iter().zip(&sealed), |(pending, sealed)| {
                    pending.open(sealed, &key).expect("an honest answer")
                });
                [asking + opening, issuing]
            }) as Sides<'_>],
        );
        Self {
            device,
            issuers,
            single,
            batched: batched.scaled(1.0 / BATCH as f64),
            bpa_check,
        }
    }
}
