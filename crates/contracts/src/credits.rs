//! Contract `credits`: what vehicles earn that forward the logins of others (PROTOCOLS.md section 7).
//!
//! 1. Whoever forwards a login does so under a one-time key `K`. When the login succeeds the RSU
//!    *grants* a credit: a record under `H(K)`, with a share of [`LOGIN_POT`].
//! 2. When the period is over, vehicles show the redeemer that they hold keys (off the ledger), each
//!    for its account.
//! 3. The redeemer *redeems* for many accounts in one call: a list of credits, a list of payouts.
//!    Which credit went to which account it alone knows; that nothing is redeemed twice or
//!    from nothing, everybody sees.
//!
//! | part | rule |
//! |---|---|
//! | grants | CR-1 signed by the RSU that they name, whose registered key is valid now |
//! | every list | CR-2 strictly sorted, so that the ledger does not tell which keys forwarded one login, nor whose they are |
//! | grant | CR-3 1 to [`LOGIN_POT`] |
//! | grant | CR-4 without effect if the name is taken: a key earns once |
//! | grants | CR-5 at most the deployed limit for each RSU and period |
//! | redemption | CR-6 signed by the redeemer |
//! | redemption | CR-7 for at least the deployed number of accounts |
//! | redemption | CR-8 every credit is recorded, of an earlier period, and not redeemed |
//! | redemption | CR-9 payouts come to what the credits come to |
//! | clean-up | CR-10 deletes credits more than [`KEPT_PERIODS`] periods old; others stay |
//!
//! An RSU that grants to its own keys gets no more than its limit, and a stolen RSU no more than
//! that until it is revoked.

use crate::{
    encoding::{newtype, record},
    keys::{rsu_local_key, signing_rsu},
};
use bytes::BufMut;
use cairn_ledger::{
    Access, Action, Address, LocalKey, PublicKey, Record, Refusal, Rid, StateKey, Transaction,
    contract::{Call, Contract, deployment, parameters_key},
    hash,
};
use commonware_codec::{
    Buf, Copying, Decode as _, Encode as _, EncodeSize, Error, FixedSize, RangeCfg, Read, ReadExt,
    Write,
};

/// The contract's name.
pub const NAME: &str = "credits";

/// The contract's version.
pub const VERSION: u16 = 1;

/// What one forwarded login earns, whoever forwarded it, to be shared by those who did: divisible by
/// one, two and three, so that nobody gains by pretending to be several.
pub const LOGIN_POT: u8 = 6;

/// Periods after its own in which a credit can be redeemed.
pub const KEPT_PERIODS: u32 = 8;

/// The most entries of each list of a call.
pub const MAX_ENTRIES: usize = 256;

const TAG_CREDIT: u8 = b'c';
const TAG_GRANTED: u8 = b'g';
const TAG_ACCOUNT: u8 = b'a';

/// Names a credit: `H(K)`, 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CreditId(pub [u8; 32]);

impl CreditId {
    /// The name of the credit of the key `key`, a compressed ristretto255 point.
    #[must_use]
    pub fn of(key: &[u8; 32]) -> Self {
        Self(hash(b"cairn/1/credits/id", &[key]))
    }

    fn local_key(&self) -> LocalKey {
        LocalKey::new(TAG_CREDIT, &self.0).expect("33 bytes fit")
    }
}

newtype!(CreditId([u8; 32]));

/// Who is paid: 32 bytes of the vehicle's choice, known to the redeemer only as its.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(pub [u8; 32]);

newtype!(Account([u8; 32]));

impl Account {
    fn local_key(&self) -> LocalKey {
        LocalKey::new(TAG_ACCOUNT, &self.0).expect("33 bytes fit")
    }
}

record! {
    /// What the ledger holds of a credit.
    CreditRecord {
        /// Its share of a login's pot.
        amount: u8,
        /// The period in which it was granted.
        period: u32,
        /// Whether it was paid out.
        is_redeemed: bool,
    }
}

record! {
    /// What an RSU has granted in its current period.
    Granted {
        /// The period.
        period: u32,
        /// The sum.
        amount: u32,
    }
}

record! {
    /// A credit to be recorded.
    Grant {
        /// Its name.
        id: CreditId,
        /// Its share of a login's pot.
        amount: u8,
    }
}

record! {
    /// What an account is paid.
    Payout {
        /// The account.
        account: Account,
        /// The sum of its credits.
        amount: u32,
    }
}

