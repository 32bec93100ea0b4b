//! The RSU's beacon (PROTOCOLS.md section 3; paper 000, two-way authentication, step 0).
//!
//! 1. Every second the RSU sends `{beacon id, RID, T0, E_r, S_r}`. `S_r` is its registered Ed25519
//!    key's signature over all other fields, in a namespace that names the chain.
//! 2. `E_r` is an X25519 key, replaced at least every 10 s. A login may answer a beacon for THR;
//!    then the beacon is forgotten, and with the last beacon of a key the key is erased. It is
//!    never stored. So at most 10 s + THR of logins fall to whoever seizes an RSU, and not even
//!    their session keys, which need the ephemeral keys of the handshake too.
//! 3. Every few beacons, or on a request of the same length, the RSU sends a proof: its key record
//!    (with registered position) under a final block at most 60 s old. The vehicle's side is in
//!    [`crate::trust`].

use std::{collections::VecDeque, sync::Arc};

use cairn_crypto::noise::Secret;
use cairn_ledger::{ChainId, PrivateKey, Rid, light::LedgerProof};
use commonware_codec::{Copying, DecodeExt as _, Encode as _, EncodeSize as _, FixedSize as _};
use commonware_cryptography::{Signer as _, Verifier as _, ed25519};
use rand_core::CryptoRng;
use thiserror::Error;

use crate::{
    THR_MS,
    wire::{Beacon, BeaconId, MAX_PROOF_BYTES, Message},
};

/// Time between beacons, in milliseconds (PROTOCOLS.md section 3).
pub const BEACON_INTERVAL_MS: u64 = 1_000;

/// The longest time that beacons carry one `E_r`, in milliseconds (PROTOCOLS.md section 3).
pub const ROTATION_MS: u64 = 10_000;

/// The most beacons remembered: those of THR at ten times the usual rate.
const MAX_REMEMBERED: usize = 20;

/// A proof too long for its message: the configuration is at fault (too many entries).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected a proof of fewer than {MAX_PROOF_BYTES} bytes, got {0}")]
pub struct ProofTooLong(pub usize);

/// The beacons of one RSU and the secrets behind them.
pub struct Beacons {
    chain: ChainId,
    rid: Rid,
    signer: PrivateKey,
    next: BeaconId,
    key: Option<(Arc<Secret>, u64)>,
    sent: VecDeque<(Beacon, Arc<Secret>)>,
}

impl Beacons {
    /// Beacons of the RSU `rid`, signed by its registered key.
    #[must_use]
    pub fn new(chain: ChainId, rid: Rid, signer: PrivateKey, rng: &mut impl CryptoRng) -> Self {
        // A random start: an answer to a beacon from before a restart most likely names none.
        let next = BeaconId(rng.next_u32());
        Self {
            chain,
            rid,
            signer,
            next,
            key: None,
            sent: VecDeque::new(),
        }
    }

    /// The RSU.
    #[must_use]
    pub const fn rid(&self) -> Rid {
        self.rid
    }

    /// Makes the beacon of this moment.
    pub fn make(&mut self, now_ms: u64, rng: &mut impl CryptoRng) -> Beacon {
        self.forget(now_ms);
        let secret = match &self.key {
            Some((secret, _)) => Arc::clone(secret),
            None => {
                let secret = Arc::new(Secret::random(rng));
                self.key = Some((Arc::clone(&secret), now_ms));
                secret
            }
        };
        let mut beacon = Beacon {
            id: self.next,
            rid: self.rid,
            time_ms: now_ms,
            ephemeral: secret.public(),
            signature: [0; 64],
        };
        self.next = BeaconId(self.next.0.wrapping_add(1));
        let signature = self
            .signer
            .sign(&namespace(&self.chain), &signed_part(&beacon));
        beacon.signature.copy_from_slice(signature.as_ref());
        if self.sent.len() == MAX_REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back((beacon.clone(), secret));
        beacon
    }

    /// The beacon `id` and its secret, if it may still be answered at `now_ms`.
    #[must_use]
    pub fn answerable(&self, id: BeaconId, now_ms: u64) -> Option<(&Beacon, &Secret)> {
        let (beacon, secret) = self.sent.iter().find(|(beacon, _)| beacon.id == id)?;
        is_answerable(beacon, now_ms).then_some((beacon, &**secret))
    }

    /// Forgets beacons that may not be answered any more, and with them erases keys.
    pub fn forget(&mut self, now_ms: u64) {
        self.sent
            .retain(|(beacon, _)| is_answerable(beacon, now_ms));
        // `abs_diff`: a clock that was set back must not prolong a key's life.
        self.key
            .take_if(|(_, since_ms)| now_ms.abs_diff(*since_ms) >= ROTATION_MS);
    }

    /// When [`Beacons::forget`] next has something to erase.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<u64> {
        let sent = self
            .sent
            .front()
            .map(|(beacon, _)| beacon.time_ms + THR_MS + 1);
        let key = self
            .key
            .as_ref()
            .map(|(_, since_ms)| since_ms + ROTATION_MS);
        sent.into_iter().chain(key).min()
    }
}

fn is_answerable(beacon: &Beacon, now_ms: u64) -> bool {
    beacon.time_ms <= now_ms && now_ms - beacon.time_ms <= THR_MS
}

/// Whether the beacon was signed by `key` for `chain`.
#[must_use]
pub fn is_signed_by(beacon: &Beacon, key: &ed25519::PublicKey, chain: &ChainId) -> bool {
    ed25519::Signature::decode(Copying(&beacon.signature))
        .is_ok_and(|signature| key.verify(&namespace(chain), &signed_part(beacon), &signature))
}

/// The datagram of a proof.
///
/// # Errors
///
/// [`ProofTooLong`] when it would be longer than a request.
pub fn proof_datagram(proof: LedgerProof) -> Result<Vec<u8>, ProofTooLong> {
    let size = proof.encode_size();
    if size >= MAX_PROOF_BYTES {
        return Err(ProofTooLong(size));
    }
    Ok(Message::Proof(Box::new(proof)).encode())
}

fn signed_part(beacon: &Beacon) -> Vec<u8> {
    let mut bytes = beacon.encode().to_vec();
    bytes.truncate(Beacon::SIZE - beacon.signature.len());
    bytes
}

fn namespace(chain: &ChainId) -> Vec<u8> {
    [b"cairn/1/beacon/sign/".as_slice(), chain].concat()
}
