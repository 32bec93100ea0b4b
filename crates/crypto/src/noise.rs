//! `Noise_NK_25519_ChaChaPoly_SHA256` (Noise revision 34), the handshake of every login.
//!
//! ```text
//! <- s                      the responder's static key, known from its signed beacon
//! ...
//! -> e, es, payload         "hello"
//! <- e, ee, payload         "accept"
//! ```
//!
//! Written by hand instead of through the crate `snow` for two reasons. The initiator's
//! ephemeral must exist before the payload is built, because the proof inside the payload covers
//! it ([`Initiator::ephemeral`]). And it is the cost of a login at the road side: a prototype of
//! this code took 78 µs for the responder's part, `snow` 101 µs with a resolver on the same curve
//! crate and 166 µs with its default one. `tests/noise.rs` runs the published vectors.
//!
//! A DH output of all zeros (an ephemeral of small order) is refused.

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use hmac::{Hmac, Mac};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use thiserror::Error;
use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::transcript::{Domain, derive};

/// Length of an X25519 public key, in bytes.
pub const KEY_BYTES: usize = 32;

/// Bytes that a message adds to its payload: ephemeral key and tag.
pub const OVERHEAD: usize = KEY_BYTES + TAG_BYTES;

/// Largest payload we send or take, in bytes. Noise allows 65,519; a login stays within one
/// datagram, and the largest of ours (an anonymous one) is below 200.
pub const MAX_PAYLOAD: usize = 1024;

const TAG_BYTES: usize = 16;
const MAX_MESSAGE: usize = OVERHEAD + MAX_PAYLOAD;
const REFUSAL: Domain = Domain::new("cairn/1/noise/refusal");
/// Exactly 32 bytes long, so that it is the first hash value without being hashed.
const NAME: &[u8; 32] = b"Noise_NK_25519_ChaChaPoly_SHA256";

/// Why a handshake message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Shorter than a key and a tag, or longer than [`MAX_PAYLOAD`] allows.
    #[error("expected {OVERHEAD} to {MAX_MESSAGE} bytes, got {0}")]
    Length(usize),
    /// The other side's key is of small order.
    #[error("expected a key that contributes to the exchange")]
    SmallOrder,
    /// The message was not made for this key and prologue, or was changed.
    #[error("message does not authenticate")]
    Tag,
}

/// An X25519 secret key. Erased on drop; has no `Debug`.
#[derive(Clone)]
pub struct Secret {
    secret: StaticSecret,
    public: [u8; KEY_BYTES],
}

impl Secret {
    /// Draws a key.
    #[must_use]
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let secret = StaticSecret::random_from_rng(rng);
        let public = PublicKey::from(&secret).to_bytes();
        Self { secret, public }
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> [u8; KEY_BYTES] {
        self.public
    }

    fn agree(&self, theirs: &[u8; KEY_BYTES]) -> Result<SharedSecret, Error> {
        let shared = self.secret.diffie_hellman(&PublicKey::from(*theirs));
        if shared.was_contributory() {
            Ok(shared)
        } else {
            Err(Error::SmallOrder)
        }
    }
}

/// What both sides hold at the end. Erased on drop; has no `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Established {
    /// Key for what the initiator sends.
    pub initiator_key: [u8; 32],
    /// Key for what the responder sends.
    pub responder_key: [u8; 32],
    /// Hash of the whole handshake; public, and different for every handshake.
    pub hash: [u8; 32],
    /// The last chaining key: input to keys derived for other purposes.
    chaining: [u8; 32],
}

impl Established {
    /// Derives a further key from the handshake; [`Established::hash`] is part of the context.
    #[must_use]
    pub fn export<const N: usize>(&self, domain: Domain) -> Zeroizing<[u8; N]> {
        derive(domain, &self.chaining, &[&self.hash])
    }
}

/// The side that sends the first message.
pub struct Initiator {
    state: Symmetric,
    ephemeral: Secret,
    responder: [u8; KEY_BYTES],
}