record! {
    /// What contract `credits` is deployed with.
    Parameters {
        /// The instance of contract `keys` that knows the RSUs.
        keys: Address,
        /// Who redeems.
        redeemer: PublicKey,
        /// Length of a period of block time, in milliseconds; not zero.
        period_ms: u64,
        /// The most that one RSU grants in a period.
        max_granted: u32,
        /// The fewest accounts of a redemption.
        min_accounts: u8,
    }
}

impl Parameters {
    /// The period of a block time.
    #[must_use]
    pub fn period(&self, time_ms: u64) -> u32 {
        u32::try_from(time_ms / self.period_ms.max(1)).unwrap_or(u32::MAX)
    }
}

/// What the contract is called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// What an RSU grants, and old credits to be deleted.
    Grant {
        /// The RSU.
        rid: Rid,
        /// New credits.
        grants: Vec<Grant>,
        /// Old ones.
        expired: Vec<CreditId>,
    },
    /// What the redeemer pays out.
    Redeem {
        /// The credits.
        credits: Vec<CreditId>,
        /// The accounts.
        payouts: Vec<Payout>,
    },
}

/// The state key of a credit in the instance at `contract`.
#[must_use]
pub fn credit_key(contract: &Address, id: &CreditId) -> StateKey {
    StateKey::new(contract, id.local_key().as_bytes())
}

/// The state key of an account's sum, eight bytes, in the instance at `contract`.
#[must_use]
pub fn account_key(contract: &Address, account: &Account) -> StateKey {
    StateKey::new(contract, account.local_key().as_bytes())
}

fn granted_local_key(rid: Rid) -> LocalKey {
    LocalKey::new(TAG_GRANTED, &rid.0.to_be_bytes()).expect("5 bytes fit")
}

/// A transaction that deploys `credits`.
#[must_use]
pub fn deploy(
    nonce: u64,
    expires_ms: u64,
    deployer: &PublicKey,
    parameters: &Parameters,
) -> Transaction {
    let code = (NAME, VERSION);
    deployment(nonce, expires_ms, deployer, code, parameters.encode())
}

/// A transaction that calls the instance at `contract`, which knows RSUs by the instance of `keys` at
/// `keys`. Sorts the operation's lists.
#[must_use]
pub fn call(
    nonce: u64,
    expires_ms: u64,
    contract: Address,
    keys: Address,
    mut operation: Operation,
) -> Transaction {
    let mut own = vec![parameters_key()];
    let mut access = Vec::new();
    match &mut operation {
        Operation::Grant {
            rid,
            grants,
            expired,
        } => {
            grants.sort_unstable_by_key(|grant| grant.id);
            expired.sort_unstable();
            own.push(granted_local_key(*rid));
            own.extend(grants.iter().map(|grant| grant.id.local_key()));
            own.extend(expired.iter().map(CreditId::local_key));
            access.push(Access {
                contract: keys,
                keys: vec![rsu_local_key(*rid)],
            });
        }
        Operation::Redeem { credits, payouts } => {
            credits.sort_unstable();
            payouts.sort_unstable_by_key(|payout| payout.account);
            own.extend(credits.iter().map(CreditId::local_key));
            own.extend(payouts.iter().map(|payout| payout.account.local_key()));
        }
    }
    access.insert(
        0,
        Access {
            contract,
            keys: own,
        },
    );
    Transaction {
        nonce,
        expires_ms,
        access,
        action: Action::Call {
            contract,
            payload: operation.encode(),
        },
    }
}

/// The contract's code.
pub struct Credits;

impl Contract for Credits {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u16 {
        VERSION
    }

    fn interface(&self) -> &'static str {
        include_str!("credits.schema.json")
    }

    fn deploy(&self, call: &mut Call<'_>, parameters: &[u8]) -> Result<(), Refusal> {
        call.keep_parameters::<Parameters>(parameters)?;
        match call.parameters::<Parameters>()?.period_ms {
            0 => Err(Refusal::InvalidPeriod),
            _ => Ok(()),
        }
    }

    fn call(&self, call: &mut Call<'_>, payload: &[u8]) -> Result<(), Refusal> {
        let operation = Operation::decode_cfg(Copying(payload), &());
        let parameters: Parameters = call.parameters()?;
        match operation.map_err(|_| Refusal::MalformedPayload)? {
            Operation::Grant {
                rid,
                grants,
                expired,
            } => grant(call, &parameters, rid, &grants, &expired),
            Operation::Redeem { credits, payouts } => redeem(call, &parameters, &credits, &payouts),
        }
    }
}

