//! SM2 as the national standards have it: signatures (GB/T 32918.2) and public-key encryption
//! (GB/T 32918.4, in the order `C1‖C3‖C2` of GM/T 0003.4-2012 and later), on the recommended curve
//! (GB/T 32918.5).
//!
//! Signing `M` in the name `ID` under `d`, with `P = dG`:
//!
//! 1. `Z = SM3(ENTL ‖ ID ‖ a ‖ b ‖ x_G ‖ y_G ‖ x_P ‖ y_P)`, `ENTL` the length of `ID` in bits; `e = SM3(Z ‖ M)`.
//! 2. `k` from `d`, 32 random bytes and `e` (a broken generator repeats a nonce only together with
//!    its message); `(x, y) = kG`.
//! 3. `r = e + x`, again from step 2 when `r = 0` or `r + k = 0`; `s = (1 + d)⁻¹(k − r·d)`, again when 0.
//! 4. Check: `t = r + s ≠ 0`, `(x, y) = sG + tP`, `r = e + x`. All modulo `n`.
//!
//! The standard's default name is [`DEFAULT_ID`]; OpenSSL's default is the empty one.
//!
//! Encryption is that of the crate `sm2`. Signatures are written here, over the constant-time
//! arithmetic of the same crate, because a certificateless key is a sum that its types for
//! signing keys do not take, and their nonces are not hedged.

use elliptic_curve::{
    bigint::{ArrayEncoding, U256},
    ops::Reduce,
};
use rand_core::CryptoRng;
use sm2::{
    Scalar,
    pke::{DecryptingKey, EncryptingKey},
};
use sm3::{Digest as _, Sm3};
use zeroize::Zeroizing;

use super::{Error, SIGNATURE_BYTES};
use crate::{
    suite::{CURVE, Element, SCALAR_BYTES, Secret, Sm2, Suite, coordinates},
    transcript::Domain,
};

/// The name that the standard uses where none was agreed.
pub const DEFAULT_ID: &[u8] = b"1234567812345678";

/// What encryption adds, in bytes: the point `C1` uncompressed, and the hash `C3`.
pub const OVERHEAD: usize = 65 + 32;

const NONCE: Domain = Domain::new("cairn/1/message/sm2-nonce");

/// `e`, the hash that is signed. `id` has at most 8,191 bytes.
///
/// # Panics
///
/// When `id` is longer; ours are a device's id of 32 bytes.
#[must_use]
pub fn digest(key: &Element<Sm2>, id: &[u8], message: &[u8]) -> [u8; 32] {
    let bits = u16::try_from(id.len() * 8).expect("ENTL has two bytes");
    let mut z = Sm3::new();
    z.update(bits.to_be_bytes());
    z.update(id);
    z.update(CURVE);
    z.update(coordinates(key));
    let mut e = Sm3::new();
    e.update(z.finalize());
    e.update(message);
    e.finalize().into()
}

/// Signs: `r ‖ s`.
///
/// # Panics
///
/// When the secret is `n − 1`, which the standard excludes and nobody draws.
#[must_use]
pub fn sign(
    secret: &Secret<Sm2>,
    id: &[u8],
    message: &[u8],
    rng: &mut (impl CryptoRng + ?Sized),
) -> [u8; SIGNATURE_BYTES] {
    let e = digest(&secret.public(), id, message);
    loop {
        let mut random = Zeroizing::new([0; 32]);
        rng.fill_bytes(random.as_mut_slice());
        let d = secret.to_bytes();
        let nonce = Sm2::hash_to_scalar(NONCE, &[d.as_slice(), random.as_slice(), &e]);
        if let Some(signature) = sign_with(secret, &e, &Zeroizing::new(nonce)) {
            return signature;
        }
    }
}

/// Step 3, with a nonce that is given; `None` when it will not do.
fn sign_with(secret: &Secret<Sm2>, e: &[u8; 32], nonce: &Scalar) -> Option<[u8; SIGNATURE_BYTES]> {
    let point = Element::<Sm2>::from_point(Sm2::mul_base(nonce)).ok()?;
    let d = Zeroizing::new(secret.scalar());
    let r = scalar(e) + abscissa(&point);
    if bool::from(r.is_zero()) || bool::from((r + nonce).is_zero()) {
        return None;
    }
    let inverse = Option::<Scalar>::from((Scalar::ONE + *d).invert());
    let inverse = Zeroizing::new(inverse.expect("a drawn secret is not n - 1"));
    let s = *inverse * (*nonce - r * *d);
    if bool::from(s.is_zero()) {
        return None;
    }
    let mut signature = [0; SIGNATURE_BYTES];
    signature[..SCALAR_BYTES].copy_from_slice(&Sm2::encode_scalar(&r));
    signature[SCALAR_BYTES..].copy_from_slice(&Sm2::encode_scalar(&s));
    Some(signature)
}

