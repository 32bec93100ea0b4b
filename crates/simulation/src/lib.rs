//! A validator in the deterministic runtime, on simulated links and in virtual time: the same seed
//! gives the same history, block for block.
//!
//! For tests and experiments. It is a crate of its own, so that the validator in this runtime is
//! compiled once, here, and only when it is needed: that is minutes of compilation.

use cairn_chain::{BlockClock, Config, StartError, Validator, simulated::SimulatedLinks};
use commonware_runtime::deterministic::Context;
use futures::{FutureExt as _, future::BoxFuture};

/// Starts a validator on its links; see [`Validator::start_at`].
pub fn start_validator(
    context: Context,
    config: Config,
    links: SimulatedLinks<Context>,
    clock: BlockClock,
) -> BoxFuture<'static, Result<Validator<Context>, StartError>> {
    Validator::start_at(context, config, links, clock).boxed()
}
