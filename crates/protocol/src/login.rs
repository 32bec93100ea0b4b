//! Contents of the two login messages (PROTOCOLS.md sections 4 and 5). [`crate::vehicle`] and
//! [`crate::roadside`] carry them; [`cairn_crypto::noise`] seals them.
//!
//! 1. V draws `e_v` and `n'`, `Q' = n'P` (the secret of the next handover's token; the RSU never
//!    learns `n'`).
//! 2. V signs a statement: role, kind, suite, chain, RID, digest of the beacon, `e_v`, UID, `Q'`; or,
//!    anonymously, proves the secret of its credential for the same statement without UID. The
//!    beacon digest is the freshness. Because `e_v` is covered, whoever holds `E_r` cannot carry
//!    the proof into a session of its own.
//!    For a handover it proves the secret of its token instead ([`crate::token`]).
//! 3. V → RSU `Hello`: beacon id, `e_v`, AEAD of [`Credential`]. Noise prologue: the beacon's bytes.
//! 4. The RSU checks and answers `Accept`: `e_r'`, AEAD of AVP, the validity of the session in
//!    milliseconds, relative, so that clock offsets do not matter. Or `Refused`: AEAD of a
//!    [`Code`], which says only what the vehicle may learn. What cannot be opened gets no answer.
//! 5. Both derive from the handshake: ASC (8 bytes, names the session at this RSU), the session key,
//!    the basic key (see [`crate::session`]) and the agreement digest for the ledger.

mod anonymous;

use cairn_crypto::{
    schnorr::{self, SecretKey, Signature},
    suite,
    transcript::{Digest, Domain, Transcript},
};
use cairn_ledger::{ChainId, Rid, Uid};
use commonware_codec::Encode as _;
use rand_core::CryptoRng;
use thiserror::Error;

pub use anonymous::{ANONYMOUS_BYTES, Anonymous};

use crate::{
    token::{Holder, TOKEN_BYTES, Token},
    wire::{Beacon, Path},
};

const REGISTERED: Domain = Domain::new("cairn/1/login/registered");
const ANONYMOUS: Domain = Domain::new("cairn/1/login/anonymous");
const TOKEN: Domain = Domain::new("cairn/1/login/token");
const BEACON: Domain = Domain::new("cairn/1/login/beacon-digest");

/// Bytes of a [`Registered`] credential: UID 8, `Q'` 32, signature 64.
pub const REGISTERED_BYTES: usize = 8 + schnorr::PUBLIC_KEY_BYTES + schnorr::SIGNATURE_BYTES;

/// Bytes of an acceptance: AVP, a number of milliseconds.
pub const ACCEPTANCE_BYTES: usize = 4;

/// Authentication status code: names a session at one RSU, 8 bytes, derived by both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asc(pub [u8; 8]);

/// Bytes that are no credential: wrong length, or a field is not canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CredentialError {
    /// `V-HELLO-5`: the length tells the kind; this one is of none.
    #[error(
        "expected {REGISTERED_BYTES} bytes of a registered credential, {TOKEN_BYTES} of a token \
         or {ANONYMOUS_BYTES} of an anonymous credential, got {0}"
    )]
    Length(usize),
    /// `V-HELLO-6`: `Q` is not canonical or the identity.
    #[error("token: {0}")]
    Token(schnorr::Error),
    /// `V-HELLO-6`: the holder is of no known kind.
    #[error("expected a holder that begins with 00 00 or 01, got {0:02x?}")]
    Holder([u8; 2]),
    /// `V-HELLO-6`: `W` or `z` is not canonical, or `W` the identity.
    #[error("anonymous credential: {0}")]
    Certificate(suite::Error),
    /// `V-HELLO-6`: `Q'` is not canonical or the identity.
    #[error("next token: {0}")]
    NextToken(schnorr::Error),
    /// `V-HELLO-6`: the signature or proof is not canonical.
    #[error("signature or proof: {0}")]
    Signature(schnorr::Error),
}

/// What a vehicle logs in with. Its length on the wire tells which it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A key on the ledger under a UID.
    Registered(Registered),
    /// A credential of the issuers, which does not tell who holds it.
    Anonymous(Anonymous),
    /// A one-time token of an earlier login: a handover.
    Token(Token),
}

/// How a login was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Fully, with the vehicle's registered key.
    Registered,
    /// Fully, with an anonymous credential.
    Anonymous,
    /// With a one-time token: a handover.
    Token,
}

/// A login under a registered key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The vehicle's registered name.
    pub uid: Uid,
    /// `Q'`, public part of the next handover's token.
    pub next_token: schnorr::PublicKey,
    /// Signature of the registered key over [`Context::registered`].
    pub signature: Signature,
}

/// What a proof is bound to, beside the credential's own fields.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The road chain.
    pub chain: &'a ChainId,
    /// The beacon that the login answers.
    pub beacon: &'a Beacon,
    /// `e_v`.
    pub ephemeral: &'a [u8; 32],
}

