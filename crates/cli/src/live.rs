//! Status and counters of the running network over HTTP.

use crate::run::RunError;
use axum::{Json, Router, extract::State, routing::get};
use cairn_node::{counters::Counters, ledger::Ledger, report::LoginReport};
use commonware_runtime::{Metrics as _, Supervisor as _, tokio::Context};
use serde::Serialize;
use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

/// Takes the port at once, so that a port in use is an error before anything has started.
pub fn bind(address: SocketAddr) -> Result<TcpListener, RunError> {
    let failed = |error| RunError::Listen(address, error);
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// What the running network shows of itself.
pub struct Live {
    context: Context,
    ledger: Ledger<Context>,
    counters: Counters,
}

/// `GET /`.
#[derive(Serialize)]
struct Status {
    chain: String,
    height: u64,
    block_time_ms: u64,
    clock_ms: u64,
    view: u64,
    waiting_transactions: usize,
    /// For each validator, the last view in which a vote of it was seen: who is far behind `view`
    /// is down, cut off, or slow.
    last_votes: Vec<LastVote>,
    login: LoginReport,
}

#[derive(Serialize)]
struct LastVote {
    validator: String,
    view: u64,
}

impl Live {
    pub fn new(context: &Context, ledger: Ledger<Context>, counters: Counters) -> Self {
        Self {
            context: context.child("live"),
            ledger,
            counters,
        }
    }

    /// Serves until the process ends; says where.
    pub fn serve(self, listener: TcpListener) -> Result<SocketAddr, RunError> {
        let address = listener.local_addr().map_err(RunError::Signal)?;
        let listener = tokio::net::TcpListener::from_std(listener)
            .map_err(|error| RunError::Listen(address, error))?;
        let routes = Router::new()
            .route("/", get(status))
            .route("/metrics", get(metrics))
            .with_state(Arc::new(self));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(address)
    }
}

async fn status(State(live): State<Arc<Live>>) -> Json<Status> {
    let status = live.ledger.chain().status();
    let last_votes = status.last_votes.iter().map(|(validator, view)| LastVote {
        validator: validator.to_string(),
        view: *view,
    });
    Json(Status {
        chain: live.ledger.chain().id().to_string(),
        height: status.height,
        block_time_ms: status.time_ms,
        clock_ms: status.now_ms,
        view: status.view,
        waiting_transactions: status.waiting,
        last_votes: last_votes.collect(),
        login: live.counters.login_report(),
    })
}

/// Everything that the parts of the network count, in the text format of Prometheus.
async fn metrics(State(live): State<Arc<Live>>) -> String {
    live.context.encode()
}
