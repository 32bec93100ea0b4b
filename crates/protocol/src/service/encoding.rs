//! What goes between vehicle, RSU and provider, byte by byte. Integers are big endian; what is shorter than its
//! place is followed by zeros, so that lengths tell nothing.
//!
//! | what | bytes | layout |
//! |---|---|---|
//! | question | 40 | tag 1 (0: charging, power in kW 2; 1: travel time, count 1, cells 8 each) |
//! | sealed query | 152 | pseudonym 16, nonce 16, reply key 32, question 40; sealing 48 |
//! | answer | 48 | tag 1 (0: nothing; 1: charging point, position 8, kW 2, name 1 + 32; 2: time, seconds 2, known 1) |
//! | sealed answer | 88 | answer 48, sealing 40 |
//! | request to a provider | 270 | RID 4, provider 2, commitment 32, cell 8, second 8, signature 64, sealed query 152 |

use bytes::BufMut;
use cairn_contracts::providers::ProviderId;
use cairn_crypto::{
    credential::{open_sealed, seal_to},
    seal::{OVERHEAD, RegisterKey},
    suite::{Element, Ristretto255, Secret},
    transcript::{Domain, Transcript},
};
use cairn_ledger::{ChainId, Position, PrivateKey, PublicKey, Rid, Signature};
use commonware_codec::{
    Buf, Copying, DecodeExt as _, Encode as _, Error, FixedSize, Read, ReadExt, Write,
};
use commonware_cryptography::{Signer as _, Verifier as _};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Cell, MAX_AHEAD};

const COMMITMENT: Domain = Domain::new("cairn/1/service/commitment");
const QUERY: Domain = Domain::new("cairn/1/service/query");
const QUERY_DIGEST: Domain = Domain::new("cairn/1/service/query-digest");
const STATEMENT: &[u8] = b"cairn/1/service/statement/";

const QUESTION_BYTES: usize = 40;
const QUERY_BYTES: usize = 16 + 16 + 32 + QUESTION_BYTES;

/// Bytes of a sealed query.
pub(super) const SEALED_QUERY_BYTES: usize = 48 + QUERY_BYTES;

/// Bytes of an answer before it is sealed.
const ANSWER_BYTES: usize = 48;

/// Bytes of a sealed answer.
pub const SEALED_ANSWER_BYTES: usize = OVERHEAD + ANSWER_BYTES;

/// Name of a point of interest: at most 32 bytes of UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The most bytes.
    pub const MAX: usize = 32;

    /// As much of `text` as fits, without control characters.
    #[must_use]
    pub fn cut(text: &str) -> Self {
        let mut name = String::new();
        for c in text.chars().filter(|c| !c.is_control()) {
            if name.len() + c.len_utf8() > Self::MAX {
                break;
            }
            name.push(c);
        }
        Self(name)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a vehicle wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The nearest charging point of at least this power.
    Charging {
        /// In kW.
        least_kw: u16,
    },
    /// How long the way takes through these cells, each next to the one before, the first next to the vehicle's.
    TravelTime {
        /// 1 to [`MAX_AHEAD`] cells.
        ahead: Vec<Cell>,
    },
}

/// What a provider answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing is known of that.
    Nothing,
    /// A charging point.
    Charging {
        /// Where it is.
        position: Position,
        /// Its power, in kW.
        kw: u16,
        /// Its name.
        name: Name,
    },
    /// A travel time.
    TravelTime {
        /// In seconds, for the part of the way that is known.
        seconds: u16,
        /// How many of the cells asked for that part is, from the first on.
        known: u8,
    },
}

/// Question, or answer, and zeros behind it. Anything else behind it is refused.
pub(super) fn padded<const N: usize>(write: impl FnOnce(&mut Vec<u8>)) -> [u8; N] {
    let mut bytes = Vec::with_capacity(N);
    write(&mut bytes);
    bytes.resize(N, 0);
    bytes.try_into().expect("its parts are shorter than it")
}

pub(super) fn nothing_but_zeros(buf: &mut impl Buf) -> Result<(), Error> {
    while buf.has_remaining() {
        if buf.get_u8() != 0 {
            return Err(Error::Invalid("padding", "is not zero"));
        }
    }
    Ok(())
}

