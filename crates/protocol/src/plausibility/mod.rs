//! Whether position messages can be true, as one RSU sees it (PROTOCOLS.md section 6).
//!
//! For every message that an RSU hears, once its signature has been verified:
//!
//! 1. A message older than THR, and one heard before, is passed over: anybody can delay and repeat
//!    radio, so nothing is held against its signer ([`Unusable`]).
//! 2. Each check of [`Check`] that the claim fails is a [`Suspicion`]. Checks compare it with the
//!    RSU's own position, with what other RSUs report of it, with the same key's claims before it,
//!    and with other keys' claims. Every threshold is in [`Bounds`].
//! 3. The worst suspicion is booked on the key's account; honest errors are forgiven faster than
//!    they add up (`account`).
//! 4. From a score on, the RSU's vote is due ([`Judgement::is_vote_due`]). The signed messages with
//!    suspicions are its evidence. Checks with [`Basis::Signed`] can be repeated by anybody who
//!    has these messages; those with [`Basis::Heard`] rest on the RSU's word, which is why
//!    f_r + 1 RSUs must vote before anything happens.
//!
//! What no check here sees: a position that is wrong by a constant, until the vehicle is heard
//! where its claim is out of range; and a replayed neighbour, except when the victim changes. A
//! relay that carries an honest vehicle's radio to distant RSUs makes its claims look out of range.
//!
//! A vehicle's part: never count a sequence number back under one key. One that cannot remember
//! its count over a restart takes its next credential.

mod account;
mod bounds;
mod checks;
mod claim;
mod hearing;
mod messages;
mod motion;
mod watch;

#[cfg(test)]
mod testing;

pub use account::{FORGIVEN, IMPLAUSIBLE, IMPOSSIBLE, VOTE_SCORE};
pub use bounds::Bounds;
pub use checks::{Basis, Check, Severity, Suspicion};
pub use claim::{Claim, Class, Subject};
pub use hearing::Report;
pub use watch::{FORGET_MS, Judgement, MAX_CLAIMS, MAX_SUBJECTS, MEMORY_MS, Unusable, Watch};
