//! What goes between a vehicle and its RSU, byte by byte, before the session seals it. Integers are big endian; what is
//! shorter than its place is followed by zeros.
//!
//! | what | bytes | layout |
//! |---|---|---|
//! | order in a session | 203 | tag 1 (0: proof wanted; 1: query), provider 2, T 8, commitment 32, cell 8, sealed query 152 |
//! | notice in a session | 97; with a proof more | tag 1 (0: answer; 1: refused; 2: proof), T 8, sealed answer 88, or code 1, or a proof |

use bytes::BufMut;
use cairn_contracts::providers::ProviderId;
use cairn_crypto::{
    seal::{OVERHEAD, RegisterKey},
    transcript::{Domain, derive},
};
use commonware_codec::{Copying, Error, ReadExt, Write};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{
    Cell,
    encoding::{SEALED_ANSWER_BYTES, SEALED_QUERY_BYTES, nothing_but_zeros, padded},
};
use crate::{login::Asc, session::SessionKey};

const SESSION: Domain = Domain::new("cairn/1/service/session");

const ORDER_BYTES: usize = 1 + 2 + 8 + 32 + 8 + SEALED_QUERY_BYTES;
const NOTICE_BYTES: usize = 1 + 8 + SEALED_ANSWER_BYTES;

/// Bytes that a session adds to what it carries.
const FRAME_OVERHEAD: usize = OVERHEAD;

/// Bytes of a sealed order.
pub(crate) const SEALED_ORDER_BYTES: usize = FRAME_OVERHEAD + ORDER_BYTES;

/// The most bytes of a sealed notice.
pub(crate) const MAX_SEALED_NOTICE: usize = FRAME_OVERHEAD + 1 + 2 + crate::wire::MAX_PROOF_BYTES;

/// What a vehicle asks of its RSU, before the session seals it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The ledger's proof of a provider.
    Proof(ProviderId),
    /// A query passed on.
    Query {
        provider: ProviderId,
        time_ms: u64,
        commitment: [u8; 32],
        cell: Cell,
        query: [u8; SEALED_QUERY_BYTES],
    },
}

impl Wanted {
    pub(super) fn to_bytes(&self) -> [u8; ORDER_BYTES] {
        padded(|bytes| match self {
            Self::Proof(provider) => {
                0_u8.write(bytes);
                provider.write(bytes);
            }
            Self::Query {
                provider,
                time_ms,
                commitment,
                cell,
                query,
            } => {
                1_u8.write(bytes);
                provider.write(bytes);
                time_ms.write(bytes);
                commitment.write(bytes);
                cell.write(bytes);
                bytes.put_slice(query);
            }
        })
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let buf = &mut Copying(bytes);
        let wanted = match u8::read(buf)? {
            0 => Self::Proof(ReadExt::read(buf)?),
            1 => Self::Query {
                provider: ReadExt::read(buf)?,
                time_ms: ReadExt::read(buf)?,
                commitment: ReadExt::read(buf)?,
                cell: ReadExt::read(buf)?,
                query: ReadExt::read(buf)?,
            },
            tag => return Err(Error::InvalidEnum(tag)),
        };
        nothing_but_zeros(buf)?;
        Ok(wanted)
    }
}

/// What an RSU tells a vehicle, before the session seals it.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// The provider's answer to the question of this time.
    Answer {
        /// Time of the question.
        asked_ms: u64,
        /// Sealed by the provider.
        sealed: [u8; SEALED_ANSWER_BYTES],
    },
    /// No answer will come to the question of this time.
    Refused {
        /// Time of the question.
        asked_ms: u64,
        /// Whether the claimed cell is why.
        for_cell: bool,
    },
    /// What the ledger says of a provider: an encoded [`LedgerProof`](cairn_ledger::light::LedgerProof), as long as a proof datagram at most.
    Proof(Vec<u8>),
}

impl Notice {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Answer { asked_ms, sealed } => padded::<NOTICE_BYTES>(|bytes| {
                0_u8.write(bytes);
                asked_ms.write(bytes);
                bytes.put_slice(sealed);
            })
            .to_vec(),
            Self::Refused { asked_ms, for_cell } => padded::<NOTICE_BYTES>(|bytes| {
                1_u8.write(bytes);
                asked_ms.write(bytes);
                for_cell.write(bytes);
            })
            .to_vec(),
            Self::Proof(proof) => [&[2], proof.as_slice()].concat(),
        }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let buf = &mut Copying(bytes);
        let tag = u8::read(buf)?;
        if tag == 2 {
            return Ok(Self::Proof(buf.0.to_vec()));
        }
        let asked_ms = ReadExt::read(buf)?;
        let notice = match tag {
            0 => Self::Answer {
                asked_ms,
                sealed: ReadExt::read(buf)?,
            },
            1 => Self::Refused {
                asked_ms,
                for_cell: ReadExt::read(buf)?,
            },
            tag => return Err(Error::InvalidEnum(tag)),
        };
        nothing_but_zeros(buf)?;
        Ok(notice)
    }
}

/// Who speaks in a session: so that nothing comes back as its own answer.
#[derive(Clone, Copy)]
pub(super) enum From {
    Vehicle,
    Rsu,
}

fn session_key(session: &SessionKey, asc: Asc) -> RegisterKey {
    RegisterKey::new(&derive(SESSION, session.as_bytes(), &[&asc.0]))
}

fn session_context(from: From, asc: Asc) -> [u8; 9] {
    let mut context = [from as u8; 9];
    context[1..].copy_from_slice(&asc.0);
    context
}

pub(super) fn seal_in(
    session: &SessionKey,
    asc: Asc,
    from: From,
    plain: &[u8],
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let sealed = session_key(session, asc).seal(&session_context(from, asc), plain, rng);
    sealed.expect("orders and notices are smaller than a field")
}

pub(super) fn open_in(
    session: &SessionKey,
    asc: Asc,
    from: From,
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let context = session_context(from, asc);
    session_key(session, asc).open(&context, sealed).ok()
}
