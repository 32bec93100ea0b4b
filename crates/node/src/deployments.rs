//! The contracts of each kind of chain, with what they are deployed with.
//!
//! A network of several processes has them from its first blocks on: whoever makes it signs the
//! deployments in TA's name, under nonces known beforehand, so that the contracts' addresses are known
//! with the genesis. Every node hands in those that its chain does not have ([`ensure`]); the chain
//! takes each once.

use crate::credentials;
use cairn_chain::{Chain, ReadError, Runtime};
use cairn_contracts::{
    credentials as credentials_contract, credits, directory, exchange, keys, misbehaviour, policy,
    providers as providers_contract, records, tokens,
};
use cairn_ledger::{
    Action, Address, PublicKey, SignedTransaction, Transaction, execute::instance_key,
};
use cairn_protocol::{plausibility::Bounds, token};
use futures::StreamExt as _;
use tracing::warn;

/// The longest validity that contract `keys` is deployed with, in milliseconds: two years.
pub(crate) const MAX_VALIDITY_MS: u64 = 2 * 365 * 24 * 3_600_000;

/// The nonces of TA's first transactions, which deploy. Later ones count microseconds.
pub(crate) const KEYS_NONCE: u64 = 1;
pub(crate) const TOKENS_NONCE: u64 = 2;
pub(crate) const MISBEHAVIOUR_NONCE: u64 = 3;
pub(crate) const CREDENTIALS_NONCE: u64 = 8;
pub(crate) const PROVIDERS_NONCE: u64 = 12;
pub(crate) const CREDITS_NONCE: u64 = 9;
const DIRECTORY_NONCE: u64 = 1;
const EXCHANGE_NONCE: u64 = 2;
const RECORDS_NONCE: u64 = 1;
const POLICY_NONCE: u64 = 2;

/// RSUs that make a request for revocation: f_r + 1, for f_r = 2 liars among those who hear a
/// vehicle.
pub const VOTERS: u8 = 3;

/// How long a vote against a vehicle stands, in milliseconds of block time: a quarter of an hour, in
/// which a vehicle comes past three RSUs.
pub const VOTE_LIFE_MS: u64 = 15 * 60 * 1_000;

/// Length of a period of credits, in milliseconds of block time. A day would hide more of when a relay helped; a
/// minute lets a replay of some minutes show what is paid.
pub const CREDIT_PERIOD_MS: u64 = 60_000;

/// The most that one RSU grants in a period: 200 relayed logins, three a second.
pub const MAX_GRANTED: u32 = 200 * credits::LOGIN_POT as u32;

/// The fewest accounts of a redemption, so that it does not tell who helped where.
pub const MIN_ACCOUNTS: u8 = 3;

/// Organisations in a directory have numbers below this.
const MAX_ORGANISATIONS: u16 = 1_000;

/// Contract `keys`.
pub(crate) fn keys(ta: &PublicKey, expires_ms: u64) -> Transaction {
    keys::deploy(KEYS_NONCE, expires_ms, ta, MAX_VALIDITY_MS)
}

/// Contract `tokens`, over the `keys` of the same deployer.
pub(crate) fn tokens(ta: &PublicKey, expires_ms: u64) -> Transaction {
    let parameters = tokens::Parameters {
        keys: Address::of_instance(ta, KEYS_NONCE),
        max_life_ms: token::MAX_LIFE_MS,
        max_hops: token::MAX_HANDOVERS,
    };
    tokens::deploy(TOKENS_NONCE, expires_ms, ta, &parameters)
}

/// Contract `misbehaviour`, likewise; `bounds` are those of the RSUs' checks.
pub(crate) fn misbehaviour(ta: &PublicKey, expires_ms: u64, bounds: &Bounds) -> Transaction {
    let parameters = misbehaviour::Parameters {
        keys: Address::of_instance(ta, KEYS_NONCE),
        threshold: VOTERS,
        reach_cm: (100.0 * (bounds.radio_range_m + bounds.position_error_m)) as u32,
        max_speed_cm_s: (100.0 * bounds.max_speed_m_s) as u32,
        life_ms: VOTE_LIFE_MS,
    };
    misbehaviour::deploy(MISBEHAVIOUR_NONCE, expires_ms, ta, &parameters)
}

/// Contract `credentials`.
pub(crate) fn credentials(ta: &PublicKey, expires_ms: u64) -> Transaction {
    let parameters = credentials::parameters();
    credentials_contract::deploy(CREDENTIALS_NONCE, expires_ms, ta, &parameters)
}

/// Contract `providers`.
pub(crate) fn providers(ta: &PublicKey, expires_ms: u64) -> Transaction {
    let parameters = providers_contract::Parameters {
        max_validity_ms: MAX_VALIDITY_MS,
    };
    providers_contract::deploy(PROVIDERS_NONCE, expires_ms, ta, &parameters)
}

