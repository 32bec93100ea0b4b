//! A0 to A3: audits of stored files (paper 001).

use cairn_crypto::possession::{
    Audit, Block, Challenge, FileId, FileRecord, GroupSecret, Index, Proof, Prover, Sectors, Tag,
    Tagged, verify_tags,
};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_cryptography::bls12381::primitives::group::G1;
use commonware_parallel::Sequential;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::Attempt;

const BLOCKS: usize = 12;
const CHALLENGED: u32 = 6;
const FILE: FileId = FileId([7; 32]);

/// A file at the vault.
struct Stored {
    secret: GroupSecret,
    index: Index,
    record: FileRecord,
    contents: Vec<Vec<u8>>,
    tags: Vec<Tag>,
}

impl Stored {
    fn upload(
        secret: GroupSecret,
        mut index: Index,
        contents: Vec<Vec<u8>>,
        rng: &mut StdRng,
    ) -> Self {
        let key = secret.key();
        while index.live() < contents.len() as u64 {
            index.append(rng).expect("a short file");
        }
        let tag = |(name, content): (_, &Vec<u8>)| {
            let block = Block::new(key.sectors(), content).expect("fits");
            secret.tag(&FILE, &name, &block).expect("sectors fit")
        };
        let tags = index.names().zip(&contents).map(tag).collect();
        Self {
            record: FileRecord::new(FILE, 1, &index, key),
            secret,
            index,
            contents,
            tags,
        }
    }

    fn random(rng: &mut StdRng) -> Self {
        let sectors = Sectors::new(3).expect("in range");
        let secret = GroupSecret::generate(sectors, rng);
        let contents = contents(sectors, rng);
        Self::upload(secret, Index::new(), contents, rng)
    }

    fn challenge(&self, rng: &mut StdRng) -> Challenge {
        let challenge = Challenge::derive(&rng.random(), &self.record, 0, CHALLENGED);
        challenge.expect("blocks to audit")
    }

    /// What a vault with these contents and tags answers.
    fn prove(&self, challenge: &Challenge, coins: u64) -> Proof {
        let key = self.secret.key();
        let mut prover = Prover::new(key, challenge);
        for rank in challenge.ranks() {
            let place = *rank as usize;
            let block = Block::new(key.sectors(), &self.contents[place]).expect("fits");
            prover.absorb(&block, &self.tags[place]).expect("in order");
        }
        let index = self.index.prove(challenge.ranks()).expect("own ranks");
        let mut coins = StdRng::seed_from_u64(coins);
        prover.finish(index, &mut coins).expect("complete")
    }

    /// The auditor's verdict against this file's record and key.
    fn audit(&self, challenge: &Challenge, proof: &Proof) -> Result<(), String> {
        let audit = Audit {
            key: self.secret.key(),
            record: &self.record,
            challenge,
            proof,
        };
        audit.verify(&Sequential).map_err(|error| error.to_string())
    }

    fn control(&self, challenge: &Challenge) -> bool {
        self.audit(challenge, &self.prove(challenge, 1)).is_ok()
    }
}

fn contents(sectors: Sectors, rng: &mut StdRng) -> Vec<Vec<u8>> {
    let mut content = || {
        let mut bytes = vec![0; sectors.capacity()];
        rng.fill(&mut bytes[..]);
        bytes
    };
    (0..BLOCKS).map(|_| content()).collect()
}

/// The vault replaces the file by junk that it has tagged under an enrolled member's own key, and
/// keeps the public index.
pub fn a0_junk_under_another_key(mut rng: StdRng) -> Attempt {
    let file = Stored::random(&mut rng);
    let challenge = file.challenge(&mut rng);
    let sectors = file.secret.key().sectors();
    let own = GroupSecret::generate(sectors, &mut rng);
    let junk = contents(sectors, &mut rng);
    let junk = Stored::upload(own, file.index.clone(), junk, &mut rng);
    let passes = file.audit(&challenge, &junk.prove(&challenge, 2));
    Attempt::refused(passes, file.control(&challenge))
}

/// The vault has deleted all data and kept even the tags, which the published attack does not need.
pub fn a1_proof_without_data(mut rng: StdRng) -> Attempt {
    let mut file = Stored::random(&mut rng);
    let challenge = file.challenge(&mut rng);
    let control = file.control(&challenge);
    file.contents.iter_mut().for_each(|content| content.fill(0));
    let passes = file.audit(&challenge, &file.prove(&challenge, 2));
    Attempt::refused(passes, control)
}

/// The vault combines two tags, in the ways that give a third one in the published scheme, and
/// tries each as the tag of each block.
pub fn a2_third_tag_from_two(mut rng: StdRng) -> Attempt {
    let file = Stored::random(&mut rng);
    let names: Vec<_> = file.index.names().collect();
    let blocks: Vec<_> = file
        .contents
        .iter()
        .map(|content| Block::new(file.secret.key().sectors(), content).expect("fits"))
        .collect();
    let point = |tag: &Tag| G1::decode(tag.encode()).expect("a tag is a point");
    let (a, b) = (point(&file.tags[0]), point(&file.tags[1]));
    let mut is_tag = |at: usize, tag: Tag| {
        let (name, block) = (names[at], &blocks[at]);
        let batch = [Tagged { name, block, tag }];
        verify_tags(file.secret.key(), &FILE, &batch, &mut rng, &Sequential)
    };
    let control = is_tag(2, file.tags[2]).is_ok();
    let combined = [a + &b, a - &b, a + &a, a + &a - &b, -a];
    let tries = combined
        .into_iter()
        .flat_map(|tag| (0..BLOCKS).map(move |at| (at, tag)));
    let mut refused = Err(String::new());
    for (at, tag) in tries {
        let tag = Tag::decode(tag.encode()).expect("a point of the group");
        match is_tag(at, tag) {
            Ok(()) => return Attempt::refused(Ok(()), control),
            Err(error) => refused = Err(error.to_string()),
        }
    }
    Attempt::refused::<()>(refused, control)
}

/// The auditor compares what it gets of a file that one member uploaded with what it gets of the
/// same file uploaded by another. Members of an epoch share the tagging secret.
pub fn a3_who_uploaded(mut rng: StdRng) -> Attempt {
    let file = Stored::random(&mut rng);
    let other = GroupSecret::from_bytes(&file.secret.to_bytes()).expect("sealed to every member");
    let other = Stored::upload(other, file.index.clone(), file.contents.clone(), &mut rng);
    let challenge = file.challenge(&mut rng);
    let seen = |file: &Stored| (file.record.clone(), file.prove(&challenge, 3).encode());
    let alike = seen(&file) == seen(&other) && file.tags == other.tags;
    let stranger = Stored::random(&mut rng);
    let strangers_differ = stranger.tags != file.tags;
    Attempt {
        failed: alike,
        control: strangers_differ && file.control(&challenge),
        why: "record, tags and proof are the same bytes whichever member uploaded".into(),
    }
}
