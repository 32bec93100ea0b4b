//! Exchange of device records between organisations (PROTOCOLS.md section 9; paper 002, repaired).
//!
//! A device signs what it measures ([`reading`]); its organisation's edge checks that, stores it in the vault
//! and anchors it on the organisation's chain. Then it can be asked for.
//!
//! Requester A and owner B are edges of two organisations. Each has a chain of its own; a relay
//! chain keeps who they are (contract `directory`) and what became of each exchange (contract
//! `exchange`). Content lies in B's vault, blinded commitments to it under Merkle roots on B's chain.
//!
//! 1. A draws a fresh key pair and signs a [`request`]: whom it asks, which device, which times and
//!    grade, until when, and the fresh key. It opens the exchange on the relay chain under the
//!    request's digest, and sends the request to B.
//! 2. B checks the request: A's key under A's issuers, the signature, deadline, grade, and the rule
//!    for A in B's own contract `policy` ([`request::Checked`]). If it will not, it declines on the relay
//!    chain, for a reason with a number.
//! 3. B reads the records from its vault, which compares them with their commitments, and streams them
//!    into an [`envelope`]: header with both parties, request and relay chain, signed; a content key
//!    encapsulated to A's fresh key; records in chunks ([`delivery::Item`]), each with its blind and its path
//!    to a root.
//! 4. B posts the digest of the envelope on the relay chain, with its signature and a proof that the
//!    roots are final on its chain. The relay validators check that proof.
//! 5. A opens the envelope chunk by chunk, checks every record against its root and every root against
//!    B's chain ([`delivery::Check`]), compares the envelope's digest with the posted one, and posts a
//!    receipt, or a complaint.
//!
//! Forward secrecy: the content key opens under A's fresh secret only, which A erases afterwards;
//! nobody's long-term key opens a recorded envelope. Both signatures stand on the relay chain. What
//! this is not: fair exchange (A can withhold the receipt), or completeness (B can leave records
//! out; what it does send is what its devices recorded before the roots were anchored).
//!
//! Everything is generic over the suite: [`Sm2`](cairn_crypto::suite::Sm2) where national standards
//! are required, [`Ristretto255`](cairn_crypto::suite::Ristretto255) where they are not.
//!
//! No I/O, no clock, no global state: bytes, time and randomness come in as arguments.

pub mod delivery;
pub mod envelope;
pub mod keys;
pub mod reading;
pub mod request;

mod wire;
