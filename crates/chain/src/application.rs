//! The ledger as consensus sees it: building blocks and checking them.
//!
//! Building on a parent block (leader):
//!
//! 1. C-1 block time is this validator's clock, but at least 1 ms after the parent's,
//! 2. C-2 take the oldest waiting transactions that the parent and its ancestors do not carry,
//! 3. C-3 read the records that they declare, execute, write, and hash the new state,
//! 4. C-4 put the roots and the digests of transactions and receipts into the header.
//!
//! Checking a block (everybody else):
//!
//! 1. C-5 its time is after the parent's (how far it may be ahead of the clock is the gate's
//!    matter, see [`crate::gate`]: that check only delays),
//! 2. C-6 every signature is valid; those of waiting transactions have been checked already,
//! 3. C-7 execution gives the receipts digest and the state root of the header. The framework
//!    compares the root and range of the operation log, and consensus the round and the parent.

use crate::{
    book::Book,
    engine::Runtime,
    state::{State, StateTarget},
};
use cairn_ledger::{
    Block, Genesis, Header, Receipt, SignedTransaction,
    block::{Context, body_digest},
    contract::Code,
    execute::{Change, Layout, execute},
    light::Scheme,
    receipt::receipts_digest,
    transaction::verify_signatures,
};
use commonware_consensus::{Heightable as _, marshal::ancestry::Ancestry, types::Height};
use commonware_cryptography::Digestible as _;
use commonware_glue::stateful::{
    self, Finality, Input, Proposed,
    db::{DatabaseSet, Reader},
};
use commonware_parallel::Sequential;
use commonware_storage::qmdb::current::batch::Slot;
use commonware_utils::non_empty_range;
use futures::StreamExt as _;
use std::sync::Arc;
use tracing::warn;

type Unmerkleized<E> = <State<E> as DatabaseSet<E>>::Unmerkleized;
type Merkleized<E> = <State<E> as DatabaseSet<E>>::Merkleized;

/// See the [module documentation](self).
#[derive(Clone)]
pub(crate) struct Application {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) code: Code,
    pub(crate) first: Block,
    pub(crate) book: Book,
}

/// The header of the genesis block commits to the state before any write.
pub(crate) fn genesis_block<E: Runtime>(genesis: &Genesis) -> Block {
    let empty = <State<E> as DatabaseSet<E>>::initial_sync_targets();
    Block::genesis(genesis, empty.root, empty.root, empty.range)
}

impl Application {
    /// C-3: executes `transactions` on `batch`.
    async fn execute<E: Runtime>(
        &self,
        time_ms: u64,
        transactions: &[SignedTransaction],
        batch: Unmerkleized<E>,
    ) -> (Merkleized<E>, Vec<Receipt>) {
        const STORAGE: &str = "the state can be read and hashed";
        let layout = Layout::of(transactions);
        let keys: Vec<_> = layout.keys().iter().collect();
        let (records, staged) = batch.stage(&keys).await.expect(STORAGE);
        let outcome = execute(&self.genesis, self.code, time_ms, &layout, records);
        let slots = outcome
            .changes
            .into_iter()
            .map(|change| match change {
                Change::Keep => Slot::Keep,
                Change::Put(record) => Slot::Put(record),
                Change::Delete => Slot::Delete,
            })
            .collect();
        let merkleized = staged.merkleize(slots, Vec::new()).await.expect(STORAGE);
        (merkleized, outcome.receipts)
    }

    /// C-5 and C-6.
    fn admissible<E: Runtime>(&self, context: &mut E, block: &Block, parent: &Block) -> bool {
        if block.header().time_ms <= parent.header().time_ms {
            warn!(height = %block.height(), "refused a block: its time is not after its parent's");
            return false;
        }
        let unverified = self.book.unverified(block);
        let chain = self.genesis.chain_id();
        if !unverified.is_empty() && !verify_signatures(&chain, &unverified, context, &Sequential) {
            warn!(height = %block.height(), "refused a block: a transaction's signature is invalid");
            return false;
        }
        true
    }
}

impl<E: Runtime> stateful::Application<E> for Application {
    type SigningScheme = Scheme;
    type Context = Context;
    type Block = Block;
    type Databases = State<E>;
    type Captured = ();
    type Provider = ();
    type Input = ();

    fn sync_targets(block: &Block) -> StateTarget {
        StateTarget::new(block.header().ops_root, block.header().ops_range.clone())
    }

    async fn genesis(&mut self) -> Block {
        self.first.clone()
    }

    async fn propose(
        &mut self,
        (_, context): (E, Context),
        ancestry: impl Ancestry<Block>,
        batch: Unmerkleized<E>,
        _: Input<(), ()>,
    ) -> Option<Proposed<Self, E>> {
        let mut ancestry = Box::pin(ancestry);
        let parent = ancestry.next().await?;
        let parent = parent.inner();
        let time_ms = self
            .book
            .now_ms()
            .max(parent.header().time_ms.checked_add(1)?);
        let transactions = self.book.select(parent, time_ms);
        let (merkleized, receipts) = self.execute(time_ms, &transactions, batch).await;
        let header = Header {
            context,
            parent: parent.digest(),
            height: Height::new(parent.height().get() + 1),
            time_ms,
            body: body_digest(&transactions),
            receipts: receipts_digest(&receipts),
            state_root: merkleized.root(),
            ops_root: merkleized.ops_root(),
            ops_range: non_empty_range!(merkleized.sync_boundary(), merkleized.bounds().tip.size),
        };
        let block = Block::new(header, transactions);
        self.book.executed(&block, receipts);
        Some(Proposed { block, merkleized })
    }

    async fn process(
        &mut self,
        (mut runtime, _): (E, Context),
        ancestry: impl Ancestry<Block>,
        batch: Unmerkleized<E>,
        finality: Finality,
    ) -> Option<Merkleized<E>> {
        let mut ancestry = Box::pin(ancestry);
        let block = ancestry.next().await?;
        let block = block.inner();
        if finality == Finality::Candidate {
            let parent = ancestry.next().await?;
            if !self.admissible(&mut runtime, block, parent.inner()) {
                return None;
            }
        }
        let header = block.header();
        let (merkleized, receipts) = self
            .execute(header.time_ms, block.transactions(), batch)
            .await;
        if merkleized.root() != header.state_root || receipts_digest(&receipts) != header.receipts {
            warn!(height = %header.height, "refused a block: execution gives another state or other receipts");
            return None;
        }
        self.book.executed(block, receipts);
        Some(merkleized)
    }

    async fn capture(
        &mut self,
        _: (E, Context),
        block: &Block,
        _: &Merkleized<E>,
        _: Reader<crate::state::Database<E>>,
    ) {
        self.book.applying(block);
    }

    async fn finalized(
        &mut self,
        _: (E, Context),
        block: &Block,
        (): (),
        _: Reader<crate::state::Database<E>>,
    ) {
        self.book.finalized(block);
    }
}
