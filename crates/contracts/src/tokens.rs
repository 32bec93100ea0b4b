//! Contract `tokens`: one-time tokens with which vehicles hand over between RSUs (PROTOCOLS.md
//! section 5), and the trail of key agreements (paper 000, key agreement, step 4).
//!
//! A vehicle draws `n'` and gives `Q' = n'P` to the RSU where it logs in. The RSU *mints* a token: a
//! record under `H(Q')` with its expiry and a commitment to who may use it. At the next RSU the
//! vehicle shows `Q'` and proves `n'`; that RSU *spends* the token, by a marker with the digest of
//! the proof. Whoever comes first in ledger order has it; a later spend changes nothing, and its
//! RSU sees another marker than its own.
//!
//! An RSU sends everything of many vehicles in one signed batch per short interval:
//!
//! | part | rule |
//! |---|---|
//! | whole batch | T-1 signed by the RSU that it names, whose registered key is valid now |
//! | mints, spends, clean-up | T-2 each list strictly sorted by key, so that the ledger does not tell which spend led to which mint |
//! | mint | T-3 without effect if the name is taken; T-4 expiry is ahead, at most the deployed limit; T-5 hops at most the deployed limit |
//! | spend | T-6 without effect unless the token exists, is not expired, not spent, and its minting RSU is not revoked |
//! | clean-up | T-7 deletes expired records; others stay |
//! | agreements | T-8 extend the RSU's hash chain: `head' = H(head ‖ digest)` |
//!
//! A mint or spend without effect is no refusal of the batch: the other vehicles in it are not at
//! fault, and one that gives the same `Q'` to two RSUs must not stop either of them.

use crate::{
    encoding::{newtype, record},
    keys,
};
use bytes::BufMut;
use cairn_ledger::{
    Access, Action, Address, LocalKey, PublicKey, Record, Refusal, Rid, StateKey, Transaction,
    contract::{Call, Contract, deployment, parameters_key},
    hash,
};
use commonware_codec::{
    Buf, Copying, Decode as _, Encode, EncodeSize, Error, FixedSize, RangeCfg, Read, ReadExt, Write,
};

/// The contract's name.
pub const NAME: &str = "tokens";

/// The contract's version.
pub const VERSION: u16 = 1;

/// The most entries of each list of a batch. Four full lists, 53 KB, fit into a payload.
pub const MAX_ENTRIES: usize = 256;

const TAG_TOKEN: u8 = b't';
const TAG_TRAIL: u8 = b'g';

/// Names a token: `H(Q')`, 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub [u8; 32]);

newtype!(TokenId([u8; 32]));

impl TokenId {
    /// The name of the token whose public part is `point`, a compressed ristretto255 point.
    pub fn of(point: &[u8; 32]) -> Self {
        Self(hash(b"cairn/1/tokens/id", &[point]))
    }

    fn local_key(&self) -> LocalKey {
        LocalKey::new(TAG_TOKEN, &self.0).expect("33 bytes fit")
    }
}

/// What the ledger holds of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// Block time from which the token is worth nothing, in milliseconds.
    pub expires_ms: u64,
    /// Commitment to the token and to who may use it.
    pub commitment: [u8; 32],
    /// The RSU that minted it.
    pub minted_by: Rid,
    /// Handovers since the last full login.
    pub hops: u8,
    /// Digest of the proof with which it was spent.
    pub spent: Option<[u8; 32]>,
}

record! {
    /// A token to be recorded.
    #[derive(Copy)]
    Mint {
        /// Its name.
        id: TokenId,
        /// Commitment to the token and to who may use it.
        commitment: [u8; 32],
        /// Block time from which it is worth nothing, in milliseconds.
        expires_ms: u64,
        /// Handovers since the last full login.
        hops: u8,
    }
}

record! {
    /// A token that was shown.
    #[derive(Copy)]
    Spend {
        /// Its name.
        id: TokenId,
        /// Digest of the proof that it was shown with.
        proof: [u8; 32],
        /// The RSU that minted it, as its record says.
        minted_by: Rid,
    }
}

