//! Paper 001: certificateless proof of data possession for a group (Yan, Liu, Zhang, Wang,
//! *Efficient Privacy-Preserving Certificateless Public Auditing of Data in Cloud Storage*,
//! Security and Communication Networks 2021, 6639634). The whole scheme is reconstructed; the
//! formulas of the paper are lost.
//!
//! The paper uses a symmetric pairing on PBC's type-A curve (80-bit security). Here it stands on
//! BLS12-381 \[ours, so that it is measured on the library of the scheme beside it\]: hashes, tags
//! and masked identities in G1 (48 bytes), all keys and `B` in G2 (96 bytes). This asymmetric form
//! is *harder* to attack at one place, see [`attack_a3`].
//!
//! 1. **Setup**: KGC draws `s`, `mpk = g2^s`. h1, h3 map to G1, h2 to scalars.
//! 2. **PartialKey**: `D = h1(ID)^s`; test `e(D, g2) = e(h1(ID), mpk)` \[paper, nearly explicit\].
//! 3. **Keys**: `x` random, `PK = g2^x` \[paper\].
//! 4. **TagGen**: `η = h3(fid‖n)`, `σ_i = D^{h2(fid‖i)} · η^{x·m_i}` \[reconstructed\]. Store's test,
//!    eq (3): `e(σ_i, g2) = e(h1(ID)^{h2(fid‖i)}, mpk) · e(η^{m_i}, PK)`.
//! 5. **Challenge**: c distinct indexes, a random scalar `v_i` for each \[paper\].
//! 6. **ProofGen**: random ρ; `X_i = h1(ID_i)^ρ` for every challenged block, `B = ∏ PK_i^{ρ·v_i·m_i}`,
//!    `σ = ∏ σ_i^{ρ·v_i}` \[reconstructed: the auditor sees no identity, and its cost grows with c\].
//! 7. **Verify**, eq (6): `e(σ, g2) = e(∏ X_i^{v_i·h2(fid‖i)}, mpk) · e(η, B)`.
//!
//! A block is one scalar: 31 bytes \[ours: the group order has 255 bits\].
//!
//! Attacks: [`attack_a0`] to [`attack_a3`].

use commonware_cryptography::bls12381::primitives::group::{G1, G2, Scalar};
use commonware_math::algebra::{CryptoGroup, HashToGroup, Random, Space};
use commonware_parallel::Sequential;
use rand_core::CryptoRng;

use crate::Refusal;

mod attacks;
mod pairing;
mod wire;

pub use attacks::{attack_a0, attack_a1, attack_a2, attack_a3};
pub use pairing::product_is_one;
pub use wire::{MAX_CHALLENGE, proof_bytes};

/// Bytes of a data block.
pub const BLOCK_BYTES: usize = 31;

/// Bytes of a tag: one element of G1, compressed.
pub const TAG_BYTES: usize = 48;

const H1: &[u8] = b"PAPER-001-H1-BLS12381G1_XMD:SHA-256_SSWU_RO_";
const H2: &[u8] = b"PAPER-001-H2";
const H3: &[u8] = b"PAPER-001-H3-BLS12381G1_XMD:SHA-256_SSWU_RO_";

/// A data block.
pub type Block = [u8; BLOCK_BYTES];

/// Name and number of blocks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Name.
    pub fid: u64,
    /// Number of blocks; indexes run from 0.
    pub blocks: u64,
}

impl File {
    /// `h2(fid‖i)`.
    #[must_use]
    pub fn index_hash(&self, index: u64) -> Scalar {
        Scalar::map(H2, &[self.fid.to_be_bytes(), index.to_be_bytes()].concat())
    }

    /// `η = h3(fid‖n)`.
    #[must_use]
    pub fn base(&self) -> G1 {
        G1::hash_to_group(
            H3,
            &[self.fid.to_be_bytes(), self.blocks.to_be_bytes()].concat(),
        )
    }
}

/// `h1(ID)`.
#[must_use]
pub fn identity_hash(id: &str) -> G1 {
    G1::hash_to_group(H1, id.as_bytes())
}

/// The block as a scalar, below 2^248.
#[must_use]
pub fn scalar(block: &Block) -> Scalar {
    let mut padded = [0; 32];
    padded[1..].copy_from_slice(block);
    let limb = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&padded[at..at + 8]);
        u64::from_be_bytes(bytes)
    };
    Scalar::from_limbs([limb(24), limb(16), limb(8), limb(0)])
}

/// A random scalar, never zero.
pub(crate) fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Scalar {
    Scalar::random(rng)
}

/// The key generation centre.
pub struct Kgc {
    secret: Scalar,
    public: G2,
}

impl Kgc {
    /// Setup.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let secret = random(rng);
        let public = G2::generator() * &secret;
        Self { secret, public }
    }

    /// `mpk`.
    #[must_use]
    pub fn public(&self) -> G2 {
        self.public
    }

    /// PartialKey.
    #[must_use]
    pub fn partial_key(&self, id: &str) -> G1 {
        identity_hash(id) * &self.secret
    }
}

/// A member of the group that uploads.
pub struct Member {
    id: String,
    hash: G1,
    partial: G1,
    secret: Scalar,
    public: G2,
}

