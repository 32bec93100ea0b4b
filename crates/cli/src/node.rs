//! `cairn node`: one process of a network of several.

use crate::args::Node as Arguments;
use axum::{Json, Router, extract::State, routing::get};
use cairn_node::{
    organisations::station::{Site, Station, StationError},
    testnet::{self, Node, NodeConfig, Status, Teller, TestnetError},
};
use commonware_runtime::{
    Runner as _,
    tokio::{Config as RuntimeConfig, Context, Runner},
};
use futures::future::try_join_all;
use std::{
    future::IntoFuture as _,
    io::{self, Read as _},
    net::SocketAddr,
    path::Path,
};
use thiserror::Error;
use tokio::{net::TcpListener, sync::oneshot};

/// Why the node does not run.
#[derive(Debug, Error)]
pub enum NodeError {
    #[error(transparent)]
    Testnet(#[from] TestnetError),
    #[error(transparent)]
    Station(#[from] StationError),
    #[error("cannot listen at {0}: {1}")]
    Status(SocketAddr, io::Error),
    #[error("the chain behind the edge at {0} stopped")]
    Ended(SocketAddr),
}

/// Runs until Ctrl-C, or with `--while-stdin-open` until nobody holds the other end of standard input.
pub fn run(arguments: &Arguments) -> Result<(), NodeError> {
    let path = &arguments.config;
    serve(path, testnet::read(path)?, arguments.while_stdin_open)
}

/// Runs the node of the configuration at `path`.
pub fn serve(path: &Path, config: NodeConfig, while_stdin_open: bool) -> Result<(), NodeError> {
    let runtime = RuntimeConfig::default().with_storage_directory(testnet::storage(path));
    Runner::new(runtime).start(|context| async move {
        let (name, address) = (config.name.clone(), config.status);
        let node = Node::start(&context, path, config).await?;
        for (chain, _) in node.chains() {
            println!(
                "{name}: {} at {}, chain {}",
                chain.name, chain.listen, chain.chain
            );
        }
        let listener = bind(address).await?;
        println!("{name}: status at http://{address}/");
        let routes = Router::new()
            .route("/", get(status))
            .with_state(node.teller());
        let (end, ended) = oneshot::channel();
        if while_stdin_open {
            std::thread::spawn(move || {
                let _ = io::stdin().read_to_end(&mut Vec::new());
                let _ = end.send(());
            });
        } else {
            tokio::spawn(async move {
                let _ = tokio::signal::ctrl_c().await;
                let _ = end.send(());
            });
        }
        let edges = node.edges().into_iter();
        let edges = try_join_all(edges.map(|site| edge(&context, site)));
        let served = axum::serve(listener, routes).into_future();
        let failed = |error| NodeError::Status(address, error);
        // Whatever ends first ends the node: a signal, or something that failed.
        let result = tokio::select! {
            _ = ended => Ok(()),
            served = served => served.map_err(failed),
            Err(error) = edges => Err(error),
        };
        node.stop().await;
        result
    })
}

async fn bind(address: SocketAddr) -> Result<TcpListener, NodeError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| NodeError::Status(address, error))
}

/// Runs an edge for as long as it is polled.
async fn edge(context: &Context, site: Site) -> Result<(), NodeError> {
    let listener = bind(site.listen).await?;
    let Station {
        organisation,
        listen,
        routes,
        background,
    } = Station::open(context, site).await?;
    println!("edge of {organisation} at http://{listen}/");
    let served = axum::serve(listener, routes).into_future();
    tokio::select! {
        served = served => served.map_err(|error| NodeError::Status(listen, error)),
        () = background => Err(NodeError::Ended(listen)),
    }
}

/// `GET /`.
async fn status(State(teller): State<Teller>) -> Json<Status> {
    Json(teller.status().await)
}
