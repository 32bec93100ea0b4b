//! Paper 000: honest runs, refusals, sizes.

use cairn_baselines::{Refusal, p000_login::*};
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};

const NOW: u32 = 1_000;
const RID: Rid = Rid(*b"RSU00001");

struct World {
    rng: StdRng,
    ledger: Ledger,
    vehicle: Vehicle,
    rsu: Rsu,
}

fn world() -> World {
    let mut rng = StdRng::seed_from_u64(0);
    let mut ledger = Ledger::default();
    let vehicle = ledger.register(Uid(*b"UID00001"), NOW + 100, &mut rng);
    let rsu = Rsu::random(RID, &mut rng);
    World {
        rng,
        ledger,
        vehicle,
        rsu,
    }
}

impl World {
    fn answer(&mut self, request: &Request, now: u32) -> Result<Answer, Refusal> {
        self.rsu
            .answer(&mut self.ledger, request, now, &mut self.rng)
    }

    fn sessions(&mut self) -> (Session, Session) {
        let (wait, first) =
            begin_agreement(&self.vehicle, RID, &self.rsu.key(), NOW, &mut self.rng).unwrap();
        assert_eq!(first.len(), FIRST_BYTES);
        let (at_rsu, second) =
            answer_agreement(&self.rsu, &self.ledger, &first, NOW + 1, &mut self.rng).unwrap();
        assert_eq!(second.len(), SECOND_BYTES);
        (
            wait.finish(&self.vehicle, &second, NOW + 1).unwrap(),
            at_rsu,
        )
    }
}

#[test]
fn login_and_fast_login() {
    let mut w = world();
    let answer = w.answer(&w.vehicle.request(NOW), NOW + 1).unwrap();
    let asc = w.vehicle.accept(&w.rsu.key(), &answer, NOW + 1).unwrap();

    let next = Rsu::random(Rid(*b"RSU00002"), &mut w.rng);
    let request = w.vehicle.fast_request(asc);
    let fast = next.fast_answer(&w.ledger, &request, NOW + 50).unwrap();
    w.vehicle.accept_fast(&next.key(), &fast).unwrap();
    assert_eq!(
        w.vehicle.accept_fast(&w.rsu.key(), &fast),
        Err(Refusal::Proof)
    );

    let mut wrong = request;
    wrong.asc[0] ^= 1;
    let refused = next.fast_answer(&w.ledger, &wrong, NOW + 50);
    assert_eq!(refused.err(), Some(Refusal::Token));
}

#[test]
fn request_is_refused_when_any_field_but_the_time_changes() {
    let mut w = world();
    let honest = w.vehicle.request(NOW);
    let mut changed = [honest; 4];
    changed[0].uid.0[0] ^= 1;
    changed[1].key.0[1] ^= 1;
    changed[2].digest[0] ^= 1;
    changed[3].signature[0] ^= 1;
    for request in changed {
        assert!(w.answer(&request, NOW).is_err());
    }
    assert_eq!(w.answer(&honest, NOW + THR + 1).err(), Some(Refusal::Late));
    assert!(w.answer(&honest, NOW + THR).is_ok());
}

#[test]
fn revoked_and_expired_keys_are_refused() {
    let mut w = world();
    assert_eq!(
        w.answer(&w.vehicle.request(NOW + 101), NOW + 101).err(),
        Some(Refusal::Key)
    );
    w.ledger.revoke(w.vehicle.uid).unwrap();
    assert_eq!(
        w.answer(&w.vehicle.request(NOW), NOW).err(),
        Some(Refusal::Key)
    );
}

#[test]
fn answer_of_another_rsu_is_refused() {
    let mut w = world();
    let answer = w.answer(&w.vehicle.request(NOW), NOW).unwrap();
    let other = Rsu::random(RID, &mut w.rng);
    let refused = w.vehicle.accept(&other.key(), &answer, NOW);
    assert_eq!(refused, Err(Refusal::Proof));
    let late = w.vehicle.accept(&w.rsu.key(), &answer, NOW + THR + 1);
    assert_eq!(late, Err(Refusal::Late));
}

