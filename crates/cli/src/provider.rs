//! `cairn provider`: a provider of charging points on a network that demo or replay made.
//!
//! It brings the network's validators up, without RSUs, has the provider registered on the ledger, and serves
//! until Ctrl-C: RSUs over UDP, sealed questions under their signed statements (`cairn_node::provider`); people over
//! HTTP, status and what a vehicle would be told.

use crate::{args, live, run::RunError};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::get,
};
use cairn_node::{
    authority::Enrolment,
    embedded::{self, Options, Running},
    provider::{Look, Nearest, Order},
    report::ServicesReport,
    services::{CHARGING, charging_points},
};
use cairn_scenario::{Metres, Projection, RadioRange, read_points};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    io::Write as _,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// The top speed that vehicles are judged by, where none are on the road.
const TOP_SPEED_M_S: f64 = 40.0;

/// Reads the points, brings the network up, and serves.
pub fn run(command: &args::Provider) -> Result<(), RunError> {
    let projection = command.origin;
    let projection = projection.and_then(|[lon, lat]| Projection::around(lon, lat));
    let points = read_points(&command.points, projection.as_ref())?;
    let validators = embedded::validators_in(&command.data)?
        .ok_or_else(|| RunError::NoNetwork(command.data.clone()))?;
    let listener = live::bind(command.listen)?;
    let options = Options {
        validators,
        sites: Vec::new(),
        range: RadioRange::default(),
        batch_interval: Duration::from_millis(50),
        seed: None,
        data: Some(command.data.clone()),
        enrolment: Enrolment::default(),
        villains: HashMap::new(),
        top_speed_m_s: TOP_SPEED_M_S,
        points: Some(charging_points(&points)),
        hop_range: None,
    };
    embedded::run(options, async |network: &mut Running| {
        serve(network, points.len(), listener).await
    })?
}

async fn serve(network: &Running, points: usize, listener: TcpListener) -> Result<(), RunError> {
    let services = network.services.as_ref().expect("there are points");
    let chain = network.ledger.chain().id();
    println!("chain     {chain}");
    for provider in &services.providers {
        let what = if provider.id == CHARGING {
            format!("{points} charging points")
        } else {
            "travel times, learned from those who ask".into()
        };
        println!(
            "{}  {what}; requests of RSUs at udp {}",
            provider.id, provider.address
        );
    }
    let failed = |error| RunError::Listen(SocketAddr::from(([0, 0, 0, 0], 0)), error);
    let address = listener.local_addr().map_err(failed)?;
    println!("status    http://{address}/");
    println!("look up   http://{address}/nearest?x=0&y=0&kw=50");
    // Who reads this from a pipe waits for it.
    let _ = std::io::stdout().flush();
    let desk = Arc::new(Desk {
        providers: services
            .providers
            .iter()
            .map(|provider| (provider.id.0, provider.address, provider.orders.clone()))
            .collect(),
        report: {
            let tally = services.directory.tally.clone();
            Box::new(move || tally.report())
        },
        status: {
            let (ledger, clock) = (network.ledger.clone(), network.clock.clone());
            Box::new(move || {
                (
                    ledger.chain().id().to_string(),
                    ledger.height(),
                    clock.now_ms(),
                )
            })
        },
    });
    let routes = Router::new()
        .route("/", get(status))
        .route("/nearest", get(nearest))
        .with_state(desk);
    let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
    tokio::select! {
        served = async { axum::serve(listener, routes).await } => served.map_err(failed),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// What the HTTP side knows of the network.
struct Desk {
    providers: Vec<(u16, SocketAddr, mpsc::Sender<Order>)>,
    report: Box<dyn Fn() -> ServicesReport + Send + Sync>,
    /// Chain, height, and the network's clock.
    status: Box<dyn Fn() -> (String, u64, u64) + Send + Sync>,
}

/// `GET /`.
#[derive(Serialize)]
struct Status {
    chain: String,
    height: u64,
    clock_ms: u64,
    providers: Vec<ProviderStatus>,
    services: ServicesReport,
}

#[derive(Serialize)]
struct ProviderStatus {
    number: u16,
    /// Where RSUs send requests.
    requests: SocketAddr,
    #[serde(flatten)]
    look: Look,
}

async fn status(State(desk): State<Arc<Desk>>) -> Result<Json<Status>, StatusCode> {
    let mut providers = Vec::with_capacity(desk.providers.len());
    for (number, requests, orders) in &desk.providers {
        providers.push(ProviderStatus {
            number: *number,
            requests: *requests,
            look: ask(orders, Order::Look).await?,
        });
    }
    let (chain, height, clock_ms) = (desk.status)();
    Ok(Json(Status {
        chain,
        height,
        clock_ms,
        providers,
        services: (desk.report)(),
    }))
}

/// `GET /nearest`: a place in metres of the network's plane, and the least power in kW.
#[derive(Deserialize)]
struct Place {
    x: f64,
    y: f64,
    #[serde(default)]
    kw: u16,
}

async fn nearest(
    State(desk): State<Arc<Desk>>,
    Query(place): Query<Place>,
) -> Result<Json<Option<Nearest>>, StatusCode> {
    let (number, least_kw) = (CHARGING.0, place.kw);
    let here = Metres {
        x: place.x,
        y: place.y,
    };
    let charging = desk.providers.iter().find(|(id, ..)| *id == number);
    let (.., orders) = charging.ok_or(StatusCode::NOT_FOUND)?;
    let order = |tell| Order::Nearest(here, least_kw, tell);
    Ok(Json(ask(orders, order).await?))
}

async fn ask<T>(
    orders: &mpsc::Sender<Order>,
    order: impl FnOnce(oneshot::Sender<T>) -> Order,
) -> Result<T, StatusCode> {
    let (tell, told) = oneshot::channel();
    let gone = StatusCode::SERVICE_UNAVAILABLE;
    orders.send(order(tell)).await.map_err(|_| gone)?;
    told.await.map_err(|_| gone)
}
