//! Transactions: what RSUs, authorities and organisations ask of the ledger.
//!
//! A transaction declares every record that it may touch, grouped by contract ([`Access`]). The
//! chain fetches those records before the contract runs; touching another one is refused
//! ([`Refusal::UndeclaredKey`](crate::Refusal::UndeclaredKey)).
//!
//! It is valid for one chain (the chain id is in the signatures' namespace), until a block time
//! (`expires_ms`), and once (`nonce`, see [`crate::execute`]). Vehicles never send transactions, so
//! one signature can carry hundreds of records.

use crate::{Address, ChainId, PrivateKey, PublicKey, Signature, TxId, id::hash};
use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, Encode, EncodeSize, Error, FixedSize, RangeCfg, Read, ReadExt, Write};
use commonware_cryptography::{BatchEntry, BatchVerifier as _, Signer as _, Verifier as _};
use commonware_parallel::Strategy;
use rand_core::CryptoRng;

/// The most bytes of a call's payload. A batch of 512 records of 100 bytes fits; content does not
/// belong on the ledger but in the vault.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

/// The most bytes of a deployment's parameters.
pub const MAX_PARAMETER_BYTES: usize = 1024;

/// The most signatures on a transaction: an operator, TA, LEA, and one to spare.
pub const MAX_SIGNATURES: usize = 4;

/// The most contracts that one transaction touches.
pub const MAX_CONTRACTS: usize = 4;

/// The most records that one transaction touches, over all its contracts.
pub const MAX_DECLARED_KEYS: usize = 2_048;

/// The most bytes of a contract's own key: a tag and a 32-byte digest fit with room to spare.
pub const MAX_LOCAL_KEY_BYTES: usize = 40;

/// The most bytes of a contract's name.
pub const MAX_NAME_BYTES: usize = 32;

/// A contract's own name for one of its records, 1 to 40 bytes.
///
/// In place and not on the heap, because a batch names hundreds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalKey {
    /// The name, and zeros.
    bytes: [u8; MAX_LOCAL_KEY_BYTES],
    length: u8,
}

impl LocalKey {
    /// The key `tag ‖ id`, or `None` when that is longer than [`MAX_LOCAL_KEY_BYTES`].
    pub fn new(tag: u8, id: &[u8]) -> Option<Self> {
        let length = 1 + id.len();
        let mut bytes = [0; MAX_LOCAL_KEY_BYTES];
        bytes[0] = tag;
        bytes.get_mut(1..length)?.copy_from_slice(id);
        Some(Self {
            bytes,
            length: u8::try_from(length).ok()?,
        })
    }

    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl Write for LocalKey {
    fn write(&self, buf: &mut impl BufMut) {
        let bytes = self.as_bytes();
        bytes.len().write(buf);
        buf.put_slice(bytes);
    }
}

impl EncodeSize for LocalKey {
    fn encode_size(&self) -> usize {
        let length = usize::from(self.length);
        length.encode_size() + length
    }
}

impl Read for LocalKey {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let length = usize::read_cfg(buf, &RangeCfg::from(1..=MAX_LOCAL_KEY_BYTES))?;
        if buf.remaining() < length {
            return Err(Error::EndOfBuffer);
        }
        let mut bytes = [0; MAX_LOCAL_KEY_BYTES];
        buf.copy_to_slice(&mut bytes[..length]);
        let length = u8::try_from(length).expect("at most 40");
        Ok(Self { bytes, length })
    }
}

/// The records of one contract that a transaction may touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The contract instance that owns the records.
    pub contract: Address,
    /// Its own names for them.
    pub keys: Vec<LocalKey>,
}

impl Write for Access {
    fn write(&self, buf: &mut impl BufMut) {
        self.contract.write(buf);
        self.keys.write(buf);
    }
}

impl EncodeSize for Access {
    fn encode_size(&self) -> usize {
        self.contract.encode_size() + self.keys.encode_size()
    }
}