#[test]
fn beacon_leads_to_the_root_for_every_leaf() {
    let mut rng = StdRng::seed_from_u64(1);
    for count in 1..9 {
        let rsus: Vec<_> = (0..count)
            .map(|i| Rsu::random(Rid([i as u8; 8]), &mut rng))
            .collect();
        let leaves = rsus
            .iter()
            .map(|rsu| rsu_leaf(rsu.rid, &rsu.key()))
            .collect();
        let tree = Tree::new(leaves);
        for (index, rsu) in rsus.iter().enumerate() {
            let mut beacon = Beacon {
                rid: rsu.rid,
                key: rsu.key(),
                sent: NOW.to_be_bytes(),
                branch: tree.branch(index).unwrap(),
            };
            assert_eq!(beacon.check(&tree.root(), NOW), Ok(()));
            assert_eq!(
                beacon.check(&tree.root(), NOW + THR + 1),
                Err(Refusal::Late)
            );
            beacon.rid = Rid(*b"stranger");
            assert_eq!(beacon.check(&tree.root(), NOW), Err(Refusal::Branch));
        }
        assert_eq!(tree.branch(count), None);
    }
}

#[test]
fn agreement_and_rekey_give_both_sides_one_key() {
    let mut w = world();
    let (vehicle, rsu) = w.sessions();
    assert!(vehicle == rsu);
    let (mine, to_rsu) = vehicle.offer(Side::Vehicle, &mut w.rng);
    let (theirs, to_vehicle) = rsu.offer(Side::Rsu, &mut w.rng);
    let at_rsu = rsu.rekey(&rsu.open(Side::Vehicle, &to_rsu).unwrap(), &theirs);
    let at_vehicle = vehicle.rekey(&mine, &vehicle.open(Side::Rsu, &to_vehicle).unwrap());
    assert!(at_rsu == at_vehicle);
    assert!(at_rsu != rsu);
    assert_eq!(rsu.open(Side::Rsu, &to_rsu), Err(Refusal::Ciphertext));
}

#[test]
fn late_agreement_messages_are_refused() {
    let mut w = world();
    let (wait, first) = begin_agreement(&w.vehicle, RID, &w.rsu.key(), NOW, &mut w.rng).unwrap();
    let late = answer_agreement(&w.rsu, &w.ledger, &first, NOW + THR + 1, &mut w.rng);
    assert_eq!(late.err(), Some(Refusal::Late));
    let (_, second) = answer_agreement(&w.rsu, &w.ledger, &first, NOW, &mut w.rng).unwrap();
    assert_eq!(
        wait.finish(&w.vehicle, &second, NOW + THR + 1).err(),
        Some(Refusal::Late)
    );
}

#[test]
fn sizes_stand_beside_the_printed_ones() {
    let figures = sizes().map(|size| (size.reconstruction, size.paper));
    let expected = [
        (229, 237),
        (80, 79),
        (450, 426),
        (584, 560),
        (128, 128),
        (131, 131),
    ];
    assert_eq!(figures, expected);
    assert_eq!(FIRST_BYTES, 213);
}

proptest! {
    #[test]
    fn changed_ciphertext_is_refused(at in 0..FIRST_BYTES, bit in 0_u8..8, seed: u64) {
        let mut w = world();
        w.rng = StdRng::seed_from_u64(seed);
        let (_, mut first) =
            begin_agreement(&w.vehicle, RID, &w.rsu.key(), NOW, &mut w.rng).unwrap();
        first[at] ^= 1_u8 << bit;
        prop_assert!(answer_agreement(&w.rsu, &w.ledger, &first, NOW, &mut w.rng).is_err());
    }

    #[test]
    fn ecies_round_trip(text in proptest::collection::vec(any::<u8>(), 0..200), seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let keys = p256::NonZeroScalar::from_repr(
            p256::FieldBytes::from([rng.next_u32() as u8 | 1; 32]),
        );
        let scalar = Option::<p256::NonZeroScalar>::from(keys);
        prop_assume!(scalar.is_some());
        let scalar = scalar.unwrap();
        let point = p256::PublicKey::from_secret_scalar(&scalar);
        let mut key = [0; 33];
        key.copy_from_slice(
            p256::elliptic_curve::sec1::ToSec1Point::to_sec1_point(&point, true).as_bytes(),
        );
        let sealed = encrypt(&Key(key), &text, &mut rng).unwrap();
        prop_assert_eq!(sealed.len(), text.len() + 97);
        prop_assert_eq!(decrypt(&scalar, &sealed).unwrap(), text);
        for length in 0..97 {
            prop_assert_eq!(decrypt(&scalar, &sealed[..length]), Err(Refusal::Ciphertext));
        }
    }
}
