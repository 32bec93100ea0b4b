//! The envelope: what the owner sends, readable by the requester alone, in a stream.
//!
//! ```text
//! header:  version 1 | suite 1 | relay 32 | exchange 32 | owner (id 34, W ‖ attrs) | requester id 34
//!            | created 8 | encapsulated content key | signature 64
//! chunk:   length 4 (top bit: the last one) | ciphertext | tag 16            as many as there are
//! ```
//!
//! 1. The owner draws a content key and encapsulates it to the fresh key of the request.
//! 2. It signs the header. As the header has the encapsulated key in it, nobody but owner and
//!    requester can make a chunk that opens; so chunks are authentic as they come.
//! 3. Chunk i is sealed under its own key, derived from content key, digest of the signed header, i, and
//!    whether it is the last. Chunks cannot be dropped, swapped, repeated, cut off, or moved to
//!    another envelope.
//! 4. The SHA-256 of all bytes goes on the relay chain.
//!
//! | rule | the requester refuses unless |
//! |---|---|
//! | V-ENV-1 | version and suite are ours, every field is canonical |
//! | V-ENV-2 | it answers this request, on this relay chain, for this requester |
//! | V-ENV-3 | the owner's key is valid (V-KEY-1 to V-KEY-5), and of the organisation that was asked |
//! | V-ENV-4 | the signature fits |
//! | V-ENV-5 | the content key opens under the fresh secret |
//! | V-ENV-6 | every chunk opens in its place and is at most 64 KiB |
//! | V-ENV-7 | there is a last chunk, and nothing after it |

use cairn_crypto::{
    message::{CONTENT_KEY_BYTES, ContentKey, MessageSuite, SIGNATURE_BYTES},
    suite::TAG_BYTES,
    transcript::Domain,
};
use cairn_ledger::{ChainId, hash};
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    keys::{Issuers, KeyError, Party, PartyId, Shown},
    request::{Checked, Pending, VERSION},
    wire::{Malformed, Reader},
};

/// The most bytes of one chunk's text: what a receiver keeps in memory.
pub const MAX_CHUNK: usize = 64 * 1024;

const DOMAIN: &[u8] = b"cairn/1/exchange/envelope";
const CHUNK: Domain = Domain::new("cairn/1/exchange/chunk");
const LAST: u32 = 1 << 31;

/// Why an envelope is refused. The owner is at fault, or whoever carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// V-ENV-1.
    #[error("expected an envelope of version {VERSION} under this suite, every field canonical")]
    Malformed,
    /// V-ENV-2.
    #[error("the envelope answers another request, or another requester's")]
    Address,
    /// V-ENV-3.
    #[error("the owner's key: {0}")]
    Key(#[from] KeyError),
    /// V-ENV-4.
    #[error("the envelope's signature does not fit the owner's key")]
    Signature,
    /// V-ENV-5.
    #[error("the content key does not open under the request's fresh key")]
    ContentKey,
    /// V-ENV-6.
    #[error("chunk {0} does not open in its place")]
    Chunk(u64),
    /// V-ENV-7.
    #[error("the envelope is cut off")]
    Truncated,
    /// V-ENV-7.
    #[error("bytes follow the envelope's last chunk")]
    Trailing,
}

impl From<Malformed> for EnvelopeError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Length of a header with its signature, in bytes.
#[must_use]
pub const fn header_bytes<S: MessageSuite>() -> usize {
    1 + 1
        + 32
        + 32
        + Shown::<S>::BYTES
        + PartyId::BYTES
        + 8
        + S::ENCAPSULATED_BYTES
        + SIGNATURE_BYTES
}

/// Seals chunk `index`.
fn context(header: &[u8; 32], index: u64, is_last: bool) -> [u8; 41] {
    let mut context = [0; 41];
    context[..32].copy_from_slice(header);
    context[32..40].copy_from_slice(&index.to_be_bytes());
    context[40] = u8::from(is_last);
    context
}

/// Writes an envelope.
pub struct Sealer<S: MessageSuite> {
    key: ContentKey,
    header: [u8; 32],
    index: u64,
    digest: Sha256,
    suite: core::marker::PhantomData<S>,
}

impl<S: MessageSuite> Sealer<S> {
    /// Begins an envelope; returns its header's bytes.
    #[must_use]
    pub fn new(
        owner: &Party<S>,
        request: &Checked<S>,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> (Self, Vec<u8>) {
        let mut key = ContentKey::new([0; CONTENT_KEY_BYTES]);
        rng.fill_bytes(key.as_mut_slice());
        let mut header = Vec::with_capacity(header_bytes::<S>());
        header.extend_from_slice(&[VERSION, S::CODE]);
        header.extend_from_slice(&request.request.relay);
        header.extend_from_slice(&request.digest);
        owner.shown().write(&mut header);
        header.extend_from_slice(&request.requester().to_bytes());
        header.extend_from_slice(&now_ms.to_be_bytes());
        header.extend_from_slice(&S::encapsulate(&request.request.fresh, &key, rng));
        let signature = owner.sign(&[DOMAIN, &header].concat(), rng);
        header.extend_from_slice(&signature);
        let sealer = Self {
            key,
            header: hash(DOMAIN, &[&header]),
            index: 0,
            digest: Sha256::new_with_prefix(&header),
            suite: core::marker::PhantomData,
        };
        (sealer, header)
    }

    /// Seals the next chunk; returns its bytes.
    ///
    /// # Panics
    ///
    /// When `text` is longer than [`MAX_CHUNK`].
    pub fn chunk(&mut self, text: &[u8], is_last: bool) -> Vec<u8> {
        assert!(text.len() <= MAX_CHUNK, "a chunk has at most 64 KiB");
        let context = context(&self.header, self.index, is_last);
        let sealed = S::seal(CHUNK, self.key.as_slice(), &[&context], text);
        let length = u32::try_from(sealed.len()).expect("a chunk is far below 2 GiB");
        let length = if is_last { length | LAST } else { length };
        let chunk = [length.to_be_bytes().as_slice(), &sealed].concat();
        self.index += 1;
        self.digest.update(&chunk);
        chunk
    }

    /// The SHA-256 of everything that was written.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.digest.finalize().into()
    }
}

