//! An exchange between two organisations in memory, under both suites, and what attackers try.

mod common;

use cairn_contracts::{
    directory::OrgId,
    policy::Rule,
    records::{Anchored, device_key, root_key},
};
use cairn_crypto::{
    issuer::Quorum,
    message::MessageSuite,
    suite::{Ristretto255, Sm2},
};
use cairn_exchange::{
    delivery::{Check, ContentDigest, DeliveryError, Item},
    envelope::{EnvelopeError, MAX_CHUNK, Opener, Sealer, header_bytes},
    keys::{Issuers, KeyError, Kgcs},
    request::{Owner, Request, RequestError, Wanted},
};
use cairn_ledger::{Address, ChainId, light::Verified};
use cairn_vault::{Batch, Blind, DeviceId, Record};
use common::*;
use rand::{SeedableRng as _, rngs::StdRng};

fn anchored(batch: &Batch) -> Verified {
    let record = cairn_ledger::Record::of(&Anchored { at_ms: NOW });
    Verified {
        height: 9,
        time_ms: NOW,
        entries: vec![(root_key(&RECORDS, &batch.root().0), Some(record))],
    }
}

fn exchange<S: MessageSuite>() {
    let mut world = World::<S>::new();
    let (signed, pending) = world.ask();
    assert_eq!(signed.len(), Request::<S>::BYTES);
    let request = world.owner().check(&signed, NOW).unwrap();
    assert_eq!(request.exchange(), pending.exchange());

    let (batch, paths) = batch(PRESS, 3);
    let mut sent = ContentDigest::default();
    let items: Vec<_> = batch
        .entries()
        .iter()
        .zip(paths)
        .map(|((record, _), path)| {
            sent.add(record);
            let (record, root) = (record.clone(), batch.root());
            Item::Record { record, root, path }.to_bytes()
        })
        .collect();
    let items: Vec<_> = items.iter().map(Vec::as_slice).collect();
    let (pieces, posted) = world.seal(&request, &items);

    // In pieces of any size.
    let bytes = pieces.concat();
    let mut opener = Opener::new(pending);
    let mut check = Check::new(wanted(), RECORDS);
    check.learn(&anchored(&batch));
    for piece in bytes.chunks(17) {
        for chunk in opener.feed(piece, &world.factory.issuers, NOW).unwrap() {
            let Item::Record { record, root, path } = Item::from_bytes(&chunk).unwrap() else {
                panic!("only records were sent");
            };
            check.record(&record, &root, &path).unwrap();
        }
    }
    assert_eq!(opener.finish().unwrap(), posted);
    assert_eq!(check.finish(), (5, sent.finish()));
}

#[test]
fn records_arrive_under_sm2() {
    exchange::<Sm2>();
}

#[test]
fn records_arrive_under_ristretto255() {
    exchange::<Ristretto255>();
}

