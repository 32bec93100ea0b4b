//! One-time tokens: handover to the next RSU without key or credential (PROTOCOLS.md section 5).
//!
//! 1. In every login the vehicle sends `Q' = n'P` and keeps `n'`. The RSU never learns `n'`, so it
//!    cannot use the token that it mints (B3).
//! 2. The RSU's next batch mints on the ledger: `H(Q') → {H(Q' ‖ holder), expiry, hops, RSU}`. The
//!    expiry is the end of the session, `hops` the handovers since the last full login.
//! 3. At the next RSU the vehicle sends, in place of a [`Registered`](crate::login::Registered)
//!    credential, a [`Token`]: `Q`, holder, the next `Q'`, and a short proof `(c, z)` of `n`:
//!    `k` random, `M = kP`, `c = H(domain, suite, Q, M, statement)` cut to 128 bits, `z = k + c·n`.
//!    The statement covers role, kind, suite, chain, RID, beacon digest, `e_v`, `Q`, holder, `Q'`.
//! 4. That RSU checks the rules below against a final state, serves at once, and puts a spend marker
//!    with the proof's digest into its next batch. Whoever comes first in ledger order has the token;
//!    the other RSU drops its session (B9). Until then the session is *provisional*.
//! 5. Refused for whatever reason of the token, the vehicle is told [`Code::LogInFully`] and
//!    nothing more, and logs in fully.
//!
//! Rules, checked by the RSU after those of a `Hello` ([`crate::roadside`]):
//! * `V-TOKEN-1` the token's record is final;
//! * `V-TOKEN-2` it expires no sooner than [`SPEND_MARGIN_MS`] from now;
//! * `V-TOKEN-3` it is not spent;
//! * `V-TOKEN-4` its commitment is that of `Q` and the holder;
//! * `V-TOKEN-5` it has fewer than [`MAX_HANDOVERS`] hops;
//! * `V-TOKEN-6` the holder's key is registered, valid now and not revoked; of an anonymous holder, the
//!   linkage value is not revoked;
//! * `V-TOKEN-7` the RSU that minted it is registered and not revoked;
//! * `V-TOKEN-8` the proof fits `Q` and statement;
//! * `V-TOKEN-9` it was not shown at this RSU before, whatever became of that.
//!
//! Why 128 bits of challenge suffice: who does not know `n` has to hit a challenge, 2⁻¹²⁸ a try.
//! Who knows `n` could find, with 2⁶⁴ work, one `(c, z)` for two statements; therefore the digest on
//! the ledger covers the statement too.
//!
//! A vehicle shows its token only while the credential of its last full login is valid. The RSU does
//! not see that credential at a handover: what bounds a vehicle that goes on longer is
//! [`MAX_HANDOVERS`], at most 100 minutes.
//!
//! Consecutive RSUs can link: the first knows `Q'`, the second sees it. The public cannot: the
//! ledger shows hashes of `Q` only, and a batch keeps mints and spends apart, each sorted (B4).

use cairn_contracts::{
    misbehaviour::{SIGNER_BYTES, Signer},
    tokens::TokenId,
};
use cairn_crypto::{
    linkage::LinkageValue,
    schnorr::{self, PublicKey, SUITE, SecretKey},
    transcript::{Digest, Domain, Transcript},
};
use cairn_ledger::Uid;
use curve25519_dalek::{
    RistrettoPoint, Scalar, ristretto::CompressedRistretto, traits::IsIdentity as _,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

#[cfg(doc)]
use crate::login::Code;
use crate::{
    login::{Context, CredentialError},
    session::MAX_VALIDITY_MS,
};

const COMMITMENT: Domain = Domain::new("cairn/1/tokens/commitment");
const CHALLENGE: Domain = Domain::new("cairn/1/tokens/challenge");
const NONCE: Domain = Domain::new("cairn/1/tokens/nonce");
const PROOF: Domain = Domain::new("cairn/1/tokens/proof-digest");

/// Handovers after which a full login is due (PROTOCOLS.md section 5). Contract `tokens` has to be
/// deployed with at least one less.
pub const MAX_HANDOVERS: u8 = 10;

/// Time within which a spend has to be final, in milliseconds: the clock offset between RSU and
/// blocks, an interval of batching, and finality, several times over. A token nearer to its expiry
/// is not taken, because its spend might come too late; one that would live no longer is not minted.
pub const SPEND_MARGIN_MS: u64 = 5_000;

/// The longest life of a token that contract `tokens` has to allow, in milliseconds: a session's
/// validity, and a block whose clock is behind the RSU's.
pub const MAX_LIFE_MS: u64 = MAX_VALIDITY_MS as u64 + SPEND_MARGIN_MS;

/// Bytes of a [`Holder`].
pub const HOLDER_BYTES: usize = SIGNER_BYTES;

/// Bytes of a [`Proof`]: challenge 16, response 32.
pub const PROOF_BYTES: usize = CHALLENGE_BYTES + 32;

/// Bytes of a [`Token`]: `Q` 32, holder 10, `Q'` 32, proof 48.
pub const TOKEN_BYTES: usize =
    schnorr::PUBLIC_KEY_BYTES + HOLDER_BYTES + schnorr::PUBLIC_KEY_BYTES + PROOF_BYTES;

const CHALLENGE_BYTES: usize = 16;

/// Who has a session and may use its token, encoded as a [`Signer`]. Both kinds have one length:
/// whoever listens does not learn how a vehicle that hands over had logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// A vehicle with a registered key: `00 00 ‖ UID`.
    Registered(Uid),
    /// A vehicle with an anonymous credential: `01 ‖ lv`.
    Anonymous(LinkageValue),
}

