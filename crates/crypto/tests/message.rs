//! Signatures and encapsulation between organisations; SM3 and SM4 against their standards; SM2
//! against OpenSSL.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use aes_gcm::{
    AesGcm,
    aead::{Aead as _, Payload, consts::U12},
};
use cairn_crypto::{
    message::{ContentKey, Error, MessageSuite, gbt32918},
    suite::{Element, Ristretto255, Secret, Sm2},
};
use rand::{SeedableRng as _, rngs::StdRng};
use serde::Deserialize;
use sm3::{Digest as _, Sm3};
use sm4::{
    Sm4,
    cipher::{BlockCipherEncrypt as _, KeyInit as _},
};

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn changed_messages_are_refused<S: MessageSuite>() {
    let mut rng = StdRng::seed_from_u64(1);
    let (secret, other) = (Secret::<S>::random(&mut rng), Secret::<S>::random(&mut rng));
    let key = secret.public();
    let signature = S::sign(&secret, b"edge", b"message", &mut rng);
    assert_eq!(S::verify(&key, b"edge", b"message", &signature), Ok(()));
    let refused = Err(Error::Signature);
    assert_eq!(S::verify(&key, b"edge", b"massage", &signature), refused);
    assert_eq!(S::verify(&key, b"edg", b"emessage", &signature), refused);
    let theirs = S::verify(&other.public(), b"edge", b"message", &signature);
    assert_eq!(theirs, refused);
    for at in 0..signature.len() {
        let mut changed = signature;
        changed[at] ^= 1;
        let checked = S::verify(&key, b"edge", b"message", &changed);
        assert_eq!(checked, refused, "byte {at}");
    }
    assert_eq!(S::verify(&key, b"edge", b"message", &[0; 64]), refused);
    assert_eq!(S::verify(&key, b"edge", b"message", &[0xff; 64]), refused);

    let content = ContentKey::new([7; 32]);
    let sealed = S::encapsulate(&key, &content, &mut rng);
    assert_eq!(sealed.len(), S::ENCAPSULATED_BYTES);
    assert_eq!(S::decapsulate(&secret, &sealed), Ok(content));
    let refused = Err(Error::ContentKey);
    assert_eq!(S::decapsulate(&other, &sealed), refused);
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(S::decapsulate(&secret, &changed), refused, "byte {at}");
        assert_eq!(
            S::decapsulate(&secret, &sealed[..at]),
            refused,
            "cut at {at}"
        );
    }
}

#[test]
fn changed_messages_are_refused_under_sm2() {
    changed_messages_are_refused::<Sm2>();
}

#[test]
fn changed_messages_are_refused_under_ristretto255() {
    changed_messages_are_refused::<Ristretto255>();
}

#[derive(Deserialize)]
struct Known {
    sm3: Vec<(String, String)>,
    sm4: KnownSm4,
}

#[derive(Deserialize)]
struct KnownSm4 {
    key: String,
    text: String,
    once: String,
    million_times: String,
}

#[test]
fn sm3_and_sm4_known_answers() {
    let known: Known = serde_json::from_str(include_str!("vectors/sm3_sm4.json")).unwrap();
    for (message, digest) in known.sm3 {
        assert_eq!(Sm3::digest(unhex(&message)).as_slice(), unhex(&digest));
    }
    let cipher = Sm4::new_from_slice(&unhex(&known.sm4.key)).unwrap();
    let mut block: [u8; 16] = unhex(&known.sm4.text).try_into().unwrap();
    for round in 1..=1_000_000 {
        let mut next = block.into();
        cipher.encrypt_block(&mut next);
        block = next.into();
        if round == 1 {
            assert_eq!(block, *unhex(&known.sm4.once));
        }
    }
    assert_eq!(block, *unhex(&known.sm4.million_times));
}

/// RFC 8998, appendix A.1.
#[test]
fn sm4_gcm_known_answer() {
    let key: [u8; 16] = unhex("0123456789abcdeffedcba9876543210")
        .try_into()
        .unwrap();
    let nonce: [u8; 12] = unhex("00001234567800000000abcd").try_into().unwrap();
    let text = unhex(
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd\
         eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
    );
    let payload = Payload {
        msg: &text,
        aad: &unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
    };
    let sealed = AesGcm::<Sm4, U12>::new(&key.into()).encrypt(&nonce.into(), payload);
    let expected = unhex(
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735\
         d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d\
         83de3541e4c2b58177e065a9bf7b62ec",
    );
    assert_eq!(sealed.unwrap(), expected);
}