impl Context<'_> {
    /// The statement that a registered vehicle signs (step 2).
    #[must_use]
    pub fn registered(&self, uid: &Uid, next_token: &schnorr::PublicKey) -> Digest {
        self.statement(REGISTERED)
            .bytes(uid)
            .bytes(&next_token.to_bytes())
            .finish()
    }

    /// The statement that goes with the proof of an anonymous credential (step 2). The proof
    /// itself covers `(A, W, attrs)`.
    #[must_use]
    pub fn anonymous(&self, next_token: &schnorr::PublicKey) -> Digest {
        self.statement(ANONYMOUS)
            .bytes(&next_token.to_bytes())
            .finish()
    }

    /// The statement that goes with the proof of a token (step 2).
    #[must_use]
    pub fn token(
        &self,
        point: &schnorr::PublicKey,
        holder: &Holder,
        next_token: &schnorr::PublicKey,
    ) -> Digest {
        self.statement(TOKEN)
            .bytes(&point.to_bytes())
            .bytes(&holder.to_bytes())
            .bytes(&next_token.to_bytes())
            .finish()
    }

    /// What every statement covers; the domain tells the kind.
    fn statement(&self, kind: Domain) -> Transcript {
        let Rid(rid) = self.beacon.rid;
        Transcript::new(kind)
            .bytes(b"vehicle")
            .bytes(schnorr::SUITE.as_bytes())
            .bytes(self.chain)
            .number(u64::from(rid))
            .bytes(&beacon_digest(self.beacon).0)
            .bytes(self.ephemeral)
    }
}

impl Registered {
    /// Signs a login.
    #[must_use]
    pub fn sign(
        context: &Context<'_>,
        uid: Uid,
        key: &SecretKey,
        next_token: schnorr::PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let signature = key.sign(&context.registered(&uid, &next_token), rng);
        Self {
            uid,
            next_token,
            signature,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.uid);
        out.extend_from_slice(&self.next_token.to_bytes());
        out.extend_from_slice(&self.signature.to_bytes());
    }

    fn read(bytes: &[u8]) -> Result<Self, CredentialError> {
        let length = CredentialError::Length(bytes.len());
        let (uid, rest) = bytes.split_first_chunk().ok_or(length)?;
        let (token, rest) = rest.split_first_chunk().ok_or(length)?;
        let signature = rest.try_into().map_err(|_| length)?;
        Ok(Self {
            uid: Uid(*uid),
            next_token: schnorr::PublicKey::from_bytes(token)
                .map_err(CredentialError::NextToken)?,
            signature: Signature::from_bytes(signature).map_err(CredentialError::Signature)?,
        })
    }
}

impl Credential {
    /// `Q'`, public part of the next handover's token.
    #[must_use]
    pub const fn next_token(&self) -> &schnorr::PublicKey {
        match self {
            Self::Registered(registered) => &registered.next_token,
            Self::Anonymous(anonymous) => &anonymous.next_token,
            Self::Token(token) => &token.next_token,
        }
    }

    /// Who the vehicle says it is.
    #[must_use]
    pub const fn claimed(&self) -> Holder {
        match self {
            Self::Registered(registered) => Holder::Registered(registered.uid),
            Self::Anonymous(anonymous) => Holder::Anonymous(anonymous.linkage),
            Self::Token(token) => token.holder,
        }
    }

    /// How the vehicle logs in.
    #[must_use]
    pub const fn way(&self) -> Way {
        match self {
            Self::Registered(_) => Way::Registered,
            Self::Anonymous(_) => Way::Anonymous,
            Self::Token(_) => Way::Token,
        }
    }

    /// The sealed part of a `Hello`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ANONYMOUS_BYTES);
        match self {
            Self::Registered(registered) => registered.write(&mut out),
            Self::Anonymous(anonymous) => anonymous.write(&mut out),
            Self::Token(token) => token.write(&mut out),
        }
        out
    }

    /// Reads the opened part of a `Hello`.
    ///
    /// # Errors
    ///
    /// See [`CredentialError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CredentialError> {
        match bytes.len() {
            REGISTERED_BYTES => Registered::read(bytes).map(Self::Registered),
            ANONYMOUS_BYTES => Anonymous::read(bytes).map(Self::Anonymous),
            TOKEN_BYTES => Token::read(bytes).map(Self::Token),
            other => Err(CredentialError::Length(other)),
        }
    }
}

/// What a refused vehicle may learn. Nobody learns from it whether a UID exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// No such registered key or slot, or the proof does not fit.
    NotRecognised,
    /// The validity of the key (whose proof is right) or of the credential has not begun or is over.
    NotValid,
    /// The key (whose proof is right) has been revoked, or the credential, which everybody knows.
    Revoked,
    /// This RSU has no room. Another one, or later.
    Busy,
    /// The token is not taken, for whatever reason: log in fully.
    LogInFully,
}

impl Code {
    /// One byte.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::NotRecognised => 1,
            Self::NotValid => 2,
            Self::Revoked => 3,
            Self::Busy => 4,
            Self::LogInFully => 5,
        }
    }

    /// The code of this byte.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::NotRecognised),
            2 => Some(Self::NotValid),
            3 => Some(Self::Revoked),
            4 => Some(Self::Busy),
            5 => Some(Self::LogInFully),
            _ => None,
        }
    }
}

/// The bytes of a beacon as the Noise prologue: the datagram without its kind.
#[must_use]
pub fn prologue(beacon: &Beacon) -> Vec<u8> {
    beacon.encode().to_vec()
}

/// The prologue of a login through relays: the beacon, then the relays' keys. So both ends agree who
/// the relays are, and none can put others in their place. Without relays it is [`prologue`].
#[must_use]
pub fn prologue_over(beacon: &Beacon, path: &Path) -> Vec<u8> {
    let mut bytes = prologue(beacon);
    path.keys().for_each(|key| bytes.extend(key.0));
    bytes
}

/// The digest of a beacon, signature included.
#[must_use]
pub fn beacon_digest(beacon: &Beacon) -> Digest {
    Transcript::new(BEACON).bytes(&prologue(beacon)).finish()
}