impl Question {
    pub(super) fn to_bytes(&self) -> [u8; QUESTION_BYTES] {
        padded(|bytes| match self {
            Self::Charging { least_kw } => {
                0_u8.write(bytes);
                least_kw.write(bytes);
            }
            Self::TravelTime { ahead } => {
                1_u8.write(bytes);
                let ahead = &ahead[..ahead.len().min(MAX_AHEAD)];
                (ahead.len() as u8).write(bytes);
                ahead.iter().for_each(|cell| cell.write(bytes));
            }
        })
    }

    fn read(buf: &mut impl Buf) -> Result<Self, Error> {
        let question = match u8::read(buf)? {
            0 => Self::Charging {
                least_kw: u16::read(buf)?,
            },
            1 => {
                let count = usize::from(u8::read(buf)?);
                if !(1..=MAX_AHEAD).contains(&count) {
                    return Err(Error::InvalidLength(count));
                }
                let ahead = (0..count).map(|_| Cell::read(buf));
                Self::TravelTime {
                    ahead: ahead.collect::<Result<_, _>>()?,
                }
            }
            tag => return Err(Error::InvalidEnum(tag)),
        };
        nothing_but_zeros(buf)?;
        Ok(question)
    }
}

impl Answer {
    fn to_bytes(&self) -> [u8; ANSWER_BYTES] {
        padded(|bytes| match self {
            Self::Nothing => 0_u8.write(bytes),
            Self::Charging { position, kw, name } => {
                1_u8.write(bytes);
                position.write(bytes);
                kw.write(bytes);
                (name.0.len() as u8).write(bytes);
                bytes.put_slice(name.0.as_bytes());
            }
            Self::TravelTime { seconds, known } => {
                2_u8.write(bytes);
                seconds.write(bytes);
                known.write(bytes);
            }
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let buf = &mut Copying(bytes);
        let answer = match u8::read(buf)? {
            0 => Self::Nothing,
            1 => {
                let (position, kw) = (Position::read(buf)?, u16::read(buf)?);
                let length = usize::from(u8::read(buf)?);
                let split = buf.0.split_at_checked(length);
                let split = split.filter(|_| length <= Name::MAX);
                let (text, rest) = split.ok_or(Error::InvalidLength(length))?;
                buf.0 = rest;
                let text = String::from_utf8(text.to_vec());
                let text = text.map_err(|_| Error::Invalid("name", "is not UTF-8"))?;
                if text.chars().any(char::is_control) {
                    return Err(Error::Invalid("name", "has control characters"));
                }
                let name = Name(text);
                Self::Charging { position, kw, name }
            }
            2 => Self::TravelTime {
                seconds: u16::read(buf)?,
                known: u8::read(buf)?,
            },
            tag => return Err(Error::InvalidEnum(tag)),
        };
        nothing_but_zeros(buf)?;
        Ok(answer)
    }
}

/// A query before it is sealed. Its reply key is erased on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Query {
    pub(super) pseudonym: [u8; 16],
    pub(super) nonce: [u8; 16],
    pub(super) reply: [u8; 32],
    pub(super) question: [u8; QUESTION_BYTES],
}

impl Query {
    /// `H(pseudonym ‖ nonce)`.
    pub(super) fn commitment(&self) -> [u8; 32] {
        let transcript = Transcript::new(COMMITMENT).bytes(&self.pseudonym);
        transcript.bytes(&self.nonce).finish().short()
    }

    pub(super) fn seal(
        &self,
        chain: &ChainId,
        provider: ProviderId,
        key: &Element<Ristretto255>,
        rng: &mut impl CryptoRng,
    ) -> [u8; SEALED_QUERY_BYTES] {
        let plain = [
            self.pseudonym.as_slice(),
            &self.nonce,
            &self.reply,
            &self.question,
        ];
        let plain = Zeroizing::new(plain.concat());
        let sealed = seal_to(QUERY, key, &query_context(chain, provider), &plain, rng);
        sealed.try_into().expect("sealing adds 48 bytes")
    }

