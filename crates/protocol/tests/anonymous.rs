//! Anonymous logins that succeed, and every way in which one is refused. What a `Hello` has in common
//! with registered logins is tested in `login.rs`.

mod common;

use cairn_crypto::{
    credential::{Attributes, Credential, Kind, Slot},
    linkage::{LinkageValue, Period},
    noise,
    schnorr::SecretKey,
    suite::Ristretto255,
};
use cairn_ledger::Uid;
use cairn_protocol::{
    THR_MS,
    login::{
        Anonymous, Code, Context, Credential as Shown, CredentialError, Way, beacon_digest,
        prologue,
    },
    roadside::{AnonymousWhy, Opened, Received, Refusal, Roadside, TokenWhy, Why},
    session::MAX_VALIDITY_MS,
    token::{self, Holder},
    vehicle::{self, Effect, MAX_SILENCE_MS, MIN_SILENCE_MS, Papers, Rotation, Wallet},
    wire::{Beacon, Hello, Message, Sealed},
};
use common::{
    Answer, CHAIN, DAY, HERE, Pair, RID, START, decoded,
    issuing::{EPOCH, Office, seconds},
    rng, site,
    town::{A, B, Town},
};
use proptest::prelude::*;

/// A vehicle with the credentials of the two slots that are on, and an RSU that knows the issuers.
fn pair() -> (Pair, Office) {
    let mut office = Office::new(40);
    let mut pair = Pair::of(office.wallet_now(), 1);
    pair.rsu.set_issuers(office.issuers());
    (pair, office)
}

fn town() -> (Town, Office) {
    let mut office = Office::new(40);
    let mut town = Town::of(office.wallet_now(), 1);
    for rsu in town.rsus.values_mut() {
        rsu.set_issuers(office.issuers());
    }
    (town, office)
}

fn beacon_of(datagram: &[u8]) -> Beacon {
    match decoded(datagram) {
        Message::Beacon(beacon) => beacon,
        other => panic!("expected a beacon, got {other:?}"),
    }
}

/// A `Hello` with an anonymous credential as a dishonest vehicle likes it.
fn forged(
    beacon: &[u8],
    credential: &Credential<Ristretto255>,
    change: impl FnOnce(&mut Anonymous),
    seed: u64,
) -> Vec<u8> {
    let beacon = beacon_of(beacon);
    let initiator = noise::Initiator::new(beacon.ephemeral, &prologue(&beacon), &mut rng(seed));
    let context = Context {
        chain: &CHAIN,
        beacon: &beacon,
        ephemeral: &initiator.ephemeral(),
    };
    let next_token = SecretKey::random(&mut rng(!seed)).public();
    let mut shown = Anonymous::show(&context, credential, next_token, &mut rng(seed));
    change(&mut shown);
    sealed(&beacon, initiator, &Shown::Anonymous(shown).encode())
}

fn sealed(beacon: &Beacon, initiator: noise::Initiator, payload: &[u8]) -> Vec<u8> {
    let (handshake, _) = initiator.hello(payload).unwrap();
    Message::Hello(Hello {
        beacon: beacon.id,
        handshake: Sealed::from_bytes(&handshake).unwrap(),
    })
    .encode()
}

/// Why the RSU refuses a credential that is shown as it is.
fn refused_as_it_is(pair: &mut Pair, credential: &Credential<Ristretto255>) -> Why {
    let beacon = pair.meet();
    let seed = pair.rng.random();
    let hello = forged(&beacon, credential, |_| (), seed);
    pair.answer(&hello).unwrap().rejected().why
}

/// What the first credential of a vehicle says.
fn first(office: &Office) -> Attributes {
    office.attributes(office.slots(START)[0])
}

// What an anonymous login is.

