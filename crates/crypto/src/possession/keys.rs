//! A group's keys of one epoch.

use bytes::BufMut;
use commonware_codec::{
    Buf, Copying, DecodeExt as _, Encode as _, EncodeSize, Error as CodecError, FixedSize as _,
    Read, ReadExt as _, Write,
};
use commonware_cryptography::bls12381::primitives::group::{
    G1, G2, SCALAR_LENGTH, Scalar, ScalarReadCfg,
};
use commonware_math::algebra::{CryptoGroup as _, Random as _};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Error, Sectors};
use crate::transcript::{Domain, Transcript};

const KEY: Domain = Domain::new("cairn/1/possession/key");

/// Names a [`GroupKey`]: `H(v, s, u_1…u_s)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 32]);

/// The public key of a group in one epoch: `v = x·G2`, `u_j = α_j·G1`. `98 + 48·s` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupKey {
    pub(super) v: G2,
    pub(super) u: Vec<G1>,
    sectors: Sectors,
    kid: KeyId,
}

impl GroupKey {
    fn new(sectors: Sectors, v: G2, u: Vec<G1>) -> Self {
        let start = Transcript::new(KEY)
            .bytes(&v.encode())
            .number(sectors.get() as u64);
        let kid = u.iter().fold(start, |t, u| t.bytes(&u.encode()));
        Self {
            kid: KeyId(kid.finish().short()),
            v,
            u,
            sectors,
        }
    }

    /// Reads a key that must be `kid`, from bytes of any origin.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKey`] when the bytes are no key or another one.
    pub fn decode_as(kid: &KeyId, bytes: &[u8]) -> Result<Self, Error> {
        Self::decode(Copying(bytes))
            .ok()
            .filter(|key| key.kid == *kid)
            .ok_or(Error::WrongKey)
    }

    /// The key's name.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        self.kid
    }

    /// Sectors of every block tagged under this key.
    #[must_use]
    pub fn sectors(&self) -> Sectors {
        self.sectors
    }

    /// `v`, which file records repeat.
    #[must_use]
    pub fn v(&self) -> &G2 {
        &self.v
    }
}

impl Write for GroupKey {
    fn write(&self, buf: &mut impl BufMut) {
        self.sectors.write(buf);
        self.v.write(buf);
        self.u.iter().for_each(|u| u.write(buf));
    }
}

impl Read for GroupKey {
    type Cfg = ();

    /// Points are in their subgroup and not the identity, or the key is refused.
    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        let sectors = Sectors::read(buf)?;
        let v = G2::read(buf)?;
        let u = (0..sectors.get())
            .map(|_| G1::read(buf))
            .collect::<Result<_, _>>()?;
        Ok(Self::new(sectors, v, u))
    }
}

impl EncodeSize for GroupKey {
    fn encode_size(&self) -> usize {
        Sectors::SIZE + G2::SIZE + self.u.len() * G1::SIZE
    }
}

/// The tagging secret `x, α_1…α_s` of a group in one epoch. Erased on drop; has no `Debug`.
///
/// Whoever holds it can answer audits without data, so it goes to members only, never to the
/// vault; a member who leaves makes the group [`generate`](Self::generate) the next epoch's.
pub struct GroupSecret {
    pub(super) x: Scalar,
    pub(super) alphas: Vec<Scalar>,
    key: GroupKey,
}

impl GroupSecret {
    /// Draws the secret of a new epoch.
    #[must_use]
    pub fn generate(sectors: Sectors, mut rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let x = Scalar::random(&mut rng);
        let alphas = (0..sectors.get())
            .map(|_| Scalar::random(&mut rng))
            .collect();
        Self::new(sectors, x, alphas)
    }

    fn new(sectors: Sectors, x: Scalar, alphas: Vec<Scalar>) -> Self {
        let u = alphas.iter().map(|alpha| G1::generator() * alpha).collect();
        Self {
            key: GroupKey::new(sectors, G2::generator() * &x, u),
            x,
            alphas,
        }
    }

    /// The public key.
    #[must_use]
    pub fn key(&self) -> &GroupKey {
        &self.key
    }

    /// `x ‖ α_1 ‖ … ‖ α_s`, `32·(s + 1)` bytes, for sealing to members.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Reserved at once: a vector that grows leaves unerased copies.
        let mut bytes = Zeroizing::new(Vec::with_capacity(SCALAR_LENGTH * (1 + self.alphas.len())));
        self.x.write(&mut *bytes);
        self.alphas
            .iter()
            .for_each(|alpha| alpha.write(&mut *bytes));
        bytes
    }

    /// Restores a secret from [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    ///
    /// [`Error::Secret`] for a wrong length or a number that is zero or not below the order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (numbers, rest) = bytes.as_chunks::<SCALAR_LENGTH>();
        let sectors = u16::try_from(numbers.len().saturating_sub(1))
            .ok()
            .and_then(|count| Sectors::new(count).ok())
            .filter(|_| rest.is_empty())
            .ok_or(Error::Secret)?;
        let mut scalars = numbers
            .iter()
            .map(|bytes| Scalar::read_cfg(&mut Copying(bytes), &ScalarReadCfg::RejectZero))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Error::Secret)?;
        let alphas = scalars.split_off(1);
        let x = scalars.pop().ok_or(Error::Secret)?;
        Ok(Self::new(sectors, x, alphas))
    }
}
