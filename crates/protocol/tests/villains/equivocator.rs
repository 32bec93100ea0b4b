//! A validator that says one thing to some and another to others.

use cairn_ledger::{ChainId, PrivateKey};
use cairn_protocol::danger::alarm::{Signed, Statement};

/// Two digests at one height, both signed.
pub fn equivocate(
    chain: &ChainId,
    validator: &PrivateKey,
    height: u64,
    time_ms: u64,
) -> [Signed; 2] {
    [1, 2].map(|digest| {
        let digest = [digest; 32];
        let statement = Statement {
            height,
            digest,
            time_ms,
        };
        statement.sign(chain, validator)
    })
}
