//! Attacks A0 to A3.

use commonware_cryptography::bls12381::primitives::group::{G2, Scalar};
use commonware_math::algebra::{Additive, CryptoGroup, Field};
use rand_core::CryptoRng;

use super::{
    BLOCK_BYTES, Block, Challenge, File, Kgc, Member, Proof, Stored, Uploader, identity_hash,
    product_is_one, prove, random, scalar, verify,
};
use crate::{Outcome, Refusal};

const FILE: File = File { fid: 7, blocks: 12 };
const NAMES: [&str; 3] = ["alice", "bob", "carol"];

struct World {
    kgc: Kgc,
    uploaders: Vec<Uploader>,
    stored: Vec<Stored>,
}

fn block(rng: &mut dyn CryptoRng) -> Block {
    let mut block = [0; BLOCK_BYTES];
    rng.fill_bytes(&mut block);
    block
}

/// A file whose block i was uploaded by member i mod 3.
fn world(rng: &mut dyn CryptoRng) -> Result<World, Refusal> {
    let kgc = Kgc::random(rng);
    let members = NAMES
        .iter()
        .map(|name| Member::enrol(name, kgc.partial_key(name), &kgc.public(), rng))
        .collect::<Result<Vec<_>, _>>()?;
    let base = FILE.base();
    let stored = (0..FILE.blocks)
        .zip((0..NAMES.len()).cycle())
        .map(|(index, uploader)| {
            let block = block(rng);
            let tag = members[uploader].tag(&FILE, &base, index, &block);
            Stored {
                block,
                tag,
                uploader,
            }
        })
        .collect();
    Ok(World {
        kgc,
        uploaders: members.iter().map(Member::uploader).collect(),
        stored,
    })
}

impl World {
    fn audit(
        &self,
        uploaders: &[Uploader],
        stored: &[Stored],
        rng: &mut dyn CryptoRng,
    ) -> Result<(), Refusal> {
        let challenge = Challenge::random(&FILE, 6, rng);
        let proof = prove(uploaders, stored, &challenge, rng)?;
        verify(&self.kgc.public(), &FILE, &challenge, &proof)
    }

    /// The honest proof passes, and the proof over altered blocks fails.
    fn control(&self, rng: &mut dyn CryptoRng) -> bool {
        let mut altered = self.stored.clone();
        for entry in &mut altered {
            entry.block[BLOCK_BYTES - 1] ^= 1;
        }
        self.audit(&self.uploaders, &self.stored, rng).is_ok()
            && self.audit(&self.uploaders, &altered, rng) == Err(Refusal::Proof)
    }
}

fn outcome(result: Result<(bool, bool), Refusal>, achieved: String) -> Outcome {
    let (succeeded, control) = result.unwrap_or((false, false));
    Outcome {
        succeeded,
        control,
        achieved,
    }
}

/// A0: verification takes no identity, so any enrolled one serves. Follows from the prose alone.
pub fn attack_a0(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let world = world(rng)?;
        let own = "store-own-account";
        let own = Member::enrol(own, world.kgc.partial_key(own), &world.kgc.public(), rng)?;
        let base = FILE.base();
        let junk: Vec<_> = (0..FILE.blocks)
            .map(|index| {
                let block = block(rng);
                Stored {
                    block,
                    tag: own.tag(&FILE, &base, index, &block),
                    uploader: 0,
                }
            })
            .collect();
        let passes = world.audit(&[own.uploader()], &junk, rng).is_ok();
        Ok((passes, world.control(rng)))
    };
    outcome(
        run(),
        "replaces the whole file by junk and passes the audit".into(),
    )
}