impl Initiator {
    /// Starts: mixes prologue and the responder's key, draws the ephemeral.
    #[must_use]
    pub fn new(
        responder: [u8; KEY_BYTES],
        prologue: &[u8],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Self {
        let ephemeral = Secret::random(rng);
        Self {
            state: Symmetric::new(prologue, &responder),
            ephemeral,
            responder,
        }
    }

    /// The ephemeral public key, for proofs inside the payload.
    #[must_use]
    pub fn ephemeral(&self) -> [u8; KEY_BYTES] {
        self.ephemeral.public
    }

    /// Writes the first message, `e ‖ ciphertext ‖ tag`.
    ///
    /// # Errors
    ///
    /// [`Error::SmallOrder`] when the responder's key is; [`Error::Length`] for a payload above
    /// [`MAX_PAYLOAD`].
    pub fn hello(mut self, payload: &[u8]) -> Result<(Vec<u8>, Waiting), Error> {
        let mut message = outgoing(&self.ephemeral, payload)?;
        self.state.mix_hash(&self.ephemeral.public);
        self.state.mix_key(&self.ephemeral.agree(&self.responder)?);
        self.state.encrypt(&mut message);
        Ok((
            message,
            Waiting {
                state: self.state,
                ephemeral: self.ephemeral,
            },
        ))
    }
}

/// The initiator after its message.
pub struct Waiting {
    state: Symmetric,
    ephemeral: Secret,
}

impl Waiting {
    /// Reads the second message. A refused message leaves this state as it was, so that a forger
    /// cannot end the handshake.
    ///
    /// # Errors
    ///
    /// See [`enum@Error`].
    pub fn accept(&self, message: &[u8]) -> Result<(Zeroizing<Vec<u8>>, Established), Error> {
        let (theirs, sealed) = incoming(message)?;
        let mut state = self.state.clone();
        state.mix_hash(&theirs);
        state.mix_key(&self.ephemeral.agree(&theirs)?);
        let payload = state.decrypt(sealed)?;
        Ok((payload, state.split()))
    }

    /// Opens what [`Responder::refuse`] sealed.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] and [`Error::Tag`].
    pub fn refused(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        if !(TAG_BYTES..=MAX_MESSAGE).contains(&sealed.len()) {
            return Err(Error::Length(sealed.len()));
        }
        open(&self.state.refusal_key(), &self.state.hash, sealed)
    }
}

/// The responder after the first message.
pub struct Responder {
    state: Symmetric,
    theirs: [u8; KEY_BYTES],
}

impl Responder {
    /// Reads the first message under our key and prologue.
    ///
    /// # Errors
    ///
    /// See [`enum@Error`].
    pub fn hello(
        ours: &Secret,
        prologue: &[u8],
        message: &[u8],
    ) -> Result<(Zeroizing<Vec<u8>>, Self), Error> {
        let (theirs, sealed) = incoming(message)?;
        let mut state = Symmetric::new(prologue, &ours.public);
        state.mix_hash(&theirs);
        state.mix_key(&ours.agree(&theirs)?);
        let payload = state.decrypt(sealed)?;
        Ok((payload, Self { state, theirs }))
    }

    /// The initiator's ephemeral public key.
    #[must_use]
    pub fn ephemeral(&self) -> [u8; KEY_BYTES] {
        self.theirs
    }

