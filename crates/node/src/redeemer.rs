//! Who pays vehicles that forwarded the logins of others.
//!
//! 1. A vehicle hands in claims, not on the ledger: one signed with each key under which it forwarded, all
//!    for its account.
//! 2. In the middle of each period, when vehicles have claimed what was due at its beginning, the redeemer looks the
//!    credits up and pays out for many accounts in one call of contract `credits`. Which credit went to
//!    which account it alone knows.
//! 3. What the ledger does not have two periods later was not granted, and is forgotten.
//!
//! Rules of a claim, of which a broken one is passed over:
//! * `V-CLAIM-1` it is signed with the key that it claims for;
//! * `V-CLAIM-2` it is the first for its key, and there is room;
//! * `V-CLAIM-3` the ledger has the credit, of an earlier period and not redeemed.

use crate::{
    clock::TraceClock,
    counters::Counters,
    deployments::{CREDIT_PERIOD_MS, MIN_ACCOUNTS, credit_period},
    ledger::Ledger,
};
use cairn_chain::Runtime;
use cairn_contracts::credits::{
    self, Account, CreditId, CreditRecord, MAX_ENTRIES, Operation, Payout, credit_key,
};
use cairn_ledger::{Address, ChainId, PrivateKey};
use cairn_protocol::relay::Claim;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use tokio::sync::mpsc;
use tracing::{debug, error};

/// Hand-ins that wait for the redeemer; whoever has more waits.
const HAND_INS: usize = 64;

/// The most claims that are held: those of a city's rush hour, some 5 MB.
const MAX_HELD: usize = 65_536;

/// Periods after which a credit that is claimed and not on the ledger is not waited for any longer.
const PATIENCE_PERIODS: u32 = 2;

/// Real time between two looks whether a period is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a payment may wait for a block, in milliseconds of block time.
const PATIENCE_MS: u64 = 60_000;

/// What a redeemer works with.
pub struct Setup<E: Runtime> {
    /// Access to the chain.
    pub ledger: Ledger<E>,
    /// The network's clock.
    pub clock: TraceClock,
    /// What is paid, for the report.
    pub counters: Counters,
    /// The instance of contract `credits`.
    pub contract: Address,
    /// The instance of contract `keys` that it is deployed with.
    pub keys: Address,
    /// The redeemer's key.
    pub signer: PrivateKey,
}

/// A claim that waits for its credit.
struct Held {
    account: Account,
    since: u32,
}

/// The claims that wait, for one instance of the contract.
struct Book {
    chain: ChainId,
    contract: Address,
    held: HashMap<CreditId, Held>,
}

impl Book {
    /// `V-CLAIM-1`, `V-CLAIM-2`.
    fn take(&mut self, claims: &[Claim], period: u32) {
        for claim in claims {
            if self.held.len() >= MAX_HELD {
                return debug!("more claims than are held");
            }
            match claim.verify(&self.chain, &self.contract) {
                Ok(id) => {
                    self.held.entry(id).or_insert(Held {
                        account: claim.account,
                        since: period,
                    });
                }
                Err(error) => debug!(%error, "claim passed over"),
            }
        }
    }
}

/// A credit that can be paid.
struct Payable {
    id: CreditId,
    account: Account,
    amount: u32,
}

struct Redeemer<E: Runtime> {
    setup: Setup<E>,
    /// Of the last transaction.
    nonce: u64,
    book: Book,
    /// The period in which it last paid.
    paid: u32,
}

/// Starts the redeemer; here claims are handed in. It ends when nobody can hand in any more.
pub fn start<E: Runtime>(context: &E, setup: Setup<E>) -> mpsc::Sender<Vec<Claim>> {
    let (hand_in, mut claims) = mpsc::channel::<Vec<Claim>>(HAND_INS);
    context.child("redeemer").spawn(move |context| async move {
        let mut redeemer = Redeemer {
            // Later than any nonce before the start.
            nonce: setup.clock.now_ms().saturating_mul(1_000),
            paid: credit_period(setup.ledger.time_ms()),
            book: Book {
                chain: setup.ledger.chain().id(),
                contract: setup.contract,
                held: HashMap::new(),
            },
            setup,
        };
        loop {
            tokio::select! {
                biased;
                claims = claims.recv() => match claims {
                    Some(claims) => {
                        let period = credit_period(redeemer.setup.clock.now_ms());
                        redeemer.book.take(&claims, period);
                    }
                    None => return,
                },
                () = context.sleep(LOOK_EVERY) => redeemer.pay().await,
            }
        }
    });
    hand_in
}

