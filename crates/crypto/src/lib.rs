//! Primitives of Cairn, composed once and used by every role.
//!
//! | module | what | used by |
//! |---|---|---|
//! | [`transcript`] | canonical, domain-separated hashing and key derivation | everything below |
//! | [`schnorr`] | signatures and proofs over Ristretto255, single and in batches | vehicles' keys, login |
//! | [`noise`] | `Noise_NK_25519_ChaChaPoly_SHA256` | login |
//! | [`possession`] | provable data possession on BLS12-381 | vault, auditors, groups |
//! | [`suite`] | group, hash and AEAD of `Ristretto255` and `Sm2` | the three below |
//! | [`issuer`] | threshold issuers: key generation and signing, t of n | issuers |
//! | [`credential`] | requests, implicit certificates, anonymous proofs | vehicles, organisations, login |
//! | [`message`] | signatures and key encapsulation; SM2 as GB/T 32918 has them | organisations |
//! | [`linkage`] | linkage values, revocation by published seeds | authorities, RSUs |
//! | [`seal`] | sealed fields and keyed look-ups | registrar's register |
//!
//! The crate does no I/O, reads no clock and has no global state: randomness comes in as
//! [`rand_core::CryptoRng`]. Secrets are erased on drop, have no `Debug` and are compared in
//! constant time. Modules that are not written over [`suite`] belong to the suite `Ristretto255` of
//! PROTOCOLS.md section 0.

pub mod credential;
pub mod issuer;
pub mod linkage;
pub mod message;
pub mod noise;
pub mod possession;
pub mod schnorr;
pub mod seal;
pub mod suite;
pub mod transcript;