#[test]
fn both_sides_agree_and_the_rsu_learns_the_linkage_value_only() {
    let (mut pair, office) = pair();
    let accepted = pair.log_in();
    let newest = office.slots(START)[1];
    let value = office.attributes(newest).linkage;
    assert_eq!(accepted.way, Way::Anonymous);
    assert_eq!(accepted.holder, Holder::Anonymous(value));
    let (rid, session) = pair.vehicle.session().unwrap();
    let (holder, theirs) = pair.rsu.session(accepted.asc, pair.now).unwrap();
    assert_eq!((rid, holder), (RID, Holder::Anonymous(value)));
    assert_eq!(session.key().as_bytes(), theirs.key().as_bytes());
    assert_eq!(session.agreement(), accepted.agreement);
    assert_eq!(session.until_ms(), START + u64::from(MAX_VALIDITY_MS));
    let next = pair.vehicle.next_token().unwrap().public();
    let mint = accepted.mint.unwrap();
    assert_eq!(mint.id, token::id(&next));
    let holder = Holder::Anonymous(value);
    assert_eq!(mint.commitment, token::commitment(&next, &holder));
}

#[test]
fn hello_and_accept_take_255_bytes() {
    let (mut pair, _) = pair();
    pair.meet();
    let hello = pair.hello();
    let accept = pair.answer(&hello).unwrap().accepted().reply;
    assert_eq!((hello.len(), accept.len()), (198, 57));
    assert!(hello.len() + accept.len() <= 256, "the goal");
}

#[test]
fn an_anonymous_login_needs_no_record_of_the_ledger() {
    let (mut pair, _) = pair();
    pair.meet();
    let hello = pair.hello();
    let (now, rng) = (pair.now, &mut pair.rng);
    let Ok(Received::Login(opened)) = pair.rsu.receive(b"", &hello, now, rng) else {
        panic!("a login")
    };
    assert_eq!(opened.needs(), []);
}

#[test]
fn a_session_ends_with_the_slot_at_the_latest() {
    let (mut pair, office) = pair();
    let slot = office.slots(START)[0];
    let end_ms = u64::from(slot.end_s()) * 1_000;
    pair.now = end_ms - 5_000;
    let mut office = office;
    let older = office.wallet(&[slot], Rotation::default());
    pair.vehicle = vehicle::Vehicle::new(older, common::road());
    assert_eq!(pair.log_in().until_ms, end_ms);
}

#[test]
fn a_handover_shows_the_linkage_value_and_goes_on_with_it() {
    let (mut town, office) = town();
    let first = town.log_in(A);
    town.record(A);
    let second = town.hand_over(B);
    assert_eq!((first.way, second.way), (Way::Anonymous, Way::Token));
    assert_eq!(first.holder, second.holder);
    let value = office.attributes(office.slots(START)[1]).linkage;
    assert_eq!(second.holder, Holder::Anonymous(value));
}

#[test]
fn a_uid_and_a_linkage_value_are_never_the_same_holder() {
    let uid = Uid([9; 8]);
    let mut value = [0; 9];
    value[1..].copy_from_slice(&uid.0);
    let registered = Holder::Registered(uid);
    let anonymous = Holder::Anonymous(LinkageValue(value));
    assert_ne!(registered.to_bytes(), anonymous.to_bytes());
    let point = SecretKey::random(&mut rng(5)).public();
    assert_ne!(
        token::commitment(&point, &registered),
        token::commitment(&point, &anonymous)
    );
    for holder in [registered, anonymous] {
        assert_eq!(Holder::from_bytes(&holder.to_bytes()), Ok(holder));
    }
}

// V-ANON-1: the issuer's epoch.