/// CR-1 to CR-5 and CR-10.
fn grant(
    call: &mut Call<'_>,
    parameters: &Parameters,
    rid: Rid,
    grants: &[Grant],
    expired: &[CreditId],
) -> Result<(), Refusal> {
    signing_rsu(call, &parameters.keys, rid)?;
    require_sorted(grants.iter().map(|grant| &grant.id))?;
    require_sorted(expired.iter())?;
    let period = parameters.period(call.time_ms);
    let key = granted_local_key(rid);
    let so_far = call.own::<Granted>(&key)?;
    let mut amount = so_far
        .filter(|granted| granted.period == period)
        .map_or(0, |granted| granted.amount);
    for grant in grants {
        if !(1..=LOGIN_POT).contains(&grant.amount) {
            return Err(Refusal::OutOfBounds);
        }
        let key = grant.id.local_key();
        if call.own::<CreditRecord>(&key)?.is_some() {
            continue;
        }
        amount = amount.saturating_add(u32::from(grant.amount));
        let credit = CreditRecord {
            amount: grant.amount,
            period,
            is_redeemed: false,
        };
        call.set(&key, Some(Record::of(&credit)))?;
    }
    if amount > parameters.max_granted {
        return Err(Refusal::LimitReached);
    }
    for id in expired {
        let key = id.local_key();
        let found = call.own::<CreditRecord>(&key)?;
        if found.is_some_and(|credit| period.saturating_sub(credit.period) > KEPT_PERIODS) {
            call.set(&key, None)?;
        }
    }
    call.set(&key, Some(Record::of(&Granted { period, amount })))
}

/// CR-2 and CR-6 to CR-9.
fn redeem(
    call: &mut Call<'_>,
    parameters: &Parameters,
    credits: &[CreditId],
    payouts: &[Payout],
) -> Result<(), Refusal> {
    if !call.signers.contains(&&parameters.redeemer) {
        return Err(Refusal::MissingOrganisationSignature);
    }
    require_sorted(credits.iter())?;
    require_sorted(payouts.iter().map(|payout| &payout.account))?;
    if payouts.len() < usize::from(parameters.min_accounts) {
        return Err(Refusal::OutOfBounds);
    }
    let period = parameters.period(call.time_ms);
    let mut earned = 0_u64;
    for id in credits {
        let key = id.local_key();
        let credit = call.own::<CreditRecord>(&key)?;
        let credit = credit.ok_or(Refusal::NotRegistered)?;
        if credit.is_redeemed || credit.period >= period {
            return Err(Refusal::WrongState);
        }
        earned += u64::from(credit.amount);
        let credit = CreditRecord {
            is_redeemed: true,
            ..credit
        };
        call.set(&key, Some(Record::of(&credit)))?;
    }
    let paid: u64 = payouts.iter().map(|payout| u64::from(payout.amount)).sum();
    if paid != earned {
        return Err(Refusal::OutOfBounds);
    }
    for payout in payouts {
        let key = payout.account.local_key();
        let sum = call.own::<u64>(&key)?.unwrap_or(0);
        let sum = sum.saturating_add(u64::from(payout.amount));
        call.set(&key, Some(Record::of(&sum)))?;
    }
    Ok(())
}

/// CR-2.
fn require_sorted<'a, T: Ord + 'a>(names: impl Iterator<Item = &'a T>) -> Result<(), Refusal> {
    if names.is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(Refusal::MalformedPayload)
    }
}

impl Write for Operation {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Grant {
                rid,
                grants,
                expired,
            } => {
                0_u8.write(buf);
                rid.write(buf);
                grants.write(buf);
                expired.write(buf);
            }
            Self::Redeem { credits, payouts } => {
                1_u8.write(buf);
                credits.write(buf);
                payouts.write(buf);
            }
        }
    }
}

impl EncodeSize for Operation {
    fn encode_size(&self) -> usize {
        1 + match self {
            Self::Grant {
                grants, expired, ..
            } => Rid::SIZE + grants.encode_size() + expired.encode_size(),
            Self::Redeem { credits, payouts } => credits.encode_size() + payouts.encode_size(),
        }
    }
}

impl Read for Operation {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let limit = (RangeCfg::from(0..=MAX_ENTRIES), ());
        match u8::read(buf)? {
            0 => Ok(Self::Grant {
                rid: ReadExt::read(buf)?,
                grants: Vec::read_cfg(buf, &limit)?,
                expired: Vec::read_cfg(buf, &limit)?,
            }),
            1 => Ok(Self::Redeem {
                credits: Vec::read_cfg(buf, &limit)?,
                payouts: Vec::read_cfg(buf, &limit)?,
            }),
            tag => Err(Error::InvalidEnum(tag)),
        }
    }
}