impl From<Holder> for Signer {
    fn from(holder: Holder) -> Self {
        match holder {
            Holder::Registered(uid) => Self::Registered(uid),
            Holder::Anonymous(LinkageValue(value)) => Self::Anonymous(value),
        }
    }
}

impl From<Signer> for Holder {
    fn from(signer: Signer) -> Self {
        match signer {
            Signer::Registered(uid) => Self::Registered(uid),
            Signer::Anonymous(value) => Self::Anonymous(LinkageValue(value)),
        }
    }
}

impl Holder {
    /// The ten bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HOLDER_BYTES] {
        Signer::from(self).to_bytes()
    }

    /// Reads ten bytes.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Holder`] when they do not begin as a known kind does.
    pub fn from_bytes(bytes: &[u8; HOLDER_BYTES]) -> Result<Self, CredentialError> {
        let [kind, second, ..] = *bytes;
        let signer = Signer::from_bytes(bytes).ok_or(CredentialError::Holder([kind, second]))?;
        Ok(signer.into())
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Signer::from(*self).fmt(f)
    }
}

/// What the ledger says of who may use the token `point`: `H(Q ‖ holder)`, 32 bytes.
#[must_use]
pub fn commitment(point: &PublicKey, holder: &Holder) -> [u8; 32] {
    let transcript = Transcript::new(COMMITMENT).bytes(&point.to_bytes());
    transcript.bytes(&holder.to_bytes()).finish().short()
}

/// The ledger's name of the token `point`.
#[must_use]
pub fn id(point: &PublicKey) -> TokenId {
    TokenId::of(&point.to_bytes())
}

/// A login with a one-time token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// `Q`, the token's public part.
    pub point: PublicKey,
    /// Who the vehicle says it is.
    pub holder: Holder,
    /// `Q'`, public part of the next handover's token.
    pub next_token: PublicKey,
    /// Proof of `n` over [`Context::token`].
    pub proof: Proof,
}

impl Token {
    /// Shows the token whose secret is `secret` (`n`).
    #[must_use]
    pub fn show(
        context: &Context<'_>,
        secret: &SecretKey,
        holder: Holder,
        next_token: PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let point = secret.public();
        let statement = context.token(&point, &holder, &next_token);
        Self {
            point,
            holder,
            next_token,
            proof: Proof::new(secret, &statement, rng),
        }
    }

    /// Checks the proof and returns its digest for the ledger; `None` when it does not fit.
    #[must_use]
    pub fn verify(&self, context: &Context<'_>) -> Option<[u8; 32]> {
        let statement = context.token(&self.point, &self.holder, &self.next_token);
        let proof = &self.proof;
        proof.verify(&self.point, &statement).then(|| {
            Transcript::new(PROOF)
                .bytes(&statement.0)
                .bytes(&proof.to_bytes())
                .finish()
                .short()
        })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.point.to_bytes());
        out.extend_from_slice(&self.holder.to_bytes());
        out.extend_from_slice(&self.next_token.to_bytes());
        out.extend_from_slice(&self.proof.to_bytes());
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, CredentialError> {
        let length = CredentialError::Length(bytes.len());
        let (point, rest) = bytes.split_first_chunk().ok_or(length)?;
        let (holder, rest) = rest.split_first_chunk().ok_or(length)?;
        let (next_token, rest) = rest.split_first_chunk().ok_or(length)?;
        let proof = rest.try_into().map_err(|_| length)?;
        Ok(Self {
            point: PublicKey::from_bytes(point).map_err(CredentialError::Token)?,
            holder: Holder::from_bytes(holder)?,
            next_token: PublicKey::from_bytes(next_token).map_err(CredentialError::NextToken)?,
            proof: Proof::from_bytes(proof).map_err(CredentialError::Signature)?,
        })
    }
}