/// Runs OpenSSL; `None` when there is none on this machine.
fn openssl(directory: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(directory);
    let output = command.stdin(Stdio::null()).output().ok()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {stderr}");
    Some(output.stdout)
}

/// DER of `SEQUENCE { INTEGER r, INTEGER s }`.
fn der(signature: &[u8; 64]) -> Vec<u8> {
    let mut body = Vec::new();
    for half in signature.chunks(32) {
        let zeros = half.iter().take_while(|byte| **byte == 0).count();
        let digits = &half[zeros..];
        let sign = usize::from(digits[0] >= 0x80);
        body.extend([2, u8::try_from(digits.len() + sign).unwrap()]);
        body.extend(std::iter::repeat_n(0, sign));
        body.extend(digits);
    }
    [vec![0x30, u8::try_from(body.len()).unwrap()], body].concat()
}

fn from_der(mut der: &[u8]) -> [u8; 64] {
    let mut signature = [0; 64];
    der = &der[2..];
    for half in signature.chunks_mut(32) {
        let length = usize::from(der[1]);
        let digits = &der[2..2 + length];
        let digits = &digits[digits.len().saturating_sub(32)..];
        half[32 - digits.len()..].copy_from_slice(digits);
        der = &der[2 + length..];
    }
    signature
}

/// OpenSSL signs what we verify, and verifies what we sign, with its own default name (empty)
/// and with the standard's.
#[test]
fn sm2_signatures_interoperate_with_openssl() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    if openssl(path, &["version"]).is_none() {
        eprintln!("skipped: there is no openssl on this machine");
        return;
    }
    let run = |arguments: &[&str]| openssl(path, arguments).expect("openssl was there before");
    run(&["genpkey", "-algorithm", "SM2", "-out", "key.pem"]);
    run(&["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
    // The last 65 bytes of the public key's DER are the point; the first 32 of the private
    // octet string follow its header.
    let public = run(&["pkey", "-in", "key.pem", "-pubout", "-outform", "DER"]);
    let point = &public[public.len() - 65..];
    let compressed = [&[2 | (point[64] & 1)], &point[1..33]].concat();
    let key = Element::<Sm2>::from_bytes(&compressed).unwrap();
    let text = String::from_utf8(run(&["pkey", "-in", "key.pem", "-noout", "-text"])).unwrap();
    let digits: String = text
        .split("priv:")
        .nth(1)
        .and_then(|rest| rest.split("pub:").next())
        .unwrap()
        .chars()
        .filter(char::is_ascii_hexdigit)
        .collect();
    let secret: [u8; 32] = unhex(&digits[digits.len() - 64..]).try_into().unwrap();
    let secret = Secret::<Sm2>::from_bytes(&secret).unwrap();
    assert_eq!(secret.public(), key);

    fs::write(path.join("message"), b"a message").unwrap();
    let mut rng = StdRng::seed_from_u64(2);
    for id in [b"".as_slice(), gbt32918::DEFAULT_ID] {
        let option = format!("distid:{}", String::from_utf8_lossy(id));
        let name: &[&str] = if id.is_empty() {
            &[]
        } else {
            &["-pkeyopt", &option]
        };
        let common = ["pkeyutl", "-rawin", "-digest", "sm3", "-in", "message"];
        let sign = ["-sign", "-inkey", "key.pem", "-out", "theirs"];
        run(&[&common, name, &sign].concat());
        let theirs = from_der(&fs::read(path.join("theirs")).unwrap());
        assert_eq!(gbt32918::verify(&key, id, b"a message", &theirs), Ok(()));

        let ours = gbt32918::sign(&secret, id, b"a message", &mut rng);
        fs::write(path.join("ours"), der(&ours)).unwrap();
        let verify = [
            "-verify",
            "-pubin",
            "-inkey",
            "public.pem",
            "-sigfile",
            "ours",
        ];
        run(&[&common, name, &verify].concat());
    }
}

#[test]
fn sm2_encryption_opens_at_every_length() {
    let mut rng = StdRng::seed_from_u64(3);
    let secret = Secret::<Sm2>::random(&mut rng);
    for length in [1, 19, 32, 1_000] {
        let text = vec![5; length];
        let sealed = gbt32918::encrypt(&secret.public(), &text, &mut rng);
        assert_eq!(sealed.len(), gbt32918::OVERHEAD + length);
        assert_eq!(*gbt32918::decrypt(&secret, &sealed).unwrap(), text);
    }
}
