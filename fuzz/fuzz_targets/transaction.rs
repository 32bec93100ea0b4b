//! What a validator takes from whoever submits: transactions, and what contracts read in them.
#![no_main]

use cairn_contracts::{keys::Operation, tokens::Batch};
use cairn_ledger::{
    Action, Block, SignedTransaction,
    
    light::LedgerProof,
};
use commonware_codec::{Decode as _, DecodeExt as _, Encode as _, RangeCfg};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(signed) = SignedTransaction::decode(bytes.to_vec()) {
        assert_eq!(signed.encode(), bytes, "one transaction, one encoding");
        assert!(signed.transaction().declared().count() <= 2_048);
        if let Action::Call { payload, .. } = &signed.transaction().action {
            let limits = (RangeCfg::from(1..=256), ());
            let _ = Vec::<Operation>::decode_cfg(payload.clone(), &limits);
            let _ = Batch::decode_cfg(payload.clone(), &());
        }
    }
    if let Ok(block) = Block::decode(bytes.to_vec()) {
        assert_eq!(block.encode(), bytes, "one block, one encoding");
    }
    if let Ok(proof) = LedgerProof::decode(bytes.to_vec()) {
        assert_eq!(proof.encode(), bytes, "one proof, one encoding");
    }
});