#[test]
fn requests_that_are_not_in_order_are_refused() {
    let mut world = World::<Sm2>::new();
    let (signed, _) = world.ask();
    let check = |owner: &Owner<'_, Sm2>, now| owner.check(&signed, now).err();
    let owner = world.owner();
    assert_eq!(check(&owner, NOW), None);

    // V-REQ-2.
    for other in [
        Owner {
            relay: ChainId([9; 32]),
            ..world.owner()
        },
        Owner {
            organisation: OrgId(3),
            ..world.owner()
        },
    ] {
        assert_eq!(check(&other, NOW), Some(RequestError::Address));
    }
    // V-REQ-3: a key of other issuers verifies as somebody else's.
    let others = Owner {
        issuers: &world.factory.issuers,
        ..world.owner()
    };
    assert_eq!(check(&others, NOW), Some(RequestError::Signature));
    let next = Issuers {
        key: world.road.kgcs.issuer_key(),
        epoch: 2,
    };
    let later = Owner {
        issuers: &next,
        ..world.owner()
    };
    let ended = KeyError::Epoch {
        expected: 2,
        got: 1,
    };
    assert_eq!(check(&later, NOW), Some(RequestError::Key(ended)));
    let after = NOW + 25 * HOUR;
    assert_eq!(
        check(&owner, after),
        Some(RequestError::Key(KeyError::Slot))
    );
    // V-REQ-5.
    assert_eq!(check(&owner, NOW + 2 * HOUR), Some(RequestError::Expired));
    let mut rng = StdRng::seed_from_u64(8);
    let patient = Request::sign(RELAY, &world.road.edge, wanted(), NOW + 25 * HOUR, &mut rng);
    let refused = owner.check(&patient.0, NOW).err();
    assert_eq!(refused, Some(RequestError::Expired));
    // V-REQ-6.
    let graded = Owner {
        grade: 3,
        ..world.owner()
    };
    let refused = RequestError::Grade { asked: 2, held: 3 };
    assert_eq!(check(&graded, NOW), Some(refused));
    // V-REQ-7.
    let lower = Some(Rule {
        grade: 1,
        until_ms: NOW + HOUR,
    });
    let over = Some(Rule {
        grade: 2,
        until_ms: NOW,
    });
    for rule in [None, lower, over] {
        let strict = Owner {
            rule,
            ..world.owner()
        };
        assert_eq!(check(&strict, NOW), Some(RequestError::Policy));
    }
    // V-REQ-8.
    let nothing = Wanted {
        from_ms: NOW,
        ..wanted()
    };
    let empty = Request::sign(RELAY, &world.road.edge, nothing, NOW + HOUR, &mut rng);
    assert_eq!(owner.check(&empty.0, NOW).err(), Some(RequestError::Empty));
}

#[test]
fn any_changed_byte_of_a_request_is_refused() {
    let mut world = World::<Sm2>::new();
    let (signed, _) = world.ask();
    for at in 0..signed.len() {
        let mut changed = signed.clone();
        changed[at] ^= 1;
        assert!(world.owner().check(&changed, NOW).is_err(), "byte {at}");
        let cut = world.owner().check(&signed[..at], NOW).err();
        assert_eq!(cut, Some(RequestError::Malformed), "cut at {at}");
    }
    let longer = [signed.as_slice(), &[0]].concat();
    let refused = world.owner().check(&longer, NOW).err();
    assert_eq!(refused, Some(RequestError::Malformed));
}