    /// Opens a query, and reads its question.
    pub(super) fn open(
        chain: &ChainId,
        provider: ProviderId,
        key: &Secret<Ristretto255>,
        sealed: &[u8; SEALED_QUERY_BYTES],
    ) -> Option<(Self, Question)> {
        let plain = open_sealed(QUERY, key, &query_context(chain, provider), sealed).ok()?;
        let buf = &mut Copying(plain.as_slice());
        let mut query = Self {
            pseudonym: ReadExt::read(buf).ok()?,
            nonce: ReadExt::read(buf).ok()?,
            reply: ReadExt::read(buf).ok()?,
            question: [0; QUESTION_BYTES],
        };
        let question = Question::read(buf).ok()?;
        query.question = question.to_bytes();
        Some((query, question))
    }
}

fn query_context(chain: &ChainId, provider: ProviderId) -> Vec<u8> {
    [chain.0.as_slice(), &provider.0.to_be_bytes()].concat()
}

pub(super) fn query_digest(sealed: &[u8; SEALED_QUERY_BYTES]) -> [u8; 32] {
    Transcript::new(QUERY_DIGEST).bytes(sealed).finish().short()
}

/// An answer under the reply key of the query with this digest.
pub(super) fn seal_answer(
    reply: &[u8; 32],
    query: &[u8; 32],
    answer: &Answer,
    rng: &mut impl CryptoRng,
) -> [u8; SEALED_ANSWER_BYTES] {
    let sealed = RegisterKey::new(reply).seal(query, &answer.to_bytes(), rng);
    let sealed = sealed.expect("48 bytes are no more than a field");
    sealed.try_into().expect("sealing adds 40 bytes")
}

pub(super) fn open_answer(
    reply: &[u8; 32],
    query: &[u8; 32],
    sealed: &[u8; SEALED_ANSWER_BYTES],
) -> Option<Answer> {
    let plain = RegisterKey::new(reply).open(query, sealed).ok()?;
    Answer::from_bytes(&plain).ok()
}

/// What an RSU signs, and the query that it speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The RSU.
    pub rid: Rid,
    /// Whom the query is for.
    pub provider: ProviderId,
    /// `H(pseudonym ‖ nonce)`.
    pub commitment: [u8; 32],
    /// Where the vehicle is.
    pub cell: Cell,
    /// When, in seconds since 1970: finer, it would tell two providers that they serve one vehicle.
    pub time_s: u64,
    /// The RSU's, over all of this and the digest of the query.
    pub signature: Signature,
    /// The query, for the provider alone.
    pub query: [u8; SEALED_QUERY_BYTES],
}

impl Request {
    fn statement(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(86);
        self.rid.write(&mut bytes);
        self.provider.write(&mut bytes);
        self.commitment.write(&mut bytes);
        query_digest(&self.query).write(&mut bytes);
        self.cell.write(&mut bytes);
        self.time_s.write(&mut bytes);
        bytes
    }

    /// Signs the statement in place of what stands there.
    #[must_use]
    pub fn signed(mut self, chain: &ChainId, signer: &PrivateKey) -> Self {
        self.signature = signer.sign(&[STATEMENT, chain].concat(), &self.statement());
        self
    }

    pub(super) fn is_signed_by(&self, chain: &ChainId, key: &PublicKey) -> bool {
        let namespace = [STATEMENT, chain].concat();
        key.verify(&namespace, &self.statement(), &self.signature)
    }
}

impl Write for Cell {
    fn write(&self, buf: &mut impl BufMut) {
        self.x.write(buf);
        self.y.write(buf);
    }
}

impl FixedSize for Cell {
    const SIZE: usize = 8;
}

impl Read for Cell {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        Ok(Self {
            x: ReadExt::read(buf)?,
            y: ReadExt::read(buf)?,
        })
    }
}

impl Write for Request {
    fn write(&self, buf: &mut impl BufMut) {
        self.rid.write(buf);
        self.provider.write(buf);
        self.commitment.write(buf);
        self.cell.write(buf);
        self.time_s.write(buf);
        self.signature.write(buf);
        buf.put_slice(&self.query);
    }
}

impl FixedSize for Request {
    const SIZE: usize =
        Rid::SIZE + ProviderId::SIZE + 32 + Cell::SIZE + 8 + Signature::SIZE + SEALED_QUERY_BYTES;
}

impl Read for Request {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        Ok(Self {
            rid: ReadExt::read(buf)?,
            provider: ReadExt::read(buf)?,
            commitment: ReadExt::read(buf)?,
            cell: ReadExt::read(buf)?,
            time_s: ReadExt::read(buf)?,
            signature: ReadExt::read(buf)?,
            query: ReadExt::read(buf)?,
        })
    }
}

/// Reads a request from a provider's own link: `V-LBS-1`.
pub(super) fn request(bytes: &[u8]) -> Result<Request, Error> {
    Request::decode(Copying(bytes))
}

/// For tests and links: the bytes of a request.
impl Request {
    /// The bytes of the request.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode().to_vec()
    }
}