/// What an RSU records of one interval. [`call`] sorts the lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// New tokens.
    pub mints: Vec<Mint>,
    /// Tokens shown.
    pub spends: Vec<Spend>,
    /// Expired tokens to be deleted.
    pub expired: Vec<TokenId>,
    /// Digests of key agreements, in their order.
    pub agreements: Vec<[u8; 32]>,
}

record! {
    /// What contract `tokens` is deployed with.
    #[derive(Copy)]
    Parameters {
        /// The instance of contract `keys` that knows the RSUs.
        keys: Address,
        /// The longest life of a token, in milliseconds.
        max_life_ms: u64,
        /// Handovers after which a full login is due.
        max_hops: u8,
    }
}

record! {
    /// The trail of an RSU's key agreements.
    #[derive(Copy, Default)]
    Trail {
        /// Agreements so far.
        count: u64,
        /// `H(previous head ‖ digest)` of the last one.
        head: [u8; 32],
    }
}

impl Trail {
    /// The trail with one more agreement.
    pub fn extend(&self, digest: &[u8; 32]) -> Self {
        Self {
            count: self.count.saturating_add(1),
            head: hash(b"cairn/1/tokens/trail", &[&self.head, digest]),
        }
    }
}

/// The state key of a token's record in the instance at `contract`.
pub fn token_key(contract: &Address, id: &TokenId) -> StateKey {
    StateKey::new(contract, id.local_key().as_bytes())
}

/// The state key of an RSU's trail in the instance at `contract`.
pub fn trail_key(contract: &Address, rid: Rid) -> StateKey {
    StateKey::new(contract, trail_local_key(rid).as_bytes())
}

fn trail_local_key(rid: Rid) -> LocalKey {
    LocalKey::new(TAG_TRAIL, &rid.0.to_be_bytes()).expect("5 bytes fit")
}

/// A transaction that deploys `tokens`.
pub fn deploy(
    nonce: u64,
    expires_ms: u64,
    deployer: &PublicKey,
    parameters: &Parameters,
) -> Transaction {
    let code = (NAME, VERSION);
    deployment(nonce, expires_ms, deployer, code, parameters.encode())
}

/// A transaction in which the RSU `rid` records `batch` with the instance at `contract`, which
/// knows RSUs by the instance of `keys` at `keys`.
pub fn call(
    nonce: u64,
    expires_ms: u64,
    contract: Address,
    keys: Address,
    rid: Rid,
    mut batch: Batch,
) -> Transaction {
    batch.mints.sort_unstable_by_key(|mint| mint.id);
    batch.spends.sort_unstable_by_key(|spend| spend.id);
    batch.expired.sort_unstable();
    let mut rsus: Vec<Rid> = batch.spends.iter().map(|spend| spend.minted_by).collect();
    rsus.push(rid);
    rsus.sort_unstable();
    rsus.dedup();
    let ids = batch.mints.iter().map(|mint| &mint.id);
    let ids = ids
        .chain(batch.spends.iter().map(|spend| &spend.id))
        .chain(&batch.expired);
    let own = [parameters_key(), trail_local_key(rid)].into_iter();
    Transaction {
        nonce,
        expires_ms,
        access: vec![
            Access {
                contract,
                keys: own.chain(ids.map(TokenId::local_key)).collect(),
            },
            Access {
                contract: keys,
                keys: rsus.into_iter().map(keys::rsu_local_key).collect(),
            },
        ],
        action: Action::Call {
            contract,
            payload: (rid, batch).encode(),
        },
    }
}

/// The contract's code.
pub struct Tokens;

impl Contract for Tokens {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u16 {
        VERSION
    }

    fn interface(&self) -> &'static str {
        include_str!("tokens.schema.json")
    }

    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal> {
        call.keep_parameters::<Parameters>(parameters)
    }

    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal> {
        let (rid, batch) = <(Rid, Batch)>::decode_cfg(Copying(payload), &((), ()))
            .map_err(|_| Refusal::MalformedPayload)?;
        let parameters: Parameters = call.parameters()?;
        keys::signing_rsu(call, &parameters.keys, rid)?;
        require_sorted(batch.mints.iter().map(|mint| &mint.id))?;
        require_sorted(batch.spends.iter().map(|spend| &spend.id))?;
        require_sorted(batch.expired.iter())?;
        for mint in &batch.mints {
            record(call, &parameters, rid, mint)?;
        }
        for shown in &batch.spends {
            spend(call, &parameters, shown)?;
        }
        for id in &batch.expired {
            let key = id.local_key();
            let found = call.own::<TokenRecord>(&key)?;
            if found.is_some_and(|token| token.expires_ms <= call.time_ms) {
                call.set(&key, None)?;
            }
        }
        if !batch.agreements.is_empty() {
            let key = trail_local_key(rid);
            let trail = call.own::<Trail>(&key)?.unwrap_or_default();
            let trail = batch
                .agreements
                .iter()
                .fold(trail, |trail, digest| trail.extend(digest));
            call.set(&key, Some(Record::of(&trail)))?;
        }
        Ok(())
    }
}

