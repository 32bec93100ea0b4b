//! Audits: provable data possession on BLS12-381 (PROTOCOLS.md section 10).
//!
//! A group keeps files at a vault. Anyone can check, with work that does not depend on the
//! file's size, that the vault still holds every byte; nobody learns which member uploaded.
//!
//! # The scheme
//!
//! 1. **Keys** ([`GroupSecret`], [`GroupKey`]). Per epoch: secret `x` and `α_1…α_s`, public
//!    `v = x·G2`, `u_j = α_j·G1`, name `kid = H(v, s, u_1…u_s)`. A block is s sectors of 31
//!    bytes, padded with its length ([`Block`]). Its tag ([`GroupSecret::tag`]) is
//!    `σ_b = x·(H(kid, fid, block id, block version) + (Σ α_j m_bj)·G1)`.
//! 2. **Index** ([`Index`], [`IndexProof`]): a Merkle tree over (block id, block version) whose
//!    nodes count live blocks. Root, count, kid, `v`, fid, file version and `auth` are the ledger
//!    record ([`FileRecord`]). Append, update and delete change one leaf and one tag.
//! 3. The vault verifies tags in batches before it acknowledges an upload ([`verify_tags`]).
//! 4. **Challenge** ([`Challenge`]): c distinct live blocks with weights `w_b` of 128 bits, never
//!    zero, from a round's seed, the record, the audit's number and c. Nobody chooses it.
//! 5. **Proof** ([`Prover`]): `R = Σ k_j u_j` for random `k_j`, `σ = Σ w_b σ_b`,
//!    where each `H(b)` is found (counter and y), `γ = H(record, seed, audit, hints, R, σ)`,
//!    `μ'_j = k_j + γ·Σ w_b m_bj`, and the index proof.
//!    **Verification** ([`Audit::verify`], [`verify_many`]): the index proof leads to the root,
//!    count and ranks; the hinted points lie on the curve, with x and sign from the hash; `σ`, `R`, `v`, `u_j` are in their subgroup and not the identity, `μ'_j`
//!    canonical; and `e(σ, G2) = e(Σ w_b H(b) + γ⁻¹·(Σ μ'_j u_j − R), v)`, the equation of
//!    PROTOCOLS.md divided by γ, so that the weights stay at 128 bits in the sum.
//! 6. [`detection_probability`] says what an audit is worth: 460 blocks find a loss of one block
//!    in a hundred with 99 %.
//!
//! # What differs from PROTOCOLS.md, and why
//!
//! * A block version is a random nonce ([`BlockVersion`]), not a counter: a name must never be
//!   tagged with two contents. Two tags `x·(H + a)` and `x·(H + b)` give `x·(b − a)`, hence a tag
//!   of `2b − a`. A counter meets again when two members edit at once or one repeats an upload.
//! * Nodes of the index count live blocks, so that deleted ones are never drawn.
//! * γ and the challenge cover audit number and c as well.
//! * The prover tells at which counter "try and increment" finds each point, and its y. The verifier
//!   checks the curve's equation instead of searching with square roots: four fifths of its work
//!   become a twentieth, for 49 bytes a block.
//! * `H` is "try and increment", cofactor cleared once for a whole sum: see `curve.rs`. Points
//!   derived from an index, `A + b·B`, would be faster still and let tags be computed from tags.
//!
//! # Assumptions and a sketch of the proof
//!
//! `H` and the other hashes are random oracles; co-CDH holds in (G1, G2): from `G1, x·G1, G2,
//! x·G2` and a random point `Q` of G1 nobody computes `x·Q`. Members do not collude with the
//! vault: whoever holds `x` proves without data.
//!
//! *A true proof of another content computes co-CDH or a logarithm.* Set `u_j = a_j·G1 + b_j·Q`
//! for random `a_j, b_j`. For a name that will be tagged with content m, program
//! `H(b) = r_b·G1 − Σ m_j·u_j`: the tag is then `r_b·(x·G1)`. Each name is tagged once, so the
//! programming never collides; names without a tag do not occur under an authorised root, unless
//! SHA-256 collides. Rewind the prover at γ: two answers for one `(R, σ)` give
//! `μ_j = (μ'_j − μ''_j)/(γ − γ')` with `e(σ, G2) = e(Σ w_b H(b) + Σ μ_j u_j, v)` (this is why γ
//! covers R and σ). With `d_j = μ_j − Σ w_b m_bj` follows `σ − Σ w_b σ_b = x·Σ d_j u_j
//! = (Σ d_j a_j)·(x·G1) + (Σ d_j b_j)·(x·Q)`. If some `d_j ≠ 0`, then `Σ d_j b_j ≠ 0` but with
//! probability 1/q, for the `b_j` are hidden by the `a_j`; so `x·Q` is computed.
//!
//! *Hints change nothing of this.* The hash is `T(b, counter)`, defined where there is a point. Tags
//! exist for the first counter of a name. A prover that names a later one needs `x` times another
//! value of the random oracle: program it as `r·G1 + t·Q` with random `r` and `t`, and the same
//! difference computes `x·Q`. The sign is the hash's, for `−σ_b` is a tag of `−m_b` under `−H(b)`.
//!
//! *Thus the prover knows `Σ w_b m_bj`*, for unpredictable `w_b`; from enough such audits the
//! challenged blocks can be solved for (Shacham–Waters, theorem 4.3). A changed or missing
//! challenged block goes unnoticed with probability 2^-128.
//!
//! *What an auditor learns.* `μ'` is uniform, so the sums of contents stay hidden; `σ` does
//! confirm a guess of them. Encrypt before tagging.
//!
//! # Attacks
//!
//! The attacks A0–A6 on the scheme of paper 001 and others are tests, `possession_attacks.rs`.
//!
//! # Sources
//!
//! H. Shacham, B. Waters, *Compact Proofs of Retrievability*, ASIACRYPT 2008 (tags and their
//! proof). C. Wang et al., *Privacy-Preserving Public Auditing*, INFOCOM 2010 (masking; there R
//! is a pairing value). D. Boneh, B. Lynn, H. Shacham, *Short Signatures from the Weil Pairing*,
//! ASIACRYPT 2001 (hash into the curve). RFC 9380, section 8.8.1 (cofactor). Bellare, Garay,
//! Rabin, *Fast Batch Verification*, EUROCRYPT 1998 (random weights).