#[test]
fn keys_of_other_parties_are_refused() {
    let mut world = World::<Sm2>::new();
    let mut shown = world.road.edge.shown();
    let key = |shown: &cairn_exchange::keys::Shown<Sm2>, world: &World<Sm2>| {
        shown.key(&world.road.issuers, NOW).err()
    };
    assert_eq!(key(&shown, &world), None);
    shown.id.device = DeviceId([99; 32]);
    assert_eq!(key(&shown, &world), Some(KeyError::Device));
    shown.id.organisation = FACTORY;
    assert_eq!(key(&shown, &world), Some(KeyError::Organisation));
    // A second certificate for one name is another key: signatures of the first do not fit, and
    // the organisation's chain enrols one only (E5).
    let mut rng = StdRng::seed_from_u64(4);
    let id = world.road.edge.id();
    let second = world.road.kgcs.enrol(id, 1, slot(), &mut rng).unwrap();
    let keys = [&second, &world.road.edge].map(|p| p.shown().key(&world.road.issuers, NOW));
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn e5_a_certificate_that_is_not_enrolled_is_refused() {
    let mut world = World::<Sm2>::new();
    let mut rng = StdRng::seed_from_u64(4);
    let id = world.road.edge.id();
    let first = world.road.edge.shown();
    // The quorum of KGCs issues a second key in the edge's name.
    let second = world.road.kgcs.enrol(id, 1, slot(), &mut rng).unwrap();
    let second = second.shown();
    let bytes = first.certificate.to_bytes();
    let enrolled = Verified {
        height: 9,
        time_ms: NOW,
        entries: vec![(
            device_key(&RECORDS, &id.device.0, 1),
            cairn_ledger::Record::new(&bytes),
        )],
    };
    assert_eq!(first.check_enrolled(&RECORDS, &enrolled), Ok(()));
    let refused = Err(KeyError::NotEnrolled);
    assert_eq!(second.check_enrolled(&RECORDS, &enrolled), refused);
    let elsewhere = Address([9; 20]);
    assert_eq!(first.check_enrolled(&elsewhere, &enrolled), refused);
    let mut absent = enrolled;
    absent.entries[0].1 = None;
    assert_eq!(first.check_enrolled(&RECORDS, &absent), refused);
}

#[test]
fn an_envelope_that_was_changed_cut_or_extended_is_refused() {
    let mut world = World::<Sm2>::new();
    // A requester opens an envelope once; the same randomness gives the same request again.
    let again = |world: &mut World<Sm2>| {
        world.rng = StdRng::seed_from_u64(77);
        world.ask()
    };
    let (signed, _) = again(&mut world);
    let request = world.owner().check(&signed, NOW).unwrap();
    let (pieces, digest) = world.seal(&request, &[b"one", b"two", b"three"]);
    let bytes = pieces.concat();
    let pending = again(&mut world).1;
    let (chunks, opened) = world.open(pending, &bytes).unwrap();
    assert_eq!((chunks.len(), opened), (3, digest));

    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let pending = again(&mut world).1;
        let opened = world.open(pending, &changed);
        assert!(opened.is_err(), "byte {at}");
    }
    for length in [
        0,
        header_bytes::<Sm2>() - 1,
        header_bytes::<Sm2>(),
        bytes.len() - 1,
    ] {
        let pending = again(&mut world).1;
        let opened = world.open(pending, &bytes[..length]);
        assert_eq!(opened, Err(EnvelopeError::Truncated), "cut at {length}");
    }
    // Without its last chunk; two chunks exchanged; one twice; something after the end.
    let part = |order: &[usize]| -> Vec<u8> {
        let pieces = order.iter().map(|index| pieces[*index].clone());
        pieces.collect::<Vec<_>>().concat()
    };
    for (order, error) in [
        (&[0, 1, 2][..], EnvelopeError::Truncated),
        (&[0, 2, 1, 3], EnvelopeError::Chunk(0)),
        (&[0, 1, 1, 3], EnvelopeError::Chunk(1)),
        (&[0, 1, 3], EnvelopeError::Chunk(1)),
        (&[0, 1, 2, 3, 3], EnvelopeError::Trailing),
    ] {
        let pending = again(&mut world).1;
        assert_eq!(world.open(pending, &part(order)), Err(error), "{order:?}");
    }
    let mut long = part(&[0]);
    long.extend((u32::try_from(MAX_CHUNK).unwrap() + 17).to_be_bytes());
    let pending = again(&mut world).1;
    assert_eq!(world.open(pending, &long), Err(EnvelopeError::Chunk(0)));
}

#[test]
fn an_envelope_that_was_replayed_or_readdressed_is_refused() {
    let mut world = World::<Sm2>::new();
    let (signed, first) = world.ask();
    let request = world.owner().check(&signed, NOW).unwrap();
    let (pieces, _) = world.seal(&request, &[b"reading"]);
    let bytes = pieces.concat();

    // To a later request of the same requester.
    let (_, second) = world.ask();
    assert_eq!(world.open(second, &bytes), Err(EnvelopeError::Address));

    // Of somebody who took the request on its way and answers in the owner's place.
    let mut rng = StdRng::seed_from_u64(5);
    let thief = world
        .road
        .kgcs
        .enrol(id(ROAD, 9), 1, slot(), &mut rng)
        .unwrap();
    let (mut sealer, header) = Sealer::new(&thief, &request, NOW, &mut rng);
    let forged = [header, sealer.chunk(b"reading", true)].concat();
    let opened = world.open(first, &forged);
    let refused = EnvelopeError::Key(KeyError::Organisation);
    assert_eq!(opened, Err(refused));

    // Of another owner's edge that says it is the factory's.
    let (signed, pending) = world.ask();
    let request = world.owner().check(&signed, NOW).unwrap();
    let mut impostors = Kgcs::<Sm2>::generate(Quorum::default(), &mut rng).unwrap();
    let impostor = impostors
        .enrol(id(FACTORY, 2), 1, slot(), &mut rng)
        .unwrap();
    let (mut sealer, header) = Sealer::new(&impostor, &request, NOW, &mut rng);
    let forged = [header, sealer.chunk(b"reading", true)].concat();
    let opened = world.open(pending, &forged);
    assert_eq!(opened, Err(EnvelopeError::Signature));
}

