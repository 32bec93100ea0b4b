//! Proofs and their verification.

use bytes::BufMut;
use commonware_codec::{
    Buf, Encode as _, EncodeSize, Error as CodecError, FixedSize as _, Read, ReadExt as _, Write,
};
use commonware_cryptography::bls12381::primitives::{
    group::{G1, G2, Scalar, ScalarReadCfg},
    variant::{MinSig, Variant as _},
};
use commonware_math::algebra::{Additive as _, Field as _, Random as _, Space};
use commonware_parallel::{Sequential, Strategy};
use rand_core::CryptoRng;

use super::curve::{BlockHash, Hint, Weight, weighted_points};
use super::tag::{accumulate, check_sectors};
use super::{Block, Challenge, Error, FileRecord, GroupKey, IndexProof, Sectors, Tag};
use crate::transcript::{Domain, Transcript};

const RESPONSE: Domain = Domain::new("cairn/1/possession/response");

/// A proof: `R ‖ σ ‖ μ'_1 … μ'_s ‖ hints ‖ index proof`, `96 + 32·s + 49·c` bytes and the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    r: G1,
    sigma: G1,
    mu: Vec<Scalar>,
    /// Where the challenged names' points are found.
    hints: Vec<Hint>,
    index: IndexProof,
}

/// Makes a proof from the challenged blocks, one at a time; holds s scalars and c tags.
pub struct Prover<'a> {
    key: &'a GroupKey,
    challenge: &'a Challenge,
    sums: Vec<Scalar>,
    tags: Vec<G1>,
}

impl<'a> Prover<'a> {
    /// Begins a proof.
    #[must_use]
    pub fn new(key: &'a GroupKey, challenge: &'a Challenge) -> Self {
        Self {
            key,
            challenge,
            sums: vec![Scalar::zero(); key.sectors().get()],
            tags: Vec::with_capacity(challenge.ranks().len()),
        }
    }

    /// Takes the next challenged block with its tag, in the order of [`Challenge::ranks`].
    ///
    /// # Errors
    ///
    /// [`Error::BlockCount`] for more blocks than were challenged, [`Error::SectorCount`] for
    /// a block of another key's sectors.
    pub fn absorb(&mut self, block: &Block, tag: &Tag) -> Result<(), Error> {
        check_sectors(self.key, block)?;
        let weight = self
            .challenge
            .weights
            .get(self.tags.len())
            .ok_or_else(|| self.wrong_count(self.tags.len() + 1))?;
        accumulate(&mut self.sums, block, *weight);
        self.tags.push(tag.0);
        Ok(())
    }

    /// Step 5: `R = Σ k_j u_j`, `σ = Σ w_b σ_b`, hints, `γ`, `μ'_j = k_j + γ·Σ w_b m_bj`.
    ///
    /// # Errors
    ///
    /// [`Error::BlockCount`] when challenged blocks are missing.
    pub fn finish(
        self,
        index: IndexProof,
        mut rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Proof, Error> {
        if self.tags.len() != self.challenge.weights.len() {
            return Err(self.wrong_count(self.tags.len()));
        }
        let k: Vec<_> = self.sums.iter().map(|_| Scalar::random(&mut rng)).collect();
        let r = <G1 as Space<Scalar>>::msm(&self.key.u, &k, &Sequential);
        let sigma = weighted_points(&self.tags, &self.challenge.weights);
        let hash = BlockHash::new(&self.key.kid(), &self.challenge.file);
        let hints: Vec<_> = index.names().iter().map(|name| hash.hint(name)).collect();
        let gamma = response_challenge(self.challenge, &hints, &r, &sigma);
        let mu = k
            .into_iter()
            .zip(self.sums)
            .map(|(k, sum)| k + &(sum * &gamma))
            .collect();
        Ok(Proof {
            r,
            sigma,
            mu,
            hints,
            index,
        })
    }

    fn wrong_count(&self, got: usize) -> Error {
        Error::BlockCount {
            expected: self.challenge.weights.len(),
            got,
        }
    }
}

/// One proof to verify, with everything it is verified against.
#[derive(Clone, Copy)]
pub struct Audit<'a> {
    /// Key that the record names.
    pub key: &'a GroupKey,
    /// Record on the ledger.
    pub record: &'a FileRecord,
    /// Challenge derived from it.
    pub challenge: &'a Challenge,
    /// The vault's answer.
    pub proof: &'a Proof,
}