impl<E: Runtime> Redeemer<E> {
    /// Pays what is due, once in a period.
    async fn pay(&mut self) {
        let time_ms = self.setup.ledger.time_ms();
        let period = credit_period(time_ms);
        let is_early = time_ms % CREDIT_PERIOD_MS < CREDIT_PERIOD_MS / 2;
        if period <= self.paid || is_early || self.book.held.is_empty() {
            return;
        }
        self.paid = period;
        let payable = self.payable(period).await;
        for payable in payable.chunks(MAX_ENTRIES) {
            let mut sums = BTreeMap::new();
            for Payable {
                account, amount, ..
            } in payable
            {
                *sums.entry(*account).or_insert(0_u32) += amount;
            }
            // Few accounts wait for others' company.
            if sums.len() >= usize::from(MIN_ACCOUNTS) {
                self.redeem(payable, sums).await;
            }
        }
    }

    /// `V-CLAIM-3`: what can be paid. Forgets what never will be.
    async fn payable(&mut self, period: u32) -> Vec<Payable> {
        let mut ids: Vec<CreditId> = self.book.held.keys().copied().collect();
        ids.sort_unstable();
        let mut payable = Vec::new();
        for ids in ids.chunks(MAX_ENTRIES) {
            let contract = &self.setup.contract;
            let keys: Vec<_> = ids.iter().map(|id| credit_key(contract, id)).collect();
            let found = match self.setup.ledger.get(&keys).await {
                Ok(found) => found,
                Err(error) => {
                    error!(%error, "no ledger");
                    return Vec::new();
                }
            };
            for (id, (_, record)) in ids.iter().zip(found) {
                let Some(Held { account, since }) = self.book.held.get(id) else {
                    continue;
                };
                let record: Option<CreditRecord> =
                    record.and_then(|record| record.decode_as().ok());
                match record {
                    Some(credit) if credit.is_redeemed => {
                        self.book.held.remove(id);
                    }
                    Some(credit) if credit.period < period => payable.push(Payable {
                        id: *id,
                        account: *account,
                        amount: u32::from(credit.amount),
                    }),
                    None if since.saturating_add(PATIENCE_PERIODS) < period => {
                        self.book.held.remove(id);
                    }
                    _ => {}
                }
            }
        }
        payable
    }

    async fn redeem(&mut self, payable: &[Payable], sums: BTreeMap<Account, u32>) {
        self.nonce += 1;
        let Setup {
            ledger,
            clock,
            counters,
            contract,
            keys,
            signer,
        } = &self.setup;
        let sum: u32 = sums.values().sum();
        let payouts = sums.into_iter();
        let operation = Operation::Redeem {
            credits: payable.iter().map(|payable| payable.id).collect(),
            payouts: payouts
                .map(|(account, amount)| Payout { account, amount })
                .collect(),
        };
        let expires_ms = clock.now_ms() + PATIENCE_MS;
        let transaction = credits::call(self.nonce, expires_ms, *contract, *keys, operation);
        let signed = transaction.sign(&ledger.chain().id(), &[signer]);
        match ledger.execute(signed).await {
            Ok(()) => {
                counters.relayed().redeemed(u64::from(sum));
                for payable in payable {
                    self.book.held.remove(&payable.id);
                }
            }
            Err(error) => error!(%error, "credits not redeemed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_crypto::schnorr::SecretKey;
    use rand::{SeedableRng as _, rngs::StdRng};

    #[test]
    fn a_key_is_claimed_once_and_by_who_holds_it() {
        let mut rng = StdRng::seed_from_u64(1);
        let (chain, contract) = (ChainId([1; 32]), Address([2; 20]));
        let mut book = Book {
            chain,
            contract,
            held: HashMap::new(),
        };
        let [ours, second] = [Account([3; 32]), Account([4; 32])];
        let key = SecretKey::random(&mut rng);
        let claim = Claim::sign(&chain, &contract, &key, ours, &mut rng);
        let stolen = Claim {
            account: second,
            ..claim.clone()
        };
        let again = Claim::sign(&chain, &contract, &key, second, &mut rng);
        let elsewhere = Claim::sign(&chain, &Address([5; 20]), &key, ours, &mut rng);
        book.take(&[stolen, elsewhere], 0);
        assert!(book.held.is_empty());
        book.take(&[claim, again], 0);
        let accounts: Vec<Account> = book.held.values().map(|held| held.account).collect();
        assert_eq!(accounts, [ours]);
    }
}
