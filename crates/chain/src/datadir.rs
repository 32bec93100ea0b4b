//! The mark that says which chain a validator's storage belongs to.

use crate::StartError;
use cairn_ledger::ChainId;
use commonware_storage::{
    Context,
    metadata::{self, Metadata},
};
use commonware_utils::{fixed_bytes, sequence::FixedBytes};

const CHAIN_ID: FixedBytes<1> = fixed_bytes!("01");

/// Marks the storage under `prefix` as that of `chain`, or finds it marked so.
pub(crate) async fn claim<E: Context>(
    context: E,
    prefix: &str,
    chain: ChainId,
) -> Result<(), StartError> {
    let config = metadata::Config {
        partition: format!("{prefix}-chain"),
        codec_config: (),
    };
    let mark = Metadata::<E, FixedBytes<1>, ChainId>::init(context, config)
        .await
        .map_err(|error| StartError::Storage(error.to_string()))?;
    match mark.get(&CHAIN_ID) {
        Some(found) if *found == chain => Ok(()),
        Some(found) => Err(StartError::OtherChain {
            expected: chain,
            found: *found,
        }),
        None => mark
            .put_sync(CHAIN_ID, chain)
            .await
            .map(drop)
            .map_err(|error| StartError::Storage(error.to_string())),
    }
}
