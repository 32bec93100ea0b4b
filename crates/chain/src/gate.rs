//! When to propose and when to vote.
//!
//! The gate stands between consensus and the application. Waiting belongs here: while the
//! application builds or checks a block, nothing else can become final.
//!
//! 1. C-8 A leader with nothing to order waits until [`IDLE_INTERVAL`] after the parent's time, or
//!    until a transaction arrives. With something to order it builds at once.
//! 2. C-9 A validator votes for a block only when the block's time is at most [`MAX_CLOCK_SKEW`]
//!    ahead of its clock. A block is never refused for that, so a slow clock delays and does not
//!    split the network; consensus gives up the view, and with it the wait, when it takes too long.

use crate::{
    book::Book,
    clock::moment,
    engine::Runtime,
    limits::{IDLE_INTERVAL, MAX_CLOCK_SKEW},
};
use cairn_ledger::{Block, block::Context, light::Scheme};
use commonware_consensus::{Application, marshal::ancestry::Ancestry};
use commonware_cryptography::Digested;
use futures::{
    StreamExt as _,
    future::{self, Either},
};
use std::{future::Future, pin::pin, time::SystemTime};

/// See the [module documentation](self).
#[derive(Clone)]
pub(crate) struct Gate<A> {
    pub(crate) application: A,
    pub(crate) book: Book,
}

impl<A> Gate<A> {
    /// C-8.
    async fn pace<E: Runtime>(&self, runtime: &E, parent: &Block) {
        let idle_ms = u64::try_from(IDLE_INTERVAL.as_millis()).unwrap_or(u64::MAX);
        let Some(until) = moment(parent.header().time_ms.saturating_add(idle_ms)) else {
            return;
        };
        let mut arrivals = self.book.arrivals();
        let mut idle = pin!(runtime.sleep_until(until));
        while !self.book.has_work(parent) {
            match future::select(&mut idle, pin!(arrivals.changed())).await {
                Either::Left(_) | Either::Right((Err(_), _)) => return,
                Either::Right((Ok(()), _)) => {}
            }
        }
    }
}

impl<E, A> Application<E> for Gate<A>
where
    E: Runtime,
    A: Application<E, SigningScheme = Scheme, Context = Context, Block = Block, Input = ()> + Sync,
{
    type SigningScheme = Scheme;
    type Context = Context;
    type Block = Block;
    type Input = ();

    async fn propose(
        &mut self,
        context: (E, Context),
        ancestry: impl Ancestry<Block>,
        input: (),
    ) -> Option<Digested<Block>> {
        let parent = ancestry.clone().next().await?;
        self.pace(&context.0, parent.inner()).await;
        self.application.propose(context, ancestry, input).await
    }

    async fn verify(&mut self, context: (E, Context), ancestry: impl Ancestry<Block>) -> bool {
        let Some(block) = ancestry.clone().next().await else {
            return false;
        };
        within_skew(&context.0, block.inner().header().time_ms).await;
        self.application.verify(context, ancestry).await
    }
}

/// C-9: waits until `time_ms` is no more than [`MAX_CLOCK_SKEW`] ahead of the clock; for ever if
/// the clock cannot express it.
fn within_skew<E: Runtime>(runtime: &E, time_ms: u64) -> impl Future<Output = ()> + Send + use<E> {
    let wait = moment(time_ms)
        .and_then(|time: SystemTime| time.checked_sub(MAX_CLOCK_SKEW))
        .map(|time| (time > runtime.current()).then(|| runtime.sleep_until(time)));
    async move {
        match wait {
            Some(Some(sleep)) => sleep.await,
            Some(None) => {}
            None => future::pending().await,
        }
    }
}