impl Read for Access {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            contract: Address::read(buf)?,
            keys: Vec::read_cfg(buf, &(RangeCfg::from(0..=MAX_DECLARED_KEYS), ()))?,
        })
    }
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Creates an instance of a contract whose code is compiled into the nodes. Authorities only.
    Deploy {
        /// Name of the code, up to 32 bytes.
        name: Bytes,
        /// Version of the code.
        version: u16,
        /// Parameters in the contract's own encoding.
        parameters: Bytes,
    },
    /// Calls a contract instance.
    Call {
        /// The instance.
        contract: Address,
        /// The call in the contract's own encoding.
        payload: Bytes,
    },
}

impl Write for Action {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Deploy {
                name,
                version,
                parameters,
            } => {
                0u8.write(buf);
                name.write(buf);
                version.write(buf);
                parameters.write(buf);
            }
            Self::Call { contract, payload } => {
                1u8.write(buf);
                contract.write(buf);
                payload.write(buf);
            }
        }
    }
}

impl EncodeSize for Action {
    fn encode_size(&self) -> usize {
        u8::SIZE
            + match self {
                Self::Deploy {
                    name, parameters, ..
                } => name.encode_size() + u16::SIZE + parameters.encode_size(),
                Self::Call { payload, .. } => Address::SIZE + payload.encode_size(),
            }
    }
}

impl Read for Action {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        match u8::read(buf)? {
            0 => Ok(Self::Deploy {
                name: Bytes::read_cfg(buf, &RangeCfg::from(1..=MAX_NAME_BYTES))?,
                version: u16::read(buf)?,
                parameters: Bytes::read_cfg(buf, &RangeCfg::from(0..=MAX_PARAMETER_BYTES))?,
            }),
            1 => Ok(Self::Call {
                contract: Address::read(buf)?,
                payload: Bytes::read_cfg(buf, &RangeCfg::from(0..=MAX_PAYLOAD_BYTES))?,
            }),
            tag => Err(Error::InvalidEnum(tag)),
        }
    }
}

/// A transaction before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Distinguishes the sender's transactions; each is accepted once (see [`crate::execute`]).
    pub nonce: u64,
    /// The last block time, in milliseconds since 1970, at which the transaction may execute.
    pub expires_ms: u64,
    /// Every record that the transaction may touch.
    pub access: Vec<Access>,
    /// What it does.
    pub action: Action,
}

impl Transaction {
    /// Signs the transaction for the chain `chain`. The first signer is the sender.
    pub fn sign(self, chain: &ChainId, signers: &[&PrivateKey]) -> SignedTransaction {
        let message = self.encode();
        let namespace = namespace(chain);
        let signatures = signers
            .iter()
            .map(|signer| (signer.public_key(), signer.sign(&namespace, &message)))
            .collect();
        SignedTransaction::new(self, signatures)
    }

    /// Every record that the transaction declares: whose it is, and its owner's name for it.
    pub fn declared(&self) -> impl Iterator<Item = (&Address, &LocalKey)> {
        self.access
            .iter()
            .flat_map(|access| access.keys.iter().map(|key| (&access.contract, key)))
    }
}

impl Write for Transaction {
    fn write(&self, buf: &mut impl BufMut) {
        self.nonce.write(buf);
        self.expires_ms.write(buf);
        self.access.write(buf);
        self.action.write(buf);
    }
}

impl EncodeSize for Transaction {
    fn encode_size(&self) -> usize {
        2 * u64::SIZE + self.access.encode_size() + self.action.encode_size()
    }
}

impl Read for Transaction {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let nonce = u64::read(buf)?;
        let expires_ms = u64::read(buf)?;
        let access = Vec::<Access>::read_cfg(buf, &(RangeCfg::from(0..=MAX_CONTRACTS), ()))?;
        if access.iter().map(|group| group.keys.len()).sum::<usize>() > MAX_DECLARED_KEYS {
            return Err(Error::Invalid(
                "Transaction",
                "more than 2048 declared keys",
            ));
        }
        Ok(Self {
            nonce,
            expires_ms,
            access,
            action: Action::read(buf)?,
        })
    }
}

