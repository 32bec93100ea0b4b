//! The schemes of five published papers, as far as their texts determine them, for measurement
//! and for showing their attacks.
//!
//! **Not for use.** Every scheme here falls to the attacks that its module lists. The code is not
//! constant time, does not erase secrets, and trusts its caller to keep roles apart.
//!
//! | module | scheme | group and library |
//! |---|---|---|
//! | [`p000_login`] | vehicle and RSU: authentication, re-authentication, key agreement | P-256, `p256` |
//! | [`p001_pdp`] | certificateless proof of data possession | BLS12-381, `commonware-cryptography` |
//! | [`p002_exchange`] | certificateless SM2 with several authorities, SM2 and SM4 exchange | SM2, `sm2` |
//! | [`p003_bpa`] | BPA: anonymous authentication with ledger tokens | ristretto255, `curve25519-dalek` |
//! | [`p004_danger`] | danger evaluation of driving-map data | none |
//!
//! Each module begins with the protocol. Lines carry a mark of their origin:
//! **\[paper\]** the text fixes it; **\[reconstructed\]** inferred, with the reason;
//! **\[ours\]** our choice, because something had to be chosen. What an attack shows holds for the
//! reconstruction; the module says where it follows from the prose alone.
//!
//! Messages are structs of byte arrays, as they arrive: their size in memory is their size on
//! the wire, and every check begins with parsing. Randomness and time come from the caller.
//!
//! [`ATTACKS`] lists every attack that a program can run.

mod attack;
pub mod p000_login;
pub mod p001_pdp;
pub mod p002_exchange;
pub mod p003_bpa;
pub mod p004_danger;

pub use attack::{ATTACKS, Attack, Outcome};

use thiserror::Error;

/// Why a party of a published scheme refuses what it received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The bytes are no valid encoding of a group element other than the identity.
    #[error("expected an encoded group element other than the identity")]
    Point,
    /// The bytes are no canonical scalar.
    #[error("expected a canonical scalar below the group order")]
    Scalar,
    /// The time stamp lies too far from now.
    #[error("expected a time stamp within the accepted delay")]
    Late,
    /// The key is unknown, revoked, expired, or not the one on the ledger.
    #[error("expected a key that is on the ledger, valid and not revoked")]
    Key,
    /// A digest does not fit the fields beside it.
    #[error("expected the digest of the fields beside it")]
    Digest,
    /// A signature, proof or tag does not fit statement and key.
    #[error("expected a signature, proof or tag that fits statement and key")]
    Proof,
    /// A ciphertext has the wrong length, or its authenticator does not fit.
    #[error("expected a ciphertext made for this key")]
    Ciphertext,
    /// A Merkle branch does not lead to the header's root.
    #[error("expected a branch that leads to the root of the header")]
    Branch,
    /// No legal ledger record stands under this token.
    #[error("expected a token with a legal record on the ledger")]
    Token,
    /// A challenge and the proof that answers it differ in length, or an index is out of range.
    #[error("expected one entry for each challenged block of the file")]
    Shape,
    /// A share of a key does not fit the authority's public key.
    #[error("expected a key share that fits the public key of authority {0}")]
    Share(usize),
    /// An authority opened another value than it committed to.
    #[error("expected authority {0} to open its commitment")]
    Commitment(usize),
}

/// Bytes of a message: of the reconstruction beside the figure printed in the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// What is counted.
    pub what: &'static str,
    /// Bytes of the reconstruction in this crate, with its encodings.
    pub reconstruction: usize,
    /// Bytes printed in the paper (or derived from it where `what` says so).
    pub paper: usize,
}
