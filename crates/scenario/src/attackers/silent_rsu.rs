//! An RSU that hears everything and never votes.

/// How many votes it casts against a vehicle that it hears, given whether it honestly would vote.
pub fn votes(_would_vote: bool) -> u32 {
    0
}