/// A1: X_i and B come unauthenticated from the prover. In the paper's symmetric setting
/// `X_i = g^{α_i}`, `B = g^β`, `σ = mpk^{Σ α_i·v_i·h2_i} · η^β` satisfies eq (6). In the asymmetric
/// form mpk lies in G2, and the prover takes `X_i = η^{α_i}`, `B = mpk^{−Σ α_i·v_i·h2_i} · g2^β`,
/// `σ = η^β`: the two terms with mpk cancel.
pub fn attack_a1(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let world = world(rng)?;
        let mpk = world.kgc.public();
        let challenge = Challenge::random(&FILE, 6, rng);
        let (eta, beta) = (FILE.base(), random(rng));
        let mut sum = Scalar::zero();
        let mut masks = Vec::new();
        for (index, v) in &challenge.0 {
            let alpha = random(rng);
            sum += &(FILE.index_hash(*index) * v * &alpha);
            masks.push(eta * &alpha);
        }
        let b = G2::generator() * &beta - &(mpk * &sum);
        let forged = Proof {
            sigma: eta * &beta,
            masks,
            b,
        };
        let passes = verify(&mpk, &FILE, &challenge, &forged).is_ok();
        Ok((passes, world.control(rng)))
    };
    outcome(
        run(),
        "has deleted all data and all tags, holds no key, and passes the audit".into(),
    )
}

/// A2: D and η^x are fixed for user and file and all exponents are known to the store: two tags
/// are two linear equations.
pub fn attack_a2(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let world = world(rng)?;
        let alice = &world.uploaders[0];
        let (i, j) = (0, 3);
        let (a, b) = (&world.stored[0], &world.stored[3]);
        let (h_i, h_j) = (FILE.index_hash(i), FILE.index_hash(j));
        let (m_i, m_j) = (scalar(&a.block), scalar(&b.block));
        let inverse = (h_i.clone() * &m_j - &(h_j.clone() * &m_i)).inv();
        let partial = (a.tag * &m_j - &(b.tag * &m_i)) * &inverse;
        let power = (b.tag * &h_i - &(a.tag * &h_j)) * &inverse;

        let target = 6;
        let content = block(rng);
        let forged = partial * &FILE.index_hash(target) + &(power * &scalar(&content));
        let mpk = world.kgc.public();
        let accepted = alice
            .check_tag(&FILE, &mpk, target, &content, &forged)
            .is_ok();
        let tampered = alice.check_tag(&FILE, &mpk, target, &content, &a.tag);
        let honest = alice.check_tag(&FILE, &mpk, i, &a.block, &a.tag).is_ok();
        let found = partial == world.kgc.partial_key(&alice.id);
        Ok((accepted && found, honest && tampered == Err(Refusal::Proof)))
    };
    outcome(
        run(),
        "holds the uploader's issued key D and tags any content in its name".into(),
    )
}

/// A3: the masks hide nothing that repeats. Equal `X_i` show which blocks have one uploader; and
/// when the auditor knows the content of one block and challenges it alone, then
/// `e(X, PK_a)^{v·m} = e(h1(a), B)` exactly for its uploader a.
///
/// In the paper's symmetric pairing no content is needed: `e(X_i, h1(b)) = e(X_j, h1(a))` names
/// both uploaders from the member list. The asymmetric form takes that test away, which is why
/// this run gives the auditor one known block of each uploader.
pub fn attack_a3(rng: &mut dyn CryptoRng) -> Outcome {
    let mut run = || {
        let world = world(rng)?;
        let whole = Challenge::random(&FILE, 12, rng);
        let proof = prove(&world.uploaders, &world.stored, &whole, rng)?;
        let mut named = 0;
        let mut wrong_content_named = false;
        for known in 0..NAMES.len() {
            let v = random(rng);
            let alone = Challenge(vec![(known as u64, v.clone())]);
            let answer = prove(&world.uploaders, &world.stored, &alone, rng)?;
            let mask = answer.masks[0];
            let name_by = |content: &Block| {
                let weight = v.clone() * &scalar(content);
                world.uploaders.iter().find(|member| {
                    product_is_one(&[
                        (mask * &weight, member.public),
                        (-identity_hash(&member.id), answer.b),
                    ])
                })
            };
            let mut other = world.stored[known].block;
            other[0] ^= 1;
            wrong_content_named |= name_by(&other).is_some();
            let Some(name) = name_by(&world.stored[known].block) else {
                continue;
            };
            let blocks = proof.masks.iter().zip(&world.stored);
            named += blocks
                .filter(|(mask, _)| **mask == proof.masks[known])
                .filter(|(_, entry)| world.uploaders[entry.uploader] == *name)
                .count();
        }
        Ok((
            named == world.stored.len(),
            !wrong_content_named && world.control(rng),
        ))
    };
    let blocks = FILE.blocks;
    let achieved = format!("knows one block of each uploader, names the uploader of all {blocks}");
    outcome(run(), achieved)
}
