//! What a vehicle tells its caller.

use cairn_crypto::noise;
use cairn_ledger::Rid;
use thiserror::Error;

use super::MAX_COOKIES;
use crate::{
    login::{Asc, Code, Way},
    session::{AgreementDigest, MAX_VALIDITY_MS, RekeyError},
    trust::{BeaconError, ProofError},
    wire::WireError,
};

/// Why a datagram is refused, or an order cannot be followed.
#[derive(Debug, Error)]
pub enum Refusal {
    /// `V-WIRE-*`.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A message that only vehicles send.
    #[error("expected a message of an RSU")]
    NotForVehicles,
    /// `V-BEACON-*`.
    #[error(transparent)]
    Beacon(#[from] BeaconError),
    /// `V-PROOF-*`.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// `V-ACCEPT-1`: late, repeated, or for another vehicle.
    #[error("expected an answer to a login of ours")]
    NotAsked,
    /// `V-ACCEPT-2`, and the RSU's own key when logging in.
    #[error("answer does not open: {0}")]
    Handshake(#[from] noise::Error),
    /// `V-ACCEPT-3`.
    #[error("expected a validity of 1 to {MAX_VALIDITY_MS} ms, got {0}")]
    Validity(u32),
    /// `V-ACCEPT-2`.
    #[error("expected a code of refusal, got {0}")]
    Code(u8),
    /// `V-COOKIE-1`.
    #[error("more than {MAX_COOKIES} cookies for one login")]
    Cookies,
    /// `V-REKEY-*`.
    #[error(transparent)]
    Rekey(#[from] RekeyError),
    /// Our own order: no beacon of this RSU is both believed and fresh.
    #[error("no fresh and believed beacon of {0}")]
    NotInReach(Rid),
    /// Our own order: no credential is valid now. New ones have to be asked for.
    #[error("no valid credential left; ask for new ones")]
    Exhausted,
    /// Our own order: the vehicle changes its credential and says nothing until then.
    #[error("silent until {0}")]
    Silent(u64),
    /// Our own order: there is no session.
    #[error("no session")]
    NoSession,
}

/// What the caller is to do or to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this to the RSU.
    Send {
        /// The RSU.
        to: Rid,
        /// The datagram.
        datagram: Vec<u8>,
    },
    /// A beacon of this RSU was believed: it can be logged in to.
    Believed(Rid),
    /// A session has begun.
    LoggedIn {
        /// The RSU.
        rid: Rid,
        /// Full login or handover.
        way: Way,
        /// Names the session there.
        asc: Asc,
        /// End of validity (exclusive), milliseconds since 1970.
        until_ms: u64,
        /// What the RSU puts on the ledger.
        agreement: AgreementDigest,
    },
    /// The RSU refused the login, and it was the RSU.
    LoginRefused {
        /// The RSU.
        rid: Rid,
        /// Its reason.
        code: Code,
    },
    /// The RSU did not take the token. A full login there follows by itself, or over relays with the
    /// next [`Vehicle::handover_over`](super::Vehicle::handover_over).
    TokenRefused(Rid),
    /// The login got no answer while its beacon was fresh.
    LoginUnanswered(Rid),
    /// The session has a new key.
    Rekeyed {
        /// The RSU.
        rid: Rid,
        /// What the RSU puts on the ledger.
        agreement: AgreementDigest,
    },
    /// The rekey got no answer; the session goes on under its old key.
    RekeyUnanswered(Rid),
    /// The session's validity is over, its keys are erased.
    SessionOver(Rid),
}
