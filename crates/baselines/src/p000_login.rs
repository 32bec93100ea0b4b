//! Paper 000: two-way authentication, fast re-authentication and key agreement between a vehicle
//! and an RSU (Su, Shao, Guo, Lei, *Blockchain-Based Internet of Vehicles Privacy Protection
//! System*, Wireless Communications and Mobile Computing 2020, 8870438).
//!
//! Group P-256, hash SHA-256 \[reconstructed: the paper says a 256-bit curve and 64-byte
//! signatures\]. Times are seconds in 4 bytes.
//!
//! **Registration** \[paper\]
//! 1. TA makes `(UPubK, UPriK)`, UID and validity VP for the vehicle and hands all over.
//! 2. The contract stores `{UID, UPubK, VP}`.
//!
//! **Authentication**
//! 1. RSU broadcasts `{RID, RPubK, T0, branch}` \[paper\]. Leaf `H(0‖RID‖RPubK)`, node `H(1‖l‖r)`
//!    \[ours\]. The vehicle checks the branch against its block header and T0.
//! 2. Vehicle: `H1 = H(UID‖UPubK)`; sends `{UID, UPubK, H1, Sign(UPriK, H1), T1}` \[paper: the
//!    fields, and that H1 can be computed in advance, so no time is inside\].
//! 3. RSU: T1; H1; UPubK on the ledger, valid, not revoked; signature \[paper\].
//! 4. RSU sends `{RID, ASC, AVP, T2, Sign(RPriK, RID‖ASC‖AVP‖T2)}`; the ledger keeps ASC and AVP
//!    \[paper\]. The vehicle checks T2 and the signature.
//!
//! **Re-authentication** \[paper\]: vehicle sends `{UID, ASC, Sign(UPriK, UID‖ASC)}` \[text of the
//! signature: reconstructed\]; RSU reads ASC and AVP from the ledger and answers with a signature
//! over its own public key.
//!
//! **Key agreement**
//! 1. Vehicle: `R1 = PRNG(UID, T)` \[paper: the seed is identity and time\], random IK;
//!    `m = RID‖UID‖R1‖IK`; sends `Enc(RPubK, m‖H(m)‖T3)` \[paper\].
//! 2. RSU: T3, digest; random R2; `BK = KDF(R1, R2, IK)`, `SK = KDF(BK, R1, R2, RID, UID)`;
//!    sends `Enc(UPubK, RID‖R1‖R2‖BK‖HMAC(SK, RID‖UID‖R1‖R2)‖T4)` \[inputs: paper; KDF and text of
//!    the HMAC: reconstructed\].
//! 3. Vehicle: T4, R1 is its own, derives SK, compares the HMAC.
//!
//! **Rekey** \[paper\]: both send a fresh random number under a symmetric cipher;
//! `SK' = KDF(BK, R1', R2', RID, UID)`. Message of 64 bytes: number 32, HMAC 32, under the current
//! SK \[reconstructed from the printed 128 = 2 × 64\].
//!
//! `Enc` is ECIES of SEC 1 with the X9.63 KDF, XOR cipher and HMAC-SHA-256: point 65, text, tag
//! 32; with it the first ciphertext has exactly the printed 213 bytes \[reconstructed\].
//!
//! Sizes: the printed 237 and 79 admit many layouts; ours uses compressed keys. See [`sizes`].
//!
//! Attacks: [`attack_c1`] to [`attack_c5`].

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};

use crate::{Refusal, Size};
use keys::verify;

mod agreement;
mod attacks;
mod ecies;
mod keys;
mod ledger;
mod merkle;

pub use agreement::{
    FIRST_BYTES, Handshake, REKEY_BYTES, SECOND_BYTES, Session, Side, answer_agreement,
    begin_agreement, vehicle_random,
};
pub use attacks::{attack_c1, attack_c2, attack_c3, attack_c4, attack_c5};
pub use ecies::{decrypt, encrypt};
pub use keys::{Key, KeyPair};
pub use ledger::{Ledger, Record};
pub use merkle::{Branch, Tree};

/// Accepted distance of a time stamp from now, in seconds \[the paper names THR without a value\].
pub const THR: u32 = 2;

