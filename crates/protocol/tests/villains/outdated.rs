//! A validator that shows an old state as the newest, so that vehicles act on yesterday's road.

use cairn_ledger::{ChainId, PrivateKey};
use cairn_protocol::danger::alarm::{Signed, Statement};

/// An old block, said to be the newest at `time_ms`.
pub fn outdated(
    chain: &ChainId,
    validator: &PrivateKey,
    (height, digest): (u64, [u8; 32]),
    time_ms: u64,
) -> Signed {
    let statement = Statement {
        height,
        digest,
        time_ms,
    };
    statement.sign(chain, validator)
}
