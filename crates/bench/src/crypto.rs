//! SM2, SM3 and SM4 of the libraries that Cairn uses, beside OpenSSL's command line.

use std::process::Command;

use cairn_baselines::p002_exchange::sm4_ctr;
use cairn_crypto::{
    message::{ContentKey, MessageSuite as _, gbt32918::DEFAULT_ID},
    suite::{Secret, Sm2},
};
use rand::{SeedableRng as _, rngs::StdRng};
use sm3::{Digest as _, Sm3};

use crate::{
    Scope,
    figure::{Figure, Table},
    measure::{Round, Sample, alternate, repeated},
};

/// Bytes hashed or encrypted at a time.
const BYTES: usize = 16_384;

/// Table 6.
pub fn crypto(scope: Scope) -> Table {
    let mut rng = StdRng::seed_from_u64(1);
    let secret = Secret::<Sm2>::random(&mut rng);
    let key = secret.public();
    let message = [3; 32];
    let signature = Sm2::sign(&secret, DEFAULT_ID, &message, &mut rng);
    let content = ContentKey::new([4; 32]);
    let encapsulated = Sm2::encapsulate(&key, &content, &mut rng);
    let mut coins = StdRng::seed_from_u64(2);
    let data = vec![7; BYTES];

    // OpenSSL measures for a second at a time, so a few rounds are long enough.
    let rounds = if scope.quick { 3 } else { 7 };
    let [
        [sm3],
        [sm4],
        [sign],
        [verify],
        [open_sm3],
        [open_sm4],
        [open_sign],
        [open_verify],
    ] = alternate(
        rounds,
        [
            repeated(|| Sm3::digest(&data)),
            repeated(|| sm4_ctr(&[1; 16], [2; 16], &data)),
            repeated(|| Sm2::sign(&secret, DEFAULT_ID, &message, &mut rng)),
            repeated(|| Sm2::verify(&key, DEFAULT_ID, &message, &signature).expect("honest")),
            openssl(&["-bytes", "16384", "-evp", "sm3"], "+F:", 3),
            openssl(&["-bytes", "16384", "-evp", "sm4-ctr"], "+F:", 3),
            openssl(&["sm2"], "+F7:", 4),
            openssl(&["sm2"], "+F7:", 5),
        ],
    );
    let [[encapsulate], [decapsulate]] = alternate(
        scope.rounds(),
        [
            repeated(|| Sm2::encapsulate(&key, &content, &mut coins)),
            repeated(|| Sm2::decapsulate(&secret, &encapsulated).expect("honest")),
        ],
    );
    let version = Command::new("openssl").arg("version").output().ok();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let gmssl = Command::new("gmssl").arg("version").output().is_ok();
    let beside = |figure: Figure, theirs: Sample| {
        if theirs.median.is_finite() {
            figure.beside("OpenSSL", theirs.median)
        } else {
            figure
        }
    };
    let rate = |sample: Sample| sample.per_second().scaled(BYTES as f64 / 1e6);
    let megabytes = |theirs: Sample| theirs.scaled(1e-6);
    Table {
        title: "SM2, SM3 and SM4",
        text: format!(
            "SM3 and SM4 on blocks of {BYTES} bytes; SM2 on messages of 32; one thread. {}. {}",
            version.map_or(
                "OpenSSL is not installed: skipped".into(),
                |version| format!("Beside: {version}")
            ),
            if gmssl {
                "GmSSL is installed, but its command line has no benchmark."
            } else {
                "GmSSL is not installed: skipped."
            },
        ),
        figures: vec![
            beside(Figure::new("SM3", "MB/s", rate(sm3)), megabytes(open_sm3)),
            beside(
                Figure::new("SM4 in counter mode", "MB/s", rate(sm4)),
                megabytes(open_sm4),
            ),
            beside(
                Figure::new("SM2, signatures", "1/s", sign.per_second()),
                open_sign,
            ),
            beside(
                Figure::new("SM2, verifications", "1/s", verify.per_second()),
                open_verify,
            ),
            Figure::new(
                "SM2, content keys encrypted",
                "1/s",
                encapsulate.per_second(),
            ),
            Figure::new(
                "SM2, content keys decrypted",
                "1/s",
                decapsulate.per_second(),
            )
            .note("`openssl speed` does not measure SM2 encryption"),
        ],
        charts: Vec::new(),
    }
}

/// One field of what `openssl speed -mr` prints: operations or bytes in a second. Not a number when
/// it cannot be had.
fn openssl<'a>(arguments: &'a [&'a str], line: &'a str, field: usize) -> Round<'a> {
    Box::new(move || {
        let run = Command::new("openssl")
            .args(["speed", "-mr", "-seconds", "1"])
            .args(arguments)
            .output();
        let Ok(output) = run else { return [f64::NAN] };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let found = text.lines().find(|found| found.starts_with(line));
        let value = found.and_then(|found| found.split(':').nth(field)?.parse().ok());
        [value.unwrap_or(f64::NAN)]
    })
}
