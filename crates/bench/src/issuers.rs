//! Issuers of anonymous credentials in one process, 2 of 3.

use std::collections::BTreeMap;

use cairn_crypto::{
    credential::{Attributes, Credential, IssuerKey, Kind, Policy, Request, request_batch},
    issuer::{
        Issuer, IssuerIndex, Quorum, Round, Session,
        dkg::{Ceremony, Collecting, Dealing, Opening},
    },
    linkage::LinkageValue,
    suite::Suite,
};
use rand::{RngExt as _, rngs::StdRng};

use crate::ledger::START_MS;

/// The openings of a ceremony, by issuer.
pub type Openings<S> = BTreeMap<IssuerIndex, Opening<S>>;

/// Three issuers that have run the ceremony.
pub struct Issuers<S: Suite> {
    issuers: Vec<Issuer<S>>,
    pub key: IssuerKey<S>,
}

/// The first step of the ceremony, of all issuers.
pub fn begin<S: Suite>(rng: &mut StdRng) -> (BTreeMap<IssuerIndex, Dealing<S>>, Openings<S>) {
    let quorum = Quorum::default();
    let begin = |index| {
        let id = [0; 32];
        let ceremony = Ceremony { id, quorum, index };
        let (dealing, opening) = ceremony.begin(rng).expect("an issuer of the quorum");
        ((index, dealing), (index, opening))
    };
    quorum.indices().map(begin).unzip()
}

/// What `receiver` gets of what everybody sent.
pub fn others<V: Clone>(
    all: &BTreeMap<IssuerIndex, V>,
    receiver: IssuerIndex,
) -> BTreeMap<IssuerIndex, V> {
    let others = all.iter().filter(|(sender, _)| **sender != receiver);
    others
        .map(|(sender, value)| (*sender, value.clone()))
        .collect()
}

impl<S: Suite> Issuers<S> {
    /// Runs the ceremony.
    pub fn new(rng: &mut StdRng) -> Self {
        let (dealings, openings) = begin::<S>(rng);
        let (mut collecting, mut deals) = (Vec::new(), BTreeMap::new());
        for (index, dealing) in dealings {
            let dealt = dealing.deal(others(&openings, index));
            let (waiting, dealt) = dealt.expect("honest openings");
            collecting.push((index, waiting));
            deals.insert(index, dealt);
        }
        let finish = |(index, waiting): (IssuerIndex, Collecting<S>)| {
            let inbox = others(&deals, index);
            let inbox = inbox
                .iter()
                .map(|(from, deals)| (*from, deals[&index].clone()));
            let share = waiting.finish(&inbox.collect());
            Issuer::new(share.expect("honest deals"))
        };
        let issuers: Vec<_> = collecting.into_iter().map(finish).collect();
        let key = issuers[0].key().set().issuer_key();
        Self { issuers, key }
    }

    /// Issues one credential with a linkage value of its own.
    pub fn enrol(&mut self, rng: &mut StdRng) -> Credential<S> {
        let (pending, request) = request_batch::<S>(1, rng).remove(0);
        let sealed = self.issue(request, rng);
        pending.open(&sealed, &self.key).expect("an honest answer")
    }

    /// The work of two issuers and the coordinator: the sealed answer to a request.
    pub fn issue(&mut self, request: Request<S>, rng: &mut StdRng) -> Vec<u8> {
        let set = self.issuers[0].key().set().clone();
        let signers = &mut self.issuers[..2];
        let commitments = signers.iter_mut().map(|i| (i.key().index(), i.commit(rng)));
        let round = Round {
            request,
            commitments: commitments.collect(),
            attributes: attributes(LinkageValue(rng.random())),
        };
        let session = Session::new(set, round).expect("an honest request");
        let sign = |issuer: &mut Issuer<S>| {
            let share = issuer.sign(session.round());
            (issuer.key().index(), share.expect("a fresh nonce"))
        };
        let shares = signers.iter_mut().map(sign).collect();
        let issued = session.finish(&shares).expect("honest shares");
        issued.seal(rng)
    }
}

/// Number of the issuers' key.
pub const EPOCH: u16 = 1;

/// What every vehicle's credential says, apart from its linkage value: valid at [`START_MS`].
pub fn attributes(linkage: LinkageValue) -> Attributes {
    let policy = Policy::default();
    let period = policy.period((START_MS / 1_000) as u32);
    let slots = (0..policy.per_period()).filter_map(|k| policy.slot(period, k));
    let slot = slots.rev().find(|slot| slot.contains(START_MS, 0));
    Attributes {
        kind: Kind::Vehicle,
        linkage,
        slot: slot.expect("two slots are valid at any time"),
        group: 0,
        epoch: EPOCH,
    }
}