    /// Writes the second message with a fresh ephemeral and finishes.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for a payload above [`MAX_PAYLOAD`].
    pub fn accept(
        mut self,
        payload: &[u8],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<(Vec<u8>, Established), Error> {
        let ephemeral = Secret::random(rng);
        let mut message = outgoing(&ephemeral, payload)?;
        self.state.mix_hash(&ephemeral.public);
        self.state.mix_key(&ephemeral.agree(&self.theirs)?);
        self.state.encrypt(&mut message);
        Ok((message, self.state.split()))
    }

    /// Ends the handshake with an authenticated answer instead of finishing it: `ciphertext ‖ tag`
    /// under a key that only the holder of the responder's key and the initiator can derive. The
    /// key serves once, because the state is used up.
    #[must_use]
    pub fn refuse(self, payload: &[u8]) -> Vec<u8> {
        let mut sealed = payload.to_vec();
        seal(&self.state.refusal_key(), &self.state.hash, &mut sealed, 0);
        sealed
    }
}

fn outgoing(ephemeral: &Secret, payload: &[u8]) -> Result<Vec<u8>, Error> {
    if payload.len() > MAX_PAYLOAD {
        return Err(Error::Length(payload.len().saturating_add(OVERHEAD)));
    }
    let mut message = Vec::with_capacity(OVERHEAD + payload.len());
    message.extend_from_slice(&ephemeral.public);
    message.extend_from_slice(payload);
    Ok(message)
}

fn incoming(message: &[u8]) -> Result<([u8; KEY_BYTES], &[u8]), Error> {
    if !(OVERHEAD..=MAX_MESSAGE).contains(&message.len()) {
        return Err(Error::Length(message.len()));
    }
    message
        .split_first_chunk::<KEY_BYTES>()
        .map(|(key, sealed)| (*key, sealed))
        .ok_or(Error::Length(message.len()))
}

/// Noise's symmetric state: chaining key, hash, cipher key. In NK every cipher key is used once,
/// so the nonce is always zero.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct Symmetric {
    chaining: [u8; 32],
    hash: [u8; 32],
    key: [u8; 32],
}

impl Symmetric {
    fn new(prologue: &[u8], responder: &[u8; KEY_BYTES]) -> Self {
        let mut state = Self {
            chaining: *NAME,
            hash: *NAME,
            key: [0; 32],
        };
        state.mix_hash(prologue);
        state.mix_hash(responder);
        state
    }

    fn mix_hash(&mut self, data: &[u8]) {
        self.hash = Sha256::new()
            .chain_update(self.hash)
            .chain_update(data)
            .finalize()
            .into();
    }

    fn mix_key(&mut self, shared: &SharedSecret) {
        [self.chaining, self.key] = hkdf_pair(&self.chaining, shared.as_bytes());
    }

    /// Encrypts what follows the ephemeral key in `message` and appends the tag.
    fn encrypt(&mut self, message: &mut Vec<u8>) {
        seal(&self.key, &self.hash, message, KEY_BYTES);
        self.mix_hash(&message[KEY_BYTES..]);
    }

    fn decrypt(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let payload = open(&self.key, &self.hash, sealed)?;
        self.mix_hash(sealed);
        Ok(payload)
    }

    fn refusal_key(&self) -> Zeroizing<[u8; 32]> {
        derive(REFUSAL, &self.chaining, &[&self.hash])
    }

    fn split(&self) -> Established {
        let [initiator_key, responder_key] = hkdf_pair(&self.chaining, &[]);
        Established {
            initiator_key,
            responder_key,
            hash: self.hash,
            chaining: self.chaining,
        }
    }
}

/// Encrypts `message[from..]` in place and appends the tag.
fn seal(key: &[u8; 32], context: &[u8], message: &mut Vec<u8>, from: usize) {
    let tag = ChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(&[0; 12].into(), context, (&mut message[from..]).into())
        .expect("a payload is far below the cipher's 256 GiB");
    message.extend_from_slice(&tag);
}

fn open(key: &[u8; 32], context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (text, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(Error::Tag)?;
    let mut payload = Zeroizing::new(text.to_vec());
    ChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(
            &[0; 12].into(),
            context,
            payload.as_mut_slice().into(),
            tag.into(),
        )
        .map_err(|_| Error::Tag)?;
    Ok(payload)
}

/// Noise's `HKDF` with two outputs.
fn hkdf_pair(chaining: &[u8; 32], input: &[u8]) -> [[u8; 32]; 2] {
    let hmac = |key: &[u8; 32], parts: [&[u8]; 2]| -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let temporary = Zeroizing::new(hmac(chaining, [input, &[]]));
    let first = hmac(&temporary, [&[1], &[]]);
    let second = hmac(&temporary, [&first, &[2]]);
    [first, second]
}
