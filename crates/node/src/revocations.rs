//! Published linkage seeds, as they become final.

use crate::ledger::Ledger;
use cairn_chain::{ReadError, Runtime};
use cairn_contracts::credentials::{Counters, RevocationRecord, counters_key, revocation_key};
use cairn_crypto::linkage::{Period, Revocation};
use cairn_ledger::{Address, StateKey};
use cairn_protocol::{issuing::Circle, roadside::Issuers};
use commonware_codec::Read;
use futures::StreamExt as _;
use tokio::sync::watch;
use tracing::error;

/// All revocations so far.
pub type Revocations = watch::Receiver<Vec<Published>>;

/// Seeds that are published in a final state.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// The seeds.
    pub revocation: Revocation,
    /// Height of the block after which they were found, or of an earlier one.
    pub height: u64,
}

/// What is known of the issuers of a circle before anything is revoked.
pub fn issuers(circle: &Circle, now_ms: u64) -> Issuers {
    let mut issuers = Issuers::new(circle.policy, now_ms);
    issuers.install(circle.epoch, circle.key.clone());
    issuers
}

/// Revocations in the order in which they became final, each once.
pub struct News {
    all: Revocations,
    taken: usize,
}

impl News {
    /// All of them, those of earlier runs first.
    pub const fn new(all: Revocations) -> Self {
        Self { all, taken: 0 }
    }

    /// Those that are new since the last time.
    pub fn take(&mut self) -> Vec<Revocation> {
        let all = self.all.borrow_and_update();
        let new = all[self.taken..].iter();
        let new = new.map(|published| published.revocation).collect();
        self.taken = all.len();
        new
    }
}

/// Looks after every finalised block whether seeds were published: one record is read, and only
/// more when there are more. Reads those of earlier runs at once.
pub async fn follow<E: Runtime>(
    context: &E,
    ledger: Ledger<E>,
    contract: Address,
) -> Result<Revocations, ReadError> {
    let mut blocks = ledger.chain().finalized();
    let mut known = Vec::new();
    read_new(&ledger, &contract, 0, &mut known).await?;
    let (sender, receiver) = watch::channel(known.clone());
    context.child("revocations").spawn(move |_| async move {
        while let Some(block) = blocks.next().await {
            match read_new(&ledger, &contract, block.height, &mut known).await {
                Ok(false) => {}
                Ok(true) => {
                    if sender.send(known.clone()).is_err() {
                        return;
                    }
                }
                Err(error) => error!(%error, "cannot read revocations"),
            }
        }
    });
    Ok(receiver)
}

/// Reads what is new. Returns whether something was.
async fn read_new<E: Runtime>(
    ledger: &Ledger<E>,
    contract: &Address,
    height: u64,
    known: &mut Vec<Published>,
) -> Result<bool, ReadError> {
    let counters: Counters = get(ledger, counters_key(contract))
        .await?
        .unwrap_or_default();
    let before = known.len();
    while known.len() < counters.revocations as usize {
        let number = u32::try_from(known.len()).expect("below a 32-bit counter");
        let key = revocation_key(contract, number);
        let Some(record) = get::<E, RevocationRecord>(ledger, key).await? else {
            break;
        };
        let revocation = Revocation {
            period: Period(record.period),
            registrar: record.registrar,
            reviewer: record.reviewer,
        };
        known.push(Published { revocation, height });
    }
    Ok(known.len() > before)
}

/// The record under `key`, if there is one of this kind.
pub(crate) async fn get<E: Runtime, T: Read<Cfg = ()>>(
    ledger: &Ledger<E>,
    key: StateKey,
) -> Result<Option<T>, ReadError> {
    let found = ledger.get(&[key]).await?.into_iter().next();
    let record = found.and_then(|(_, record)| record);
    Ok(record.and_then(|record| record.decode_as().ok()))
}