/// T-2.
fn require_sorted<'a>(ids: impl Iterator<Item = &'a TokenId>) -> Result<(), Refusal> {
    if ids.is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(Refusal::MalformedPayload)
    }
}

/// T-3 to T-5.
fn record(
    call: &mut Call<'_>,
    parameters: &Parameters,
    rid: Rid,
    mint: &Mint,
) -> Result<(), Refusal> {
    let life_ms = mint.expires_ms.checked_sub(call.time_ms);
    let is_allowed =
        life_ms.is_some_and(|life_ms| 0 < life_ms && life_ms <= parameters.max_life_ms);
    if !is_allowed || mint.hops > parameters.max_hops {
        return Err(Refusal::InvalidPeriod);
    }
    let key = mint.id.local_key();
    if call.own::<TokenRecord>(&key)?.is_some() {
        return Ok(());
    }
    let token = TokenRecord {
        expires_ms: mint.expires_ms,
        commitment: mint.commitment,
        minted_by: rid,
        hops: mint.hops,
        spent: None,
    };
    call.set(&key, Some(Record::of(&token)))
}

/// T-6.
fn spend(call: &mut Call<'_>, parameters: &Parameters, shown: &Spend) -> Result<(), Refusal> {
    let key = shown.id.local_key();
    let Some(token) = call.own::<TokenRecord>(&key)? else {
        return Ok(());
    };
    if token.spent.is_some() || token.expires_ms <= call.time_ms {
        return Ok(());
    }
    let minter = keys::rsu(call, &parameters.keys, token.minted_by)?;
    if minter.is_none_or(|minter| minter.revoked_ms.is_some()) {
        return Ok(());
    }
    let token = TokenRecord {
        spent: Some(shown.proof),
        ..token
    };
    call.set(&key, Some(Record::of(&token)))
}

impl Write for TokenRecord {
    fn write(&self, buf: &mut impl BufMut) {
        self.expires_ms.write(buf);
        self.commitment.write(buf);
        self.minted_by.write(buf);
        self.hops.write(buf);
        self.spent.is_some().write(buf);
        self.spent.unwrap_or_default().write(buf);
    }
}

impl FixedSize for TokenRecord {
    const SIZE: usize = 8 + 32 + Rid::SIZE + 1 + 1 + 32;
}

impl Read for TokenRecord {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            expires_ms: ReadExt::read(buf)?,
            commitment: ReadExt::read(buf)?,
            minted_by: ReadExt::read(buf)?,
            hops: ReadExt::read(buf)?,
            spent: {
                let is_spent = bool::read(buf)?;
                let proof = <[u8; 32]>::read(buf)?;
                is_spent.then_some(proof)
            },
        })
    }
}

impl Write for Batch {
    fn write(&self, buf: &mut impl BufMut) {
        self.mints.write(buf);
        self.spends.write(buf);
        self.expired.write(buf);
        self.agreements.write(buf);
    }
}

impl EncodeSize for Batch {
    fn encode_size(&self) -> usize {
        self.mints.encode_size()
            + self.spends.encode_size()
            + self.expired.encode_size()
            + self.agreements.encode_size()
    }
}

impl Read for Batch {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        let limit = RangeCfg::from(0..=MAX_ENTRIES);
        Ok(Self {
            mints: Vec::read_cfg(buf, &(limit, ()))?,
            spends: Vec::read_cfg(buf, &(limit, ()))?,
            expired: Vec::read_cfg(buf, &(limit, ()))?,
            agreements: Vec::read_cfg(buf, &(limit, ()))?,
        })
    }
}
