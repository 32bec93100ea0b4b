//! Paper 002: published vectors of the primitives, honest runs, refusals.

use std::convert::Infallible;

use cairn_baselines::{Refusal, p002_exchange::*};
use proptest::prelude::*;
use rand::{SeedableRng, TryCryptoRng, TryRng, rngs::StdRng};
use sm2::{
    ProjectivePoint, Scalar, SecretKey,
    elliptic_curve::sec1::ToSec1Point,
    pke::{DecryptingKey, EncryptingKey, Mode},
};
use sm3::{Digest, Sm3};

const OWNER: Identity<'_> = Identity {
    id: *b"organisation...B",
    state: b"trusted, epoch 7",
};

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn kgcs(rng: &mut StdRng) -> (Vec<Kgc>, Point) {
    let kgcs: Vec<_> = (0..3).map(|_| Kgc::random(rng)).collect();
    let keys: Vec<_> = kgcs.iter().map(Kgc::public).collect();
    (kgcs, master_public(&keys).unwrap())
}

fn point(multiple: u64) -> Point {
    let point = ProjectivePoint::GENERATOR * Scalar::from(multiple);
    point
        .to_affine()
        .to_sec1_point(false)
        .as_bytes()
        .try_into()
        .unwrap()
}

/// Gives out prepared bytes.
struct Script(Vec<u8>);

impl TryRng for Script {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word)?;
        Ok(u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&std::mem::replace(&mut self.0, rest));
        Ok(())
    }
}

impl TryCryptoRng for Script {}

/// GB/T 32905, example 1.
#[test]
fn sm3_vector() {
    let expected = hex("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
    assert_eq!(Sm3::digest(b"abc")[..], expected);
}

/// GB/T 32907, example 1: one counter block over zeros is the block cipher itself.
#[test]
fn sm4_vector() {
    let key: [u8; 16] = hex("0123456789abcdeffedcba9876543210").try_into().unwrap();
    let expected = hex("681edf34d206965e86b3e94f536e4246");
    assert_eq!(sm4_ctr(&key, key, &[0; 16]), expected);
}

/// GB/T 32918.5, annex C: encryption of "encryption standard".
#[test]
fn sm2_encryption_vector() {
    let d = hex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8");
    let k = hex("59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21");
    let secret = SecretKey::from_slice(&d).unwrap();
    let sealed = EncryptingKey::new_with_mode(secret.public_key(), Mode::C1C2C3)
        .encrypt(&mut Script(k), b"encryption standard")
        .unwrap();
    let c2_c3 = hex(concat!(
        "21886CA989CA9C7D58087307CA93092D651EFA",
        "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766",
    ));
    assert_eq!(sealed[65..], c2_c3);
    let opened = DecryptingKey::new_with_mode(secret.to_nonzero_scalar(), Mode::C1C2C3)
        .decrypt(&sealed)
        .unwrap();
    assert_eq!(opened, b"encryption standard");
}

/// Computed by an independent implementation of the same formulas: W = 3G, P_pub = 2G.
#[test]
fn lambda_and_public_key_vector() {
    let lambda = lambda(&point(3), &OWNER, &point(2));
    let expected = hex("69b80c8aeb3826fad6e622a67de160a5fb3c7dfbd88401a41b6293feed711f68");
    assert_eq!(lambda.to_bytes()[..], expected);
    let expected = hex(concat!(
        "0478bac41b841f7b5766a7ae85658153a7c180deebac0a861a3c632e81932318",
        "2d5a78ee39227e8efa8389b319d8fd49cfcca88fdbf9bda94b1a1aed0d4b2f3a29",
    ));
    assert_eq!(
        public_key(&point(3), &OWNER, &point(2)).unwrap()[..],
        expected
    );
}

#[test]
fn enrolled_key_opens_and_another_name_or_state_does_not() {
    let mut rng = StdRng::seed_from_u64(0);
    let (kgcs, master) = kgcs(&mut rng);
    let key = enrol(&kgcs, &OWNER, &mut rng).unwrap();
    let data = vec![7; 1_000];
    let mut opens = |identity: &Identity<'_>| {
        let public = public_key(&key.w, identity, &master).unwrap();
        let envelope = encrypt(&public, &data, &mut rng).unwrap();
        let length = envelope.key.len() + envelope.iv.len() + envelope.body.len();
        assert_eq!(length, data.len() + ENVELOPE_BYTES);
        decrypt(&key, &envelope)
    };
    assert_eq!(opens(&OWNER).unwrap(), data);
    let suspect = Identity {
        state: b"suspect, epoch 8",
        ..OWNER
    };
    assert_eq!(opens(&suspect), Err(Refusal::Ciphertext));
    assert_eq!(
        opens(&Identity {
            id: *b"organisation...C",
            ..OWNER
        }),
        Err(Refusal::Ciphertext)
    );
}