impl Member {
    /// Takes a partial key, tests it, and draws the member's own key.
    ///
    /// # Errors
    ///
    /// [`Refusal::Proof`] when the partial key does not fit identity and `mpk`.
    pub fn enrol(
        id: &str,
        partial: G1,
        mpk: &G2,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, Refusal> {
        let hash = identity_hash(id);
        if !product_is_one(&[(partial, -G2::generator()), (hash, *mpk)]) {
            return Err(Refusal::Proof);
        }
        let secret = random(rng);
        let public = G2::generator() * &secret;
        Ok(Self {
            id: id.to_owned(),
            hash,
            partial,
            secret,
            public,
        })
    }

    /// What the store learns of the member.
    #[must_use]
    pub fn uploader(&self) -> Uploader {
        Uploader {
            id: self.id.clone(),
            hash: self.hash,
            public: self.public,
        }
    }

    /// TagGen for one block. `base` is [`File::base`], computed once for a file.
    #[must_use]
    pub fn tag(&self, file: &File, base: &G1, index: u64, block: &Block) -> G1 {
        self.partial * &file.index_hash(index) + &(*base * &(self.secret.clone() * &scalar(block)))
    }
}

/// An uploader as the store knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Uploader {
    /// Identity.
    pub id: String,
    /// `h1(ID)`.
    pub hash: G1,
    /// `PK`.
    pub public: G2,
}

impl Uploader {
    /// The store's test of an uploaded block, eq (3).
    ///
    /// # Errors
    ///
    /// [`Refusal::Proof`] when the tag does not fit.
    pub fn check_tag(
        &self,
        file: &File,
        mpk: &G2,
        index: u64,
        block: &Block,
        tag: &G1,
    ) -> Result<(), Refusal> {
        let fits = product_is_one(&[
            (*tag, -G2::generator()),
            (self.hash * &file.index_hash(index), *mpk),
            (file.base() * &scalar(block), self.public),
        ]);
        if fits { Ok(()) } else { Err(Refusal::Proof) }
    }
}

/// A block as the store keeps it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Content.
    pub block: Block,
    /// Tag.
    pub tag: G1,
    /// Position of the uploader in the store's list.
    pub uploader: usize,
}

/// Challenged indexes and their weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Challenge(pub Vec<(u64, Scalar)>);

impl Challenge {
    /// Draws `count` distinct indexes of the file (all of them when it has fewer).
    pub fn random(file: &File, count: usize, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let count = usize::try_from(file.blocks).map_or(count, |blocks| count.min(blocks));
        let mut indexes = std::collections::BTreeSet::new();
        while indexes.len() < count {
            // The bias of the remainder is below 2^-32 for files of less than 2^32 blocks.
            indexes.insert(rng.next_u64() % file.blocks);
        }
        Self(
            indexes
                .into_iter()
                .map(|index| (index, random(rng)))
                .collect(),
        )
    }
}

/// The store's proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// σ.
    pub sigma: G1,
    /// `X_i`, in the order of the challenge.
    pub masks: Vec<G1>,
    /// B.
    pub b: G2,
}

/// ProofGen. One multiplication in G1 for the mask of every challenged block, as reconstructed;
/// a store that keeps the mask of each uploader during one proof would save most of them.
///
/// # Errors
///
/// [`Refusal::Shape`] when the challenge names a block that is not stored, or a stored block an
/// uploader that is not in the list.
pub fn prove(
    uploaders: &[Uploader],
    stored: &[Stored],
    challenge: &Challenge,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<Proof, Refusal> {
    let rho = random(rng);
    let count = challenge.0.len();
    let mut masks = Vec::with_capacity(count);
    let (mut tags, mut tag_weights) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut keys, mut key_weights) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (index, weight) in &challenge.0 {
        let entry = usize::try_from(*index)
            .ok()
            .and_then(|index| stored.get(index));
        let entry = entry.ok_or(Refusal::Shape)?;
        let uploader = uploaders.get(entry.uploader).ok_or(Refusal::Shape)?;
        let masked = rho.clone() * weight;
        masks.push(uploader.hash * &rho);
        key_weights.push(masked.clone() * &scalar(&entry.block));
        tags.push(entry.tag);
        tag_weights.push(masked);
        keys.push(uploader.public);
    }
    Ok(Proof {
        sigma: G1::msm(&tags, &tag_weights, &Sequential),
        masks,
        b: G2::msm(&keys, &key_weights, &Sequential),
    })
}

/// Verify, eq (6). It takes no identity and no key of a user \[paper\].
///
/// # Errors
///
/// [`Refusal::Shape`] when the number of masks is wrong, [`Refusal::Proof`].
pub fn verify(mpk: &G2, file: &File, challenge: &Challenge, proof: &Proof) -> Result<(), Refusal> {
    if proof.masks.len() != challenge.0.len() {
        return Err(Refusal::Shape);
    }
    let weights: Vec<_> = challenge
        .0
        .iter()
        .map(|(index, weight)| file.index_hash(*index) * weight)
        .collect();
    let identities = G1::msm(&proof.masks, &weights, &Sequential);
    let fits = product_is_one(&[
        (proof.sigma, -G2::generator()),
        (identities, *mpk),
        (file.base(), proof.b),
    ]);
    if fits { Ok(()) } else { Err(Refusal::Proof) }
}
