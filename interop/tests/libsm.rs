//! SM2 signatures and encryption both ways, SM3, SM4 and SM4-GCM: ours against libsm.

use aes_gcm::{
    AesGcm, KeyInit as _,
    aead::{Aead as _, Payload, consts::U16},
};
use cairn_crypto::{
    message::gbt32918,
    suite::{Secret, Sm2},
};
use libsm::{
    sm2::{
        encrypt::{DecryptCtx, EncryptCtx},
        signature::{SigCtx, Signature},
    },
    sm3::hash::Sm3Hash,
    sm4::{Cipher, Mode, cipher::Sm4Cipher},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use sm3::{Digest as _, Sm3};
use sm4::{Sm4, cipher::BlockCipherEncrypt as _};

/// Keys of each test.
const KEYS: usize = 8;

/// Bytes of an uncompressed point, and of a hash.
const POINT: usize = 65;
const HASH: usize = 32;

fn noise(length: usize, rng: &mut StdRng) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// The same key for both.
fn keys(rng: &mut StdRng) -> (Secret<Sm2>, SigCtx) {
    (Secret::random(rng), SigCtx::new())
}

/// 32 bytes of each half.
fn halves(signature: &Signature) -> [u8; 64] {
    let mut bytes = [0; 64];
    for (half, number) in bytes
        .chunks_mut(32)
        .zip([signature.get_r(), signature.get_s()])
    {
        let digits = number.to_bytes_be();
        half[32 - digits.len()..].copy_from_slice(&digits);
    }
    bytes
}

#[test]
fn sm2_signatures_both_ways() {
    let mut rng = StdRng::seed_from_u64(1);
    for _ in 0..KEYS {
        let (secret, theirs) = keys(&mut rng);
        let key = secret.public();
        let their_key = theirs.load_pubkey(key.to_bytes().as_ref()).unwrap();
        let their_secret = theirs.load_seckey(secret.to_bytes().as_slice()).unwrap();
        // The empty name, the standard's, and one as long as ours: organisation and device.
        for id in ["", "1234567812345678", "0123456789012345678901234567890123"] {
            let message = noise(100, &mut rng);
            let digest = theirs.hash(id, &their_key, &message).unwrap();
            assert_eq!(gbt32918::digest(&key, id.as_bytes(), &message), digest);

            let signature = theirs.sign_raw(&digest, &their_secret).unwrap();
            let signature = halves(&signature);
            let checked = gbt32918::verify(&key, id.as_bytes(), &message, &signature);
            assert_eq!(checked, Ok(()), "{id:?}");

            let mut ours = gbt32918::sign(&secret, id.as_bytes(), &message, &mut rng);
            let verify = |ours: &[u8; 64]| {
                let signature = Signature::new(&ours[..32], &ours[32..]);
                theirs.verify_raw(&digest, &their_key, &signature).unwrap()
            };
            assert!(verify(&ours), "{id:?}");
            ours[40] ^= 1;
            assert!(!verify(&ours), "{id:?}");
        }
    }
}

/// libsm writes `C1‖C2‖C3`, the order of 2010; the standard since 2012, and we, `C1‖C3‖C2`.
#[test]
fn sm2_encryption_both_ways() {
    let mut rng = StdRng::seed_from_u64(2);
    for _ in 0..KEYS {
        let (secret, theirs) = keys(&mut rng);
        let key = secret.public();
        for length in [1, 16, 32, 33, 100] {
            let text = noise(length, &mut rng);
            let their_key = theirs.load_pubkey(key.to_bytes().as_ref()).unwrap();
            let sealed = EncryptCtx::new(length, their_key).encrypt(&text).unwrap();
            let (c1, rest) = sealed.split_at(POINT);
            let (c2, c3) = rest.split_at(length);
            let opened = gbt32918::decrypt(&secret, &[c1, c3, c2].concat()).unwrap();
            assert_eq!(*opened, text);

            let sealed = gbt32918::encrypt(&key, &text, &mut rng);
            let (c1, rest) = sealed.split_at(POINT);
            let (c3, c2) = rest.split_at(HASH);
            let their_secret = theirs.load_seckey(secret.to_bytes().as_slice()).unwrap();
            let opened = DecryptCtx::new(length, their_secret).decrypt(&[c1, c2, c3].concat());
            assert_eq!(opened.unwrap(), text);
        }
    }
}

#[test]
fn sm3_at_every_length_around_its_blocks() {
    let mut rng = StdRng::seed_from_u64(3);
    for length in 0..260 {
        let message = noise(length, &mut rng);
        assert_eq!(
            Sm3::digest(&message).as_slice(),
            Sm3Hash::new(&message).get_hash()
        );
    }
}

#[test]
fn sm4_blocks_and_gcm() {
    let mut rng = StdRng::seed_from_u64(4);
    for length in 0..100 {
        let key: [u8; 16] = noise(16, &mut rng).try_into().unwrap();
        let block: [u8; 16] = noise(16, &mut rng).try_into().unwrap();
        let mut ours = block.into();
        Sm4::new(&key.into()).encrypt_block(&mut ours);
        assert_eq!(
            *ours,
            Sm4Cipher::new(&key).unwrap().encrypt(&block).unwrap()
        );

        // libsm takes nonces of 16 bytes only; ours have 12, and the same code behind them.
        let (text, head) = (noise(length, &mut rng), noise(20, &mut rng));
        let payload = Payload {
            msg: &text,
            aad: &head,
        };
        let ours = AesGcm::<Sm4, U16>::new(&key.into()).encrypt(&block.into(), payload);
        let theirs = Cipher::new(&key, Mode::Gcm).unwrap();
        assert_eq!(
            ours.unwrap(),
            theirs.encrypt(&head, &text, &block).unwrap(),
            "{length}"
        );
    }
}
