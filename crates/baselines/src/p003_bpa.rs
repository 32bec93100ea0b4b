//! Paper 003: BPA, anonymous authentication of a vehicle at RSUs with ledger tokens (*BPA: A Novel
//! Blockchain-Based Privacy-Preserving Authentication Scheme for the Internet of Vehicles*,
//! Electronics 2024, 13(10), 1901).
//!
//! Group: the paper uses a supersingular curve with 64-byte points and no pairing. Here it is
//! ristretto255 \[ours\]: the library and the group of the scheme that is measured beside it, so
//! that a ratio shows the protocol and not the curve. Points take 32 bytes; [`sizes`] also counts
//! with the paper's 64. Fixed keys have tables, the proof check is one double multiplication.
//!
//! Setup: TA `s_TA, PK_TA`; RSU `sk_j, PK_j` \[paper\]. Scalars 32 bytes, times 8 bytes of
//! milliseconds, VID 8 bytes \[paper\].
//!
//! **R Registration** (paper: 232 bytes)
//! 1. V: `X = xP`, `C2 = M_VID + x·PK_TA`, VID embedded in a point; sends X, C2, T \[paper; T
//!    reconstructed\].
//! 2. TA: `M_VID = C2 − s_TA·X`; `R = rP`, `s = r + h·s_TA`, `h = H(R, X)` \[inputs
//!    reconstructed\]; `S = s ⊕ H(VID)`; keeps (R, VID); sends R, S \[paper\].
//! 3. V: checks `sP = R + h·PK_TA`; key `sk_V = s + x`, statement `PK_V = X + R + h·PK_TA`.
//!
//! **A Authentication** (paper: printed 386, read as 368)
//! 1. V: `M = mP`, `c = H(R,X,M,T1)`, `z = m + c·sk_V`; sends R, X, M, z, T1.
//! 2. RSU: time; `PK_V` (eq 1); `zP = M + c·PK_V` (eq 2).
//! 3. RSU: `N = kP`, n random, `K = H(k·M‖sk_j·M)`, `E = n ⊕ H(K‖T2)`, `V = H(n‖K‖N‖T2)`; sends N, E,
//!    V, T2. Ledger: `Q = nP → (R, legal)` \[form of Q and of K reconstructed\].
//! 4. V: time; `K = H(m·N‖m·PK_j)`; n; V.
//!
//! **RA Re-authentication** (paper: 240)
//! 1. V: `A = aP`, `c = H(A,T3)`, `z = a + c·n`; sends A, z, T3.
//! 2. RSU: time; `Q = c⁻¹(zP − A)` must be on the ledger and legal. Then A3 and A4 with A for M; the
//!    ledger gets `Q' = n'P → (R, legal)`, and the old token stays.
//!
//! **T Revocation** \[paper\]: R becomes illegal; TA maps R to VID.
//!
//! Where the text leaves a choice that decides over an attack, [`Reading`] has both.
//!
//! Attacks: [`attack_b1`] to [`attack_b7`], [`attack_b9`].

use std::collections::{HashMap, HashSet};

use curve25519_dalek::{
    RistrettoPoint, Scalar,
    ristretto::{CompressedRistretto, RistrettoBasepointTable},
    traits::IsIdentity,
};
use sha2::{Digest, Sha512};

use crate::{Refusal, Size};

mod attacks;
mod login;
mod registration;

pub use attacks::{
    attack_b1, attack_b2, attack_b3, attack_b4, attack_b5, attack_b6, attack_b7, attack_b9,
};
pub use login::{Answer, Established, FastRequest, Pending, Request, Rsu};
pub use registration::{Applicant, Application, Issued, Ta, Vehicle, embed, extract};

/// ΔT, milliseconds \[ours: the paper gives no value\].
pub const MAX_DELAY_MS: u64 = 500;

/// A vehicle's real identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vid(pub [u8; 8]);

/// Inputs of `h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateHash {
    /// `h = H(R, X)`: the reading that stands.
    CoversX,
    /// `h = H(R)`: also fits the text, and falls to B5.
    OnlyR,
}

/// Inputs of `K`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKey {
    /// `K = H(k·M ‖ sk_j·M)`: the reading that stands.
    WithRsuKey,
    /// `K = H(k·M)`: also fits the text, and falls to B6.
    EphemeralOnly,
}

/// How two open places of the text are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Inputs of `h`.
    pub certificate: CertificateHash,
    /// Inputs of `K`.
    pub session: SessionKey,
}

