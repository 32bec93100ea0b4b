//! B2, B5, B7, E1 and E5: registration and the issuing of credentials (papers 003 and 002).

use cairn_crypto::{
    credential::{Certificate, Credential},
    issuer::Quorum,
    issuer::dkg::Opening,
    linkage::LinkageValue,
    schnorr::SecretKey,
    seal::RegisterKey,
    suite::{Proof, Ristretto255, Sm2, Suite},
    transcript::{Digest, Domain, Transcript},
};
use cairn_ledger::{Address, ChainId, PrivateKey};
use cairn_protocol::authority::{Application, Identification, Registrar};
use commonware_codec::Encode as _;
use commonware_math::algebra::Random as _;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::Attempt;
use crate::{
    issuers::{Issuers, attributes, begin, others},
    ledger::START_MS,
};

const STATEMENT: Domain = Domain::new("cairn/1/bench/statement");
const CHAIN: ChainId = ChainId([7; 32]);

fn statement() -> Digest {
    Transcript::new(STATEMENT).bytes(b"a login").finish()
}

fn owner(plate: &str) -> Identification {
    Identification {
        name: "Ada Example".into(),
        document: "C01X0006H".into(),
        plate: plate.into(),
        vehicle: "passenger car".into(),
        licence: "B072RRE2I55".into(),
    }
}

fn application(plate: &str, seed: u64) -> Application {
    let mut rng = StdRng::seed_from_u64(seed);
    let key = SecretKey::random(&mut rng);
    Application::new(&CHAIN, [9; 16], owner(plate), &key, &mut rng)
}

/// What the public sees of a registration: the transaction.
fn published(plate: &str, seed: u64) -> Vec<u8> {
    let mut rng = StdRng::seed_from_u64(seed + 1);
    let ta = PrivateKey::random(&mut rng);
    let key = RegisterKey::new(&rng.random());
    let mut registrar = Registrar::new(CHAIN, Address([8; 20]), ta, key, Vec::new());
    let registered = registrar.register(&application(plate, seed), START_MS, &mut rng);
    let (_, case) = registered.expect("an honest application");
    let proposal = registrar.propose(1, START_MS + 1, vec![case], START_MS);
    proposal
        .expect("an honest case")
        .transaction
        .encode()
        .to_vec()
}

/// A reader of the ledger tries every plate of a series: whether the record would have looked
/// otherwise with it. The coins of TA and vehicle are held fixed, so that the plate alone differs.
pub fn b2_plate_guessed_from_registration(mut rng: StdRng) -> Attempt {
    const GUESSES: u32 = 200;
    let seed = u64::from(rng.random::<u32>());
    let record = published("CN A0042", seed);
    let told_apart = (0..GUESSES)
        .filter(|number| published(&format!("CN A{number:04}"), seed) != record)
        .count();
    Attempt {
        failed: told_apart == 0,
        control: published("CN A0042", seed + 2) != record,
        why: format!("the record is the same bytes for each of {GUESSES} plates"),
    }
}

/// `W = yP − c·A` for a guessed c, shown with y as its key.
pub fn b5_certificate_for_a_chosen_key(mut rng: StdRng) -> Attempt {
    type S = Ristretto255;
    let mut issuers = Issuers::<S>::new(&mut rng);
    let honest = issuers.enrol(&mut rng);
    let proof = honest.prove(&statement(), &mut rng);
    let key = &issuers.key;
    let control = key
        .verify(&honest.certificate(), &statement(), &proof)
        .is_ok();

    let y = SecretKey::random(&mut rng).to_bytes();
    let y = S::decode_scalar(&y).expect("a secret key is a scalar");
    let guess = S::hash_to_scalar(STATEMENT, &[b"guess"]);
    let a = S::decode(&key.element().to_bytes()).expect("an issuer's key");
    let w = S::encode(&S::sum(&y, &[(-guess, a)]));
    let attributes = attributes(LinkageValue(rng.random())).to_bytes();
    let certificate = [w.as_ref(), &attributes].concat();
    // What the forger would store, had the hash been the guess; and a proof made with y.
    let stored = [&certificate[..], &S::encode_scalar(&y)].concat();
    let accepted = Credential::<S>::from_bytes(&stored, key).map(drop);
    let certificate = Certificate::<S>::from_bytes(&certificate).expect("well formed");
    let k = S::decode_scalar(&SecretKey::random(&mut rng).to_bytes()).expect("a scalar");
    let m = S::encode(&S::mul_base(&k));
    let shown = [key.element().to_bytes().as_ref(), &certificate.to_bytes()].concat();
    let h = S::hash_to_scalar(STATEMENT, &[&shown, &statement().0, m.as_ref()]);
    let z = S::encode_scalar(&(k + h * y));
    let forged = Proof::<S>::from_bytes(&[m.as_ref(), &z].concat()).expect("well formed");
    let verified = key.verify(&certificate, &statement(), &forged);
    let passes = accepted.or(verified).map_err(|error| error.to_string());
    Attempt::refused(passes, control)
}