#[test]
fn without_the_issuers_key_of_the_epoch_a_credential_is_refused() {
    let (mut pair, mut office) = pair();
    let other = Attributes {
        epoch: EPOCH + 1,
        ..first(&office)
    };
    let credential = office.issue(other);
    let why = refused_as_it_is(&mut pair, &credential);
    let expected = Why::Anonymous(other.linkage, AnonymousWhy::Epoch(EPOCH + 1));
    assert_eq!(why, expected);
    assert_eq!(why.code(), Code::NotValid);

    pair.rsu.issuers().unwrap().end(EPOCH);
    let credential = office.issue(first(&office));
    let why = refused_as_it_is(&mut pair, &credential);
    assert!(matches!(why, Why::Anonymous(_, AnonymousWhy::Epoch(EPOCH))));
}

#[test]
fn an_rsu_that_knows_no_issuers_refuses() {
    let mut office = Office::new(40);
    let mut pair = Pair::of(office.wallet_now(), 1);
    let credential = office.issue(first(&office));
    let why = refused_as_it_is(&mut pair, &credential);
    assert!(matches!(why, Why::Anonymous(_, AnonymousWhy::Epoch(_))));
}

// V-ANON-2: the slot.

#[test]
fn credential_shown_in_a_wrong_slot_is_refused() {
    let (mut pair, mut office) = pair();
    for days in [1, 2] {
        for at_ms in [START - days * DAY, START + days * DAY] {
            let slot = office.slots(at_ms)[0];
            let credential = office.issue(office.attributes(slot));
            let why = refused_as_it_is(&mut pair, &credential);
            let expected = AnonymousWhy::Slot(slot.start_s());
            assert_eq!(
                why,
                Why::Anonymous(office.attributes(slot).linkage, expected)
            );
            assert_eq!(why.code(), Code::NotValid);
            pair.now += 1;
        }
    }
}

#[test]
fn a_slot_begins_within_the_clock_tolerance_and_ends_sharply() {
    let (mut pair, mut office) = pair();
    let slot = office.slots(START + DAY)[0];
    let credential = office.issue(office.attributes(slot));
    let (begin, end) = (
        u64::from(slot.start_s()) * 1_000,
        u64::from(slot.end_s()) * 1_000,
    );
    let cases = [
        (begin - THR_MS - 1, false),
        (begin - THR_MS, true),
        (end - 1, true),
        (end, false),
    ];
    for (now, is_on) in cases {
        pair.now = now;
        pair.rsu = Roadside::new(site(RID), &mut rng(2));
        pair.rsu.set_issuers(office.issuers());
        pair.rsu.tick(now);
        let beacon = pair.rsu.beacon(now, &mut pair.rng);
        let hello = forged(&beacon, &credential, |_| (), 310);
        let answer = pair.answer(&hello).unwrap();
        assert_eq!(matches!(answer, Answer::Accepted(_)), is_on, "{now}");
    }
}

#[test]
fn a_slot_that_is_none_of_the_policys_is_refused() {
    let (mut pair, mut office) = pair();
    let slot = office.slots(START)[0];
    let minutes = u16::try_from((slot.end_s() - slot.start_s()) / 60).unwrap();
    let shifted = Slot::new(slot.start_s() + 60, minutes).unwrap();
    let credential = office.issue(Attributes {
        slot: shifted,
        ..first(&office)
    });
    let why = refused_as_it_is(&mut pair, &credential);
    let expected = AnonymousWhy::Grid(shifted.start_s());
    assert_eq!(why, Why::Anonymous(first(&office).linkage, expected));
    assert_eq!(why.code(), Code::NotRecognised);
}

// V-ANON-3: revocation.

#[test]
fn revoked_vehicle_is_refused_at_once_and_in_a_fresh_slot_too() {
    let (mut pair, mut office) = pair();
    let accepted = pair.log_in();
    let period = office.policy.period(seconds(START));
    let dropped = pair.rsu.revoke(office.revocation(period), pair.now);
    assert_eq!(dropped, 1, "its session ends");
    assert!(pair.rsu.session(accepted.asc, pair.now).is_none());

    for at_ms in [START, START + DAY, START + 8 * DAY] {
        pair.now = at_ms;
        pair.rsu.tick(at_ms);
        let attributes = office.attributes(office.slots(at_ms)[0]);
        let credential = office.issue(attributes);
        let beacon = pair.rsu.beacon(at_ms, &mut pair.rng);
        let hello = forged(&beacon, &credential, |_| (), at_ms);
        let why = pair.answer(&hello).unwrap().rejected().why;
        assert_eq!(
            why,
            Why::Anonymous(attributes.linkage, AnonymousWhy::Revoked)
        );
        assert_eq!(why.code(), Code::Revoked);
    }
}

