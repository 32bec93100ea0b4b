//! Where the chains of a node stand.

use crate::deployments;
use cairn_chain::Chain;
use cairn_ledger::SignedTransaction;
use commonware_runtime::tokio::Context;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A chain by its name, with what is to be deployed on it.
type Told = (String, Chain<Context>, Vec<SignedTransaction>);

/// Tells where a node's chains stand.
#[derive(Clone)]
pub struct Teller {
    node: String,
    chains: Vec<Told>,
}

impl Teller {
    pub(super) fn new(node: String, chains: Vec<Told>) -> Self {
        Self { node, chains }
    }

    /// Where they stand now.
    pub async fn status(&self) -> Status {
        let mut chains = Vec::with_capacity(self.chains.len());
        for (name, chain, deployments) in &self.chains {
            let status = chain.status();
            // Before recovery is finished a chain cannot be read, and a status does not wait for it.
            let found = match status.ready {
                true => deployments::found(chain, deployments).await.ok(),
                false => None,
            };
            let contracts = found.unwrap_or_default().into_iter();
            chains.push(ChainStatus {
                name: name.clone(),
                chain: chain.id().to_string(),
                height: status.height,
                block_time_ms: status.time_ms,
                view: status.view,
                waiting_transactions: status.waiting,
                ready: status.ready,
                contracts: contracts
                    .map(|(name, address)| (name, address.to_string()))
                    .collect(),
            });
        }
        Status {
            node: self.node.clone(),
            chains,
        }
    }
}

/// Where a node's chains stand.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Status {
    /// The node's name.
    pub node: String,
    /// Its chains.
    pub chains: Vec<ChainStatus>,
}

/// Where one chain stands, as this node's validator sees it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ChainStatus {
    /// The chain's name.
    pub name: String,
    /// Its id.
    pub chain: String,
    /// Height of the last final block.
    pub height: u64,
    /// Its time, milliseconds since 1970.
    pub block_time_ms: u64,
    /// The view that consensus works on.
    pub view: u64,
    /// Transactions that wait.
    pub waiting_transactions: usize,
    /// Whether recovery is finished.
    pub ready: bool,
    /// Its contracts, as far as they are deployed: address by name.
    pub contracts: BTreeMap<String, String>,
}
