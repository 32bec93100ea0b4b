//! LEA: looks at every case again before it countersigns.

use cairn_contracts::keys::{self, Operation};
use cairn_ledger::{
    Action, Address, ChainId, PrivateKey, PublicKey, SignedTransaction, Uid,
    transaction::verify_signatures,
};
use commonware_codec::{Copying, DecodeRangeExt as _};
use commonware_parallel::Sequential;
use rand_core::CryptoRng;
use thiserror::Error;

use super::{Case, Proposal, RegistrarError, misbehaviour::Justified};
use crate::THR_MS;

/// The longest time between TA's proposal and LEA's review, in milliseconds: an hour, for people
/// look at cases.
pub const MAX_REVIEW_MS: u64 = 3_600_000;

/// Why the LEA does not countersign. The TA is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReviewError {
    /// `V-REVIEW-1`: signed by somebody else, by more, or wrongly.
    #[error("expected a call signed by the TA alone")]
    Signature,
    /// `V-REVIEW-1`.
    #[error("expected a call of contract keys at {0}")]
    Contract(Address),
    /// `V-REVIEW-1`: other operations than the cases justify.
    #[error("operation {0} is not what its case justifies")]
    Operation(usize),
    /// `V-REVIEW-2`.
    #[error("expected validity to begin within the last hour, got {0}")]
    Validity(u64),
    /// `V-REG-4`: the key to be replaced is not the one on the ledger.
    #[error("case {0} replaces another key than the registered one")]
    OldKey(usize),
    /// `V-REVIEW-3`.
    #[error("expected the one revocation that the evidence justifies")]
    NotJustified,
    /// `V-REG-*`: a case fails by itself.
    #[error("case {0}: {1}")]
    Case(usize, RegistrarError),
}

/// The LEA.
pub struct Reviewer {
    chain: ChainId,
    contract: Address,
    ta: PublicKey,
    signer: PrivateKey,
}

impl Reviewer {
    /// The LEA of a chain whose TA is `ta`.
    #[must_use]
    pub const fn new(chain: ChainId, contract: Address, ta: PublicKey, signer: PrivateKey) -> Self {
        Self {
            chain,
            contract,
            ta,
            signer,
        }
    }

    /// Reviews and countersigns a proposal. `registered` tells a vehicle's key in a finalised state
    /// of the ledger: what TA says of it is not enough.
    ///
    /// # Errors
    ///
    /// See [`ReviewError`].
    pub fn review(
        &self,
        proposal: &Proposal,
        registered: impl Fn(&Uid) -> Option<[u8; 32]>,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<SignedTransaction, ReviewError> {
        let signed = &proposal.transaction;
        let by_ta = signed.signers().eq([&self.ta]);
        if !by_ta || !verify_signatures(&self.chain, &[signed], rng, &Sequential) {
            return Err(ReviewError::Signature);
        }
        let operations = self.operations(signed)?;
        let Proposal { cases, from_ms, .. } = proposal;
        let (oldest, newest) = (now_ms.saturating_sub(MAX_REVIEW_MS), now_ms + THR_MS);
        if !(oldest..=newest).contains(from_ms) {
            return Err(ReviewError::Validity(*from_ms));
        }
        for (index, operation) in operations.iter().enumerate() {
            let case = cases.get(index).ok_or(ReviewError::Operation(index))?;
            if case.operation(*from_ms) != *operation {
                return Err(ReviewError::Operation(index));
            }
            case.check(&self.chain)
                .map_err(|error| ReviewError::Case(index, error))?;
            match case {
                Case::Update { old_key, request } if registered(&request.uid) != Some(*old_key) => {
                    return Err(ReviewError::OldKey(index));
                }
                _ => {}
            }
        }
        if cases.len() != operations.len() {
            return Err(ReviewError::Operation(operations.len()));
        }
        Ok(signed.clone().countersign(&self.chain, &self.signer))
    }

    /// Reviews and countersigns a revocation for false position messages, whose evidence LEA has
    /// re-verified with its own look at ledger and vault.
    ///
    /// # Errors
    ///
    /// See [`ReviewError`].
    pub fn review_misbehaviour(
        &self,
        proposal: &Proposal,
        justified: &Justified,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<SignedTransaction, ReviewError> {
        match &proposal.cases[..] {
            [Case::Revoke { uid, reason }]
                if Some(*uid) == justified.registered() && *reason == justified.reason() =>
            {
                self.review(proposal, |_| None, now_ms, rng)
            }
            _ => Err(ReviewError::NotJustified),
        }
    }

    fn operations(&self, signed: &SignedTransaction) -> Result<Vec<Operation>, ReviewError> {
        let wrong = ReviewError::Contract(self.contract);
        match &signed.transaction().action {
            Action::Call { contract, payload } if *contract == self.contract => {
                Vec::decode_range(Copying(payload), 1..=keys::MAX_OPERATIONS).map_err(|_| wrong)
            }
            _ => Err(wrong),
        }
    }
}
