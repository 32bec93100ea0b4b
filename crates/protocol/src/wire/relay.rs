//! Messages between a vehicle out of range, its neighbours, and an RSU (see [`crate::relay`]).

use bytes::BufMut;
use commonware_codec::{Buf, Error, FixedSize, Read, ReadExt, Write};

use super::{Beacon, MAX_PROOF_BYTES};

/// The most relays between vehicle and RSU (PROTOCOLS.md section 7).
pub const MAX_HOPS: usize = 3;

/// Names a way from a vehicle to an RSU: 8 random bytes, drawn for one search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub [u8; 8]);

/// A relay's one-time key, a compressed ristretto255 point, 32 bytes. Only who claims the credit needs
/// to decode it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CreditKey(pub [u8; 32]);

/// The relays of a route, each by its one-time key, the one beside the RSU first. At most
/// [`MAX_HOPS`], all different; none when the vehicle hears the RSU itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path {
    keys: [Option<CreditKey>; MAX_HOPS],
}

impl Path {
    /// No relay.
    pub const DIRECT: Self = Self {
        keys: [None; MAX_HOPS],
    };

    /// The relays' keys.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = CreditKey> {
        self.keys.into_iter().flatten()
    }

    /// Number of relays.
    #[must_use]
    pub fn hops(&self) -> usize {
        self.keys().count()
    }

    /// The path with one relay more, on the vehicle's side; `None` when it is full or the key is in it.
    #[must_use]
    pub fn with(mut self, key: CreditKey) -> Option<Self> {
        if self.keys().any(|other| other == key) {
            return None;
        }
        *self.keys.iter_mut().find(|place| place.is_none())? = Some(key);
        Some(self)
    }

    /// Whether the path begins with `other`, seen from the RSU.
    #[must_use]
    pub fn begins_with(&self, other: &Self) -> bool {
        let ours = self.keys().map(Some).chain([None; MAX_HOPS]);
        other.keys().zip(ours).all(|(key, our)| our == Some(key))
    }

    const fn bytes(hops: usize) -> usize {
        1 + 32 * hops
    }
}

/// "Who hears an RSU?"
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seek {
    /// The search.
    pub route: RouteId,
    /// Relays that it has passed.
    pub passed: u8,
}

/// "I do, or know who does."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The search.
    pub route: RouteId,
    /// The RSU's last beacon.
    pub beacon: Beacon,
    /// The relays, whoever offers last.
    pub path: Path,
}

/// A datagram for the RSU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Up {
    /// The way.
    pub route: RouteId,
    /// All relays.
    pub path: Path,
    /// The message, 1 to [`MAX_PROOF_BYTES`] bytes.
    pub datagram: Vec<u8>,
}

/// A datagram for the vehicle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// The way back.
    pub route: RouteId,
    /// The message, 1 to [`MAX_PROOF_BYTES`] bytes.
    pub datagram: Vec<u8>,
}

impl Offer {
    const fn size(hops: usize) -> usize {
        RouteId::SIZE + Beacon::SIZE + Path::bytes(hops)
    }

    /// The lengths of its datagram.
    pub(super) const DATAGRAMS: [usize; MAX_HOPS] =
        [1 + Self::size(1), 1 + Self::size(2), 1 + Self::size(3)];
}

impl Up {
    /// The greatest length of its datagram.
    pub(super) const MAX_DATAGRAM: usize =
        1 + RouteId::SIZE + Path::bytes(MAX_HOPS) + MAX_PROOF_BYTES;
}

impl Down {
    /// The greatest length of its datagram.
    pub(super) const MAX_DATAGRAM: usize = 1 + RouteId::SIZE + MAX_PROOF_BYTES;
}

impl Write for RouteId {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.write(buf);
    }
}

impl FixedSize for RouteId {
    const SIZE: usize = 8;
}

impl Read for RouteId {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        Ok(Self(ReadExt::read(buf)?))
    }
}

impl Write for Path {
    fn write(&self, buf: &mut impl BufMut) {
        // At most three.
        (self.hops() as u8).write(buf);
        self.keys().for_each(|key| key.0.write(buf));
    }
}

/// Reads a path with at least one relay.
impl Read for Path {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let hops = usize::from(u8::read(buf)?);
        if !(1..=MAX_HOPS).contains(&hops) {
            return Err(Error::Invalid("Path", "expected one to three relays"));
        }
        (0..hops).try_fold(Self::DIRECT, |path, _| {
            let key = CreditKey(ReadExt::read(buf)?);
            path.with(key)
                .ok_or(Error::Invalid("Path", "a relay stands in it twice"))
        })
    }
}

impl Write for Seek {
    fn write(&self, buf: &mut impl BufMut) {
        self.route.write(buf);
        self.passed.write(buf);
    }
}

impl FixedSize for Seek {
    const SIZE: usize = RouteId::SIZE + 1;
}

impl Read for Seek {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        Ok(Self {
            route: ReadExt::read(buf)?,
            passed: ReadExt::read(buf)?,
        })
    }
}

impl Write for Offer {
    fn write(&self, buf: &mut impl BufMut) {
        self.route.write(buf);
        self.beacon.write(buf);
        self.path.write(buf);
    }
}

impl Read for Offer {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let offer = Self {
            route: ReadExt::read(buf)?,
            beacon: ReadExt::read(buf)?,
            path: ReadExt::read(buf)?,
        };
        nothing_follows(buf)?;
        Ok(offer)
    }
}

impl Write for Up {
    fn write(&self, buf: &mut impl BufMut) {
        self.route.write(buf);
        self.path.write(buf);
        buf.put_slice(&self.datagram);
    }
}

impl Read for Up {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        Ok(Self {
            route: ReadExt::read(buf)?,
            path: ReadExt::read(buf)?,
            datagram: rest(buf)?,
        })
    }
}

impl Write for Down {
    fn write(&self, buf: &mut impl BufMut) {
        self.route.write(buf);
        buf.put_slice(&self.datagram);
    }
}

impl Read for Down {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        Ok(Self {
            route: ReadExt::read(buf)?,
            datagram: rest(buf)?,
        })
    }
}

/// The message carried: the last part of its datagram.
fn rest(buf: &mut impl Buf) -> Result<Vec<u8>, Error> {
    let length = buf.remaining();
    if !(1..=MAX_PROOF_BYTES).contains(&length) {
        return Err(Error::InvalidLength(length));
    }
    let mut datagram = vec![0; length];
    buf.copy_to_slice(&mut datagram);
    Ok(datagram)
}

fn nothing_follows(buf: &impl Buf) -> Result<(), Error> {
    match buf.remaining() {
        0 => Ok(()),
        more => Err(Error::ExtraData(more)),
    }
}