/// The reading that is measured.
pub const STANDING: Reading = Reading {
    certificate: CertificateHash::CoversX,
    session: SessionKey::WithRsuKey,
};

/// Public parameters.
pub struct Params {
    /// How the text is read.
    pub reading: Reading,
    ta: RistrettoBasepointTable,
}

impl Params {
    /// Parameters from TA's public key.
    #[must_use]
    pub fn new(reading: Reading, ta: &RistrettoPoint) -> Self {
        Self {
            reading,
            ta: RistrettoBasepointTable::create(ta),
        }
    }

    /// TA's public key.
    #[must_use]
    pub fn ta(&self) -> RistrettoPoint {
        self.ta.basepoint()
    }

    /// `h`.
    pub(crate) fn h(&self, r: &[u8; 32], x: &[u8; 32]) -> Scalar {
        match self.reading.certificate {
            CertificateHash::CoversX => to_scalar(b"certificate", &[r, x]),
            CertificateHash::OnlyR => to_scalar(b"certificate", &[r]),
        }
    }

    /// `h·PK_TA`.
    pub(crate) fn certified(&self, r: &[u8; 32], x: &[u8; 32]) -> RistrettoPoint {
        &self.h(r, x) * &self.ta
    }
}

/// A ledger record under a token `Q = nP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// R of the vehicle's credential, the same in all its records.
    pub r: [u8; 32],
    /// False after revocation.
    pub legal: bool,
}

/// The contract's state as one RSU sees it.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Records by token.
    pub tokens: HashMap<[u8; 32], Record>,
    revoked: HashSet<[u8; 32]>,
}

impl Ledger {
    /// Revocation: every record of R becomes illegal, and R is refused from now on.
    pub fn revoke(&mut self, r: [u8; 32]) {
        self.revoked.insert(r);
        for record in self.tokens.values_mut().filter(|record| record.r == r) {
            record.legal = false;
        }
    }

    /// Whether R was revoked.
    #[must_use]
    pub fn is_revoked(&self, r: &[u8; 32]) -> bool {
        self.revoked.contains(r)
    }
}

/// Message sizes of the reconstruction with 32-byte points, beside the paper's table 5; then
/// the same fields counted with the paper's 64-byte points.
#[must_use]
pub fn sizes() -> [Size; 6] {
    let registration = size_of::<Application>() + size_of::<Issued>();
    let first = size_of::<Request>() + size_of::<Answer>();
    let again = size_of::<FastRequest>() + size_of::<Answer>();
    let wide = |bytes: usize, points: usize| bytes + 32 * points;
    let row = |what, reconstruction, paper| Size {
        what,
        reconstruction,
        paper,
    };
    [
        row("registration", registration, 232),
        row("authentication (paper prints 386)", first, 368),
        row("re-authentication", again, 240),
        row("registration, 64-byte points", wide(registration, 3), 232),
        row(
            "authentication, 64-byte points (paper prints 386)",
            wide(first, 4),
            368,
        ),
        row("re-authentication, 64-byte points", wide(again, 2), 240),
    ]
}

pub(crate) fn fresh(stamp: [u8; 8], now_ms: u64) -> Result<(), Refusal> {
    if now_ms.abs_diff(u64::from_be_bytes(stamp)) > MAX_DELAY_MS {
        Err(Refusal::Late)
    } else {
        Ok(())
    }
}

pub(crate) fn parse(point: &[u8; 32]) -> Result<RistrettoPoint, Refusal> {
    CompressedRistretto(*point)
        .decompress()
        .filter(|point| !point.is_identity())
        .ok_or(Refusal::Point)
}

pub(crate) fn parse_scalar(scalar: &[u8; 32]) -> Result<Scalar, Refusal> {
    Option::from(Scalar::from_canonical_bytes(*scalar)).ok_or(Refusal::Scalar)
}

/// The paper's H to scalars. Parts have fixed lengths for each label.
pub(crate) fn to_scalar(label: &[u8], parts: &[&[u8]]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&wide(label, parts))
}

/// The paper's hash to 32 bytes.
pub(crate) fn to_bytes(label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(&wide(label, parts)[..32]);
    out
}

fn wide(label: &[u8], parts: &[&[u8]]) -> [u8; 64] {
    let start = Sha512::new_with_prefix(label);
    parts
        .iter()
        .fold(start, |hash, part| hash.chain_update(part))
        .finalize()
        .into()
}

pub(crate) fn xor(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    std::array::from_fn(|i| a[i] ^ b[i])
}
