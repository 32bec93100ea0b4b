//! What each role of the road network does with the bytes it receives.
//!
//! | module | role or part | PROTOCOLS.md |
//! |---|---|---|
//! | [`wire`] | every message on the radio, byte by byte | 0 |
//! | [`beacon`] | the RSU's beacon and its short-lived keys | 3 |
//! | [`trust`] | what a vehicle believes of RSUs, and why | 3 |
//! | [`login`] | contents of the handshake: credentials, proofs, acceptance | 4 |
//! | [`token`] | one-time tokens: handover to the next RSU | 5 |
//! | [`cookie`] | proof of address under load | 4 |
//! | [`session`] | basic key, session key, rekey | 4 |
//! | [`roadside`] | the RSU | 3, 4, 5 |
//! | [`relay`] | logins through neighbours, for vehicles out of range | 7 |
//! | [`service`] | location services: vehicle, RSU, provider | 8 |
//! | [`position`] | signed position messages | 6 |
//! | [`plausibility`] | whether position messages can be true | 6 |
//! | [`witness`] | the RSU that hears, judges and votes | 6 |
//! | [`evidence`] | what a vote against a vehicle rests on | 6 |
//! | [`danger`] | reports, commands, and the network alarm | 11 |
//! | [`vehicle`] | the vehicle | 3, 4, 5 |
//! | [`issuing`] | anonymous credentials: enrolment, issuers, traces | 1, 2 |
//! | [`authority`] | TA and LEA: registration, update, revocation | 1, 6 |
//! | [`group`] | groups that share audited files: members, manager, LEA | 2, 10 |
//!
//! Roles are state machines without I/O: bytes, time (milliseconds since 1970) and randomness come
//! in, bytes and effects go out. Every rule that refuses something has an id; `docs/validation.md`
//! lists them with their tests.

pub mod authority;
pub mod beacon;
pub mod cookie;
pub mod danger;
pub mod evidence;
pub mod group;
pub mod issuing;
pub mod login;
pub mod plausibility;
pub mod position;
pub mod relay;
pub mod roadside;
pub mod service;
pub mod session;
pub mod token;
pub mod trust;
pub mod vehicle;
pub mod wire;
pub mod witness;

/// Accepted age of a message and tolerated clock offset, in milliseconds (PROTOCOLS.md section 0).
pub const THR_MS: u64 = 2_000;
