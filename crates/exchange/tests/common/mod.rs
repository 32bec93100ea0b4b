//! Two organisations and a batch of records, the same at every run.
#![allow(dead_code, reason = "each test file uses its part of this module")]

use cairn_contracts::{directory::OrgId, policy::Rule};
use cairn_crypto::{credential::Slot, issuer::Quorum, message::MessageSuite};
use cairn_exchange::{
    envelope::{EnvelopeError, Opener, Sealer},
    keys::{Issuers, Kgcs, Party, PartyId},
    request::{Checked, Owner, Pending, Request, Wanted},
};
use cairn_ledger::{Address, ChainId};
use cairn_vault::{Batch, Blind, DeviceId, Grade, Inclusion, Key, Record, commitment};
use rand::{SeedableRng as _, rngs::StdRng};

pub const NOW: u64 = 1_800_000_000_000;
pub const RELAY: ChainId = ChainId([5; 32]);
pub const RECORDS: Address = Address([6; 20]);
pub const ROAD: OrgId = OrgId(1);
pub const FACTORY: OrgId = OrgId(2);
pub const PRESS: DeviceId = DeviceId([7; 32]);
pub const HOUR: u64 = 3_600_000;

pub struct Organisation<S: MessageSuite> {
    pub kgcs: Kgcs<S>,
    pub issuers: Issuers<S>,
    pub edge: Party<S>,
}

pub struct World<S: MessageSuite> {
    pub rng: StdRng,
    pub road: Organisation<S>,
    pub factory: Organisation<S>,
}

pub fn slot() -> Slot {
    Slot::new(u32::try_from(NOW / 1_000).unwrap() - 60, 24 * 60).unwrap()
}

pub fn id(organisation: OrgId, name: u8) -> PartyId {
    PartyId {
        organisation,
        device: DeviceId([name; 32]),
    }
}

pub fn organisation<S: MessageSuite>(id_of: PartyId, rng: &mut StdRng) -> Organisation<S> {
    let mut kgcs = Kgcs::generate(Quorum::default(), rng).unwrap();
    let edge = kgcs.enrol(id_of, 1, slot(), rng).unwrap();
    let issuers = Issuers {
        key: kgcs.issuer_key(),
        epoch: 1,
    };
    Organisation {
        kgcs,
        issuers,
        edge,
    }
}

pub fn wanted() -> Wanted {
    Wanted {
        owner: FACTORY,
        device: PRESS,
        from_ms: NOW - HOUR,
        until_ms: NOW,
        grade: 2,
    }
}

pub fn rule() -> Option<Rule> {
    Some(Rule {
        grade: 2,
        until_ms: NOW + HOUR,
    })
}

impl<S: MessageSuite> World<S> {
    pub fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        Self {
            road: organisation(id(ROAD, 1), &mut rng),
            factory: organisation(id(FACTORY, 2), &mut rng),
            rng,
        }
    }

    pub fn ask(&mut self) -> (Vec<u8>, Pending<S>) {
        Request::sign(RELAY, &self.road.edge, wanted(), NOW + HOUR, &mut self.rng)
    }

    pub fn owner(&self) -> Owner<'_, S> {
        Owner {
            relay: RELAY,
            organisation: FACTORY,
            grade: 2,
            issuers: &self.road.issuers,
            rule: rule(),
        }
    }

    pub fn seal(&mut self, request: &Checked<S>, chunks: &[&[u8]]) -> (Vec<Vec<u8>>, [u8; 32]) {
        let (mut sealer, header) = Sealer::new(&self.factory.edge, request, NOW, &mut self.rng);
        let mut pieces = vec![header];
        for (index, chunk) in chunks.iter().enumerate() {
            pieces.push(sealer.chunk(chunk, index + 1 == chunks.len()));
        }
        (pieces, sealer.finish())
    }

    pub fn open(&self, pending: Pending<S>, bytes: &[u8]) -> Result<Opened, EnvelopeError> {
        let mut opener = Opener::new(pending);
        let chunks = opener.feed(bytes, &self.factory.issuers, NOW)?;
        let digest = opener.finish()?;
        Ok((chunks.iter().map(|chunk| chunk.to_vec()).collect(), digest))
    }
}

pub type Opened = (Vec<Vec<u8>>, [u8; 32]);

/// Five records of a device, in one batch, with their paths.
pub fn batch(device: DeviceId, seed: u64) -> (Batch, Vec<Inclusion>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let records = (0..5).map(|minute| {
        let key = Key {
            device,
            time_ms: NOW - HOUR + minute * 60_000,
        };
        let content = format!("{{\"temperature\":{}}}", 70 + minute).into_bytes();
        Record::new(key, Grade(2), content, Blind::random(&mut rng)).unwrap()
    });
    let batch = Batch::new(records.collect()).unwrap();
    let commitments: Vec<_> = batch.entries().iter().map(|(_, c)| *c).collect();
    let paths = (0..5).map(|index| commitment::prove(&commitments, index).unwrap());
    let paths = paths.collect();
    (batch, paths)
}
