//! Blocks and their headers.
//!
//! Consensus orders block digests; a block's digest is the hash of its [`Header`] alone. The header
//! commits to the transactions, their receipts, and the state after them. So a header, a finality
//! certificate over its digest and a proof under its state root are enough to check a record.

use crate::{Genesis, PublicKey, SignedTransaction, id::hash};
use bytes::BufMut;
use commonware_codec::{
    Buf, Encode, EncodeSize, Error, FixedSize, MaxEncodeSize, RangeCfg, Read, ReadExt, Write,
};
use commonware_consensus::{
    BoundedBlock, CertifiableBlock, Heightable,
    types::{Epoch, Height, Round, View},
};
use commonware_cryptography::{Digest as _, Digestible, sha256};
use commonware_storage::mmr;
use commonware_utils::range::NonEmptyRange;

/// The most transactions in one block.
pub const MAX_BLOCK_TRANSACTIONS: usize = 2_048;

/// The most bytes of transactions in one block. At 50 blocks per second this is more than two
/// cores execute; a larger block only delays its own vote.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Where consensus stands when a block is proposed.
pub type Context = commonware_consensus::simplex::types::Context<sha256::Digest, PublicKey>;

/// What a block commits to. Its hash is the block's digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Round, leader and parent under which the block was proposed.
    pub context: Context,
    /// Digest of the parent block.
    pub parent: sha256::Digest,
    /// Number of blocks before this one.
    pub height: Height,
    /// Block time, milliseconds since 1970: later than the parent's, and the only clock that
    /// contracts know.
    pub time_ms: u64,
    /// Hash of the transactions.
    pub body: sha256::Digest,
    /// Hash of the receipts of the transactions.
    pub receipts: sha256::Digest,
    /// Root of the state after the block, under which records are proved.
    pub state_root: sha256::Digest,
    /// Root of the log of state operations after the block, for state synchronisation.
    pub ops_root: sha256::Digest,
    /// The operations that a node must have to continue from this block.
    pub ops_range: NonEmptyRange<mmr::Location>,
}

impl Header {
    /// The hash that consensus orders and certificates sign.
    pub fn digest(&self) -> sha256::Digest {
        sha256::Digest(hash(b"cairn/1/ledger/header", &[&self.encode()]))
    }
}

impl Write for Header {
    fn write(&self, buf: &mut impl BufMut) {
        self.context.write(buf);
        self.parent.write(buf);
        self.height.write(buf);
        self.time_ms.write(buf);
        self.body.write(buf);
        self.receipts.write(buf);
        self.state_root.write(buf);
        self.ops_root.write(buf);
        self.ops_range.write(buf);
    }
}

impl EncodeSize for Header {
    fn encode_size(&self) -> usize {
        self.context.encode_size()
            + 5 * sha256::Digest::SIZE
            + self.height.encode_size()
            + u64::SIZE
            + self.ops_range.encode_size()
    }
}

impl MaxEncodeSize for Header {
    const MAX_ENCODE_SIZE: usize = Context::MAX_ENCODE_SIZE
        + 5 * sha256::Digest::SIZE
        + Height::MAX_ENCODE_SIZE
        + u64::SIZE
        + NonEmptyRange::<mmr::Location>::MAX_ENCODE_SIZE;
}

impl Read for Header {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            context: Context::read(buf)?,
            parent: ReadExt::read(buf)?,
            height: ReadExt::read(buf)?,
            time_ms: ReadExt::read(buf)?,
            body: ReadExt::read(buf)?,
            receipts: ReadExt::read(buf)?,
            state_root: ReadExt::read(buf)?,
            ops_root: ReadExt::read(buf)?,
            ops_range: ReadExt::read(buf)?,
        })
    }
}

/// A header with the transactions it commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    header: Header,
    transactions: Vec<SignedTransaction>,
    digest: sha256::Digest,
}

impl Block {
    /// A block of `transactions` under `header`, whose `body` is [`body_digest`] of them.
    ///
    /// # Panics
    ///
    /// Panics if the header commits to other transactions.
    pub fn new(header: Header, transactions: Vec<SignedTransaction>) -> Self {
        assert_eq!(
            header.body,
            body_digest(&transactions),
            "body of another block"
        );
        Self {
            digest: header.digest(),
            header,
            transactions,
        }
    }

    /// The block before the first one: no transactions, the empty state.
    pub fn genesis(
        genesis: &Genesis,
        state_root: sha256::Digest,
        ops_root: sha256::Digest,
        ops_range: NonEmptyRange<mmr::Location>,
    ) -> Self {
        let leader = genesis.validators.iter().next();
        let leader = leader
            .expect("a genesis has at least one validator")
            .clone();
        let header = Header {
            context: Context {
                round: Round::new(Epoch::zero(), View::zero()),
                leader,
                parent: (View::zero(), sha256::Digest::EMPTY),
            },
            parent: sha256::Digest(genesis.chain_id().0),
            height: Height::zero(),
            time_ms: genesis.time_ms,
            body: body_digest(&[]),
            receipts: crate::receipt::receipts_digest(&[]),
            state_root,
            ops_root,
            ops_range,
        };
        Self::new(header, Vec::new())
    }

    /// What the block commits to.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The transactions, in the order in which they execute.
    pub fn transactions(&self) -> &[SignedTransaction] {
        &self.transactions
    }
}

/// The hash of a block's transactions.
pub fn body_digest(transactions: &[SignedTransaction]) -> sha256::Digest {
    let ids: Vec<u8> = transactions
        .iter()
        .flat_map(|transaction| transaction.id().0)
        .collect();
    sha256::Digest(hash(b"cairn/1/ledger/body", &[&ids]))
}

impl Write for Block {
    fn write(&self, buf: &mut impl BufMut) {
        self.header.write(buf);
        self.transactions.write(buf);
    }
}

impl EncodeSize for Block {
    fn encode_size(&self) -> usize {
        self.header.encode_size() + self.transactions.encode_size()
    }
}

impl Read for Block {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let header = Header::read(buf)?;
        let before = buf.remaining();
        let transactions = Vec::<SignedTransaction>::read_cfg(
            buf,
            &(RangeCfg::from(0..=MAX_BLOCK_TRANSACTIONS), ()),
        )?;
        if before - buf.remaining() > MAX_BODY_BYTES {
            return Err(Error::Invalid("Block", "transactions exceed 1 MiB"));
        }
        if header.body != body_digest(&transactions) {
            return Err(Error::Invalid(
                "Block",
                "header commits to other transactions",
            ));
        }
        Ok(Self {
            digest: header.digest(),
            header,
            transactions,
        })
    }
}

impl Digestible for Block {
    type Digest = sha256::Digest;

    fn digest(&self) -> sha256::Digest {
        self.digest
    }
}

impl Heightable for Block {
    fn height(&self) -> Height {
        self.header.height
    }
}

impl commonware_consensus::Block for Block {
    fn parent(&self) -> sha256::Digest {
        self.header.parent
    }
}

impl CertifiableBlock for Block {
    type Context = Context;

    fn context(&self) -> Context {
        self.header.context.clone()
    }
}

impl BoundedBlock for Block {
    fn max_encode_size(_: &()) -> usize {
        Header::MAX_ENCODE_SIZE + MAX_BODY_BYTES
    }
}