/// Somebody between vehicle and TA puts another plate, or another key, into an application.
pub fn b7_identity_exchanged_in_transit(mut rng: StdRng) -> Attempt {
    let seed = rng.random();
    let honest = application("CN A0042", seed);
    let control = honest.check(&CHAIN).is_ok();
    let mut exchanged = honest.clone();
    exchanged.identification = owner("CN A0043");
    let mut rekeyed = honest;
    rekeyed.key = SecretKey::random(&mut rng).public().to_bytes();
    let passes = exchanged.check(&CHAIN).or(rekeyed.check(&CHAIN));
    Attempt::refused(passes.map_err(|error| error.to_string()), control)
}

/// The third issuer opens `aP` minus what the others opened, so that it alone would know the key.
pub fn e1_last_authority_chooses_its_key(mut rng: StdRng) -> Attempt {
    type S = Sm2;
    let (mut dealings, mut openings) = begin::<S>(&mut rng);
    let honest = openings.clone();
    let indices: Vec<_> = Quorum::default().indices().collect();
    let [first, second, third] = indices[..] else {
        unreachable!("three issuers by default")
    };
    let constant = |index| {
        let bytes = openings[&index].to_bytes();
        let bytes = <S as Suite>::Encoding::try_from(&bytes[..S::ELEMENT_BYTES]);
        S::decode(&bytes.expect("an element's length")).expect("an element")
    };
    let one = <S as Suite>::Scalar::from(1_u64);
    let a = <S as Suite>::Scalar::from(rng.random::<u64>());
    let rogue = S::sum(&a, &[(-one, constant(first)), (-one, constant(second))]);
    let mut bytes = openings[&third].to_bytes().to_vec();
    bytes[..S::ELEMENT_BYTES].copy_from_slice(S::encode(&rogue).as_ref());
    let rogue = Opening::from_bytes(Quorum::default(), &bytes).expect("well formed");
    openings.insert(third, rogue);

    let mut deals = |index, openings| {
        let dealing = dealings.remove(&index).expect("an issuer");
        dealing.deal(others(openings, index)).map(drop)
    };
    let refused = deals(first, &openings).map_err(|error| error.to_string());
    Attempt::refused(refused, deals(second, &honest).is_ok())
}

/// The public value W of a certificate is exchanged for that of another one.
pub fn e5_public_value_replaced(mut rng: StdRng) -> Attempt {
    type S = Sm2;
    let mut issuers = Issuers::<S>::new(&mut rng);
    let (owner, other) = (issuers.enrol(&mut rng), issuers.enrol(&mut rng));
    let proof = owner.prove(&statement(), &mut rng);
    let key = &issuers.key;
    let control = key
        .verify(&owner.certificate(), &statement(), &proof)
        .is_ok();
    let mut replaced = owner.certificate().to_bytes();
    replaced[..S::ELEMENT_BYTES]
        .copy_from_slice(&other.certificate().to_bytes()[..S::ELEMENT_BYTES]);
    let replaced = Certificate::<S>::from_bytes(&replaced).expect("well formed");
    let passes = key.verify(&replaced, &statement(), &proof);
    Attempt::refused(passes.map_err(|error| error.to_string()), control)
}