#[test]
fn a_revocation_begins_with_its_period_and_not_before() {
    let (mut pair, office) = pair();
    let next = Period(office.policy.period(seconds(START)).0 + 1);
    assert_eq!(pair.rsu.revoke(office.revocation(next), pair.now), 0);
    pair.log_in();
}

#[test]
fn a_revocation_hits_nobody_else() {
    let (mut pair, office) = pair();
    let period = office.policy.period(seconds(START));
    let other = Office::new(41);
    pair.rsu.revoke(other.revocation(period), pair.now);
    pair.log_in();
}

#[test]
fn a_revoked_vehicle_cannot_go_on_with_its_token() {
    let (mut town, office) = town();
    town.log_in(A);
    town.record(A);
    let period = office.policy.period(seconds(START));
    let now = town.now;
    let hello = town.handover_hello(B);
    town.rsus
        .get_mut(&B)
        .unwrap()
        .revoke(office.revocation(period), now);
    let why = town.answer(B, &hello).unwrap().rejected().why;
    assert!(matches!(why, Why::Token(_, TokenWhy::Holder)), "{why}");
}

// V-ANON-4: the proof.

#[test]
fn forged_attributes_are_refused() {
    let (mut pair, mut office) = pair();
    let credential = office.issue(first(&office));
    let other_slot = office.slots(START)[1].start_s();
    let changes: [fn(&mut Anonymous, u32); 3] = [
        |shown, _| shown.linkage.0[4] ^= 1,
        |shown, other_slot| shown.start_s = other_slot,
        |shown, _| shown.group = 7,
    ];
    for (seed, change) in (320..).step_by(5).zip(changes) {
        let beacon = pair.meet();
        let hello = forged(
            &beacon,
            &credential,
            |shown| change(shown, other_slot),
            seed,
        );
        let why = pair.answer(&hello).unwrap().rejected().why;
        assert!(
            matches!(why, Why::Anonymous(_, AnonymousWhy::Proof)),
            "{why}"
        );
        assert_eq!(why.code(), Code::NotRecognised);
    }
}

#[test]
fn credentials_of_another_kind_or_length_are_refused() {
    let (mut pair, mut office) = pair();
    let slot = first(&office).slot;
    let longer = Slot::new(slot.start_s(), u16::MAX).unwrap();
    let organisation = Attributes {
        kind: Kind::Organisation,
        ..first(&office)
    };
    let long = Attributes {
        slot: longer,
        ..first(&office)
    };
    for attributes in [organisation, long] {
        let credential = office.issue(attributes);
        let why = refused_as_it_is(&mut pair, &credential);
        assert!(matches!(why, Why::Anonymous(_, AnonymousWhy::Proof)));
        pair.rsu = Roadside::new(site(RID), &mut rng(2));
        pair.rsu.set_issuers(office.issuers());
    }
}

#[test]
fn a_credential_of_another_issuer_key_is_refused() {
    let (mut pair, office) = pair();
    let mut stranger = Office::new(42);
    let credential = stranger.issue(first(&office));
    let why = refused_as_it_is(&mut pair, &credential);
    assert!(matches!(why, Why::Anonymous(_, AnonymousWhy::Proof)));
}

