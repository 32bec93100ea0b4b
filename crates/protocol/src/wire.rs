//! Every message on the radio link, byte by byte. Integers are big endian.
//!
//! | kind | message | from | bytes | layout after the kind byte |
//! |---|---|---|---|---|
//! | `01` | `Beacon` | RSU | 113 | beacon id 4, RID 4, T0 8, `E_r` 32, `S_r` 64 |
//! | `02` | `Proof` | RSU | ≤ 2,048 | `LedgerProof` |
//! | `03` | `ProofRequest` | vehicle | 2,048 | RID 4, zeros |
//! | `10` | `Hello` | vehicle | 157, 175 or 198 | beacon id 4, `e_v` 32, sealed credential (104, 122 or 145) + 16 |
//! | `11` | `Accept` | RSU | 57 | addressee 4, `e_r'` 32, sealed AVP 4 + 16 |
//! | `12` | `CookieReply` | RSU | 21 | addressee 4, cookie 16 |
//! | `13` | `HelloWithCookie` | vehicle | 173, 191 or 214 | cookie 16, `Hello` without its kind byte |
//! | `14` | `Refused` | RSU | 22 | addressee 4, sealed code 1 + 16 |
//! | `20` | `RekeyRequest` | vehicle | 45 | ASC 8, counter 4, nonce 16, tag 16 |
//! | `21` | `RekeyAnswer` | RSU | 45 | ASC 8, counter 4, nonce 16, tag 16 |
//! | `30` | `Position` | vehicle | 102 | [`Signed`] |
//! | `31` | `Position` with its credential | vehicle | 142 | [`Signed`], [`Attachment`] |
//! | `40` | `Seek` | vehicle | 10 | route 8, relays passed 1 |
//! | `41` | `Offer` | vehicle | 154, 186 or 218 | route 8, beacon 112, count 1, credit keys 32 each |
//! | `42` | `Up` | vehicle | ≤ 2,154 | route 8, count 1, credit keys 32 each, a message |
//! | `43` | `Down` | RSU, vehicle | ≤ 2,057 | route 8, a message |
//! | `50` | `ServiceOrder` | vehicle | 252 | ASC 8, sealed order 243 ([`crate::service`]) |
//! | `51` | `ServiceNotice` | RSU | ≤ 2,100 | ASC 8, sealed notice |
//!
//! `Hello` and `Accept` are 214 bytes together for a login with a registered key, 255 for an anonymous
//! one, 232 for a handover; both rekey messages are 90.
//!
//! The addressee is the first four bytes of `e_v`: it spares a vehicle the trial of messages for
//! others and authenticates nothing. The length of a `Hello` tells its kind of credential and
//! nothing else. A proof request is as long as the longest proof, so that nobody can use an RSU to amplify traffic.
//!
//! Rules (checked by [`Message::decode`]):
//! * `V-WIRE-1`: the kind is one of the table.
//! * `V-WIRE-2`: the length is that of the kind (one of the table's); nothing follows.
//! * `V-WIRE-3`: the body decodes (a proof's parts; zeros in a request's padding).

mod hello;
mod relay;
mod service;

use bytes::BufMut;
use cairn_crypto::noise;
use cairn_ledger::{Rid, light::LedgerProof};
use commonware_codec::{
    Buf, Copying, DecodeExt as _, Encode as _, Error, FixedSize, Read, ReadExt, Write,
};
use thiserror::Error as ThisError;

pub use hello::{Hello, Sealed};
pub use relay::{CreditKey, Down, MAX_HOPS, Offer, Path, RouteId, Seek, Up};
pub use service::ServiceFrame;

use crate::{
    login::{ACCEPTANCE_BYTES, Asc},
    position::{Attachment, Signed, Signer},
};

/// The most bytes of a proof message, and the bytes of a proof request. A proof of one record in a
/// state of a million takes about 1,600 bytes.
pub const MAX_PROOF_BYTES: usize = 2_048;