/// A short Schnorr proof `(c, z)` (module documentation, step 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    challenge: [u8; CHALLENGE_BYTES],
    response: Scalar,
}

impl Proof {
    /// Proves knowledge of `secret`. The nonce hashes secret, statement and randomness, as in
    /// [`schnorr`]: a broken generator repeats it only together with the statement.
    #[must_use]
    pub fn new(secret: &SecretKey, statement: &Digest, rng: &mut impl CryptoRng) -> Self {
        let mut random = Zeroizing::new([0; 32]);
        rng.fill_bytes(random.as_mut_slice());
        let bytes = secret.to_bytes();
        let seed = Transcript::new(NONCE)
            .bytes(bytes.as_slice())
            .bytes(random.as_slice())
            .bytes(&statement.0)
            .finish();
        let seed = Zeroizing::new(seed.0);
        let nonce = Zeroizing::new(Scalar::from_bytes_mod_order_wide(&seed));
        let commitment = RistrettoPoint::mul_base(&nonce);
        let challenge = challenge(&secret.public(), &commitment, statement);
        let secret = Zeroizing::new(Scalar::from_bytes_mod_order(*bytes));
        Self {
            challenge,
            response: *nonce + widen(&challenge) * *secret,
        }
    }

    /// Whether whoever made the proof knew the secret of `point` and meant this statement:
    /// `c = H(…, zP − cQ, …)`.
    #[must_use]
    pub fn verify(&self, point: &PublicKey, statement: &Digest) -> bool {
        let Some(key) = CompressedRistretto(point.to_bytes()).decompress() else {
            return false;
        };
        let commitment = RistrettoPoint::vartime_double_scalar_mul_basepoint(
            &-widen(&self.challenge),
            &key,
            &self.response,
        );
        !commitment.is_identity() && challenge(point, &commitment, statement) == self.challenge
    }

    /// The 48 bytes `c ‖ z`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PROOF_BYTES] {
        let mut bytes = [0; PROOF_BYTES];
        bytes[..CHALLENGE_BYTES].copy_from_slice(&self.challenge);
        bytes[CHALLENGE_BYTES..].copy_from_slice(self.response.as_bytes());
        bytes
    }

    /// Reads 48 bytes.
    ///
    /// # Errors
    ///
    /// [`schnorr::Error::Scalar`] when `z` is not canonical.
    pub fn from_bytes(bytes: &[u8; PROOF_BYTES]) -> Result<Self, schnorr::Error> {
        let (mut challenge, mut response) = ([0; CHALLENGE_BYTES], [0; 32]);
        challenge.copy_from_slice(&bytes[..CHALLENGE_BYTES]);
        response.copy_from_slice(&bytes[CHALLENGE_BYTES..]);
        let response = Option::<Scalar>::from(Scalar::from_canonical_bytes(response));
        Ok(Self {
            challenge,
            response: response.ok_or(schnorr::Error::Scalar)?,
        })
    }
}

fn challenge(
    point: &PublicKey,
    commitment: &RistrettoPoint,
    statement: &Digest,
) -> [u8; CHALLENGE_BYTES] {
    let digest = Transcript::new(CHALLENGE)
        .bytes(SUITE.as_bytes())
        .bytes(&point.to_bytes())
        .bytes(commitment.compress().as_bytes())
        .bytes(&statement.0)
        .finish();
    let mut challenge = [0; CHALLENGE_BYTES];
    challenge.copy_from_slice(&digest.0[..CHALLENGE_BYTES]);
    challenge
}

fn widen(challenge: &[u8; CHALLENGE_BYTES]) -> Scalar {
    Scalar::from(u128::from_le_bytes(*challenge))
}