impl Audit<'_> {
    /// Verifies one proof: one product of two pairings, whatever the file's size. Deterministic.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKey`] or [`Error::WrongChallenge`] when the verifier brought together what
    /// does not belong together; [`Error::SectorCount`], [`Error::Index`] or [`Error::Proof`] when
    /// the proof is false.
    pub fn verify(&self, strategy: &impl Strategy) -> Result<(), Error> {
        let expected = self.expected(strategy)?;
        MinSig::verify(&self.key.v, &expected, &self.proof.sigma).map_err(|_| Error::Proof)
    }

    /// The point `E` for which a true proof has `e(σ, G2) = e(E, v)`:
    /// `E = Σ w_b H(b) + γ⁻¹·(Σ μ'_j u_j − R)`.
    fn expected(&self, strategy: &impl Strategy) -> Result<G1, Error> {
        let Self {
            key,
            record,
            challenge,
            proof,
        } = self;
        record.check_key(key)?;
        if challenge.record != record.to_authorise() {
            return Err(Error::WrongChallenge);
        }
        if proof.mu.len() != key.u.len() {
            return Err(Error::SectorCount {
                expected: key.u.len(),
                got: proof.mu.len(),
            });
        }
        let names = proof
            .index
            .verify(&record.root, record.live, challenge.ranks())?;
        let hash = BlockHash::new(&record.kid, &record.file);
        let hashes = hash
            .hinted_sum(names, &proof.hints, &challenge.weights, strategy)
            .ok_or(Error::Proof)?;
        // γ is a hash; it is zero, and has no inverse, with probability 2^-255.
        let inverse = response_challenge(challenge, &proof.hints, &proof.r, &proof.sigma).inv();
        let points: Vec<_> = key.u.iter().chain([&proof.r]).copied().collect();
        let scalars: Vec<_> = proof
            .mu
            .iter()
            .map(|mu| mu.clone() * &inverse)
            .chain([-inverse.clone()])
            .collect();
        Ok(hashes + &<G1 as Space<Scalar>>::msm(&points, &scalars, strategy))
    }
}

