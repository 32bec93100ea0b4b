//! TA and LEA: who registers keys, and how (PROTOCOLS.md section 1; paper 000, section 3.2.1).
//!
//! 1. The key is born in the vehicle. It sends the TA [`Application`]: identity documents, public key,
//!    proof of possession over both and a request id. The channel hides it (TLS, or one process).
//! 2. TA checks the person and the proof, draws a UID, sets the validity, seals the person's data
//!    in its register ([`cairn_crypto::seal`]) and finds people again through keyed hashes only.
//! 3. TA signs the call of contract `keys` and hands it with its [`Case`]s to the LEA.
//! 4. LEA checks every case again by itself, and that the call does what the cases say, no more and
//!    no less; then it countersigns. The contract refuses a call that lacks either signature.
//! 5. Update: the new key with its proof, and a signature of the old key over it. Revocation: a
//!    reason. RSUs: key, position and a signature by the key.
//! 6. Revocation for false position messages: [`misbehaviour`], where each looks at the evidence.
//!
//! Rules of TA (`registrar`) and, where marked *, again of LEA (`reviewer`):
//! * `V-REG-1`* identity fields are present, at most 128 bytes each, without control characters;
//! * `V-REG-2`* the proof of possession fits key, request id, identity and chain;
//! * `V-REG-3` neither document, plate nor key is registered yet (the same application again gets
//!   the same answer);
//! * `V-REG-4`* an update is signed by the old and by the new key; the UID is known, not revoked;
//! * `V-REG-5`* an RSU's application is signed by its key;
//! * `V-REG-6`* a revocation gives a reason;
//! * `V-REVIEW-1` the call is TA's, for the right contract, with exactly the cases' operations;
//! * `V-REVIEW-2` validity begins about now and is not longer than agreed;
//! * `V-REVIEW-3` for false position messages, the one case is the revocation that the evidence
//!   justifies.

mod application;
pub mod misbehaviour;
mod registrar;
mod reviewer;

pub use application::{
    Application, ApplicationError, Identification, MAX_FIELD_BYTES, RsuApplication, UpdateRequest,
};
pub use registrar::{Case, Proposal, Registrar, RegistrarError, SealedEntry};
pub use reviewer::{ReviewError, Reviewer};

/// The validity of a registered key, in milliseconds: one year, as a vehicle's inspection.
pub const VALIDITY_MS: u64 = 365 * 24 * 3_600_000;
