//! Issuers: any t issue, fewer cannot, and whoever misbehaves is named.

use cairn_crypto::credential::{self, request_batch};
use cairn_crypto::issuer::{
    Error, Issuer, IssuerSet, KeyShare, MAX_ISSUERS, MAX_OPEN, Quorum, Round, Session,
    SignatureShare,
};
use cairn_crypto::suite::{self, Ristretto255, Secret, Suite};

use super::both_suites;
use super::common::*;

both_suites!(
    any_two_of_three_issue,
    three_of_five_issue_and_two_are_too_few,
    a_bad_share_names_its_sender,
    e5_one_issuer_alone_cannot_issue,
    b13_an_issuer_shown_other_attributes_contributes_nothing,
    a_withholding_issuer_is_replaced,
    a_nonce_serves_once,
    nonces_do_not_survive_a_restart,
    a_request_without_possession_is_refused_by_every_issuer,
    a_round_of_the_wrong_size_is_refused,
    key_files_of_another_share_are_refused,
);

fn any_two_of_three_issue<S: Suite>() {
    let mut rng = Counter::new(1);
    let mut issuers = generate::<S>(Quorum::default(), &mut rng);
    let key = issuers[2].key().set().issuer_key();
    for who in [[0, 1], [0, 2], [1, 2]] {
        let (pending, request) = request_batch::<S>(1, &mut rng).remove(0);
        let issued = issue(&mut issuers, &who, request, attributes(), &mut rng);
        let credential = pending.open(&issued.seal(&mut rng), &key).unwrap();
        assert_eq!(credential.certificate(), issued.certificate());
        assert_eq!(credential.certificate().attributes(), attributes());
    }
}

fn three_of_five_issue_and_two_are_too_few<S: Suite>() {
    let mut rng = Counter::new(2);
    let mut issuers = generate::<S>(Quorum::new(3, 5).unwrap(), &mut rng);
    let (pending, request) = request_batch::<S>(1, &mut rng).remove(0);
    let issued = issue(&mut issuers, &[4, 0, 2], request, attributes(), &mut rng);
    let key = issuers[0].key().set().issuer_key();
    assert!(pending.open(&issued.seal(&mut rng), &key).is_ok());

    let commitments =
        [0, 1].map(|i: usize| (issuers[i].key().index(), issuers[i].commit(&mut rng)));
    let round = Round {
        request,
        attributes: attributes(),
        commitments: commitments.into(),
    };
    let set = issuers[0].key().set().clone();
    assert_eq!(Session::new(set, round.clone()).err(), Some(Error::Senders));
    assert_eq!(issuers[0].sign(&round).err(), Some(Error::Senders));
}

#[test]
fn quorums_out_of_bounds_are_refused() {
    for (needed, issuers) in [(0, 3), (1, 3), (4, 3), (2, MAX_ISSUERS + 1)] {
        assert_eq!(Quorum::new(needed, issuers), Err(Error::Quorum));
    }
    let quorum = Quorum::default();
    assert_eq!((quorum.needed(), quorum.issuers()), (2, 3));
    let refused = |got| Err(Error::Index { issuers: 3, got });
    assert_eq!((quorum.index(0), quorum.index(4)), (refused(0), refused(4)));
}

fn a_bad_share_names_its_sender<S: Suite>() {
    let mut world = world::<S>(8);
    let rng = &mut world.rng;
    let session = start(
        &mut world.issuers,
        &[0, 2],
        world.request,
        attributes(),
        rng,
    );
    let mut shares = shares(&mut world.issuers, &[0, 2], session.round());
    let bad = |share: &SignatureShare<S>| {
        SignatureShare::from_bytes(&add::<S>(&share.to_bytes(), 1)).unwrap()
    };
    shares.insert(index(3), bad(&shares[&index(3)]));
    let refused = |names: &[u8]| Some(Error::Shares(names.iter().map(|n| index(*n)).collect()));
    assert_eq!(session.finish(&shares).err(), refused(&[3]));
    shares.insert(index(1), bad(&shares[&index(1)]));
    assert_eq!(session.finish(&shares).err(), refused(&[1, 3]));
}

