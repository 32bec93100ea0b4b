//! Time in the unit of the ledger.

use commonware_runtime::Clock;
use std::{sync::Arc, time::UNIX_EPOCH};

/// What block time is taken from: milliseconds since 1970, never going back.
///
/// A network that replays traffic runs on the time of its trace; any other on the runtime's clock.
pub type BlockClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Block time from the runtime's clock.
pub fn runtime_clock(clock: impl Clock) -> BlockClock {
    Arc::new(move || {
        let since = clock.current().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
    })
}
