//! Sealing to a key of a suite: the shape of HPKE's base mode, with the suite's own group.
//!
//! 1. `e` random, `E = eP`; `shared = e·Y` for the recipient's `Y`.
//! 2. Key from `shared` and the context `(E, Y, purpose)`; it serves once.
//! 3. `E ‖ ciphertext ‖ tag`.
//!
//! The crate `hpke` does not fit: its key encapsulations work on X25519, the NIST curves and
//! ML-KEM, while the recipient's key here is an element of the credential group that must also
//! add up with the issuers' answer. The sender is not authenticated; whoever opens a message checks
//! what it says (an answer against the issuer key).

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::Error;
use crate::suite::{Element, Secret, Suite, TAG_BYTES};
use crate::transcript::Domain;

/// Seals `text` to a key: [`Suite::ELEMENT_BYTES`] and [`TAG_BYTES`] longer than `text`.
/// `context` is authenticated and not sent.
#[must_use]
pub fn seal_to<S: Suite>(
    domain: Domain,
    to: &Element<S>,
    context: &[u8],
    text: &[u8],
    rng: &mut (impl CryptoRng + ?Sized),
) -> Vec<u8> {
    let ephemeral = Secret::<S>::random(rng);
    let public = ephemeral.public();
    let shared = Zeroizing::new(S::encode(&(to.point() * ephemeral.scalar())));
    let context = [public.as_bytes(), to.as_bytes(), context];
    let sealed = S::seal(domain, (*shared).as_ref(), &context, text);
    [public.as_bytes(), &sealed].concat()
}

/// Opens what [`seal_to`] sealed to the public key of `secret`.
///
/// # Errors
///
/// [`Error::Encoding`] without a canonical `E`; [`Error::Sealed`] when it is too short or does
/// not authenticate.
pub fn open_sealed<S: Suite>(
    domain: Domain,
    secret: &Secret<S>,
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (public, text) = sealed
        .split_at_checked(S::ELEMENT_BYTES)
        .filter(|(_, text)| text.len() >= TAG_BYTES)
        .ok_or(Error::Sealed)?;
    let public = Element::<S>::from_bytes(public)?;
    let ours = secret.public();
    let shared = Zeroizing::new(S::encode(&(public.point() * secret.scalar())));
    let context = [public.as_bytes(), ours.as_bytes(), context];
    S::open(domain, (*shared).as_ref(), &context, text).ok_or(Error::Sealed)
}