/// Life of an authentication code, in seconds \[ours: AVP has no value in the paper\].
pub const AVP: u32 = 3_600;

/// A vehicle's identity on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Uid(pub [u8; 8]);

/// An RSU's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rid(pub [u8; 8]);

fn fresh(stamp: [u8; 4], now: u32) -> Result<(), Refusal> {
    if now.abs_diff(u32::from_be_bytes(stamp)) > THR {
        Err(Refusal::Late)
    } else {
        Ok(())
    }
}

pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    parts
        .iter()
        .fold(Sha256::new(), |hash, part| hash.chain_update(part))
        .finalize()
        .into()
}

/// What an RSU broadcasts.
#[derive(Clone, Debug)]
pub struct Beacon {
    /// The RSU.
    pub rid: Rid,
    /// Its public key.
    pub key: Key,
    /// T0.
    pub sent: [u8; 4],
    /// From the leaf of the key to the root in a block header.
    pub branch: Branch,
}

impl Beacon {
    /// Step 1 at the vehicle, against the root of a header that it trusts.
    ///
    /// # Errors
    ///
    /// [`Refusal::Late`], [`Refusal::Branch`].
    pub fn check(&self, root: &[u8; 32], now: u32) -> Result<(), Refusal> {
        fresh(self.sent, now)?;
        if self.branch.root(rsu_leaf(self.rid, &self.key)) == *root {
            Ok(())
        } else {
            Err(Refusal::Branch)
        }
    }
}

/// The Merkle leaf of an RSU's key.
#[must_use]
pub fn rsu_leaf(rid: Rid, key: &Key) -> [u8; 32] {
    hash(&[&[0], &rid.0, &key.0])
}

/// M1, the vehicle's request.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The vehicle.
    pub uid: Uid,
    /// Its public key.
    pub key: Key,
    /// `H(UID‖UPubK)`.
    pub digest: [u8; 32],
    /// Over `digest`.
    pub signature: [u8; 64],
    /// T1.
    pub sent: [u8; 4],
}

/// M2, the RSU's answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The RSU.
    pub rid: Rid,
    /// Authentication code for re-authentication.
    pub asc: [u8; 8],
    /// End of the code's validity, seconds.
    pub avp: [u8; 4],
    /// T2.
    pub sent: [u8; 4],
    /// Over the fields above.
    pub signature: [u8; 64],
}

/// The vehicle's request for re-authentication.
#[derive(Clone, Copy, Debug)]
pub struct FastRequest {
    /// The vehicle.
    pub uid: Uid,
    /// Code of an earlier answer.
    pub asc: [u8; 8],
    /// Over the fields above.
    pub signature: [u8; 64],
}

/// The RSU's answer to re-authentication: a signature over its own public key.
#[derive(Clone, Copy, Debug)]
pub struct FastAnswer {
    /// The same bytes at every run.
    pub signature: [u8; 64],
}

/// A registered vehicle.
pub struct Vehicle {
    /// Its identity.
    pub uid: Uid,
    pub(crate) keys: KeyPair,
}

impl Vehicle {
    /// Its public key.
    #[must_use]
    pub fn key(&self) -> Key {
        self.keys.public()
    }

    /// Authentication, step 2.
    #[must_use]
    pub fn request(&self, now: u32) -> Request {
        let digest = hash(&[&self.uid.0, &self.keys.public().0]);
        Request {
            uid: self.uid,
            key: self.keys.public(),
            digest,
            signature: self.keys.sign(&digest),
            sent: now.to_be_bytes(),
        }
    }

    /// Authentication, end of step 4: returns the code.
    ///
    /// # Errors
    ///
    /// [`Refusal::Late`], [`Refusal::Proof`], and those of parsing.
    pub fn accept(&self, rsu: &Key, answer: &Answer, now: u32) -> Result<[u8; 8], Refusal> {
        fresh(answer.sent, now)?;
        verify(rsu, &answer_text(answer), &answer.signature)?;
        Ok(answer.asc)
    }

    /// Re-authentication, first message.
    #[must_use]
    pub fn fast_request(&self, asc: [u8; 8]) -> FastRequest {
        let signature = self.keys.sign(&[self.uid.0, asc].concat());
        FastRequest {
            uid: self.uid,
            asc,
            signature,
        }
    }