/// The kind of beacons, which a vehicle hears every second of every RSU in range.
pub const BEACON: u8 = 0x01;
const PROOF: u8 = 0x02;
const PROOF_REQUEST: u8 = 0x03;
const HELLO: u8 = 0x10;
const ACCEPT: u8 = 0x11;
const COOKIE_REPLY: u8 = 0x12;
const HELLO_WITH_COOKIE: u8 = 0x13;
const REFUSED: u8 = 0x14;
const REKEY_REQUEST: u8 = 0x20;
const REKEY_ANSWER: u8 = 0x21;
/// The kind of position messages, which everybody hears and few need.
pub const POSITION: u8 = 0x30;
/// The kind of position messages with which the sender's credential rides along.
pub const POSITION_WITH_CREDENTIAL: u8 = 0x31;
const SEEK: u8 = 0x40;
const OFFER: u8 = 0x41;
const UP: u8 = 0x42;
const DOWN: u8 = 0x43;
/// Whether a datagram is one of a relayed login ([`crate::relay`]), by its kind.
#[must_use]
pub fn is_relayed(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(SEEK..=DOWN))
}

/// The kind of what a vehicle asks of a location service.
pub const SERVICE_ORDER: u8 = 0x50;
/// The kind of what it is told.
pub const SERVICE_NOTICE: u8 = 0x51;

const TAG_BYTES: usize = 16;

/// Why bytes are no message. The sender is at fault.
#[derive(Debug, ThisError)]
pub enum WireError {
    /// `V-WIRE-1`.
    #[error("expected a message, got an empty datagram")]
    Empty,
    /// `V-WIRE-1`.
    #[error("expected a known kind of message, got kind {0:#04x}")]
    Kind(u8),
    /// `V-WIRE-2`.
    #[error("expected a length of {expected:?} bytes for kind {kind:#04x}, got {got}")]
    Length {
        /// The kind byte.
        kind: u8,
        /// The lengths of this kind, or the greatest one of a proof or a relayed message.
        expected: &'static [usize],
        /// Bytes received.
        got: usize,
    },
    /// `V-WIRE-3`.
    #[error("malformed body of kind {kind:#04x}: {source}")]
    Body {
        /// The kind byte.
        kind: u8,
        /// What the codec expected.
        source: Error,
    },
}

/// Names a beacon at one RSU, 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BeaconId(pub u32);

/// The first four bytes of the vehicle's ephemeral key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressee(pub [u8; 4]);

impl Addressee {
    /// The addressee of answers to the `Hello` with this ephemeral key.
    #[must_use]
    pub fn of(ephemeral: &[u8; noise::KEY_BYTES]) -> Self {
        let [a, b, c, d, ..] = *ephemeral;
        Self([a, b, c, d])
    }
}

/// A beacon as sent (see [`crate::beacon`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beacon {
    /// Name of this beacon at this RSU.
    pub id: BeaconId,
    /// The RSU.
    pub rid: Rid,
    /// `T0`, when it was sent, in milliseconds since 1970 by the RSU's clock.
    pub time_ms: u64,
    /// `E_r`, an X25519 key.
    pub ephemeral: [u8; noise::KEY_BYTES],
    /// `S_r`, an Ed25519 signature over all other fields.
    pub signature: [u8; 64],
}

/// The second message of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The vehicle.
    pub to: Addressee,
    /// `e_r'` and the sealed acceptance, the second message of [`noise`].
    pub handshake: [u8; Accept::HANDSHAKE_BYTES],
}

impl Accept {
    const HANDSHAKE_BYTES: usize = noise::OVERHEAD + ACCEPTANCE_BYTES;
}

/// A cookie, 16 bytes (see [`crate::cookie`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie(pub [u8; 16]);

/// An authenticated refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The vehicle.
    pub to: Addressee,
    /// A [`crate::login::Code`], sealed.
    pub sealed: [u8; 1 + TAG_BYTES],
}

/// Either message of a rekey (see [`crate::session`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rekey {
    /// Names the session at this RSU.
    pub asc: Asc,
    /// Number of the rekey, from 1.
    pub counter: u32,
    /// The sender's random contribution.
    pub nonce: [u8; 16],
    /// Authenticates all fields under the basic key.
    pub tag: [u8; TAG_BYTES],
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the types say what they are")]
pub enum Message {
    Beacon(Beacon),
    Proof(Box<LedgerProof>),
    ProofRequest(Rid),
    Hello(Hello),
    Accept(Accept),
    CookieReply(Addressee, Cookie),
    HelloWithCookie(Cookie, Hello),
    Refused(Refused),
    RekeyRequest(Rekey),
    RekeyAnswer(Rekey),
    Position(Signed),
    Seek(Seek),
    Offer(Offer),
    Up(Up),
    Down(Down),
    ServiceOrder(ServiceFrame),
    ServiceNotice(ServiceFrame),
}

