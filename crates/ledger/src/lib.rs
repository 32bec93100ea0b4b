//! The ledger of one chain: what a transaction is, what contracts do with it, and how anybody
//! checks the result without storing anything.
//!
//! ```text
//! SignedTransaction --declared keys--> chain fetches records --> execute() --> writes + receipts
//!                                                                     |
//!                    Header { state root, time, ... } <---------------+
//!                       |
//!   finality certificate over the header + inclusion proof under the state root --> light::Client
//! ```
//!
//! Everything here is deterministic and synchronous: no I/O, no clock, no storage. The crate
//! `cairn-chain` replicates this state machine; vehicles and RSUs use [`light`].
//!
//! One state machine serves all chains. A chain's [`Genesis`] names its validators, its
//! authorities and the contracts that may be deployed on it.

pub mod block;
pub mod contract;
pub mod execute;
pub mod genesis;
mod id;
pub mod light;
mod overlay;
pub mod receipt;
pub mod record;
pub mod transaction;

pub use block::{Block, Header};
pub use genesis::Genesis;
pub use id::{Address, ChainId, Position, Rid, StateKey, TxId, Uid, hash};
pub use receipt::{Receipt, Refusal};
pub use record::Record;
pub use transaction::{Access, Action, LocalKey, SignedTransaction, Transaction};

/// Ed25519 keys sign transactions and name validators, authorities and RSUs.
pub use commonware_cryptography::ed25519::{PrivateKey, PublicKey, Signature};
