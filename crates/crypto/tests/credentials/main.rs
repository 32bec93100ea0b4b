//! Threshold issuers and credentials: what works, and what an attacker is refused. Tests that
//! begin with an id (`b5_`, `e1_`) show the attack of that id failing.

mod attacks;
mod ceremony;
mod common;
mod encodings;
mod issuing;
mod showing;
mod size;

/// Runs generic tests under both suites.
macro_rules! both_suites {
    ($($name:ident),* $(,)?) => {
        mod ristretto255 {
            $(#[test] fn $name() { super::$name::<cairn_crypto::suite::Ristretto255>(); })*
        }
        mod sm2 {
            $(#[test] fn $name() { super::$name::<cairn_crypto::suite::Sm2>(); })*
        }
    };
}
pub(crate) use both_suites;