impl Message {
    /// The datagram. A proof's may exceed [`MAX_PROOF_BYTES`]; [`crate::beacon::proof_datagram`]
    /// checks that.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.kind()];
        match self {
            Self::Beacon(beacon) => beacon.write(&mut out),
            Self::Proof(proof) => out.put_slice(&proof.encode()),
            Self::ProofRequest(rid) => {
                rid.write(&mut out);
                out.resize(MAX_PROOF_BYTES, 0);
            }
            Self::Hello(hello) => hello.write(&mut out),
            Self::Accept(accept) => {
                out.put_slice(&accept.to.0);
                out.put_slice(&accept.handshake);
            }
            Self::CookieReply(to, cookie) => {
                out.put_slice(&to.0);
                out.put_slice(&cookie.0);
            }
            Self::HelloWithCookie(cookie, hello) => {
                out.put_slice(&cookie.0);
                hello.write(&mut out);
            }
            Self::Refused(refused) => {
                out.put_slice(&refused.to.0);
                out.put_slice(&refused.sealed);
            }
            Self::RekeyRequest(rekey) | Self::RekeyAnswer(rekey) => rekey.write(&mut out),
            Self::Position(signed) => {
                signed.write(&mut out);
                if let Some(attachment) = &signed.attachment {
                    attachment.write(&mut out);
                }
            }
            Self::Seek(seek) => seek.write(&mut out),
            Self::Offer(offer) => offer.write(&mut out),
            Self::Up(up) => up.write(&mut out),
            Self::Down(down) => down.write(&mut out),
            Self::ServiceOrder(frame) | Self::ServiceNotice(frame) => frame.write(&mut out),
        }
        out
    }

    /// Reads a datagram.
    ///
    /// # Errors
    ///
    /// See [`WireError`] and the rules in the module documentation.
    pub fn decode(datagram: &[u8]) -> Result<Self, WireError> {
        let (&kind, body) = datagram.split_first().ok_or(WireError::Empty)?;
        let expected: &'static [usize] = match kind {
            BEACON => &[1 + Beacon::SIZE],
            PROOF | PROOF_REQUEST => &[MAX_PROOF_BYTES],
            HELLO => &[
                1 + Hello::REGISTERED_BYTES,
                1 + Hello::TOKEN_BYTES,
                1 + Hello::ANONYMOUS_BYTES,
            ],
            ACCEPT => &[1 + 4 + Accept::HANDSHAKE_BYTES],
            COOKIE_REPLY => &[1 + 4 + 16],
            HELLO_WITH_COOKIE => &[
                1 + 16 + Hello::REGISTERED_BYTES,
                1 + 16 + Hello::TOKEN_BYTES,
                1 + 16 + Hello::ANONYMOUS_BYTES,
            ],
            REFUSED => &[1 + 4 + 1 + TAG_BYTES],
            REKEY_REQUEST | REKEY_ANSWER => &[1 + Rekey::SIZE],
            POSITION => &[1 + Signed::SIZE],
            POSITION_WITH_CREDENTIAL => &[1 + Signed::SIZE + Attachment::SIZE],
            SEEK => &[1 + Seek::SIZE],
            OFFER => &Offer::DATAGRAMS,
            UP => &[Up::MAX_DATAGRAM],
            DOWN => &[Down::MAX_DATAGRAM],
            SERVICE_ORDER => &[ServiceFrame::ORDER_BYTES],
            SERVICE_NOTICE => &[ServiceFrame::MAX_NOTICE],
            other => return Err(WireError::Kind(other)),
        };
        let got = datagram.len();
        let fits = match kind {
            PROOF | UP | DOWN | SERVICE_NOTICE => expected.iter().any(|most| got <= *most),
            _ => expected.contains(&got),
        };
        if !fits {
            return Err(WireError::Length {
                kind,
                expected,
                got,
            });
        }
        Self::body(kind, body).map_err(|source| WireError::Body { kind, source })
    }

    fn body(kind: u8, body: &[u8]) -> Result<Self, Error> {
        if kind == PROOF {
            return Ok(Self::Proof(Box::new(LedgerProof::decode(Copying(body))?)));
        }
        let body = &mut Copying(body);
        Ok(match kind {
            BEACON => Self::Beacon(ReadExt::read(body)?),
            PROOF_REQUEST => {
                let rid = Rid::read(body)?;
                if body.0.iter().any(|byte| *byte != 0) {
                    return Err(Error::Invalid("ProofRequest", "padding is not zero"));
                }
                Self::ProofRequest(rid)
            }
            HELLO => Self::Hello(ReadExt::read(body)?),
            ACCEPT => Self::Accept(Accept {
                to: Addressee(ReadExt::read(body)?),
                handshake: ReadExt::read(body)?,
            }),
            COOKIE_REPLY => Self::CookieReply(
                Addressee(ReadExt::read(body)?),
                Cookie(ReadExt::read(body)?),
            ),
            HELLO_WITH_COOKIE => {
                Self::HelloWithCookie(Cookie(ReadExt::read(body)?), ReadExt::read(body)?)
            }
            REFUSED => Self::Refused(Refused {
                to: Addressee(ReadExt::read(body)?),
                sealed: ReadExt::read(body)?,
            }),
            REKEY_REQUEST => Self::RekeyRequest(ReadExt::read(body)?),
            REKEY_ANSWER => Self::RekeyAnswer(ReadExt::read(body)?),
            POSITION => Self::Position(ReadExt::read(body)?),
            POSITION_WITH_CREDENTIAL => {
                let signed = Signed::read(body)?;
                if let Signer::Registered(_) = signed.statement.signer {
                    return Err(Error::Invalid(
                        "Signed",
                        "credential of a registered vehicle",
                    ));
                }
                Self::Position(Signed {
                    attachment: Some(ReadExt::read(body)?),
                    ..signed
                })
            }
            SEEK => Self::Seek(ReadExt::read(body)?),
            OFFER => Self::Offer(ReadExt::read(body)?),
            UP => Self::Up(ReadExt::read(body)?),
            DOWN => Self::Down(ReadExt::read(body)?),
            SERVICE_ORDER => Self::ServiceOrder(ReadExt::read(body)?),
            SERVICE_NOTICE => Self::ServiceNotice(ReadExt::read(body)?),
            other => return Err(Error::InvalidEnum(other)),
        })
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Beacon(_) => BEACON,
            Self::Proof(_) => PROOF,
            Self::ProofRequest(_) => PROOF_REQUEST,
            Self::Hello(_) => HELLO,
            Self::Accept(_) => ACCEPT,
            Self::CookieReply(..) => COOKIE_REPLY,
            Self::HelloWithCookie(..) => HELLO_WITH_COOKIE,
            Self::Refused(_) => REFUSED,
            Self::RekeyRequest(_) => REKEY_REQUEST,
            Self::RekeyAnswer(_) => REKEY_ANSWER,
            Self::Position(Signed {
                attachment: None, ..
            }) => POSITION,
            Self::Position(_) => POSITION_WITH_CREDENTIAL,
            Self::Seek(_) => SEEK,
            Self::Offer(_) => OFFER,
            Self::Up(_) => UP,
            Self::Down(_) => DOWN,
            Self::ServiceOrder(_) => SERVICE_ORDER,
            Self::ServiceNotice(_) => SERVICE_NOTICE,
        }
    }
}