/// Verifies the proofs of many files at once: one pairing, and one more for each group key among
/// them. A false proof passes with probability 2^-127 over `rng`; that some proof is false does
/// not say which: verify them singly then.
///
/// # Errors
///
/// As [`Audit::verify`].
pub fn verify_many(
    audits: &[Audit<'_>],
    rng: &mut (impl CryptoRng + ?Sized),
    strategy: &impl Strategy,
) -> Result<(), Error> {
    let mut keys: Vec<G2> = Vec::new();
    let mut sums: Vec<(G1, G1)> = Vec::new();
    for audit in audits {
        let expected = audit.expected(strategy)?;
        let weight = Weight::random(rng).scalar();
        let place = keys.iter().position(|v| *v == audit.key.v);
        let place = place.unwrap_or_else(|| {
            keys.push(audit.key.v);
            sums.push((G1::zero(), G1::zero()));
            keys.len() - 1
        });
        sums[place].0 += &(expected * &weight);
        sums[place].1 += &(audit.proof.sigma * &weight);
    }
    if keys.is_empty() {
        return Ok(());
    }
    let (expected, sigmas): (Vec<_>, Vec<_>) = sums.into_iter().unzip();
    MinSig::batch_verify(&mut &mut *rng, &keys, &expected, &sigmas, strategy)
        .map_err(|_| Error::Proof)
}

/// `γ = H(record, seed, audit, hints, R, σ)`; the challenge's digest stands for the first three.
///
/// With `R` left out a prover could choose it last, and answer without any data.
fn response_challenge(challenge: &Challenge, hints: &[Hint], r: &G1, sigma: &G1) -> Scalar {
    let digest = Transcript::new(RESPONSE)
        .bytes(&challenge.digest)
        .bytes(&hints.encode())
        .bytes(&r.encode())
        .bytes(&sigma.encode())
        .finish();
    Scalar::map(RESPONSE.name().as_bytes(), &digest.0)
}

impl Write for Proof {
    fn write(&self, buf: &mut impl BufMut) {
        self.r.write(buf);
        self.sigma.write(buf);
        self.mu.iter().for_each(|mu| mu.write(buf));
        self.hints.iter().for_each(|hint| hint.write(buf));
        self.index.write(buf);
    }
}

impl Read for Proof {
    /// Sectors of the key, and number of challenged blocks.
    type Cfg = (Sectors, usize);

    /// Points are in G1 and not the identity, numbers below the order, or the proof is refused.
    fn read_cfg(buf: &mut impl Buf, (sectors, blocks): &Self::Cfg) -> Result<Self, CodecError> {
        Ok(Self {
            r: G1::read(buf)?,
            sigma: G1::read(buf)?,
            mu: (0..sectors.get())
                .map(|_| Scalar::read_cfg(buf, &ScalarReadCfg::AllowZero))
                .collect::<Result<_, _>>()?,
            hints: (0..*blocks)
                .map(|_| Hint::read(buf))
                .collect::<Result<_, _>>()?,
            index: IndexProof::read_cfg(buf, blocks)?,
        })
    }
}

impl EncodeSize for Proof {
    fn encode_size(&self) -> usize {
        let numbers = self.mu.len() * Scalar::SIZE + self.hints.len() * Hint::SIZE;
        2 * G1::SIZE + numbers + self.index.encode_size()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FileId, GroupSecret, Index};
    use super::*;
    use commonware_math::algebra::CryptoGroup as _;
    use rand::{SeedableRng as _, rngs::StdRng};

    /// The vault has deleted all blocks but one, whose tag it shows as σ, and solves the equation
    /// for R. That works for whatever γ it had in mind, so γ must depend on R.
    #[test]
    fn mask_chosen_after_the_response_challenge() {
        let mut rng = StdRng::seed_from_u64(1);
        let sectors = Sectors::new(2).expect("in range");
        let secret = GroupSecret::generate(sectors, &mut rng);
        let (key, file) = (secret.key(), FileId([1; 32]));
        let mut index = Index::new();
        for _ in 0..5 {
            index.append(&mut rng).expect("not full");
        }
        let record = FileRecord::new(file, 1, &index, key);
        let challenge = Challenge::derive(&[2; 32], &record, 0, 5).expect("blocks to audit");

        let kept = index.name(0).expect("live");
        let block = Block::new(sectors, b"all that is left").expect("fits");
        let sigma = secret.tag(&file, &kept, &block).expect("sectors fit").0;
        let hash = BlockHash::new(&key.kid(), &file);
        let content = <G1 as Space<Scalar>>::msm(&key.u, &block.0, &Sequential);
        let under_sigma = hash.point(&kept) + &content;

        let mut proof = Proof {
            r: G1::zero(),
            sigma,
            mu: vec![Scalar::from_u64(3), Scalar::from_u64(4)],
            hints: index.names().map(|name| hash.hint(&name)).collect(),
            index: index.prove(challenge.ranks()).expect("in range"),
        };
        let names: Vec<_> = index.names().collect();
        let hashes = hash.weighted_sum(&names, &challenge.weights, &Sequential);
        let masked = <G1 as Space<Scalar>>::msm(&key.u, &proof.mu, &Sequential);
        let gamma = response_challenge(&challenge, &proof.hints, &G1::generator(), &sigma);
        proof.r = (hashes - &under_sigma) * &gamma + &masked;

        // Under the γ it had in mind the equation holds …
        let expected = hashes + &((masked - &proof.r) * &gamma.inv());
        assert!(MinSig::verify(&key.v, &expected, &sigma).is_ok());
        // … but that is not the γ of this R.
        let audit = Audit {
            key,
            record: &record,
            challenge: &challenge,
            proof: &proof,
        };
        assert_eq!(audit.verify(&Sequential), Err(Error::Proof));
    }

    /// The vault names a later counter for a block: a true point of the hash, but not the tagged one.
    #[test]
    fn hint_at_a_later_counter() {
        let mut rng = StdRng::seed_from_u64(2);
        let sectors = Sectors::new(2).expect("in range");
        let secret = GroupSecret::generate(sectors, &mut rng);
        let (key, file) = (secret.key(), FileId([1; 32]));
        let mut index = Index::new();
        let stored: Vec<_> = (0..5_u8)
            .map(|byte| {
                let name = index.append(&mut rng).expect("not full");
                let block = Block::new(sectors, &[byte; 40]).expect("fits");
                let tag = secret.tag(&file, &name, &block).expect("sectors fit");
                (name, block, tag)
            })
            .collect();
        let record = FileRecord::new(file, 1, &index, key);
        let challenge = Challenge::derive(&[2; 32], &record, 0, 5).expect("blocks to audit");
        let prove = |rng: &mut StdRng| {
            let mut prover = Prover::new(key, &challenge);
            for (_, block, tag) in &stored {
                prover.absorb(block, tag).expect("in order");
            }
            let index = index.prove(challenge.ranks()).expect("in range");
            prover.finish(index, rng).expect("complete")
        };
        let verdict = |proof: &Proof| {
            let audit = Audit {
                key,
                record: &record,
                challenge: &challenge,
                proof,
            };
            audit.verify(&Sequential)
        };
        let honest = prove(&mut rng);
        assert_eq!(verdict(&honest), Ok(()));

        // With γ and responses made for the false hint, as a prover does that means it.
        let hash = BlockHash::new(&key.kid(), &file);
        let mut forged = honest;
        forged.hints[3] = hash.later_hint(&stored[3].0);
        let k = [Scalar::from_u64(5), Scalar::from_u64(6)];
        forged.r = <G1 as Space<Scalar>>::msm(&key.u, &k, &Sequential);
        let gamma = response_challenge(&challenge, &forged.hints, &forged.r, &forged.sigma);
        let mut sums = vec![Scalar::zero(); 2];
        for ((_, block, _), weight) in stored.iter().zip(&challenge.weights) {
            accumulate(&mut sums, block, *weight);
        }
        let responses = k.into_iter().zip(sums);
        forged.mu = responses.map(|(k, sum)| k + &(sum * &gamma)).collect();
        assert_eq!(verdict(&forged), Err(Error::Proof));
        forged.hints[3] = hash.hint(&stored[3].0);
        assert_eq!(verdict(&forged), Err(Error::Proof), "γ covers the hints");
    }
}