fn e5_one_issuer_alone_cannot_issue<S: Suite>() {
    // Issuer 1 plays issuer 2 as well, with nonces of its own and its own share of the key.
    let mut world = world::<S>(9);
    let rng = &mut world.rng;
    let file = world.issuers[0].key().to_bytes();
    let mut double = Issuer::new(KeyShare::<S>::from_bytes(&file).unwrap());
    let (ours, theirs) = (world.issuers[0].commit(rng), double.commit(rng));
    let round = |first, second| Round {
        request: world.request,
        attributes: attributes(),
        commitments: [(index(1), first), (index(2), second)].into(),
    };
    let set = world.issuers[0].key().set().clone();
    let session = Session::new(set, round(ours, theirs)).unwrap();
    let first = world.issuers[0].sign(session.round()).unwrap();
    let second = double.sign(&round(theirs, ours)).unwrap();
    let shares = [(index(1), first), (index(2), second)].into();
    assert_eq!(
        session.finish(&shares).err(),
        Some(Error::Shares(vec![index(2)]))
    );
}

fn b13_an_issuer_shown_other_attributes_contributes_nothing<S: Suite>() {
    let mut world = world::<S>(10);
    let rng = &mut world.rng;
    let session = start(
        &mut world.issuers,
        &[0, 1],
        world.request,
        attributes(),
        rng,
    );
    let mut other = session.round().clone();
    other.attributes.group += 1;
    let first = world.issuers[0].sign(session.round()).unwrap();
    let second = world.issuers[1].sign(&other).unwrap();
    let shares = [(index(1), first), (index(2), second)].into();
    assert_eq!(
        session.finish(&shares).err(),
        Some(Error::Shares(vec![index(2)]))
    );
}

fn a_withholding_issuer_is_replaced<S: Suite>() {
    let mut world = world::<S>(11);
    let rng = &mut world.rng;
    let session = start(
        &mut world.issuers,
        &[0, 1],
        world.request,
        attributes(),
        rng,
    );
    let only = shares(&mut world.issuers, &[0], session.round());
    assert_eq!(session.finish(&only).err(), Some(Error::Senders));
    let issued = issue(
        &mut world.issuers,
        &[0, 2],
        world.request,
        attributes(),
        rng,
    );
    assert!(world.pending.open(&issued.seal(rng), &world.key).is_ok());
}

fn a_nonce_serves_once<S: Suite>() {
    let mut world = world::<S>(12);
    let rng = &mut world.rng;
    let session = start(
        &mut world.issuers,
        &[0, 1],
        world.request,
        attributes(),
        rng,
    );
    let round = session.round();
    let mut other = round.clone();
    other.attributes.group += 1;
    // Two answers under one nonce would give the share of the key.
    assert!(world.issuers[0].sign(round).is_ok());
    assert_eq!(world.issuers[0].sign(&other).err(), Some(Error::Nonce));
    assert_eq!(world.issuers[0].sign(round).err(), Some(Error::Nonce));
    // A round that is refused has used the nonce up as well.
    let mut broken = round.clone();
    broken.commitments.remove(&index(1));
    assert_eq!(world.issuers[1].sign(&broken).err(), Some(Error::Senders));
    assert_eq!(world.issuers[1].sign(round).err(), Some(Error::Nonce));
    // Nonces that were never ours.
    assert_eq!(world.issuers[2].sign(round).err(), Some(Error::Nonce));
}

fn nonces_do_not_survive_a_restart<S: Suite>() {
    let mut world = world::<S>(13);
    let rng = &mut world.rng;
    let session = start(
        &mut world.issuers,
        &[0, 1],
        world.request,
        attributes(),
        rng,
    );
    let file = world.issuers[0].key().to_bytes();
    let mut restarted = Issuer::new(KeyShare::<S>::from_bytes(&file).unwrap());
    assert_eq!(restarted.sign(session.round()).err(), Some(Error::Nonce));
    world.issuers[0] = restarted;
    let issued = issue(
        &mut world.issuers,
        &[0, 1],
        world.request,
        attributes(),
        rng,
    );
    assert!(world.pending.open(&issued.seal(rng), &world.key).is_ok());
}