/// Checks `r ‖ s` (step 4).
///
/// # Errors
///
/// [`Error::Signature`].
pub fn verify(
    key: &Element<Sm2>,
    id: &[u8],
    message: &[u8],
    signature: &[u8; SIGNATURE_BYTES],
) -> Result<(), Error> {
    fits(key, &digest(key, id, message), signature)
        .then_some(())
        .ok_or(Error::Signature)
}

fn fits(key: &Element<Sm2>, e: &[u8; 32], signature: &[u8; SIGNATURE_BYTES]) -> bool {
    let half = |at: usize| {
        let mut bytes = [0; SCALAR_BYTES];
        bytes.copy_from_slice(&signature[at..at + SCALAR_BYTES]);
        Sm2::decode_scalar(&bytes).filter(|scalar| !bool::from(scalar.is_zero()))
    };
    let (Some(r), Some(s)) = (half(0), half(SCALAR_BYTES)) else {
        return false;
    };
    let t = r + s;
    if bool::from(t.is_zero()) {
        return false;
    }
    let point = Sm2::sum(&s, &[(t, key.point())]);
    Element::<Sm2>::from_point(point).is_ok_and(|point| scalar(e) + abscissa(&point) == r)
}

/// Encrypts at least one byte: `C1‖C3‖C2`, [`OVERHEAD`] bytes longer.
///
/// # Panics
///
/// When there is nothing to encrypt.
#[must_use]
pub fn encrypt(to: &Element<Sm2>, text: &[u8], rng: &mut (impl CryptoRng + ?Sized)) -> Vec<u8> {
    let mut rng = rng;
    EncryptingKey::from_sec1_bytes(to.as_bytes())
        .and_then(|key| key.encrypt(&mut rng, text))
        .expect("an element is a key, and there is something to encrypt")
}

/// Decrypts what [`encrypt`] made.
///
/// # Errors
///
/// [`Error::ContentKey`] when it was made for another key, or changed.
pub fn decrypt(secret: &Secret<Sm2>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    // The crate reads any length; less than this has no content.
    if sealed.len() <= OVERHEAD {
        return Err(Error::ContentKey);
    }
    DecryptingKey::from_slice(secret.to_bytes().as_slice())
        .and_then(|key| key.decrypt(sealed))
        .map(Zeroizing::new)
        .map_err(|_| Error::ContentKey)
}

fn abscissa(point: &Element<Sm2>) -> Scalar {
    let mut x = [0; 32];
    x.copy_from_slice(&coordinates(point)[..32]);
    scalar(&x)
}

fn scalar(bytes: &[u8; 32]) -> Scalar {
    Scalar::reduce(&U256::from_be_byte_array((*bytes).into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Known {
        private_key: String,
        public_key: String,
        signature: KnownSignature,
        encryption: KnownEncryption,
    }

    #[derive(Deserialize)]
    struct KnownSignature {
        id: String,
        message: String,
        e: String,
        k: String,
        signature: String,
    }

    #[derive(Deserialize)]
    struct KnownEncryption {
        message: String,
        c1c3c2: String,
    }

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        let mut bytes = [0; N];
        assert_eq!(text.len(), 2 * N);
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        }
        bytes
    }

    fn known() -> (Known, Secret<Sm2>) {
        let known: Known =
            serde_json::from_str(include_str!("../../tests/vectors/gbt32918.json")).unwrap();
        let secret = Secret::from_bytes(&hex(&known.private_key)).unwrap();
        assert_eq!(secret.public().to_bytes(), hex(&known.public_key));
        (known, secret)
    }

    #[test]
    fn signs_as_the_standards_example() {
        let (known, secret) = known();
        let example = known.signature;
        let (id, message) = (example.id.as_bytes(), example.message.as_bytes());
        let e = digest(&secret.public(), id, message);
        assert_eq!(e, hex(&example.e));
        let nonce = Sm2::decode_scalar(&hex(&example.k)).unwrap();
        let signature = sign_with(&secret, &e, &nonce).unwrap();
        assert_eq!(signature, hex(&example.signature));
        verify(&secret.public(), id, message, &signature).unwrap();
    }

    #[test]
    fn decrypts_the_standards_example() {
        let (known, secret) = known();
        let sealed: [u8; OVERHEAD + 19] = hex(&known.encryption.c1c3c2);
        let text = decrypt(&secret, &sealed).unwrap();
        assert_eq!(*text, known.encryption.message.as_bytes());
        for at in 0..sealed.len() {
            let mut changed = sealed;
            changed[at] ^= 1;
            assert_eq!(decrypt(&secret, &changed), Err(Error::ContentKey), "{at}");
        }
        for length in 0..=OVERHEAD {
            let cut = decrypt(&secret, &sealed[..length]);
            assert_eq!(cut, Err(Error::ContentKey), "{length}");
        }
    }
}
