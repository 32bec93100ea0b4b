//! Proofs for light clients.
//!
//! The state database proves its latest state only, and consensus certifies some blocks only
//! through a later one. So:
//!
//! 1. take a read lock, which holds the state at one root, and prove every key under it,
//! 2. find the header that commits to this root, and the certificate over exactly that block,
//! 3. if there is none, wait for the next finalised block and begin again.

use crate::{
    book::Book,
    chain::{ReadError, Reader},
    engine::Runtime,
    limits::MAX_PROOF_ATTEMPTS,
    state::{Database, State},
};
use cairn_ledger::{
    Block, Header, Record, StateKey,
    light::{Entry, Finalization, LedgerProof, MAX_ENTRIES, Scheme},
};
use commonware_consensus::marshal::{core::Mailbox, standard::Standard};
use commonware_cryptography::sha256::Digest;
use futures::{FutureExt as _, future::BoxFuture};

/// A recovered validator's storage.
pub(crate) struct Parts<E: Runtime> {
    pub(crate) state: State<E>,
    pub(crate) marshal: Mailbox<Scheme, Standard<Block>>,
    pub(crate) book: Book,
}

impl<E: Runtime> Reader for Parts<E> {
    fn get<'a>(
        &'a self,
        keys: &'a [StateKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Record>>, ReadError>> {
        async move {
            let references: Vec<_> = keys.iter().collect();
            let state = self.state.read().await;
            state
                .get_many(&references)
                .await
                .map_err(|error| ReadError::Storage(error.to_string()))
        }
        .boxed()
    }

    fn prove<'a>(&'a self, keys: &'a [StateKey]) -> BoxFuture<'a, Result<LedgerProof, ReadError>> {
        prove(self, keys).boxed()
    }
}

/// See the [module documentation](self).
async fn prove<E: Runtime>(parts: &Parts<E>, keys: &[StateKey]) -> Result<LedgerProof, ReadError> {
    if keys.len() > MAX_ENTRIES {
        return Err(ReadError::TooManyKeys(keys.len()));
    }
    let mut tip = parts.book.tip();
    for _ in 0..MAX_PROOF_ATTEMPTS {
        tip.mark_unchanged();
        let (root, entries) = {
            let state = parts.state.read().await;
            let mut entries = Vec::with_capacity(keys.len());
            for key in keys {
                entries.push(entry(&state, *key).await?);
            }
            (state.root(), entries)
        };
        if let Some(header) = header(parts, &root).await {
            let recent = parts.book.certificate(&header.digest());
            let finalization = match recent {
                Some(finalization) => Some(finalization),
                None => stored_certificate(parts, &header).await,
            };
            if let Some(finalization) = finalization {
                return Ok(LedgerProof {
                    header,
                    finalization,
                    entries,
                });
            }
        }
        tip.changed().await.map_err(|_| ReadError::Stopped)?;
    }
    Err(ReadError::NoCertificate)
}

async fn entry<E: Runtime>(state: &Database<E>, key: StateKey) -> Result<Entry, ReadError> {
    let failed = |error: commonware_storage::qmdb::Error<_>| ReadError::Storage(error.to_string());
    Ok(match state.get(&key).await.map_err(failed)? {
        Some(record) => {
            let proof = state.key_value_proof(key).await.map_err(failed)?;
            Entry::Present(key, record, proof)
        }
        None => Entry::Absent(key, state.exclusion_proof(&key).await.map_err(failed)?),
    })
}

/// The header that commits to `root`: of a block applied since the start, or of the one that the
/// validator recovered.
async fn header<E: Runtime>(parts: &Parts<E>, root: &Digest) -> Option<Header> {
    if let Some(header) = parts.book.applied(root) {
        return Some(header);
    }
    let (_, block) = parts.marshal.get_anchor().await?;
    let header = block.inner().header();
    (header.state_root == *root).then(|| header.clone())
}

async fn stored_certificate<E: Runtime>(parts: &Parts<E>, header: &Header) -> Option<Finalization> {
    let stored = parts.marshal.get_finalization(header.height).await?;
    (stored.proposal.payload == header.digest()).then_some(stored)
}