#[test]
fn b1_anonymous_hello_relayed_to_another_rsu_is_refused() {
    let (mut town, _) = town();
    let hello = town.login_hello(A);
    town.meet(B);
    assert!(matches!(town.answer(B, &hello), Err(Refusal::Beacon(_))));
    // Nor does it help to name B's own beacon.
    let Message::Hello(mut relayed) = decoded(&hello) else {
        panic!("a hello")
    };
    relayed.beacon = beacon_of(&town.meet(B)).id;
    let relayed = Message::Hello(relayed).encode();
    assert!(matches!(
        town.answer(B, &relayed),
        Err(Refusal::Handshake(_))
    ));
}

#[test]
fn b1_credential_rewrapped_under_another_ephemeral_or_beacon_is_refused() {
    let (mut pair, mut office) = pair();
    let credential = office.issue(first(&office));
    let old = beacon_of(&pair.meet());
    pair.now += 1;
    let new = beacon_of(&pair.meet());
    assert_ne!(beacon_digest(&old).0, beacon_digest(&new).0);
    let next_token = SecretKey::random(&mut rng(350)).public();
    for (seed, proved_for) in [(351, &old), (352, &new)] {
        // The proof is for an ephemeral that somebody else drew.
        let context = Context {
            chain: &CHAIN,
            beacon: proved_for,
            ephemeral: &[7; 32],
        };
        let shown = Anonymous::show(&context, &credential, next_token, &mut rng(353));
        let initiator = noise::Initiator::new(new.ephemeral, &prologue(&new), &mut rng(seed));
        let hello = sealed(&new, initiator, &Shown::Anonymous(shown).encode());
        let why = pair.answer(&hello).unwrap().rejected().why;
        assert!(matches!(why, Why::Anonymous(_, AnonymousWhy::Proof)));
    }
}

#[test]
fn b4_logins_under_different_credentials_have_no_field_in_common() {
    let (mut pair, mut office) = pair();
    let beacon = beacon_of(&pair.meet());
    let context = Context {
        chain: &CHAIN,
        beacon: &beacon,
        ephemeral: &[7; 32],
    };
    let mut show = |slot: Slot, seed: u64| {
        let credential = office.issue(office.attributes(slot));
        let next = SecretKey::random(&mut rng(seed)).public();
        Anonymous::show(&context, &credential, next, &mut rng(seed + 1))
    };
    let slots = Office::new(40).slots(START);
    let (one, other) = (show(slots[0], 360), show(slots[1], 362));
    assert_ne!(one.w, other.w);
    assert_ne!(one.linkage, other.linkage);
    assert_ne!(one.next_token, other.next_token);
    assert_ne!(one.proof, other.proof);
}

#[test]
fn b5_a_credential_made_without_the_issuers_is_refused() {
    // W = D − c·A for a key D of the forger's own needs W before c; whoever takes any W and his
    // own secret has a proof that does not fit.
    let (mut pair, office) = pair();
    let mut stranger = Office::new(43);
    let own = stranger.issue(first(&office));
    let beacon = pair.meet();
    let w = SecretKey::random(&mut rng(370)).public().to_bytes();
    let w = cairn_crypto::suite::Element::from_bytes(&w).unwrap();
    let hello = forged(&beacon, &own, |shown| shown.w = w, 371);
    let why = pair.answer(&hello).unwrap().rejected().why;
    assert!(matches!(why, Why::Anonymous(_, AnonymousWhy::Proof)));
}

