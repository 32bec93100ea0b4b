//! Time in the unit of the ledger.

use commonware_runtime::Clock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The runtime's clock in milliseconds since 1970.
pub(crate) fn now_ms(clock: &impl Clock) -> u64 {
    let since = clock.current().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// The moment `time_ms` milliseconds after 1970, or `None` if it is beyond the runtime's clock.
pub(crate) fn moment(time_ms: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(time_ms))
}
