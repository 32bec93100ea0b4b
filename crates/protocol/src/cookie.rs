//! Proof of address under load, as WireGuard does it (PROTOCOLS.md section 4).
//!
//! 1. An RSU under load answers a `Hello` with `CookieReply`: `MAC(key of this interval, source
//!    address, Hello)`, 16 bytes, computed without opening anything and without keeping anything.
//! 2. The vehicle repeats the same `Hello` with the cookie in front.
//! 3. The RSU opens it only if the cookie is right, for this or the last interval. Who sends under
//!    a false address never sees the cookie and costs the RSU one MAC.
//!
//! Unlike WireGuard's, a cookie is good for one `Hello`: a login happens once per RSU, so there is
//! nothing to gain from a cookie that lives longer.

use cairn_crypto::transcript::{Domain, mac};
use commonware_codec::Encode as _;
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    THR_MS,
    wire::{Cookie, Hello},
};

const INTERVAL_KEY: Domain = Domain::new("cairn/1/cookie/interval-key");
const COOKIE: Domain = Domain::new("cairn/1/cookie/cookie");

/// Length of an interval: a cookie outlives the `Hello` that it is for, and not by much.
const INTERVAL_MS: u64 = 2 * THR_MS;

/// Makes and checks cookies. Drawn anew whenever the RSU starts.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Jar([u8; 32]);

impl Jar {
    /// Draws the master key.
    #[must_use]
    pub fn new(rng: &mut impl CryptoRng) -> Self {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        Self(key)
    }

    /// The cookie for a `Hello` from `source`, the bytes of its address.
    #[must_use]
    pub fn bake(&self, source: &[u8], hello: &Hello, now_ms: u64) -> Cookie {
        self.of(source, hello, now_ms / INTERVAL_MS)
    }

    /// Whether the cookie was baked for this `Hello` from this source in this or the last interval.
    #[must_use]
    pub fn check(&self, cookie: &Cookie, source: &[u8], hello: &Hello, now_ms: u64) -> bool {
        let interval = now_ms / INTERVAL_MS;
        let fits = |interval| self.of(source, hello, interval).0.ct_eq(&cookie.0);
        (fits(interval) | fits(interval.wrapping_sub(1))).into()
    }

    fn of(&self, source: &[u8], hello: &Hello, interval: u64) -> Cookie {
        let key = mac(INTERVAL_KEY, &self.0, &[&interval.to_be_bytes()]);
        let mac = mac(COOKIE, &key, &[source, &hello.encode()]);
        let mut cookie = [0; 16];
        cookie.copy_from_slice(&mac[..16]);
        Cookie(cookie)
    }
}
