//! SM2 encryption of an SM4 key, and the data under SM4 in counter mode.

use rand_core::CryptoRng;
use sm2::{
    NonZeroScalar, PublicKey,
    pke::{DecryptingKey, EncryptingKey, Mode},
};
use sm4::{
    Sm4,
    cipher::{BlockCipherEncrypt, KeyInit},
};

use super::{Point, PrivateKey};
use crate::Refusal;

const KEY: usize = 16;

/// Bytes added to the data: C1 65, C2 16, C3 32, iv 16.
pub const ENVELOPE_BYTES: usize = 65 + KEY + 32 + 16;

/// An encrypted record on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// `C1‖C2‖C3`, 113 bytes.
    pub key: Vec<u8>,
    /// First counter block.
    pub iv: [u8; 16],
    /// As long as the data.
    pub body: Vec<u8>,
}

/// Encrypts data to a public key.
///
/// # Errors
///
/// [`Refusal::Point`] when the key is no point.
pub fn encrypt(
    key: &Point,
    data: &[u8],
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<Envelope, Refusal> {
    let mut rng = rng;
    let public = PublicKey::from_sec1_bytes(key).map_err(|_| Refusal::Point)?;
    let (mut session, mut iv) = ([0; KEY], [0; 16]);
    rng.fill_bytes(&mut session);
    rng.fill_bytes(&mut iv);
    let key = EncryptingKey::new_with_mode(public, Mode::C1C2C3)
        .encrypt(&mut rng, &session)
        .map_err(|_| Refusal::Point)?;
    Ok(Envelope {
        key,
        iv,
        body: sm4_ctr(&session, iv, data),
    })
}

/// Decrypts; the caller compares the digest with the chain, as nothing here covers the body.
///
/// # Errors
///
/// [`Refusal::Ciphertext`] when the SM2 part was made for another key or was altered.
pub fn decrypt(key: &PrivateKey, envelope: &Envelope) -> Result<Vec<u8>, Refusal> {
    let d = Option::<NonZeroScalar>::from(NonZeroScalar::new(key.d)).ok_or(Refusal::Scalar)?;
    let session = DecryptingKey::new_with_mode(d, Mode::C1C2C3)
        .decrypt(&envelope.key)
        .map_err(|_| Refusal::Ciphertext)?;
    let session = session.try_into().map_err(|_| Refusal::Ciphertext)?;
    Ok(sm4_ctr(&session, envelope.iv, &envelope.body))
}

/// SM4 in counter mode; encrypts and decrypts.
#[must_use]
pub fn sm4_ctr(key: &[u8; 16], iv: [u8; 16], data: &[u8]) -> Vec<u8> {
    let cipher = Sm4::new(key.into());
    let mut counter = u128::from_be_bytes(iv);
    let mut out = Vec::with_capacity(data.len());
    for chunk in data.chunks(16) {
        let mut block = counter.to_be_bytes().into();
        cipher.encrypt_block(&mut block);
        out.extend(chunk.iter().zip(block).map(|(byte, pad)| byte ^ pad));
        counter = counter.wrapping_add(1);
    }
    out
}