/// Contract `credits`, likewise.
pub(crate) fn credits(ta: &PublicKey, expires_ms: u64, redeemer: PublicKey) -> Transaction {
    let parameters = credits::Parameters {
        keys: Address::of_instance(ta, KEYS_NONCE),
        redeemer,
        period_ms: CREDIT_PERIOD_MS,
        max_granted: MAX_GRANTED,
        min_accounts: MIN_ACCOUNTS,
    };
    credits::deploy(CREDITS_NONCE, expires_ms, ta, &parameters)
}

/// The period of credits of a block time.
pub(crate) fn credit_period(time_ms: u64) -> u32 {
    u32::try_from(time_ms / CREDIT_PERIOD_MS).unwrap_or(u32::MAX)
}

/// What a road chain has.
#[must_use]
pub fn road(ta: &PublicKey, expires_ms: u64, bounds: &Bounds) -> Vec<Transaction> {
    vec![
        keys(ta, expires_ms),
        tokens(ta, expires_ms),
        misbehaviour(ta, expires_ms, bounds),
        credentials(ta, expires_ms),
        providers(ta, expires_ms),
    ]
}

/// What a relay chain has: `directory`, and `exchange` over it.
#[must_use]
pub fn relay(ta: &PublicKey, expires_ms: u64) -> Vec<Transaction> {
    let of_directory = directory::Parameters {
        limit: MAX_ORGANISATIONS,
    };
    let of_exchange = exchange::Parameters {
        directory: Address::of_instance(ta, DIRECTORY_NONCE),
        max_wait_ms: cairn_exchange::request::MAX_LIFE_MS,
    };
    vec![
        directory::deploy(DIRECTORY_NONCE, expires_ms, ta, &of_directory),
        exchange::deploy(EXCHANGE_NONCE, expires_ms, ta, &of_exchange),
    ]
}

/// What an organisation's chain has: `records` of one grade, and `policy`, both of `operator`.
#[must_use]
pub fn organisation(
    ta: &PublicKey,
    expires_ms: u64,
    operator: &PublicKey,
    grade: u8,
) -> Vec<Transaction> {
    let of_records = records::Parameters {
        operator: operator.clone(),
        grade,
    };
    let of_policy = policy::Parameters {
        operator: operator.clone(),
    };
    vec![
        records::deploy(RECORDS_NONCE, expires_ms, ta, &of_records),
        policy::deploy(POLICY_NONCE, expires_ms, ta, &of_policy),
    ]
}

/// The addresses of `records` and `policy` there.
#[must_use]
pub fn organisation_contracts(ta: &PublicKey) -> [Address; 2] {
    [RECORDS_NONCE, POLICY_NONCE].map(|nonce| Address::of_instance(ta, nonce))
}

/// The addresses of `directory` and `exchange` on a relay chain.
#[must_use]
pub fn relay_contracts(ta: &PublicKey) -> [Address; 2] {
    [DIRECTORY_NONCE, EXCHANGE_NONCE].map(|nonce| Address::of_instance(ta, nonce))
}

/// The name and address of the contract that a transaction deploys; `None` if it deploys none.
#[must_use]
pub fn deployed(signed: &SignedTransaction) -> Option<(String, Address)> {
    let transaction = signed.transaction();
    match &transaction.action {
        Action::Deploy { name, .. } => Some((
            String::from_utf8(name.to_vec()).ok()?,
            Address::of_instance(signed.sender(), transaction.nonce),
        )),
        Action::Call { .. } => None,
    }
}

/// The contracts of these deployments that `chain` has.
///
/// # Errors
///
/// [`ReadError`].
pub async fn found<E: Runtime>(
    chain: &Chain<E>,
    deployments: &[SignedTransaction],
) -> Result<Vec<(String, Address)>, ReadError> {
    let all: Vec<_> = deployments.iter().filter_map(deployed).collect();
    let keys: Vec<_> = all
        .iter()
        .map(|(_, address)| instance_key(address))
        .collect();
    let records = chain.get(&keys).await?;
    let there = all.into_iter().zip(records);
    Ok(there
        .filter_map(|(contract, record)| record.map(|_| contract))
        .collect())
}

/// Hands in the deployments that `chain` does not have yet, until it has all. Several nodes may do so at
/// once: it is the same transaction, and a chain takes it once.
///
/// # Errors
///
/// [`ReadError`], when the validator stops.
pub async fn ensure<E: Runtime>(
    chain: &Chain<E>,
    deployments: &[SignedTransaction],
) -> Result<(), ReadError> {
    let mut blocks = chain.finalized();
    loop {
        let found = found(chain, deployments).await?;
        if found.len() == deployments.len() {
            return Ok(());
        }
        let missing = deployments
            .iter()
            .filter(|signed| deployed(signed).is_none_or(|contract| !found.contains(&contract)));
        if let Err(error) = chain.submit(missing.cloned().collect()) {
            warn!(%error, "contracts are not handed in yet");
        }
        // An idle chain makes a block each second.
        if blocks.next().await.is_none() {
            return Err(ReadError::Stopped);
        }
    }
}