#[test]
fn the_oldest_nonce_gives_way() {
    let mut world = world::<Ristretto255>(14);
    let rng = &mut world.rng;
    let session = start(
        &mut world.issuers,
        &[0, 1],
        world.request,
        attributes(),
        rng,
    );
    for _ in 1..MAX_OPEN {
        let _ = world.issuers[0].commit(rng);
    }
    for _ in 0..MAX_OPEN {
        let _ = world.issuers[1].commit(rng);
    }
    assert!(world.issuers[0].sign(session.round()).is_ok());
    let refused = world.issuers[1].sign(session.round()).err();
    assert_eq!(refused, Some(Error::Nonce));
}

fn a_request_without_possession_is_refused_by_every_issuer<S: Suite>() {
    let mut world = world::<S>(15);
    let rng = &mut world.rng;
    let session = start(
        &mut world.issuers,
        &[0, 1],
        world.request,
        attributes(),
        rng,
    );
    let mut bytes = world.request.to_bytes();
    bytes[0] ^= 1; // the handle
    let mut round = session.round().clone();
    round.request = cairn_crypto::credential::Request::from_bytes(&bytes).unwrap();
    let refused = Some(Error::Credential(credential::Error::Possession));
    for issuer in &mut world.issuers[..2] {
        assert_eq!(issuer.sign(&round).err(), refused);
    }
    let set = world.issuers[0].key().set().clone();
    assert_eq!(Session::new(set, round).err(), refused);
}

fn a_round_of_the_wrong_size_is_refused<S: Suite>() {
    let mut world = world::<S>(16);
    let rng = &mut world.rng;
    let session = start(
        &mut world.issuers,
        &[0, 1],
        world.request,
        attributes(),
        rng,
    );
    let set = world.issuers[0].key().set();
    let bytes = session.round().to_bytes();
    assert_eq!(Round::from_bytes(set, &bytes).as_ref(), Ok(session.round()));
    // The two commitments in the wrong order, or twice the same.
    let entry = 1 + 2 * S::ELEMENT_BYTES;
    let (head, tail) = bytes.split_at(bytes.len() - 2 * entry);
    let (first, second) = tail.split_at(entry);
    for (first, second) in [(second, first), (first, first)] {
        let swapped = [head, first, second].concat();
        assert_eq!(Round::from_bytes(set, &swapped), Err(Error::Senders));
    }
    let all =
        [0, 1, 2].map(|i: usize| (world.issuers[i].key().index(), world.issuers[i].commit(rng)));
    let mut round = session.round().clone();
    round.commitments = all.into();
    assert_eq!(world.issuers[0].sign(&round).err(), Some(Error::Senders));
}

fn key_files_of_another_share_are_refused<S: Suite>() {
    let world = world::<S>(17);
    let file = world.issuers[0].key().to_bytes();
    let mut wrong = file.clone();
    wrong[1..33].copy_from_slice(
        Secret::<S>::random(&mut Counter::new(1))
            .to_bytes()
            .as_slice(),
    );
    assert_eq!(
        KeyShare::<S>::from_bytes(&wrong).err(),
        Some(Error::Deal(index(1)))
    );
    let mut wrong = file.clone();
    wrong[0] = 2;
    assert_eq!(
        KeyShare::<S>::from_bytes(&wrong).err(),
        Some(Error::Deal(index(2)))
    );
    wrong[0] = 9;
    assert!(matches!(
        KeyShare::<S>::from_bytes(&wrong).err(),
        Some(Error::Index { .. })
    ));
    let short = KeyShare::<S>::from_bytes(&file[..file.len() - 1]).err();
    assert!(matches!(
        short,
        Some(Error::Encoding(suite::Error::Length { .. }))
    ));
    let set = world.issuers[0].key().set();
    let read = IssuerSet::<S>::from_bytes(&set.to_bytes()).unwrap();
    assert_eq!(read.to_bytes(), set.to_bytes());
    assert_eq!(read.issuer_key().element(), world.key.element());
}
