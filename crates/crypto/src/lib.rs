//! Primitives of Cairn, composed once and used by every role.
//!
//! | module | what | used by |
//! |---|---|---|
//! | [`transcript`] | canonical, domain-separated hashing and key derivation | everything below |
//! | [`schnorr`] | signatures and proofs over Ristretto255, single and in batches | vehicles' keys, login |
//! | [`noise`] | `Noise_NK_25519_ChaChaPoly_SHA256` | login |
//! | [`seal`] | sealed fields and keyed look-ups | registrar's register |
//!
//! The crate does no I/O, reads no clock and has no global state: randomness comes in as
//! [`rand_core::CryptoRng`]. Secrets are erased on drop, have no `Debug` and are compared in
//! constant time. These modules are the suite `Ristretto255` of PROTOCOLS.md section 0.

pub mod noise;
pub mod schnorr;
pub mod seal;
pub mod transcript;
