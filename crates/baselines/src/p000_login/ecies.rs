//! ECIES of SEC 1 on P-256: X9.63 KDF, XOR cipher, HMAC-SHA-256.

use hmac::{Hmac, KeyInit, Mac};
use p256::{
    NonZeroScalar, ProjectivePoint, PublicKey,
    elliptic_curve::{Generate, sec1::ToSec1Point},
};
use rand_core::CryptoRng;
use sha2::Sha256;

use super::{Key, hash};
use crate::Refusal;

/// Bytes added to a plaintext: ephemeral point 65, tag 32.
pub(super) const OVERHEAD: usize = POINT + TAG;
const POINT: usize = 65;
const TAG: usize = 32;

/// Encrypts to a public key: `point 65 ‖ text ‖ tag 32`.
///
/// # Errors
///
/// [`Refusal::Point`] when the key is no point.
pub fn encrypt(
    key: &Key,
    text: &[u8],
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<Vec<u8>, Refusal> {
    let key = PublicKey::from_sec1_bytes(&key.0).map_err(|_| Refusal::Point)?;
    let ephemeral = NonZeroScalar::generate_from_rng(rng);
    let secret = shared(&key, &ephemeral);
    let mut out = PublicKey::from_secret_scalar(&ephemeral)
        .to_sec1_point(false)
        .as_bytes()
        .to_vec();
    out.extend(apply_stream(&secret, text));
    let tag = mac(&stream_block(&secret, 0), &[&out[POINT..]]);
    out.extend(tag);
    Ok(out)
}

/// Decrypts with a private key.
///
/// # Errors
///
/// [`Refusal::Ciphertext`] for a short text or wrong tag, [`Refusal::Point`] for a bad point.
pub fn decrypt(scalar: &NonZeroScalar, ciphertext: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (point, rest) = ciphertext
        .split_at_checked(POINT)
        .ok_or(Refusal::Ciphertext)?;
    let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(Refusal::Ciphertext)?;
    let point = PublicKey::from_sec1_bytes(point).map_err(|_| Refusal::Point)?;
    let secret = shared(&point, scalar);
    if mac(&stream_block(&secret, 0), &[body]) != *tag {
        return Err(Refusal::Ciphertext);
    }
    Ok(apply_stream(&secret, body))
}

/// HMAC-SHA-256 over the concatenation of `parts`.
pub(super) fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC pads its key with zeros to the hash's block of 64 bytes.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// XORs `text` with blocks 1, 2, … of the KDF; block 0 is the MAC key.
fn apply_stream(secret: &[u8; 32], text: &[u8]) -> Vec<u8> {
    (1..)
        .zip(text.chunks(32))
        .flat_map(|(number, chunk)| {
            let block = stream_block(secret, number);
            chunk
                .iter()
                .zip(block)
                .map(|(byte, key)| byte ^ key)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn stream_block(secret: &[u8; 32], number: u32) -> [u8; 32] {
    hash(&[secret, &number.to_be_bytes()])
}

fn shared(point: &PublicKey, scalar: &NonZeroScalar) -> [u8; 32] {
    let product: ProjectivePoint = point.to_projective() * **scalar;
    let encoded = product.to_affine().to_sec1_point(false);
    let mut x = [0; 32];
    // A product of a point of prime order and a scalar that is not zero has coordinates.
    x.copy_from_slice(&encoded.as_bytes()[1..33]);
    x
}
