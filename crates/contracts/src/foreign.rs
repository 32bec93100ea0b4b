//! What another chain says, checked inside a contract.
//!
//! 1. A call carries a [`LedgerProof`] of the other chain.
//! 2. Every validator checks certificate and inclusion proofs with [`light::Client`], under the
//!    chain id and network key that the directory has registered *now*: a certificate of another
//!    chain, or of an earlier epoch's key, is refused.
//! 3. The check weighs the two signatures of the certificate by random numbers. Validators must
//!    agree, so these are the hash of the whole proof (Fiat-Shamir): whoever makes a proof cannot
//!    choose them.
//!
//! One proof costs a validator about 1.5 ms, so a call carries at most one.

use crate::encoding::Opaque;
use cairn_ledger::{
    ChainId, Refusal,
    genesis::NetworkKey,
    hash,
    light::{self, LedgerProof, Verified},
};
use commonware_codec::{DecodeExt as _, Encode as _};
use core::convert::Infallible;
use rand_core::{TryCryptoRng, TryRng};

/// Most bytes of a proof in a call: 16 entries of a state with a billion records.
pub const MAX_PROOF_BYTES: usize = 32 * 1024;

/// An encoded [`LedgerProof`] of another chain.
pub type ForeignProof = Opaque<MAX_PROOF_BYTES>;

impl ForeignProof {
    /// Encodes a proof.
    ///
    /// # Panics
    ///
    /// When it is larger than [`MAX_PROOF_BYTES`]; 16 entries never are.
    #[must_use]
    pub fn of(proof: &LedgerProof) -> Self {
        Self::try_from(proof.encode()).expect("16 entries fit")
    }
}

/// Checks what `proof` says of the chain `chain`.
///
/// # Errors
///
/// [`Refusal::InvalidProof`].
pub fn verify(
    chain: &ChainId,
    network_key: NetworkKey,
    proof: &ForeignProof,
) -> Result<Verified, Refusal> {
    let refused = |_| Refusal::InvalidProof;
    let mut weights = Weights::new(proof.bytes());
    let proof = LedgerProof::decode(proof.bytes().clone()).map_err(refused)?;
    light::Client::new(chain, network_key)
        .verify(&proof, &mut weights)
        .map_err(|_| Refusal::InvalidProof)
}

/// SHA-256 in counter mode over the proof's digest.
struct Weights {
    seed: [u8; 32],
    block: u64,
}

impl Weights {
    fn new(proof: &[u8]) -> Self {
        Self {
            seed: hash(b"cairn/1/foreign/weights", &[proof]),
            block: 0,
        }
    }
}

impl TryRng for Weights {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            let block = hash(
                b"cairn/1/foreign/block",
                &[&self.seed, &self.block.to_be_bytes()],
            );
            chunk.copy_from_slice(&block[..chunk.len()]);
            self.block += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Weights {}
