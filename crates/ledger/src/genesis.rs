//! What every validator of a chain must agree on before the first block.

use crate::{ChainId, PublicKey, id::hash, transaction::MAX_NAME_BYTES};
use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, Encode, EncodeSize, Error, FixedSize, RangeCfg, Read, ReadExt, Write};
use commonware_cryptography::bls12381::primitives::{
    sharing::{ModeVersion, Sharing},
    variant::{MinSig, Variant},
};
use commonware_utils::{NZU32, ordered::Set};
use core::num::NonZeroU32;

/// The most validators of one chain. Consensus messages grow with their square.
pub const MAX_VALIDATORS: NonZeroU32 = NZU32!(128);

/// The key under which a chain's finality certificates verify: a BLS12-381 point of 96 bytes, the
/// same whatever the number of validators. All that a vehicle needs to know of a chain.
pub type NetworkKey = <MinSig as Variant>::Public;

/// The constitution of a chain. Its hash is the chain's id, so two nodes that disagree about
/// anything in here do not talk to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// A name for people, up to 32 bytes.
    pub name: Bytes,
    /// The validators' identity keys.
    pub validators: Set<PublicKey>,
    /// The validators' shared key: verifies each one's share of a certificate.
    pub sharing: Sharing<MinSig>,
    /// The trusted authority, registrar of identities.
    pub ta: PublicKey,
    /// The law-enforcement agency, which countersigns.
    pub lea: PublicKey,
    /// The block time of the genesis block, milliseconds since 1970.
    pub time_ms: u64,
}

impl Genesis {
    /// The chain's id.
    pub fn chain_id(&self) -> ChainId {
        ChainId(hash(b"cairn/1/ledger/genesis", &[&self.encode()]))
    }

    /// The key that the chain's finality certificates verify under.
    pub fn network_key(&self) -> NetworkKey {
        *self.sharing.public()
    }

    /// The namespace of all consensus signatures of this chain.
    pub fn consensus_namespace(&self) -> Vec<u8> {
        consensus_namespace(&self.chain_id())
    }
}

/// The namespace of all consensus signatures of the chain `chain`.
pub fn consensus_namespace(chain: &ChainId) -> Vec<u8> {
    [b"cairn/1/ledger/consensus/".as_slice(), chain].concat()
}

impl Write for Genesis {
    fn write(&self, buf: &mut impl BufMut) {
        self.name.write(buf);
        self.validators.write(buf);
        self.sharing.write(buf);
        self.ta.write(buf);
        self.lea.write(buf);
        self.time_ms.write(buf);
    }
}

impl EncodeSize for Genesis {
    fn encode_size(&self) -> usize {
        self.name.encode_size()
            + self.validators.encode_size()
            + self.sharing.encode_size()
            + 2 * PublicKey::SIZE
            + u64::SIZE
    }
}

impl Read for Genesis {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let genesis = Self {
            name: Bytes::read_cfg(buf, &RangeCfg::from(1..=MAX_NAME_BYTES))?,
            validators: Set::read_cfg(
                buf,
                &(RangeCfg::from(1..=MAX_VALIDATORS.get() as usize), ()),
            )?,
            sharing: Sharing::read_cfg(buf, &(MAX_VALIDATORS, ModeVersion::v0()))?,
            ta: PublicKey::read(buf)?,
            lea: PublicKey::read(buf)?,
            time_ms: u64::read(buf)?,
        };
        if genesis.sharing.total().get() as usize != genesis.validators.len() {
            return Err(Error::Invalid(
                "Genesis",
                "the shared key is not for this number of validators",
            ));
        }
        Ok(genesis)
    }
}