/// Reads an envelope as it comes.
pub struct Opener<S: MessageSuite> {
    pending: Pending<S>,
    buffer: Vec<u8>,
    digest: Sha256,
    state: Reading,
    owner: Option<Shown<S>>,
}

enum Reading {
    Header,
    Chunks {
        key: ContentKey,
        header: [u8; 32],
        index: u64,
    },
    Finished,
}

impl<S: MessageSuite> Opener<S> {
    /// Waits for the answer to a request.
    #[must_use]
    pub fn new(pending: Pending<S>) -> Self {
        Self {
            pending,
            buffer: Vec::new(),
            digest: Sha256::new(),
            state: Reading::Header,
            owner: None,
        }
    }

    /// The relay chain and exchange that the envelope must name.
    fn expected(&self) -> (ChainId, [u8; 32]) {
        (self.pending.request.relay, self.pending.digest)
    }

    /// Takes the next bytes, in pieces of any size; returns the chunks that are complete. Keeps at
    /// most one piece and one chunk in memory. After an error the envelope is lost.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`].
    pub fn feed(
        &mut self,
        bytes: &[u8],
        issuers: &Issuers<S>,
        now_ms: u64,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, EnvelopeError> {
        self.digest.update(bytes);
        self.buffer.extend_from_slice(bytes);
        let mut chunks = Vec::new();
        loop {
            match &mut self.state {
                Reading::Header => {
                    let length = header_bytes::<S>();
                    if self.buffer.len() < length {
                        return Ok(chunks);
                    }
                    let header: Vec<u8> = self.buffer.drain(..length).collect();
                    let key = self.header(&header, issuers, now_ms)?;
                    self.state = Reading::Chunks {
                        key,
                        header: hash(DOMAIN, &[&header]),
                        index: 0,
                    };
                }
                Reading::Chunks { key, header, index } => {
                    let Some((length, rest)) = self.buffer.split_first_chunk::<4>() else {
                        return Ok(chunks);
                    };
                    let length = u32::from_be_bytes(*length);
                    let is_last = length & LAST != 0;
                    let length = (length & !LAST) as usize;
                    if !(TAG_BYTES..=MAX_CHUNK + TAG_BYTES).contains(&length) {
                        return Err(EnvelopeError::Chunk(*index));
                    }
                    let Some(sealed) = rest.get(..length) else {
                        return Ok(chunks);
                    };
                    let context = context(header, *index, is_last);
                    let text = S::open(CHUNK, key.as_slice(), &[&context], sealed);
                    chunks.push(text.ok_or(EnvelopeError::Chunk(*index))?);
                    *index += 1;
                    self.buffer.drain(..4 + length);
                    if is_last {
                        self.state = Reading::Finished;
                    }
                }
                Reading::Finished if self.buffer.is_empty() => return Ok(chunks),
                Reading::Finished => return Err(EnvelopeError::Trailing),
            }
        }
    }

    /// Who signed the header; `None` before it has come.
    #[must_use]
    pub fn owner(&self) -> Option<Shown<S>> {
        self.owner
    }

    /// V-ENV-1 to V-ENV-5.
    fn header(
        &mut self,
        bytes: &[u8],
        issuers: &Issuers<S>,
        now_ms: u64,
    ) -> Result<ContentKey, EnvelopeError> {
        let mut reader = Reader(bytes);
        if reader.u8()? != VERSION || reader.u8()? != S::CODE {
            return Err(EnvelopeError::Malformed);
        }
        let named = (ChainId(reader.array()?), reader.array()?);
        let owner = Shown::<S>::read(&mut reader)?;
        let requester = PartyId::read(&mut reader)?;
        let _created_ms = reader.u64()?;
        let encapsulated = reader.slice(S::ENCAPSULATED_BYTES)?;
        let signature = reader.array()?;
        reader.finish()?;
        let request = &self.pending.request;
        if named != self.expected() || requester != request.requester.id {
            return Err(EnvelopeError::Address);
        }
        if owner.id.organisation != request.wanted.owner {
            return Err(KeyError::Organisation.into());
        }
        let key = owner.key(issuers, now_ms)?;
        let body = &bytes[..bytes.len() - SIGNATURE_BYTES];
        let message = [DOMAIN, body].concat();
        S::verify(&key, &owner.id.to_bytes(), &message, &signature)
            .map_err(|_| EnvelopeError::Signature)?;
        self.owner = Some(owner);
        S::decapsulate(&self.pending.fresh, encapsulated).map_err(|_| EnvelopeError::ContentKey)
    }

    /// The SHA-256 of the envelope, once the last chunk has come (V-ENV-7). Erases the fresh secret.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::Truncated`].
    pub fn finish(self) -> Result<[u8; 32], EnvelopeError> {
        match self.state {
            Reading::Finished => Ok(self.digest.finalize().into()),
            _ => Err(EnvelopeError::Truncated),
        }
    }
}