/// A transaction with the signatures of its sender and of whoever agrees.
///
/// Decoding checks the form; [`verify_signatures`] checks the signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    transaction: Transaction,
    signatures: Vec<(PublicKey, Signature)>,
    id: TxId,
}

impl SignedTransaction {
    fn new(transaction: Transaction, signatures: Vec<(PublicKey, Signature)>) -> Self {
        let id = TxId(hash(
            b"cairn/1/ledger/transaction-id",
            &[&transaction.encode(), &signatures.encode()],
        ));
        Self {
            transaction,
            signatures,
            id,
        }
    }

    /// The name of this transaction.
    pub const fn id(&self) -> TxId {
        self.id
    }

    /// What was signed.
    pub const fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// The first signer, whose nonce the transaction uses.
    pub fn sender(&self) -> &PublicKey {
        &self.signatures[0].0
    }

    /// Everybody who signed, the sender first.
    pub fn signers(&self) -> impl Iterator<Item = &PublicKey> {
        self.signatures.iter().map(|(signer, _)| signer)
    }

    /// Adds a countersignature, as LEA does with what TA prepared.
    pub fn countersign(self, chain: &ChainId, signer: &PrivateKey) -> Self {
        let signature = signer.sign(&namespace(chain), &self.transaction.encode());
        let mut signatures = self.signatures;
        signatures.push((signer.public_key(), signature));
        Self::new(self.transaction, signatures)
    }
}

impl Write for SignedTransaction {
    fn write(&self, buf: &mut impl BufMut) {
        self.transaction.write(buf);
        self.signatures.write(buf);
    }
}

impl EncodeSize for SignedTransaction {
    fn encode_size(&self) -> usize {
        self.transaction.encode_size() + self.signatures.encode_size()
    }
}

impl Read for SignedTransaction {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let transaction = Transaction::read(buf)?;
        let signatures = Vec::<(PublicKey, Signature)>::read_cfg(
            buf,
            &(RangeCfg::from(1..=MAX_SIGNATURES), ((), ())),
        )?;
        let repeated = signatures.iter().enumerate().any(|(index, (signer, _))| {
            signatures[..index].iter().any(|(other, _)| other == signer)
        });
        if repeated {
            return Err(Error::Invalid("SignedTransaction", "a signer signs twice"));
        }
        Ok(Self::new(transaction, signatures))
    }
}

/// Checks all signatures of all `transactions`, in one batch: true only if every one is valid.
///
/// To name the bad one, check them one by one.
pub fn verify_signatures(
    chain: &ChainId,
    transactions: &[&SignedTransaction],
    rng: &mut impl CryptoRng,
    strategy: &impl Strategy,
) -> bool {
    let namespace = namespace(chain);
    let messages: Vec<Bytes> = transactions
        .iter()
        .map(|signed| signed.transaction.encode())
        .collect();
    let entries: Vec<(&Bytes, &PublicKey, &Signature)> = transactions
        .iter()
        .zip(&messages)
        .flat_map(|(signed, message)| {
            signed
                .signatures
                .iter()
                .map(move |(signer, signature)| (message, signer, signature))
        })
        .collect();
    if let [(message, signer, signature)] = entries[..] {
        return signer.verify(&namespace, message, signature);
    }
    PublicKey::verify_batch(
        rng,
        &entries,
        |_, (message, public_key, signature)| BatchEntry {
            namespace: &namespace,
            message,
            public_key,
            signature,
        },
        strategy,
    )
}

fn namespace(chain: &ChainId) -> Vec<u8> {
    [b"cairn/1/ledger/transaction/".as_slice(), chain].concat()
}
