//! Issuers, 2 of 3, and credentials of theirs.

use cairn_crypto::{
    credential::{Attributes, Credential, Kind, Policy, Slot, request_batch},
    issuer::{Issuer, KeyShare, Quorum, Round, Session, dkg::Ceremony},
    linkage::LinkageValue,
    suite::Ristretto255,
};
use rand::rngs::StdRng;
use std::collections::BTreeMap;

type S = Ristretto255;

pub const EPOCH: u16 = 1;

/// The slots that are on at a time, the older one first.
pub fn slots(policy: &Policy, at_ms: u64) -> Vec<Slot> {
    let period = policy.period(u32::try_from(at_ms / 1_000).expect("before 2106"));
    (0..policy.per_period())
        .filter_map(|k| policy.slot(period, k))
        .filter(|slot| slot.contains(at_ms, 0))
        .collect()
}

/// The credential of this number: its linkage value.
pub fn credential(
    issuers: &mut [Issuer<S>],
    slot: Slot,
    number: usize,
    rng: &mut StdRng,
) -> Credential<S> {
    let mut linkage = LinkageValue([0; 9]);
    linkage.0[..8].copy_from_slice(&(number as u64).to_be_bytes());
    let attributes = Attributes {
        kind: Kind::Vehicle,
        linkage,
        slot,
        group: 0,
        epoch: EPOCH,
    };
    let (pending, request) = request_batch::<S>(1, rng).remove(0);
    let set = issuers[0].key().set().clone();
    let signers = &mut issuers[..usize::from(set.quorum().needed())];
    let commitments = signers
        .iter_mut()
        .map(|issuer| (issuer.key().index(), issuer.commit(rng)));
    let round = Round {
        request,
        attributes,
        commitments: commitments.collect(),
    };
    let session = Session::new(set.clone(), round).expect("a good round");
    let shares = signers.iter_mut().map(|issuer| {
        let share = issuer.sign(session.round()).expect("a good round");
        (issuer.key().index(), share)
    });
    let issued = session.finish(&shares.collect()).expect("good shares");
    pending
        .open(&issued.seal(rng), &set.issuer_key())
        .expect("a good answer")
}

/// Three issuers, whose key they made together.
pub fn issuers(rng: &mut StdRng) -> Vec<Issuer<S>> {
    let quorum = Quorum::default();
    let (mut dealings, mut openings) = (Vec::new(), BTreeMap::new());
    for index in quorum.indices() {
        let ceremony = Ceremony {
            id: [1; 32],
            quorum,
            index,
        };
        let (dealing, opening) = ceremony.begin::<S>(rng).expect("a good quorum");
        dealings.push((index, dealing));
        openings.insert(index, opening);
    }
    let (mut collecting, mut inboxes) = (Vec::new(), BTreeMap::new());
    for (index, dealing) in dealings {
        let mut others = openings.clone();
        others.remove(&index);
        let (next, deals) = dealing.deal(others).expect("good openings");
        collecting.push((index, next));
        for (to, deal) in deals {
            let inbox: &mut BTreeMap<_, _> = inboxes.entry(to).or_default();
            inbox.insert(index, deal);
        }
    }
    let finish = |(index, collecting): (_, cairn_crypto::issuer::dkg::Collecting<S>)| {
        let share: KeyShare<S> = collecting.finish(&inboxes[&index]).expect("good deals");
        Issuer::new(share)
    };
    collecting.into_iter().map(finish).collect()
}