#[test]
fn wrong_opening_and_wrong_share_name_the_authority() {
    let mut rng = StdRng::seed_from_u64(1);
    let (kgcs, master) = kgcs(&mut rng);
    let keys: Vec<_> = kgcs.iter().map(Kgc::public).collect();
    let applicant = Applicant::random(&mut rng);
    let nonces: Vec<_> = kgcs.iter().map(|kgc| kgc.nonce(&mut rng)).collect();
    let commitments: Vec<_> = nonces.iter().map(|nonce| nonce.commitment).collect();
    let mut openings: Vec<_> = nonces.iter().map(|nonce| nonce.opening).collect();
    let declared = applicant
        .declare(&OWNER, &master, &commitments, &openings)
        .unwrap();

    let mut shares: Vec<_> = kgcs
        .iter()
        .zip(&nonces)
        .map(|(kgc, nonce)| kgc.share(nonce, &declared.lambda))
        .collect();
    assert!(applicant.finish(&declared, &keys, &shares).is_ok());
    shares[1][31] ^= 1;
    let refused = applicant.finish(&declared, &keys, &shares);
    assert_eq!(refused.err(), Some(Refusal::Share(1)));
    shares[1] = [0xff; 32];
    let refused = applicant.finish(&declared, &keys, &shares);
    assert_eq!(refused.err(), Some(Refusal::Scalar));
    let refused = applicant.finish(&declared, &keys, &shares[..1]);
    assert_eq!(refused.err(), Some(Refusal::Share(1)));

    openings[2] = openings[0];
    let refused = applicant.declare(&OWNER, &master, &commitments, &openings);
    assert_eq!(refused.err(), Some(Refusal::Commitment(2)));
}

#[test]
fn points_that_are_none_are_refused() {
    let minus = (-ProjectivePoint::GENERATOR)
        .to_affine()
        .to_sec1_point(false);
    let negated = minus.as_bytes().try_into().unwrap();
    assert_eq!(master_public(&[point(1), negated]), Err(Refusal::Point));
    assert_eq!(master_public(&[[0; POINT_BYTES]]), Err(Refusal::Point));
    let mut off = point(1);
    off[64] ^= 1;
    assert_eq!(public_key(&off, &OWNER, &point(2)), Err(Refusal::Point));
}

#[test]
fn altered_body_decrypts_and_only_the_digest_notices() {
    let mut rng = StdRng::seed_from_u64(2);
    let (kgcs, master) = kgcs(&mut rng);
    let key = enrol(&kgcs, &OWNER, &mut rng).unwrap();
    let public = public_key(&key.w, &OWNER, &master).unwrap();
    let mut envelope = encrypt(&public, b"valve=open", &mut rng).unwrap();
    envelope.body[0] ^= 1;
    let altered = decrypt(&key, &envelope).unwrap();
    assert_eq!(altered, b"walve=open");
    let digest = |data: &[u8]| record_digest(b"D1", b"23", data);
    assert_ne!(digest(&altered), digest(b"valve=open"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn changed_key_part_is_refused(at in 0_usize..113, bit in 0_u8..8, seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let (kgcs, master) = kgcs(&mut rng);
        let key = enrol(&kgcs, &OWNER, &mut rng).unwrap();
        let public = public_key(&key.w, &OWNER, &master).unwrap();
        let mut envelope = encrypt(&public, b"data", &mut rng).unwrap();
        envelope.key[at] ^= 1_u8 << bit;
        prop_assert_eq!(decrypt(&key, &envelope), Err(Refusal::Ciphertext));
    }

    #[test]
    fn counter_mode_is_its_own_inverse(
        key: [u8; 16], iv: [u8; 16], data in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        prop_assert_eq!(sm4_ctr(&key, iv, &sm4_ctr(&key, iv, &data)), data);
    }
}