#[test]
fn identity_and_non_canonical_points_get_no_answer() {
    let (mut pair, mut office) = pair();
    let credential = office.issue(first(&office));
    // W, Q', z.
    let cases: [(usize, &[u8; 32]); 5] = [
        (0, &[0; 32]),
        (0, &[0xff; 32]),
        (49, &[0; 32]),
        (49, &[0xff; 32]),
        (113, &[0xff; 32]),
    ];
    for (seed, (at, bytes)) in (380..).zip(cases) {
        let beacon = beacon_of(&pair.meet());
        let initiator = noise::Initiator::new(beacon.ephemeral, &prologue(&beacon), &mut rng(seed));
        let context = Context {
            chain: &CHAIN,
            beacon: &beacon,
            ephemeral: &initiator.ephemeral(),
        };
        let next = SecretKey::random(&mut rng(390)).public();
        let shown = Anonymous::show(&context, &credential, next, &mut rng(391));
        let mut payload = Shown::Anonymous(shown).encode();
        payload[at..at + 32].copy_from_slice(bytes);
        let hello = sealed(&beacon, initiator, &payload);
        let Err(Refusal::Credential(error)) = pair.answer(&hello) else {
            panic!("no credential")
        };
        let expected = matches!(
            (at, error),
            (0 | 113, CredentialError::Certificate(_)) | (49, CredentialError::NextToken(_))
        );
        assert!(expected, "{at}: {error}");
    }
    // M is checked with the proof.
    let beacon = pair.meet();
    let hello = forged(
        &beacon,
        &credential,
        |shown| {
            let mut proof = shown.proof.to_bytes();
            proof[..32].copy_from_slice(&[0; 32]);
            shown.proof = cairn_crypto::suite::Proof::from_bytes(&proof).unwrap();
        },
        395,
    );
    let why = pair.answer(&hello).unwrap().rejected().why;
    assert!(matches!(why, Why::Anonymous(_, AnonymousWhy::Proof)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn b8_any_changed_byte_of_an_anonymous_hello_is_refused(at in 0..198_usize, flip in 1..=u8::MAX) {
        let (mut pair, _) = pair();
        pair.meet();
        let mut hello = pair.hello();
        hello[at] ^= flip;
        prop_assert!(pair.answer(&hello).is_err());
    }
}

// Many at once.

fn opened(pair: &mut Pair, hello: &[u8]) -> Opened {
    match pair.rsu.receive(b"", hello, pair.now, &mut pair.rng) {
        Ok(Received::Login(opened)) => *opened,
        _ => panic!("a login"),
    }
}

#[test]
fn a_batch_accepts_the_good_and_names_the_bad() {
    let (mut pair, mut office) = pair();
    let beacon = pair.meet();
    let attributes = first(&office);
    let logins: Vec<_> = (0..12u8)
        .map(|number| {
            let mut attributes = attributes;
            attributes.linkage.0[0] = number;
            let credential = office.issue(attributes);
            let change = |shown: &mut Anonymous| {
                if number % 5 == 3 {
                    shown.group ^= 1;
                }
            };
            let hello = forged(&beacon, &credential, change, 400 + 3 * u64::from(number));
            (opened(&mut pair, &hello), Vec::new())
        })
        .collect();
    let results = pair.rsu.accept_many(logins, pair.now, &mut pair.rng);
    for (number, result) in results.iter().enumerate() {
        match result {
            Ok(accepted) => {
                assert_ne!(number % 5, 3);
                let Holder::Anonymous(value) = accepted.holder else {
                    panic!("anonymous")
                };
                assert_eq!(usize::from(value.0[0]), number, "in their order");
            }
            Err(rejected) => {
                assert_eq!(number % 5, 3);
                let why = rejected.why;
                assert!(matches!(why, Why::Anonymous(_, AnonymousWhy::Proof)));
            }
        }
    }
    assert_eq!(pair.rsu.session_count(), 10);
}

// Which credential a vehicle shows.

fn shown_by(pair: &mut Pair) -> Result<LinkageValue, vehicle::Refusal> {
    pair.meet();
    pair.vehicle.login(RID, pair.now, &mut pair.rng)?;
    let Papers::Anonymous(wallet) = pair.vehicle.papers() else {
        panic!("anonymous")
    };
    let current = wallet.current().unwrap();
    Ok(current.certificate().attributes().linkage)
}

/// A vehicle with the credentials of a day; the linkage values in the order of their slots; when
/// the last but one begins.
fn day(rotation: Rotation) -> (Pair, Vec<LinkageValue>, u64) {
    let mut office = Office::new(40);
    let mut slots = office.slots(START);
    let begin_ms = u64::from(slots[1].end_s()) * 1_000
        - (u64::from(slots[1].end_s() - slots[1].start_s()) * 500);
    slots.push(office.slots(begin_ms)[1]);
    let values = slots.iter().map(|slot| office.attributes(*slot).linkage);
    let values = values.collect();
    let wallet = office.wallet(&slots, rotation);
    (Pair::of(wallet, 1), values, begin_ms)
}

#[test]
fn by_period_a_vehicle_changes_when_the_next_slot_begins() {
    let (mut pair, values, begin_ms) = day(Rotation::Period);
    assert_eq!(shown_by(&mut pair).unwrap(), values[1]);
    pair.now = begin_ms - 1_000;
    assert_eq!(shown_by(&mut pair).unwrap(), values[1]);
    pair.now = begin_ms;
    assert_eq!(shown_by(&mut pair).unwrap(), values[2]);
}

#[test]
fn by_distance_a_vehicle_changes_after_some_metres_too() {
    let (mut pair, values, _) = day(Rotation::Distance(300.0));
    assert_eq!(shown_by(&mut pair).unwrap(), values[1]);
    let beacon = pair.meet();
    let mut there = HERE;
    for (metres, expected) in [(200, 1), (200, 0), (200, 0), (200, 1)] {
        there.x_cm += 100 * metres;
        // Whatever becomes of the beacon there, the vehicle has moved.
        let _ = pair
            .vehicle
            .receive(&beacon, &there, pair.now, &mut pair.rng);
        pair.vehicle
            .login(RID, pair.now, &mut pair.rng)
            .expect("believed before");
        let Papers::Anonymous(wallet) = pair.vehicle.papers() else {
            panic!("anonymous")
        };
        let current = wallet.current().unwrap().certificate();
        assert_eq!(current.attributes().linkage, values[expected]);
    }
}

#[test]
fn with_random_silence_a_vehicle_says_nothing_for_a_while() {
    let (mut pair, values, begin_ms) = day(Rotation::RandomSilence);
    assert_eq!(shown_by(&mut pair).unwrap(), values[1]);
    pair.now = begin_ms;
    let Err(vehicle::Refusal::Silent(until_ms)) = shown_by(&mut pair) else {
        panic!("silent")
    };
    assert!((begin_ms + MIN_SILENCE_MS..=begin_ms + MAX_SILENCE_MS).contains(&until_ms));
    pair.now = until_ms;
    assert_eq!(shown_by(&mut pair).unwrap(), values[2]);
}

#[test]
fn after_a_change_the_old_token_is_not_shown() {
    let mut office = Office::new(40);
    let slots = office.slots(START);
    let older = office.issue(office.attributes(slots[0]));
    let mut town = Town::of(Wallet::new(vec![older], Rotation::default()), 1);
    for rsu in town.rsus.values_mut() {
        rsu.set_issuers(office.issuers());
    }
    town.log_in(A);
    town.record(A);
    let newer = office.issue(office.attributes(slots[1]));
    if let Papers::Anonymous(wallet) = town.vehicle.papers_mut() {
        wallet.add(vec![newer], town.now);
    }
    assert_eq!(town.hand_over(B).way, Way::Anonymous);
}

#[test]
fn without_a_valid_credential_the_vehicle_says_so() {
    let (mut pair, ..) = day(Rotation::Period);
    let Papers::Anonymous(wallet) = pair.vehicle.papers() else {
        panic!("anonymous")
    };
    pair.now = wallet.exhausted_ms();
    let result = shown_by(&mut pair);
    assert!(matches!(result, Err(vehicle::Refusal::Exhausted)));
    assert!(
        !pair
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::LoggedIn { .. }))
    );
}
