//! Product of pairings.

use blst::Pairing;
use commonware_cryptography::bls12381::primitives::group::{G1, G2};
use commonware_math::algebra::Additive;

/// Whether `∏ e(P_i, Q_i) = 1`, with one final exponentiation. The group types do not offer the
/// product, so it is computed by `blst` on their affine forms.
#[must_use]
pub fn product_is_one(pairs: &[(G1, G2)]) -> bool {
    // A pair with the identity contributes 1; blst must not see it.
    let (left, right): (Vec<_>, Vec<_>) = pairs
        .iter()
        .copied()
        .filter(|(p, q)| *p != G1::zero() && *q != G2::zero())
        .unzip();
    if left.is_empty() {
        return true;
    }
    let mut product = Pairing::new(false, &[]);
    for (p, q) in G1::batch_to_affine(&left)
        .iter()
        .zip(&G2::batch_to_affine(&right))
    {
        product.raw_aggregate(q, p);
    }
    product.commit();
    product.finalverify(None)
}