mod block;
mod challenge;
mod curve;
mod index;
mod keys;
mod multiproof;
mod proof;
mod record;
mod tag;

use thiserror::Error;

pub use block::{
    Block, BlockName, BlockVersion, FileId, LENGTH_BYTES, MAX_SECTORS, SECTOR_BYTES, Sectors,
};
pub use challenge::{Challenge, MAX_CHALLENGED, detection_probability};
pub use index::{Index, Root};
pub use keys::{GroupKey, GroupSecret, KeyId};
pub use multiproof::IndexProof;
pub use proof::{Audit, Proof, Prover, verify_many};
pub use record::{FileRecord, MAX_AUTH, RecordDigest};
pub use tag::{Tag, Tagged, verify_tags};

/// Why something is refused. Malformed bytes are refused earlier, with a
/// [`commonware_codec::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Not a number of sectors.
    #[error("expected 1 to {MAX_SECTORS} sectors in a block, got {0}")]
    Sectors(u16),
    /// Content that does not fit in a block.
    #[error("expected at most {capacity} bytes in a block, got {got}")]
    BlockLength {
        /// Most bytes of a block under this key.
        capacity: usize,
        /// Bytes given.
        got: usize,
    },
    /// A block or proof made for a key with other sectors.
    #[error("expected {expected} sectors, as the key has, got {got}")]
    SectorCount {
        /// Sectors of the key.
        expected: usize,
        /// Sectors of the block or proof.
        got: usize,
    },
    /// Bytes that are no tagging secret.
    #[error("expected a tagging secret: 2 to 257 numbers of 32 bytes, none of them zero")]
    Secret,
    /// The key is not the one that is named.
    #[error("expected the group key that the record or identifier names, got another or none")]
    WrongKey,
    /// No live block of this id: never appended, or deleted.
    #[error("expected the id of a live block, got {0}")]
    UnknownBlock(u64),
    /// All ids of the index are used up.
    #[error("index is full: expected less than 2^40 blocks ever appended")]
    Full,
    /// Ranks that no challenge to this index has.
    #[error("expected one or more ascending ranks below the number of live blocks")]
    Ranks,
    /// Not a number of blocks to challenge.
    #[error("expected 1 to {MAX_CHALLENGED} challenged blocks, got {0}")]
    Challenged(u32),
    /// A file without live blocks.
    #[error("expected a file with live blocks: there is nothing to audit")]
    EmptyFile,
    /// A challenge derived from another record.
    #[error("expected a challenge derived from this record, got one of another record")]
    WrongChallenge,
    /// The prover was not given every challenged block once.
    #[error("expected {expected} challenged blocks, got {got}")]
    BlockCount {
        /// Blocks of the challenge.
        expected: usize,
        /// Blocks given.
        got: usize,
    },
    /// The uploader's fault: some tag of the batch does not belong to its block.
    #[error("expected true tags: at least one does not belong to its block, name, file and key")]
    Tags,
    /// The vault's fault: its index is not the recorded one.
    #[error("index proof does not lead to the recorded root, count and challenged ranks")]
    Index,
    /// The vault's fault: it does not hold the challenged blocks.
    #[error("proof does not answer this challenge: challenged blocks are changed or missing")]
    Proof,
}
