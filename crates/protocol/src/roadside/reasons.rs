//! Why an RSU refuses what it receives.

use cairn_crypto::{linkage::LinkageValue, noise};
use cairn_ledger::{Rid, StateKey, Uid};
use thiserror::Error;

use crate::{
    login::{Asc, Code, CredentialError},
    session::RekeyError,
    token::{Holder, MAX_HANDOVERS, SPEND_MARGIN_MS},
    wire::{BeaconId, WireError},
};

/// Why a datagram is refused without an answer. The sender is at fault, if not stated otherwise.
#[derive(Debug, Error)]
pub enum Refusal {
    /// `V-WIRE-*`.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A message that only RSUs send.
    #[error("expected a message of a vehicle")]
    NotForRsus,
    /// A proof request for another RSU.
    #[error("proof of {0} wanted")]
    OtherRsu(Rid),
    /// `V-HELLO-1`: never ours, too old, or from before a restart. The vehicle hears a newer one.
    #[error("no answerable beacon {0:?}")]
    Beacon(BeaconId),
    /// `V-HELLO-2`.
    #[error("another login already used this ephemeral key")]
    EphemeralReused,
    /// `V-HELLO-2`: a repetition of a `Hello` that is being worked on. Nobody is at fault.
    #[error("login is in progress")]
    InProgress,
    /// `V-HELLO-2`: [`super::MAX_REMEMBERED`] is reached. Load or an attack is at fault.
    #[error("no room to remember another login")]
    Full,
    /// `V-HELLO-4`.
    #[error("login does not open: {0}")]
    Handshake(#[from] noise::Error),
    /// `V-HELLO-5`, `V-HELLO-6`.
    #[error("credential: {0}")]
    Credential(#[from] CredentialError),
    /// `V-REKEY-2`: no such session (any more).
    #[error("no session {0:?}")]
    NoSession(Asc),
    /// `V-REKEY-*`.
    #[error(transparent)]
    Rekey(#[from] RekeyError),
}

/// Why an opened login is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Why {
    /// The caller did not look up what [`super::Opened::needs`] or its `needs_more` names. Our own bug.
    #[error("record {0} was not looked up")]
    RecordMissing(StateKey),
    /// The ledger's record does not decode. Our own bug.
    #[error("record {0} is not of the expected kind")]
    RecordMalformed(StateKey),
    /// `V-HELLO-7`.
    #[error("vehicle {0} is not registered")]
    NotRegistered(Uid),
    /// `V-HELLO-8`.
    #[error("signature does not fit the key of vehicle {0}")]
    Signature(Uid),
    /// `V-HELLO-9`.
    #[error("key of vehicle {0} is not valid now")]
    NotValid(Uid),
    /// `V-HELLO-10`.
    #[error("key of vehicle {0} is revoked")]
    Revoked(Uid),
    /// `V-TOKEN-*`.
    #[error("token of {0}: {1}")]
    Token(Holder, TokenWhy),
    /// `V-ANON-*`.
    #[error("credential with linkage value {0}: {1}")]
    Anonymous(LinkageValue, AnonymousWhy),
    /// `V-HELLO-11`: [`super::MAX_SESSIONS`] or [`super::MAX_SHOWN`] is reached.
    #[error("no room for another session")]
    Full,
}

impl Why {
    /// What the vehicle may learn of it.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::NotRegistered(_) | Self::Signature(_) => Code::NotRecognised,
            Self::NotValid(_) => Code::NotValid,
            Self::Revoked(_) => Code::Revoked,
            Self::Token(..) => Code::LogInFully,
            Self::Anonymous(_, why) => match why {
                AnonymousWhy::Epoch(_) | AnonymousWhy::Slot(_) => Code::NotValid,
                AnonymousWhy::Revoked => Code::Revoked,
                AnonymousWhy::Grid(_) | AnonymousWhy::Key | AnonymousWhy::Proof => {
                    Code::NotRecognised
                }
            },
            Self::RecordMissing(_) | Self::RecordMalformed(_) | Self::Full => Code::Busy,
        }
    }
}

/// Why an anonymous credential is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AnonymousWhy {
    /// `V-ANON-1`: no issuer key of this epoch is on the ledger (any more).
    #[error("no issuer key of epoch {0}")]
    Epoch(u16),
    /// `V-ANON-2`.
    #[error("no slot of the policy begins at {0} s")]
    Grid(u32),
    /// `V-ANON-2`.
    #[error("its slot, from {0} s, is not on now")]
    Slot(u32),
    /// `V-ANON-3`.
    #[error("revoked")]
    Revoked,
    /// `V-POS-5`: `W` is not canonical, or there is no key with this certificate.
    #[error("certificate has no key")]
    Key,
    /// `V-ANON-4`.
    #[error("proof does not fit issuer key, certificate and statement")]
    Proof,
}

/// Why a token is not taken. The vehicle learns none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenWhy {
    /// `V-TOKEN-1`: never minted, not final yet, or cleaned up.
    #[error("no record on the ledger")]
    Unknown,
    /// `V-TOKEN-2`.
    #[error("expires at {0}, in less than {SPEND_MARGIN_MS} ms")]
    Expired(u64),
    /// `V-TOKEN-3`.
    #[error("already spent")]
    Spent,
    /// `V-TOKEN-4`.
    #[error("minted for another holder")]
    Commitment,
    /// `V-TOKEN-5`.
    #[error("expected fewer than {MAX_HANDOVERS} handovers since the last full login, got {0}")]
    Hops(u8),
    /// `V-TOKEN-6`.
    #[error("the holder's key is not registered, not valid now, or the holder is revoked")]
    Holder,
    /// `V-TOKEN-7`.
    #[error("{0}, which minted it, is not registered or revoked")]
    Minter(Rid),
    /// `V-TOKEN-8`.
    #[error("proof does not fit token and statement")]
    Proof,
    /// `V-TOKEN-9`.
    #[error("already shown here")]
    Shown,
}
