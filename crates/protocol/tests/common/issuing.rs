//! Issuers (2 of 3) and one vehicle's linkage seeds, without the roles around them: credentials as
//! a test wants them.

use std::{collections::BTreeMap, sync::Arc};

use cairn_crypto::{
    credential::{Attributes, Credential, IssuerKey, Kind, Policy, Slot, request_batch},
    issuer::{Issuer, IssuerIndex, KeyShare, Quorum, Round, Session, dkg::Ceremony},
    linkage::{Authority, LinkageValue, Period, Revocation, Seed},
    suite::Ristretto255,
};
use cairn_protocol::{
    roadside::Issuers,
    vehicle::{Rotation, Wallet},
};
use rand::rngs::StdRng;

use super::{START, rng};

pub const EPOCH: u16 = 1;

type S = Ristretto255;

pub struct Office {
    pub issuers: Vec<Issuer<S>>,
    pub policy: Policy,
    pub registrar: Seed,
    pub reviewer: Seed,
    pub rng: StdRng,
}

/// The shares of a key of 2 of 3, made together.
pub fn key_shares(rng: &mut StdRng) -> Vec<KeyShare<S>> {
    let quorum = Quorum::default();
    let (mut dealings, mut openings) = (BTreeMap::new(), BTreeMap::new());
    for index in quorum.indices() {
        let ceremony = Ceremony {
            id: [1; 32],
            quorum,
            index,
        };
        let (dealing, opening) = ceremony.begin::<S>(rng).unwrap();
        dealings.insert(index, dealing);
        openings.insert(index, opening);
    }
    let mut collecting = BTreeMap::new();
    let mut inboxes: BTreeMap<IssuerIndex, BTreeMap<_, _>> = BTreeMap::new();
    for (index, dealing) in dealings {
        let mut others = openings.clone();
        others.remove(&index);
        let (next, deals) = dealing.deal(others).unwrap();
        collecting.insert(index, next);
        for (to, deal) in deals {
            inboxes.entry(to).or_default().insert(index, deal);
        }
    }
    collecting
        .into_iter()
        .map(|(index, collecting)| collecting.finish(&inboxes[&index]).unwrap())
        .collect()
}

impl Office {
    pub fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let policy = Policy::default();
        let period = Period(policy.period(seconds(START)).0 - 1);
        Self {
            issuers: key_shares(&mut rng).into_iter().map(Issuer::new).collect(),
            policy,
            registrar: Seed::random(Authority::Registrar, period, &mut rng),
            reviewer: Seed::random(Authority::Reviewer, period, &mut rng),
            rng,
        }
    }

    pub fn key(&self) -> Arc<IssuerKey<S>> {
        Arc::new(self.issuers[0].key().set().issuer_key())
    }

    /// What an RSU has learned of these issuers.
    pub fn issuers(&self) -> Issuers {
        let mut issuers = Issuers::new(self.policy, START);
        issuers.install(EPOCH, self.key());
        issuers
    }

    pub fn linkage(&self, period: Period, k: u8) -> LinkageValue {
        let registrar = self.registrar.at(period).unwrap();
        let reviewer = self.reviewer.at(period).unwrap();
        registrar.part(k).join(reviewer.part(k))
    }

    /// What TA and LEA publish to revoke this vehicle from a period on.
    pub fn revocation(&self, period: Period) -> Revocation {
        Revocation {
            period,
            registrar: self.registrar.at(period).unwrap().to_bytes(),
            reviewer: self.reviewer.at(period).unwrap().to_bytes(),
        }
    }

    pub fn attributes(&self, slot: Slot) -> Attributes {
        let (period, k) = self.policy.locate(slot).unwrap();
        Attributes {
            kind: Kind::Vehicle,
            linkage: self.linkage(period, k),
            slot,
            group: 0,
            epoch: EPOCH,
        }
    }

    /// The slots that are on at a time, the older one first.
    pub fn slots(&self, at_ms: u64) -> Vec<Slot> {
        let period = self.policy.period(seconds(at_ms));
        (0..self.policy.per_period())
            .filter_map(|k| self.policy.slot(period, k))
            .filter(|slot| slot.contains(at_ms, 0))
            .collect()
    }

    /// Has the issuers sign whatever attributes.
    pub fn issue(&mut self, attributes: Attributes) -> Credential<S> {
        let rng = &mut self.rng;
        let (pending, request) = request_batch::<S>(1, rng).remove(0);
        let set = self.issuers[0].key().set().clone();
        let signers = &mut self.issuers[..usize::from(set.quorum().needed())];
        let commitments = signers
            .iter_mut()
            .map(|issuer| (issuer.key().index(), issuer.commit(rng)))
            .collect();
        let round = Round {
            request,
            attributes,
            commitments,
        };
        let session = Session::new(set.clone(), round).unwrap();
        let shares = signers
            .iter_mut()
            .map(|issuer| (issuer.key().index(), issuer.sign(session.round()).unwrap()));
        let issued = session.finish(&shares.collect()).unwrap();
        pending.open(&issued.seal(rng), &set.issuer_key()).unwrap()
    }

    /// A wallet with the credentials of these slots.
    pub fn wallet(&mut self, slots: &[Slot], rotation: Rotation) -> Wallet {
        let attributes: Vec<_> = slots.iter().map(|slot| self.attributes(*slot)).collect();
        let credentials = attributes.into_iter().map(|a| self.issue(a)).collect();
        Wallet::new(credentials, rotation)
    }

    /// A wallet with what is valid at the start.
    pub fn wallet_now(&mut self) -> Wallet {
        let slots = self.slots(START);
        self.wallet(&slots, Rotation::default())
    }
}

pub fn seconds(at_ms: u64) -> u32 {
    u32::try_from(at_ms / 1_000).unwrap()
}