#[test]
fn a_delivery_is_what_was_asked_for_and_anchored() {
    let (batch, paths) = batch(PRESS, 3);
    let entry = |index: usize| (batch.entries()[index].0.clone(), paths[index].clone());
    let root = batch.root();
    let fresh = |wanted| {
        let mut check = Check::new(wanted, RECORDS);
        check.learn(&anchored(&batch));
        check
    };
    let first = |wanted| {
        let (record, path) = entry(0);
        fresh(wanted).record(&record, &root, &path)
    };
    assert_eq!(first(wanted()), Ok(()));
    // V-DEL-2 and V-DEL-3.
    let other = Wanted {
        device: DeviceId([8; 32]),
        ..wanted()
    };
    let later = Wanted {
        from_ms: NOW - HOUR + 1,
        ..wanted()
    };
    let earlier = Wanted {
        until_ms: NOW - HOUR,
        ..wanted()
    };
    for wanted in [other, later, earlier] {
        assert_eq!(first(wanted), Err(DeliveryError::NotAsked));
    }
    let graded = Wanted {
        grade: 1,
        ..wanted()
    };
    assert_eq!(first(graded), Err(DeliveryError::Grade));
    // V-DEL-4.
    let mut check = fresh(wanted());
    let (record, path) = entry(1);
    assert_eq!(check.record(&record, &root, &path), Ok(()));
    let again = check.record(&record, &root, &path);
    assert_eq!(again, Err(DeliveryError::Order), "twice");
    let (record, path) = entry(0);
    let back = check.record(&record, &root, &path);
    assert_eq!(back, Err(DeliveryError::Order));
    // V-DEL-5: the path of another record; a record with another content, or another blind.
    let (record, _) = entry(0);
    let moved = fresh(wanted()).record(&record, &root, &entry(1).1);
    assert_eq!(moved, Err(DeliveryError::Commitment));
    let mut rng = StdRng::seed_from_u64(6);
    let blind = Blind::random(&mut rng);
    let content = record.content().to_vec();
    let changed = Record::new(*record.key(), record.grade(), content, blind).unwrap();
    let changed = fresh(wanted()).record(&changed, &root, &entry(0).1);
    assert_eq!(changed, Err(DeliveryError::Commitment));
    // V-DEL-6: not proved at all; proved of another contract; proved to be absent.
    let mut none = Check::new(wanted(), RECORDS);
    let mut elsewhere = Check::new(wanted(), Address([9; 20]));
    elsewhere.learn(&anchored(&batch));
    let mut absent = Check::new(wanted(), RECORDS);
    let mut nothing = anchored(&batch);
    nothing.entries[0].1 = None;
    absent.learn(&nothing);
    for check in [&mut none, &mut elsewhere, &mut absent] {
        let (record, path) = entry(0);
        let refused = check.record(&record, &root, &path);
        assert_eq!(refused, Err(DeliveryError::Root));
    }
}

#[test]
fn items_decode_whole_or_not_at_all() {
    let (batch, paths) = batch(PRESS, 3);
    let item = Item::Record {
        record: batch.entries()[0].0.clone(),
        root: batch.root(),
        path: paths[0].clone(),
    };
    let bytes = item.to_bytes();
    assert_eq!(Item::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    for length in 0..bytes.len() {
        assert!(Item::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(Item::from_bytes(&longer).is_err());
    assert!(Item::from_bytes(&[3]).is_err());
}
