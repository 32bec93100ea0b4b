//! An RSU that repeats a vote against every vehicle it hears, to count more than once and to fill
//! the ledger.

/// How often it repeats a vote for each message that it hears.
pub const REPETITIONS: u32 = 100;

/// How many votes it casts against a vehicle that it hears, given whether it honestly would vote.
pub fn votes(_would_vote: bool) -> u32 {
    REPETITIONS
}