    /// Re-authentication, check of the RSU's answer.
    ///
    /// # Errors
    ///
    /// [`Refusal::Proof`] and those of parsing.
    pub fn accept_fast(&self, rsu: &Key, answer: &FastAnswer) -> Result<(), Refusal> {
        verify(rsu, &rsu.0, &answer.signature)
    }
}

/// A road-side unit.
pub struct Rsu {
    /// Its identity.
    pub rid: Rid,
    pub(crate) keys: KeyPair,
}

impl Rsu {
    /// An RSU with fresh keys.
    pub fn random(rid: Rid, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self {
            rid,
            keys: KeyPair::random(rng),
        }
    }

    /// Its public key.
    #[must_use]
    pub fn key(&self) -> Key {
        self.keys.public()
    }

    /// Authentication, steps 3 and 4. Writes the code to the ledger.
    ///
    /// # Errors
    ///
    /// [`Refusal::Late`], [`Refusal::Digest`], [`Refusal::Key`], [`Refusal::Proof`].
    pub fn answer(
        &self,
        ledger: &mut Ledger,
        request: &Request,
        now: u32,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Answer, Refusal> {
        fresh(request.sent, now)?;
        if hash(&[&request.uid.0, &request.key.0]) != request.digest {
            return Err(Refusal::Digest);
        }
        let mut record = ledger.valid(request.uid, now)?;
        if record.key != request.key {
            return Err(Refusal::Key);
        }
        verify(&record.key, &request.digest, &request.signature)?;
        let mut asc = [0; 8];
        rng.fill_bytes(&mut asc);
        let until = now.saturating_add(AVP);
        record.code = Some((asc, until));
        ledger.write(request.uid, record);
        let mut answer = Answer {
            rid: self.rid,
            asc,
            avp: until.to_be_bytes(),
            sent: now.to_be_bytes(),
            signature: [0; 64],
        };
        answer.signature = self.keys.sign(&answer_text(&answer));
        Ok(answer)
    }

    /// Re-authentication at an RSU that reads the code from the ledger.
    ///
    /// # Errors
    ///
    /// [`Refusal::Key`], [`Refusal::Token`] for a wrong or expired code, [`Refusal::Proof`].
    pub fn fast_answer(
        &self,
        ledger: &Ledger,
        request: &FastRequest,
        now: u32,
    ) -> Result<FastAnswer, Refusal> {
        let record = ledger.valid(request.uid, now)?;
        match record.code {
            Some((asc, until)) if asc == request.asc && now <= until => {}
            _ => return Err(Refusal::Token),
        }
        verify(
            &record.key,
            &[request.uid.0, request.asc].concat(),
            &request.signature,
        )?;
        Ok(FastAnswer {
            signature: self.keys.sign(&self.keys.public().0),
        })
    }
}

fn answer_text(answer: &Answer) -> Vec<u8> {
    [&answer.rid.0[..], &answer.asc, &answer.avp, &answer.sent].concat()
}

/// Message sizes of the reconstruction beside the paper's (section 5.1). The paper's 560 holds
/// two payloads of 67 bytes; ours has none in the row above it and both in the row itself.
#[must_use]
pub fn sizes() -> [Size; 6] {
    const PAYLOADS: usize = 2 * 67;
    let row = |what, reconstruction, paper| Size {
        what,
        reconstruction,
        paper,
    };
    [
        row(
            "authentication, both messages",
            size_of::<Request>() + size_of::<Answer>(),
            237,
        ),
        row(
            "re-authentication, the vehicle's message",
            size_of::<FastRequest>(),
            79,
        ),
        row(
            "key agreement, both ciphertexts (paper: 2 × 213)",
            FIRST_BYTES + SECOND_BYTES,
            560 - PAYLOADS,
        ),
        row(
            "key agreement with payloads",
            FIRST_BYTES + SECOND_BYTES + PAYLOADS,
            560,
        ),
        row("rekey, both messages", 2 * REKEY_BYTES, 128),
        row(
            "signed message with a payload of 67 bytes",
            size_of::<[u8; 64]>() + 67,
            131,
        ),
    ]
}
