//! Location services (PROTOCOLS.md section 8; paper 000, section 3.4).
//!
//! 1. A provider is registered on the ledger with its sealing key ([`cairn_contracts::providers`]). The
//!    vehicle asks its RSU for the ledger's proof of that, and believes it for [`PROVIDER_LIFE_MS`].
//! 2. For each provider the vehicle draws a *pseudonym*, for every question a nonce and a reply key, all at
//!    random. It seals `{pseudonym, nonce, reply key, question}` to the provider, and sends the RSU in their session
//!    `{provider, H(pseudonym ‖ nonce), sealed query, cell, T}` ([`Client`]).
//! 3. The RSU checks that the claimed cell can be true, and signs
//!    `{RSU, provider, H(pseudonym ‖ nonce), H(sealed query), cell, T}` ([`Desk`]): somebody who is logged in
//!    here, and whose pseudonym these bytes hide, is in this cell.
//! 4. The provider checks the statement against its cache of the ledger, at most [`MAX_STALENESS_MS`] old, opens
//!    the query, and answers under the reply key ([`Provider`]). The RSU passes the answer on.
//!
//! The provider learns pseudonym, cell, second, RSU and question; no UID, linkage value, session or token. The RSU
//! learns which provider is asked, and when and where, as it does anyway; neither pseudonym nor question nor answer, nor
//! by length what kind of them. Two providers have no value in common: everything that a vehicle sends to one is drawn for it
//! alone, and a vehicle asks two of them at least [`SPACING_MS`] apart. A vehicle alone on its road can be recognised by
//! cell and time nevertheless.
//!
//! PROTOCOLS.md has the vehicle use a credential of its own for each provider. A credential carries a
//! linkage value, which a provider would keep and which others can trace; and who is served is for the RSU to
//! check, which has checked a credential at the login. So the provider gets a random name under
//! the RSU's word instead. It lives [`PSEUDONYM_LIFE_MS`], so that the provider can learn how long roads take and no daily habits.
//! The paper's scheme shows the provider the registered public key, for ever.
//!
//! Sealing is [`seal_to`](cairn_crypto::credential::seal_to) to the provider and
//! [`RegisterKey`](cairn_crypto::seal::RegisterKey) under session and reply keys, as everywhere. Whoever can answer under the
//! reply key has opened the query, so an answer needs no signature. A seized provider key opens recorded queries, which
//! hold no identity.
//!
//! Rules of the RSU ([`Desk`]). Who fails 1 to 4 gets no answer, who fails another is told:
//! * `V-DESK-1` it opens under the session's key; `V-DESK-2` it decodes, padding is zero;
//! * `V-DESK-3` its time is within THR; `V-DESK-4` at least [`MIN_INTERVAL_MS`] newer than the vehicle's last one;
//! * `V-DESK-5` the vehicle's service has not ended by false cells;
//! * `V-DESK-6` the cell is in the RSU's reach;
//! * `V-DESK-7` the vehicle can have come there from the last cell that it claimed.
//!
//! Whoever breaks 6 or 7 [`FALSE_CELLS`] times within [`EVIDENCE_SPAN_MS`] is served here no more for [`ENDED_MS`], and the RSU votes
//! against the vehicle ([`Testimony`]).
//!
//! Rules of the provider ([`Provider`]):
//! * `V-LBS-1` form; `V-LBS-2` for this provider, at most [`MAX_AGE_MS`] old;
//! * `V-LBS-3` the RSU is registered, valid and not revoked in a state that is at most [`MAX_STALENESS_MS`] old;
//! * `V-LBS-4` its signature fits; `V-LBS-5` the cell is in the reach of its registered position;
//! * `V-LBS-6` the statement is new; `V-LBS-7` the query opens, and is the one that the statement speaks of.
//!
//! Rules of the vehicle ([`Client`]):
//! * `V-ASK-1` a proof shows a provider that was asked for, at most 60 s old; `V-ASK-2` the provider's key is valid now;
//! * `V-ASK-3` an answer is of the question under way and opens under its reply key.

mod cell;
mod client;
mod desk;
mod encoding;
mod frames;
mod points;
mod provider;
mod roads;
mod testimony;

pub use cell::{CELL_M, Cell, Contradiction, Reach};
pub use client::{Asked, Client, ClientError, Got};
pub use desk::{Desk, DeskError, Order, reply};
pub use encoding::{Answer, Name, Question, Request, SEALED_ANSWER_BYTES};
pub use frames::Notice;
pub(crate) use frames::{MAX_SEALED_NOTICE, SEALED_ORDER_BYTES};
pub use points::{MAX_DISTANCE_M, MAX_POINTS, Point, Points, TooMany};
pub use provider::{Book, Provider, ProviderError};
pub use roads::{MIN_SAMPLES, Roads};
pub use testimony::{MAX_CLAIMS, Testimony, TestimonyError};

/// How long a vehicle believes what a proof showed of a provider, in milliseconds: so long does a revoked
/// provider go on getting questions.
pub const PROVIDER_LIFE_MS: u64 = 600_000;

/// How old the ledger state may be that a provider judges an RSU by, in milliseconds of block time: so long does a revoked
/// RSU go on vouching. As long as vehicles accept.
pub const MAX_STALENESS_MS: u64 = 60_000;

/// How old a statement may be when it comes to the provider, in milliseconds: the vehicle's clock, the RSU's, and the way.
pub const MAX_AGE_MS: u64 = 2 * crate::THR_MS + 1_000;

/// How long a pseudonym lives, in milliseconds: a trip across a town.
pub const PSEUDONYM_LIFE_MS: u64 = 1_200_000;

/// The shortest time between two questions of a vehicle, whichever providers they go to, in milliseconds.
pub const SPACING_MS: u64 = 3_000;

/// The shortest time between two requests that an RSU takes of one vehicle, in milliseconds.
pub const MIN_INTERVAL_MS: u64 = 1_000;

/// False cells that end a vehicle's service: one may be a bad fix.
pub const FALSE_CELLS: usize = 2;

/// The longest time between them, in milliseconds.
pub const EVIDENCE_SPAN_MS: u64 = 120_000;

/// For how long the service then ends, in milliseconds: longer than a vehicle stays at one RSU.
pub const ENDED_MS: u64 = 3_600_000;

/// The most cells ahead in one question: a kilometre.
pub const MAX_AHEAD: usize = 4;
