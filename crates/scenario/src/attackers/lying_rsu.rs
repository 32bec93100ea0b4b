//! An RSU that votes against honest vehicles and spares those it should vote against.

/// How many votes it casts against a vehicle that it hears, given whether it honestly would vote.
pub fn votes(would_vote: bool) -> u32 {
    u32::from(!would_vote)
}
