//! Linkage values: joined from two parts, published from a period on, never before it.

use cairn_crypto::linkage::{
    Authority, Error, LINKAGE_BYTES, LinkageValue, MAX_STEPS, Period, Revocation, Revoked, Seed,
};
use proptest::prelude::*;

const PER_PERIOD: u8 = 20;

struct Vehicle {
    registrar: Seed,
    reviewer: Seed,
}

impl Vehicle {
    fn new(byte: u8, enrolled: u32) -> Self {
        let seed = |authority, byte| Seed::from_bytes(authority, Period(enrolled), [byte; 32]);
        Self {
            registrar: seed(Authority::Registrar, byte),
            reviewer: seed(Authority::Reviewer, byte ^ 0x80),
        }
    }

    fn value(&self, period: u32, k: u8) -> LinkageValue {
        let at = Period(period);
        let (registrar, reviewer) = (self.registrar.at(at), self.reviewer.at(at));
        registrar.unwrap().part(k).join(reviewer.unwrap().part(k))
    }

    fn revocation(&self, period: u32) -> Revocation {
        Revocation {
            period: Period(period),
            registrar: self.registrar.at(Period(period)).unwrap().to_bytes(),
            reviewer: self.reviewer.at(Period(period)).unwrap().to_bytes(),
        }
    }
}

/// Computed independently, with HMAC from Python's standard library.
#[test]
fn known_answer() {
    let vehicle = Vehicle::new(1, 100);
    let seed = vehicle.registrar.at(Period(101)).unwrap().to_bytes();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(
        hex(&seed),
        "3e25b1ee42addc008714285fd0078086000e54e6169219419b9030cad151c4d0"
    );
    assert_eq!(hex(&vehicle.registrar.part(3).0), "0b85e9a1222a83422c");
    assert_eq!(hex(&vehicle.value(101, 3).0), "1c7ee79c4507e090fe");
}

proptest! {
    #[test]
    fn steps_add_up(enrolled in 0u32..1_000, first in 0u32..20, second in 0u32..20) {
        let seed = Vehicle::new(1, enrolled).registrar;
        let in_two = seed.at(Period(enrolled + first)).unwrap();
        let in_two = in_two.at(Period(enrolled + first + second)).unwrap();
        let at_once = seed.at(Period(enrolled + first + second)).unwrap();
        prop_assert_eq!(in_two.to_bytes(), at_once.to_bytes());
        prop_assert_eq!(in_two.period(), at_once.period());
    }

    #[test]
    fn revoked_from_its_period_on_and_others_never(
        revoked_from in 100u32..104,
        current in 100u32..104,
        late in any::<bool>(),
    ) {
        let (bad, good) = (Vehicle::new(1, 100), Vehicle::new(2, 100));
        let mut revoked = Revoked::new(PER_PERIOD, Period(100));
        if !late {
            revoked.add(bad.revocation(revoked_from)).unwrap();
        }
        for period in 101..=current {
            revoked.advance(Period(period)).unwrap();
        }
        if late {
            revoked.add(bad.revocation(revoked_from)).unwrap();
        }
        for period in [current - 1, current] {
            for k in 0..PER_PERIOD {
                if period >= 100 {
                    let expected = if period >= revoked_from { Err(Error::Revoked) } else { Ok(()) };
                    prop_assert_eq!(revoked.check(Period(period), &bad.value(period, k)), expected);
                    prop_assert_eq!(revoked.check(Period(period), &good.value(period, k)), Ok(()));
                }
            }
        }
    }
}

#[test]
fn b10_one_authority_alone_revokes_and_links_nobody() {
    let vehicle = Vehicle::new(1, 100);
    let mut half = vehicle.revocation(100);
    half.reviewer = [0; 32];
    let values: Vec<_> = (0..PER_PERIOD).map(|k| vehicle.value(100, k)).collect();
    let expanded: Vec<_> = half.expand(Period(100), PER_PERIOD).unwrap().collect();
    assert!(expanded.iter().all(|value| !values.contains(value)));
    // The two authorities' parts exchanged are worth nothing either.
    let mut exchanged = vehicle.revocation(100);
    std::mem::swap(&mut exchanged.registrar, &mut exchanged.reviewer);
    let expanded: Vec<_> = exchanged.expand(Period(100), PER_PERIOD).unwrap().collect();
    assert!(expanded.iter().all(|value| !values.contains(value)));
    // Equal seeds do not cancel out.
    let seed = |authority| Seed::from_bytes(authority, Period(100), [5; 32]);
    let value = seed(Authority::Registrar)
        .part(0)
        .join(seed(Authority::Reviewer).part(0));
    assert_ne!(value, LinkageValue([0; LINKAGE_BYTES]));
}

#[test]
fn published_seeds_open_no_earlier_period() {
    let revocation = Vehicle::new(1, 100).revocation(102);
    let refused = revocation.expand(Period(101), PER_PERIOD).err();
    assert_eq!(
        refused,
        Some(Error::Period {
            from: 102,
            got: 101
        })
    );
    let seed = Seed::from_bytes(Authority::Registrar, Period(102), revocation.registrar);
    assert!(seed.at(Period(101)).is_err());
}

#[test]
fn a_revoked_vehicle_is_refused_in_a_fresh_slot() {
    let vehicle = Vehicle::new(1, 100);
    let mut revoked = Revoked::new(PER_PERIOD, Period(100));
    revoked.add(vehicle.revocation(100)).unwrap();
    revoked.advance(Period(150)).unwrap();
    let fresh = vehicle.value(150, 19);
    assert_eq!(revoked.check(Period(150), &fresh), Err(Error::Revoked));
}

#[test]
fn a_set_that_is_not_expanded_for_a_period_refuses() {
    let mut revoked = Revoked::new(PER_PERIOD, Period(100));
    let value = LinkageValue([1; LINKAGE_BYTES]);
    for got in [0, 98, 101, u32::MAX] {
        let refused = Err(Error::NotExpanded { current: 100, got });
        assert_eq!(revoked.check(Period(got), &value), refused);
    }
    assert_eq!(revoked.check(Period(99), &value), Ok(()));
    // Going back changes nothing.
    revoked.advance(Period(50)).unwrap();
    assert_eq!(revoked.check(Period(100), &value), Ok(()));
}

#[test]
fn hostile_periods_are_refused_before_work_is_done() {
    let vehicle = Vehicle::new(1, 100);
    let far = Period(100 + MAX_STEPS + 1);
    assert!(vehicle.registrar.at(far).is_err());
    assert!(vehicle.registrar.at(Period(u32::MAX)).is_err());
    let mut revoked = Revoked::new(PER_PERIOD, Period(100));
    assert!(revoked.advance(far).is_err());
    assert_eq!(revoked.check(Period(100), &vehicle.value(100, 0)), Ok(()));
    let mut late = Revoked::new(PER_PERIOD, far);
    assert!(late.add(vehicle.revocation(100)).is_err());
    // One of the future waits, however far.
    let mut future = vehicle.revocation(100);
    future.period = Period(u32::MAX);
    assert_eq!(revoked.add(future), Ok(()));
    assert_eq!(revoked.advance(Period(101)), Ok(()));
}
