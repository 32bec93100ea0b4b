//! Contracts: what the nodes can compute.
//!
//! Code is compiled into the nodes under a name and a version. An authority's deploy transaction
//! creates an instance of it at an address of its own ([`Address::of_instance`]); calls name that
//! address. Chains take the code as a table ([`CODE`]), so that another contract changes nothing
//! below this crate.
//!
//! [`Address::of_instance`]: cairn_ledger::Address::of_instance

pub mod credentials;
pub mod credits;
pub mod danger;
pub mod directory;
pub mod encoding;
pub mod exchange;
pub mod files;
pub mod foreign;
pub mod groups;
pub mod keys;
pub mod misbehaviour;
pub mod policy;
pub mod providers;
pub mod records;
pub mod tokens;

/// All code that is compiled into a node.
pub const CODE: cairn_ledger::contract::Code = &[
    &keys::Keys,
    &tokens::Tokens,
    &files::Files,
    &groups::Groups,
    &misbehaviour::Misbehaviour,
    &records::Records,
    &policy::Policy,
    &directory::Directory,
    &exchange::Exchange,
    &danger::DangerContract,
    &credentials::Credentials,
    &credits::Credits,
    &providers::Providers,
];
