//! Danger between vehicle and RSU (PROTOCOLS.md section 11; paper 004).
//!
//! ```text
//! vehicle --sealed report--> RSU --> vault (report), contract `danger` (commitment, evaluation)
//! vehicle <--sealed command with proof-- RSU
//! everybody <--signed statements-- validators        (network alarm, without the ledger)
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`report`] | what a vehicle says: an address per trip, sealed under an access policy |
//! | [`command`] | what it is told, and why it believes that |
//! | [`alarm`] | when it believes the network no more |

pub mod alarm;
pub mod command;
pub mod report;
