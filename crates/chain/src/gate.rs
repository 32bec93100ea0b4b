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
    engine::Runtime,
    limits::{IDLE_INTERVAL, MAX_CLOCK_SKEW, MIN_IDLE_WAIT},
};
use cairn_ledger::{Block, block::Context, light::Scheme};
use commonware_consensus::{Application, marshal::ancestry::Ancestry};
use commonware_cryptography::Digested;
use futures::{
    StreamExt as _,
    future::{self, Either},
};
use std::{pin::pin, time::Duration};

/// Between two looks at the clock while a block's time is ahead of it.
const SKEW_POLL: Duration = Duration::from_millis(50);

/// See the [module documentation](self).
#[derive(Clone)]
pub(crate) struct Gate<A> {
    pub(crate) application: A,
    pub(crate) book: Book,
}

impl<A> Gate<A> {
    /// C-8.
    async fn pace<E: Runtime>(&self, runtime: &E, parent: &Block) {
        // The wait is in real time, because a clock of trace time may stand still; and it is never
        // nothing, because a clock of trace time may run ahead.
        let age_ms = self.book.now_ms().saturating_sub(parent.header().time_ms);
        let rest = IDLE_INTERVAL.saturating_sub(Duration::from_millis(age_ms));
        let rest = rest.max(MIN_IDLE_WAIT);
        let mut arrivals = self.book.arrivals();
        let mut idle = pin!(runtime.sleep(rest));
        while !self.book.has_work(parent) {
            match future::select(&mut idle, pin!(arrivals.changed())).await {
                Either::Left(_) | Either::Right((Err(_), _)) => return,
                Either::Right((Ok(()), _)) => {}
            }
        }
    }

    /// C-9.
    async fn within_skew<E: Runtime>(&self, runtime: &E, time_ms: u64) {
        while let Some(ahead_ms) = time_ms.checked_sub(self.book.now_ms()) {
            let wait = Duration::from_millis(ahead_ms).saturating_sub(MAX_CLOCK_SKEW);
            if wait.is_zero() {
                return;
            }
            // Short waits, because a clock of trace time may jump.
            runtime.sleep(wait.min(SKEW_POLL)).await;
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
        self.within_skew(&context.0, block.inner().header().time_ms)
            .await;
        self.application.verify(context, ancestry).await
    }
}
