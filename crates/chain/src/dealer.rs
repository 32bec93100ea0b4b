//! Threshold keys for demonstrations and tests.
//!
//! Whoever deals the shares knows all of them and can sign anything in the network's name. A
//! network that matters makes its key in a distributed ceremony, where nobody ever knows it.

use cairn_ledger::PublicKey;
use commonware_cryptography::bls12381::{
    dkg::feldman_desmedt::deal,
    primitives::{
        group::Share,
        sharing::{Mode, Sharing},
        variant::MinSig,
    },
};
use commonware_utils::{
    N3f1,
    ordered::{Map, Set},
};
use rand_core::CryptoRng;

/// Threshold keys that their dealer knows: for demonstrations and tests only.
pub struct InsecureDealing {
    /// The shared public key, part of the genesis.
    pub sharing: Sharing<MinSig>,
    /// Each validator's secret share.
    pub shares: Map<PublicKey, Share>,
}

impl InsecureDealing {
    /// Deals shares to `validators`, of which any 2f+1 sign in the network's name.
    ///
    /// # Panics
    ///
    /// Panics if there are no validators.
    pub fn deal(validators: &Set<PublicKey>, rng: &mut impl CryptoRng) -> Self {
        let (output, shares) =
            deal::<MinSig, _, N3f1>(rng, Mode::NonZeroCounter, validators.clone())
                .expect("a network has at least one validator");
        Self {
            sharing: output.public().clone(),
            shares,
        }
    }
}
