//! Anonymous credentials: how a vehicle gets them, how it is traced, how it is revoked (PROTOCOLS.md
//! sections 1 and 2). The arithmetic is [`cairn_crypto::issuer`] and [`cairn_crypto::credential`]; the
//! records are contract `credentials`.
//!
//! Enrolment, for one vehicle:
//!
//! 1. Vehicle → TA [`Order`]: keys `U_k` with proofs of possession and a slot for each, signed by the key
//!    that it is known by in TA's register. That key is on no ledger.
//! 2. TA checks the order, draws its linkage seed for this vehicle if it has none, and writes a
//!    [`Ticket`] for each key: request, slot, and its linkage part sealed to every issuer ([`Enroller`]).
//! 3. TA → LEA: order, application, tickets. LEA checks all of it by itself, draws its own seed, adds its
//!    sealed parts and signs ([`Countersigner`]). TA signs too: [`SignedTicket`].
//! 4. TA shuffles the tickets of many vehicles and hands them to one of the issuers. They tell no
//!    identity, and nothing that two tickets of one vehicle have in common.
//! 5. Every issuer that takes part ([`IssuerDesk`]) checks both signatures, opens both parts,
//!    `lv = part_TA ⊕ part_LEA`, checks that handle, `U` and `lv` are new, writes them down, and only then
//!    gives its share. The issuer that coordinates adds the shares up and seals the answer to `U`.
//! 6. The answer goes back through TA, who cannot read it.
//!
//! Trace of a linkage value, [`trace`]:
//!
//! 1. LEA puts `request {lv, digest of the reason}` on the ledger.
//! 2. With a proof that the request is final ([`trace::Warrant`]) an issuer tells the handle, signed, and leaves
//!    a record that it did.
//! 3. With the same proof and the issuer's answer TA tells the identity and leaves a record.
//!
//! Revocation from a period on: after a trace to the handle TA and LEA each give their seed of that
//! period ([`Enroller::publish`], [`Countersigner::publish`]), and one call that both sign puts them on
//! the ledger. So it goes with an anonymous vehicle whose false position messages TA and LEA have each
//! re-verified ([`crate::authority::misbehaviour`]), by a trace of the credential that they are signed
//! under.
//!
//! No one alone links: TA knows handle and person, not lv; LEA knows the person and its own part; issuers
//! know handle and lv, no person. An issuer that publishes its log and a TA that answers without a
//! request can link together: what keeps them is that they are different parties, not arithmetic.
//!
//! Rules; those marked * are checked by TA and again by LEA from its own records:
//! * `V-ENROL-1`* the order is signed by the vehicle's key, for this chain and epoch;
//! * `V-ENROL-2`* possession of every key is proved;
//! * `V-ENROL-3`* every slot is one of the policy's, not over, begins within a period from now, and gives
//!   the vehicle no third credential at any time;
//! * `V-ENROL-4`* every handle is new, or is asked for again with the same slot;
//! * `V-ENROL-5` (LEA) the application is that of the order's key, and the tickets are what was ordered;
//! * `V-ENROL-6` (TA) LEA's signature fits;
//! * `V-ISSUE-1` the ticket is of this issuer's epoch, signed by TA and by LEA;
//! * `V-ISSUE-2` its slot is one of the policy's, both parts open;
//! * `V-ISSUE-3` handle, `U` and linkage value are new, or this is the same ticket again;
//! * `V-ISSUE-4` possession is proved, and the nonces of the round are fresh ([`cairn_crypto::issuer`]);
//! * `V-TRACE-1` a proof shows the request in a final state;
//! * `V-TRACE-2` (TA) the handle comes signed from an issuer of the epoch, for this very request;
//! * `V-TRACE-3` linkage value or handle is known.

mod book;
mod circle;
mod desk;
mod enrolment;
mod order;
mod ticket;
pub mod trace;

pub use book::{Book, BookError, Entry};
pub use circle::{Circle, CircleError, Member};
pub use desk::{Issuance, IssueError, IssuerDesk, Start, open_answer};
pub use enrolment::{Countersigned, Countersigner, EnrolError, Enroller};
pub use order::Order;
pub use ticket::{SignedTicket, Ticket};

/// The suite of vehicles' credentials.
type Suite = cairn_crypto::suite::Ristretto255;
