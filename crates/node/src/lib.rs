//! Road networks in one process: validators, authorities, RSUs and vehicles, around the roles of
//! `cairn-protocol` and the chain of `cairn-chain`.
//!
//! | module | what it is |
//! |---|---|
//! | [`embedded`] | a whole network over sockets on the loopback interface |
//! | [`network`] | what such a network brings up: contracts, authorities, RSUs |
//! | [`replay`] | traffic on a running network, step by step |
//! | [`obu`], [`roadside`], [`authority`] | vehicle, RSU, and TA with LEA, as tasks |
//! | [`credentials`], [`revocations`] | enrolment with credentials, traces, published seeds |
//! | [`issuer`] | an issuer of credentials, as a task with a directory of its own |
//! | [`proofs`] | an RSU's proof of its own record, fetched ahead |
//! | [`outbox`] | what an RSU still has to put on the ledger |
//! | [`grants`], [`redeemer`] | what relays of logins earn, and who pays it |
//! | [`voice`], [`witness`], [`neighbours`] | position messages: what a vehicle says, how an RSU judges it, how other vehicles check it |
//! | [`services`], [`provider`] | location services: who offers them; a provider, as a task with a socket of its own |
//! | [`revocation`] | TA and LEA, who look at the evidence and revoke |
//! | [`villains`] | RSUs that lie |
//! | [`radio`] | datagrams between vehicles and RSUs |
//! | [`files`] | audited files: a store with a vault, a ledger and an auditor of its own |
//! | [`organisations`] | chains of their own, a relay chain, edges, exchange |
//! | [`hindsight`] | other systems' logs of position messages, judged by the same checks |
//! | [`ledger`], [`records`] | access to the chain, with measurements; records that are needed often |
//! | [`danger`] | a simulated road whose danger a real ledger evaluates |
//! | [`testnet`] | networks of several processes: configuration, keys, genesis, contracts |
//! | [`deployments`] | which contracts a chain has, with which parameters |
//! | [`clock`] | trace time |
//! | [`home`], [`register`] | the data directory, and the TA's register in it |
//! | [`report`], [`counters`], [`findings`] | what a run did, in numbers |

mod append;
pub mod authority;
pub mod clock;
pub mod counters;
pub mod credentials;
pub mod danger;
pub mod deployments;
pub mod embedded;
pub mod files;
pub mod findings;
pub mod grants;
pub mod hindsight;
pub mod home;
pub mod issuer;
pub mod ledger;
pub mod neighbours;
pub mod network;
pub mod obu;
pub mod organisations;
pub mod outbox;
pub mod proofs;
pub mod provider;
pub mod radio;
pub mod records;
pub mod redeemer;
pub mod register;
pub mod replay;
pub mod report;
pub mod revocation;
pub mod revocations;
pub mod roadside;
pub mod services;
pub mod testnet;
pub mod villains;
pub mod voice;
mod wallet;
pub mod witness;

pub use cairn_crypto::linkage::LinkageValue;
pub use cairn_protocol::vehicle::Rotation;

/// The position of a place of the trace in the ledger's unit. Places of traces lie within
/// ±20,000 km, which fits.
fn to_position(place: cairn_scenario::Metres) -> cairn_ledger::Position {
    cairn_ledger::Position {
        x_cm: (place.x * 100.0).round() as i32,
        y_cm: (place.y * 100.0).round() as i32,
    }
}
