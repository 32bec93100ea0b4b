//! How a transaction reaches the validators other than the one that it was submitted to.
//!
//! 1. G-1 The validator that a transaction was submitted to checks its signatures and sends it to
//!    all others, once; several that wait go into one message.
//! 2. G-2 A receiver checks form and signatures and keeps what it did not know. It does not send it
//!    on: validators are fully connected.
//! 3. G-3 Who sends something malformed or with an invalid signature is cut off: an honest validator
//!    checks before it sends.
//!
//! A lost message costs time, not the transaction: the first validator keeps it in its own pool and
//! proposes it when it leads, which happens once every n views.

use crate::{
    book::Book,
    engine::Runtime,
    limits::{MAX_GOSSIP_BYTES, MAX_GOSSIP_TRANSACTIONS},
};
use bytes::Bytes;
use cairn_ledger::{ChainId, PublicKey, SignedTransaction, transaction::verify_signatures};
use commonware_codec::{Decode as _, Encode as _, EncodeSize as _, RangeCfg};
use commonware_p2p::{Blocker, CheckedSender as _, Receiver, Recipients, Sender};
use commonware_parallel::Sequential;
use commonware_utils::channel::mpsc;
use std::sync::Arc;
use tracing::debug;

/// Transactions that were submitted together.
pub(crate) type Batch = Vec<Arc<SignedTransaction>>;

/// Bytes that the number of transactions takes in front of them, at most.
const PREFIX_BYTES: usize = 5;

/// G-1: sends what was submitted here to everybody else.
pub(crate) async fn send<E: Runtime>(
    runtime: E,
    mut submitted: mpsc::Receiver<Batch>,
    mut network: impl Sender<PublicKey = PublicKey>,
) {
    let mut waiting = Vec::new();
    while let Some(batch) = submitted.recv().await {
        waiting.extend(batch);
        while let Ok(batch) = submitted.try_recv() {
            waiting.extend(batch);
        }
        for message in messages(&waiting) {
            loop {
                match network.check(Recipients::All) {
                    Ok(checked) => {
                        let _ = checked.send(message, false);
                        break;
                    }
                    Err(retry_at) => runtime.sleep_until(retry_at).await,
                }
            }
        }
        waiting.clear();
    }
}

/// Packs transactions into messages of at most [`MAX_GOSSIP_BYTES`].
fn messages(transactions: &[Arc<SignedTransaction>]) -> Vec<Bytes> {
    let mut messages = Vec::new();
    let mut batch: Vec<SignedTransaction> = Vec::new();
    let mut bytes = PREFIX_BYTES;
    for transaction in transactions {
        let size = transaction.encode_size();
        if bytes + size > MAX_GOSSIP_BYTES || batch.len() == MAX_GOSSIP_TRANSACTIONS {
            messages.push(batch.encode());
            batch.clear();
            bytes = PREFIX_BYTES;
        }
        batch.push(SignedTransaction::clone(transaction));
        bytes += size;
    }
    messages.push(batch.encode());
    messages
}

/// G-2 and G-3: takes in what others send.
pub(crate) async fn receive<E: Runtime>(
    mut runtime: E,
    chain: ChainId,
    book: Book,
    mut network: impl Receiver<PublicKey = PublicKey>,
    mut blocker: impl Blocker<PublicKey = PublicKey>,
) {
    while let Ok((peer, message)) = network.recv().await {
        let range = RangeCfg::from(1..=MAX_GOSSIP_TRANSACTIONS);
        let Ok(mut transactions) = Vec::<SignedTransaction>::decode_cfg(message, &(range, ()))
        else {
            book.count(|counters| counters.rejected += 1);
            commonware_p2p::block!(blocker, peer, "peer sent malformed transactions");
            continue;
        };
        let now_ms = book.now_ms();
        transactions.retain(|transaction| transaction.transaction().expires_ms >= now_ms);
        book.retain_unknown(&mut transactions);
        if transactions.is_empty() {
            continue;
        }
        let references: Vec<_> = transactions.iter().collect();
        if !verify_signatures(&chain, &references, &mut runtime, &Sequential) {
            book.count(|counters| counters.rejected += 1);
            commonware_p2p::block!(blocker, peer, "peer sent an invalid signature");
            continue;
        }
        let transactions: Batch = transactions.into_iter().map(Arc::new).collect();
        if book.insert(&transactions).is_err() {
            debug!(
                count = transactions.len(),
                "no room for a peer's transactions"
            );
            book.count(|counters| counters.dropped += transactions.len() as u64);
        }
    }
}