impl Write for Beacon {
    fn write(&self, buf: &mut impl BufMut) {
        self.id.0.write(buf);
        self.rid.write(buf);
        self.time_ms.write(buf);
        self.ephemeral.write(buf);
        self.signature.write(buf);
    }
}

impl FixedSize for Beacon {
    const SIZE: usize = 4 + Rid::SIZE + 8 + noise::KEY_BYTES + 64;
}

impl Read for Beacon {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            id: BeaconId(ReadExt::read(buf)?),
            rid: ReadExt::read(buf)?,
            time_ms: ReadExt::read(buf)?,
            ephemeral: ReadExt::read(buf)?,
            signature: ReadExt::read(buf)?,
        })
    }
}

impl Write for Rekey {
    fn write(&self, buf: &mut impl BufMut) {
        self.asc.0.write(buf);
        self.counter.write(buf);
        self.nonce.write(buf);
        self.tag.write(buf);
    }
}

impl FixedSize for Rekey {
    const SIZE: usize = 8 + 4 + 16 + TAG_BYTES;
}

impl Read for Rekey {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            asc: Asc(ReadExt::read(buf)?),
            counter: ReadExt::read(buf)?,
            nonce: ReadExt::read(buf)?,
            tag: ReadExt::read(buf)?,
        })
    }
}
