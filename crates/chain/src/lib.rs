//! One ledger, replicated by validators: consensus, network, storage.
//!
//! ```text
//! submit -> mempool -> gossip -> every validator's mempool
//!                                      | leader takes the oldest
//!                                      v
//!                 block -> votes -> certificate -> state -> receipts, proofs, events
//! ```
//!
//! 1. A transaction is checked where it is submitted and sent to every validator (module `gossip`).
//! 2. The leader of a view builds a block from its pool and executes it (module `application`); with
//!    nothing to order it waits a second (module `gate`).
//! 3. The others execute it too, and vote when they get the same state. Consensus is Simplex, of
//!    the PBFT family: a block is final when n − f of n validators voted for it twice, with
//!    f = ⌊(n−1)/3⌋ of them arbitrarily faulty. The certificate is one threshold signature.
//! 4. A final block's state is stored, its transactions leave the pools, and whoever asked hears
//!    of it ([`Chain::finalized`]). [`Chain::prove`] convinces a light client of what is in the
//!    state and what is not (module `prover`).
//! 5. Old blocks and superseded records are dropped. A validator that was down catches up block by
//!    block; one with an empty disk synchronises the state from its peers (module `engine`).
//!
//! The same code runs on tokio over TCP ([`network`]) and in a deterministic simulation
//! ([`simulated`]). Time and randomness come from the runtime.

mod application;
mod book;
mod chain;
mod clock;
mod datadir;
mod dealer;
mod engine;
mod gate;
mod gossip;
pub mod limits;
mod links;
mod mempool;
pub mod network;
mod observer;
mod prover;
pub mod simulated;
mod state;
mod validator;

pub use book::{Counters, Finalized};
pub use chain::{Chain, ReadError, Status, SubmitError};
pub use clock::{BlockClock, runtime_clock};
pub use dealer::InsecureDealing;
pub use engine::Runtime;
pub use links::Links;
pub use validator::{Config, StartError, Validator};
