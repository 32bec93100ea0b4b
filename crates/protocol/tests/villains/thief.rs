//! Somebody who has stolen keys of RSUs, and signs what never was.

use cairn_contracts::danger::{Trip, TripRecord};
use cairn_ledger::{Address, ChainId, PrivateKey, Rid, Signature};
use cairn_protocol::danger::command::{Command, witness};

/// A command under the stolen keys.
pub fn forge(
    chain: &ChainId,
    contract: &Address,
    trip: &Trip,
    record: TripRecord,
    stolen: &[(Rid, PrivateKey)],
) -> Command {
    let sign = |(rid, key): &(Rid, PrivateKey)| -> (Rid, Signature) {
        (*rid, witness(chain, contract, trip, &record, key))
    };
    Command::Witnessed {
        record,
        witnesses: stolen.iter().map(sign).collect(),
    }
}
