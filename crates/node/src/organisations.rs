//! Organisations with chains of their own, and a relay chain between them (PROTOCOLS.md section 9).
//!
//! ```text
//! device --reading--> edge --records--> vault
//!                      |  \--roots----> organisation's chain
//!                      |                       | proofs
//!   other edge <--envelope--                   v
//!        \-----request, receipt------->  relay chain  <--digest of the envelope, proof---
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`chain`] | one of several chains in this process |
//! | [`edge`] | an organisation's server: readings in, exchange out |
//! | [`exchange`] | the two edges' parts in an exchange |
//! | [`station`] | an edge beside validators of its chain and of the relay chain |
//! | [`client`] | what its operator and its devices send to their edge |
//! | [`home`] | an organisation's keys and what everybody may know of it, on disk |
//! | [`embedded`] | two organisations and a relay chain in one process |
//! | [`order`] | what an operator has its edge ask of another organisation |
//! | [`fetch`] | one request to another edge |
//! | [`rows`] | sensor rows to feed a factory with |
//!
//! All chains run the same code with the same contracts compiled in; they differ in their genesis
//! and in what is deployed on them.

pub mod chain;
pub mod client;
pub mod edge;
pub mod embedded;
pub mod exchange;
pub mod fetch;
pub mod home;
pub mod order;
pub mod rows;
pub mod station;

pub use cairn_contracts::{directory::OrgId, policy::Rule};
pub use cairn_crypto::{
    message::MessageSuite,
    suite::{Ristretto255, Sm2},
};
pub use cairn_exchange::{reading::parse_device, request::Wanted};
pub use cairn_vault::DeviceId;
