//! Road networks in one process: validators, authorities, RSUs and vehicles, around the roles of
//! `cairn-protocol` and the chain of `cairn-chain`.
//!
//! | module | what it is |
//! |---|---|
//! | [`embedded`] | a whole network over sockets on the loopback interface |
//! | [`network`] | what such a network brings up: contracts, authorities, RSUs |
//! | [`replay`] | traffic on a running network, step by step |
//! | [`obu`], [`roadside`], [`authority`] | vehicle, RSU, and TA with LEA, as tasks |
//! | [`outbox`] | what an RSU still has to put on the ledger |
//! | [`radio`] | datagrams between vehicles and RSUs |
//! | [`files`] | audited files: a store with a vault, a ledger and an auditor of its own |
//! | [`ledger`] | access to the chain, with measurements |
//! | [`clock`] | trace time |
//! | [`home`], [`register`] | the data directory, and the TA's register in it |
//! | [`report`], [`counters`] | what a run did, in numbers |

pub mod authority;
pub mod clock;
pub mod counters;
pub mod embedded;
pub mod files;
pub mod home;
pub mod ledger;
pub mod network;
pub mod obu;
pub mod outbox;
pub mod radio;
pub mod register;
pub mod replay;
pub mod report;
pub mod roadside;

/// The position of a place of the trace in the ledger's unit. Places of traces lie within
/// ±20,000 km, which fits.
fn to_position(place: cairn_scenario::Metres) -> cairn_ledger::Position {
    cairn_ledger::Position {
        x_cm: (place.x * 100.0).round() as i32,
        y_cm: (place.y * 100.0).round() as i32,
    }
}
