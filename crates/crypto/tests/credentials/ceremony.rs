//! Key generation: nobody chooses the key, and whoever cheats is named.

use cairn_crypto::issuer::dkg::{Deal, Opening};
use cairn_crypto::issuer::{Error, Quorum};
use cairn_crypto::suite::Suite;

use super::both_suites;
use super::common::*;

both_suites!(
    e1_last_issuer_cannot_choose_the_key_alone,
    an_opening_of_another_issuer_is_refused,
    a_bad_deal_names_its_dealer,
    two_stories_stop_the_ceremony,
    an_opening_or_deal_too_few_or_too_many_is_refused,
);

fn e1_last_issuer_cannot_choose_the_key_alone<S: Suite>() {
    let mut rng = Counter::new(3);
    let quorum = Quorum::default();
    let (mut dealings, mut openings) = begin::<S>(quorum, &mut rng);
    let constant = |i: u8| {
        let bytes = openings[&index(i)].to_bytes();
        let bytes = S::Encoding::try_from(&bytes[..S::ELEMENT_BYTES])
            .ok()
            .unwrap();
        S::decode(&bytes).unwrap()
    };
    // C_0 = aP − (the others' constants): the sum of all is aP, and a is known to issuer 3.
    let (one, a) = (S::Scalar::from(1), S::Scalar::from(4_711));
    let rogue = S::sum(&a, &[(-one, constant(1)), (-one, constant(2))]);
    let mut bytes = openings[&index(3)].to_bytes().to_vec();
    bytes[..S::ELEMENT_BYTES].copy_from_slice(S::encode(&rogue).as_ref());
    let rogue = Opening::from_bytes(quorum, &bytes).unwrap();
    openings.insert(index(3), rogue);

    let victim = dealings.remove(&index(1)).unwrap();
    let refused = victim.deal(without(&openings, index(1))).err();
    assert_eq!(refused, Some(Error::Possession(index(3))));
}

fn an_opening_of_another_issuer_is_refused<S: Suite>() {
    let mut rng = Counter::new(4);
    let (mut dealings, mut openings) = begin::<S>(Quorum::default(), &mut rng);
    openings.insert(index(3), openings[&index(2)].clone());
    let victim = dealings.remove(&index(1)).unwrap();
    let refused = victim.deal(without(&openings, index(1))).err();
    assert_eq!(refused, Some(Error::Possession(index(3))));
}

fn a_bad_deal_names_its_dealer<S: Suite>() {
    let results =
        generate_tampered::<S>(Quorum::default(), &mut Counter::new(5), |from, to, deal| {
            if (from, to) != (index(2), index(1)) {
                return deal;
            }
            let bytes = deal.to_bytes();
            let (seen, value) = bytes.split_at(32);
            Deal::from_bytes(&[seen, &add::<S>(value, 1)].concat()).unwrap()
        });
    let errors: Vec<_> = results.into_iter().map(Result::err).collect();
    assert_eq!(errors, [Some(Error::Deal(index(2))), None, None]);
}

fn two_stories_stop_the_ceremony<S: Suite>() {
    let mut rng = Counter::new(6);
    let quorum = Quorum::default();
    let (mut dealings, openings) = begin::<S>(quorum, &mut rng);
    let (_, other_story) = ceremony(0, quorum, 3).begin::<S>(&mut rng).unwrap();
    let mut to_two = without(&openings, index(2));
    to_two.insert(index(3), other_story);
    let one = dealings.remove(&index(1)).unwrap();
    let two = dealings.remove(&index(2)).unwrap();
    let three = dealings.remove(&index(3)).unwrap();
    let (one, _) = one.deal(without(&openings, index(1))).unwrap();
    let (_, from_two) = two.deal(to_two).unwrap();
    let (_, from_three) = three.deal(without(&openings, index(3))).unwrap();
    let inbox = [
        (index(2), from_two[&index(1)].clone()),
        (index(3), from_three[&index(1)].clone()),
    ];
    let refused = one.finish(&inbox.into()).err();
    assert_eq!(refused, Some(Error::Ceremony(index(2))));

    // The same openings in a ceremony of another name.
    let (dealing, opening) = ceremony(1, quorum, 1).begin::<S>(&mut rng).unwrap();
    let (two, own) = ceremony(2, quorum, 2).begin::<S>(&mut rng).unwrap();
    let (_, three) = ceremony(1, quorum, 3).begin::<S>(&mut rng).unwrap();
    let others = [(index(2), own), (index(3), three.clone())];
    let (collecting, deals) = dealing.deal(others.into()).unwrap();
    let others = [(index(1), opening), (index(3), three)];
    let (_, from_two) = two.deal(others.into()).unwrap();
    let inbox = [
        (index(2), from_two[&index(1)].clone()),
        (index(3), deals[&index(3)].clone()),
    ];
    let refused = collecting.finish(&inbox.into()).err();
    assert_eq!(refused, Some(Error::Ceremony(index(2))));
}

fn an_opening_or_deal_too_few_or_too_many_is_refused<S: Suite>() {
    let mut rng = Counter::new(7);
    let (mut dealings, openings) = begin::<S>(Quorum::default(), &mut rng);
    let mut deal =
        |i: u8, openings: Openings<S>| dealings.remove(&index(i)).unwrap().deal(openings);
    assert_eq!(deal(1, openings.clone()).err(), Some(Error::Senders));
    let few = without(&without(&openings, index(1)), index(2));
    assert_eq!(deal(2, few).err(), Some(Error::Senders));
    let (collecting, deals) = deal(3, without(&openings, index(3))).unwrap();
    let few = without(&deals, index(1));
    assert_eq!(collecting.finish(&few).err(), Some(Error::Senders));
}
