//! Showing credentials: single checks and batches agree, policy and slots.

use cairn_crypto::credential::{Attributes, Batch, Credential, Pending, Policy, PolicyError, Slot};
use cairn_crypto::linkage::Period;
use cairn_crypto::suite::{Ristretto255, Sm2, Suite};
use proptest::prelude::*;

use super::both_suites;
use super::common::*;

const HOUR_MS: u64 = 3_600_000;
const THR_MS: u64 = 2_000;

both_suites!(
    a_proof_fits_certificate_issuer_and_statement,
    stored_forms_come_back,
    an_empty_batch_passes,
);

fn a_proof_fits_certificate_issuer_and_statement<S: Suite>() {
    let mut world = world::<S>(20);
    let (certificate, text, proof) = world.shown(b"hello");
    assert_eq!(world.key.verify(&certificate, &text, &proof), Ok(()));
    let mut batch = Batch::new(&world.key);
    batch.push(certificate, text, proof);
    assert_eq!(batch.verify(&mut world.rng), Ok(()));
    assert!(certificate.public_key(&world.key).is_ok());
}

fn stored_forms_come_back<S: Suite>() {
    let mut world = world::<S>(21);
    let pending = Pending::<S>::from_bytes(&world.pending.to_bytes()).unwrap();
    let credential = pending.open(&world.sealed, &world.key).unwrap();
    assert_eq!(*credential.to_bytes(), *world.credential.to_bytes());
    let read = Credential::from_bytes(&credential.to_bytes(), &world.key).unwrap();
    let proof = read.prove(&statement(b"a"), &mut world.rng);
    let checked = world
        .key
        .verify(&read.certificate(), &statement(b"a"), &proof);
    assert_eq!(checked, Ok(()));
}

fn an_empty_batch_passes<S: Suite>() {
    let mut world = world::<S>(22);
    assert_eq!(Batch::new(&world.key).verify(&mut world.rng), Ok(()));
}

fn batch_names_the_bad_ones<S: Suite>(bad: &[bool]) -> Result<(), TestCaseError> {
    let mut world = world::<S>(23);
    let other = world.enrol(Attributes {
        group: 12,
        ..attributes()
    });
    let mut batch = Batch::new(&world.key);
    for (i, bad) in bad.iter().enumerate() {
        let credential = [&world.credential, &other][i % 2];
        let text = statement(&[u8::try_from(i).unwrap()]);
        let proof = credential.prove(&text, &mut world.rng);
        let shown = if *bad { statement(b"other") } else { text };
        batch.push(credential.certificate(), shown, proof);
    }
    let expected: Vec<_> = bad
        .iter()
        .enumerate()
        .filter(|(_, bad)| **bad)
        .map(|(i, _)| i)
        .collect();
    let expected = if expected.is_empty() {
        Ok(())
    } else {
        Err(expected)
    };
    prop_assert_eq!(batch.verify(&mut world.rng), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_batch_names_its_bad_proofs(bad in prop::collection::vec(prop::bool::weighted(0.1), 0..20)) {
        batch_names_the_bad_ones::<Ristretto255>(&bad)?;
        batch_names_the_bad_ones::<Sm2>(&bad)?;
    }
}

#[test]
fn a_wrong_slot_is_refused() {
    let slot = Policy::default().slot(Period(2_900), 3).unwrap();
    let start = u64::from(slot.start_s()) * 1_000;
    let end = start + 16 * HOUR_MS;
    assert_eq!(u64::from(slot.end_s()) * 1_000, end);
    for (now, inside) in [
        (start - THR_MS - 1, false),
        (start - THR_MS, true),
        (start, true),
        (end - 1, true),
        (end + THR_MS - 1, true),
        (end + THR_MS, false),
        (u64::MAX, false),
        (0, false),
    ] {
        assert_eq!(slot.contains(now, THR_MS), inside, "at {now}");
    }
    assert_eq!(Slot::new(0, 0), None);
    assert_eq!(Slot::new(u32::MAX - 59, 1), None);
    assert!(Slot::new(u32::MAX - 60, 1).is_some());
}

#[test]
fn a_week_has_twenty_slots_two_at_a_time() {
    let policy = Policy::default();
    let period = Period(2_900);
    let slots: Vec<_> = (0..20).map(|k| policy.slot(period, k).unwrap()).collect();
    assert_eq!(policy.slot(period, 20), None);
    let week = 7 * 24 * 3_600;
    assert_eq!(slots[0].start_s(), 2_900 * week);
    assert_eq!(slots[19].end_s(), 2_901 * week);
    for s in (slots[0].start_s()..slots[19].end_s()).step_by(600) {
        let on = slots
            .iter()
            .filter(|slot| slot.contains(u64::from(s) * 1_000, 0))
            .count();
        let edge = s < slots[1].start_s() || s >= slots[18].end_s();
        assert_eq!(on, if edge { 1 } else { 2 }, "at {s}");
    }
    for (k, slot) in slots.iter().enumerate() {
        assert_eq!(policy.locate(*slot), Ok((period, u8::try_from(k).unwrap())));
    }
    assert_eq!(policy.period(2_901 * week - 1), period);
    // All of a period's slots may be held by one vehicle.
    for k in 0..20 {
        assert_eq!(policy.admit(&slots[..k], slots[k]), Ok(()));
    }
}

#[test]
fn a_third_credential_at_a_time_is_refused() {
    let policy = Policy::default();
    let slot = |k| policy.slot(Period(2_900), k).unwrap();
    assert_eq!(policy.admit(&[slot(4)], slot(4)), Err(PolicyError::TooMany));
    // Held from an earlier policy, with other slots.
    let long = Slot::new(slot(3).start_s() + 60, 16 * 60).unwrap();
    assert_eq!(
        policy.admit(&[slot(3), long], slot(4)),
        Err(PolicyError::TooMany)
    );
    assert_eq!(policy.admit(&[slot(3)], long), Err(PolicyError::Grid));
    let parameters = Err(PolicyError::Parameters);
    for (minutes, per_period) in [(0, 20), (10_081, 20), (10, 0), (5, 10)] {
        assert_eq!(
            Policy::new(minutes, per_period).map(|_| ()),
            parameters.map(|_: Policy| ())
        );
    }
    assert_eq!(Policy::new(10_080, 20), Ok(policy));
}
