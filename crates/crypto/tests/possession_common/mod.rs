//! A group, its vault and one stored file, in memory.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::convert::Infallible;

use cairn_crypto::possession::*;
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest as _, Sha256};

/// Seed of the round that challenges.
pub const SEED: [u8; 32] = [42; 32];

/// Reproducible bytes whatever version of `rand` is used: SHA-256 of seed and counter.
pub struct Fixed(u64, u64);

pub fn rng(seed: u64) -> Fixed {
    Fixed(seed, 0)
}

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(32) {
            let block = Sha256::new()
                .chain_update(self.0.to_be_bytes())
                .chain_update(self.1.to_be_bytes())
                .finalize();
            self.1 += 1;
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

/// A file at the vault, with the secret that its owner keeps.
pub struct Stored {
    pub secret: GroupSecret,
    pub id: FileId,
    pub index: Index,
    pub record: FileRecord,
    pub contents: BTreeMap<u64, Vec<u8>>,
    pub tags: BTreeMap<u64, Tag>,
    rng: Fixed,
}

impl Stored {
    /// A file of `blocks` full blocks of random bytes.
    pub fn new(sectors: u16, blocks: usize) -> Self {
        Self::of_group(sectors, blocks, 0, 0)
    }

    pub fn of_group(sectors: u16, blocks: usize, group: u64, file: u8) -> Self {
        let sectors = Sectors::new(sectors).unwrap();
        let secret = GroupSecret::generate(sectors, &mut rng(1_000 + group));
        let (id, index) = (FileId([file; 32]), Index::new());
        let mut stored = Self {
            record: FileRecord::new(id, 0, &index, secret.key()),
            secret,
            id,
            index,
            contents: BTreeMap::new(),
            tags: BTreeMap::new(),
            rng: rng(2_000 + u64::from(file)),
        };
        for _ in 0..blocks {
            let mut content = vec![0; sectors.capacity()];
            stored.rng.try_fill_bytes(&mut content).unwrap();
            stored.append(&content);
        }
        stored.publish(1);
        stored
    }

    pub fn append(&mut self, content: &[u8]) {
        let name = self.index.append(&mut self.rng).unwrap();
        self.store(name, content);
    }

    pub fn update(&mut self, id: u64, content: &[u8]) {
        let name = self.index.update(id, &mut self.rng).unwrap();
        self.store(name, content);
    }

    pub fn delete(&mut self, id: u64) {
        self.index.delete(id).unwrap();
        self.contents.remove(&id);
        self.tags.remove(&id);
    }

    fn store(&mut self, name: BlockName, content: &[u8]) {
        let block = Block::new(self.secret.key().sectors(), content).unwrap();
        let tag = self.secret.tag(&self.id, &name, &block).unwrap();
        self.contents.insert(name.id, content.to_vec());
        self.tags.insert(name.id, tag);
    }

    /// Puts the present state on the ledger.
    pub fn publish(&mut self, version: u64) {
        self.record = FileRecord::new(self.id, version, &self.index, self.secret.key());
    }

    pub fn block(&self, id: u64) -> Block {
        Block::new(self.secret.key().sectors(), &self.contents[&id]).unwrap()
    }

    /// The vault's answer from what it holds, whether or not that is what was uploaded.
    pub fn prove(&self, challenge: &Challenge) -> Proof {
        let mut prover = Prover::new(self.secret.key(), challenge);
        for rank in challenge.ranks() {
            let name = self.index.at_rank(*rank).unwrap();
            prover
                .absorb(&self.block(name.id), &self.tags[&name.id])
                .unwrap();
        }
        let index = self.index.prove(challenge.ranks()).unwrap();
        prover.finish(index, &mut rng(3_000)).unwrap()
    }

    pub fn audit<'a>(&'a self, challenge: &'a Challenge, proof: &'a Proof) -> Audit<'a> {
        Audit {
            key: self.secret.key(),
            record: &self.record,
            challenge,
            proof,
        }
    }
}
