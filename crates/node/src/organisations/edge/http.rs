//! The edge over HTTP.
//!
//! | | |
//! |---|---|
//! | `POST /readings` | a JSON array of readings ([`cairn_exchange::reading`]), 1 to 1,000; answers, when they are durable, how many were stored, were known, and which were refused and why |
//! | `POST /records` | a query that a device signed about its own records ([`cairn_exchange::reading::Query`]); answers with them |
//! | `POST /exchange` | another organisation's request ([`Asked`]); answers with the envelope, as a stream |
//! | `POST /transactions` | a transaction that the organisation's operator signed for its chain, encoded; answers when it is final and done |
//! | `POST /orders` | an order of the operator to ask another organisation ([`crate::organisations::order`]); answers with the records |
//! | `GET /` | whose edge it is, and what it has counted |
//!
//! 400 means that the body is malformed, 403 that it is refused, 413 that it is too large, 503 that vault or
//! chain are not available: then nothing was acknowledged, and the same can be sent again. 409 means that the nonce
//! of a transaction was overtaken: sign it again. 502 means that the other organisation's edge does not answer.

use super::{Counted, Edge, EdgeError, MAX_READINGS};
use crate::{
    ledger::LedgerError,
    organisations::{
        exchange::{Asked, BACKLOG, ExchangeError, Relay},
        order::{Order, OrderError},
    },
};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use cairn_crypto::message::MessageSuite;
use cairn_exchange::reading::{Query, Reading};
use cairn_ledger::{Refusal, SignedTransaction};
use commonware_codec::DecodeExt as _;
use futures::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::json;
use std::{convert::Infallible, sync::Arc};
use tokio::sync::mpsc;

/// The largest body: 1,000 readings of 4 KB.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

struct Serving<S: MessageSuite> {
    edge: Arc<Edge<S>>,
    relay: Relay,
}

/// The routes.
pub fn routes<S: MessageSuite>(edge: Arc<Edge<S>>, relay: Relay) -> Router {
    Router::new()
        .route("/", get(about::<S>))
        .route("/readings", post(readings::<S>))
        .route("/records", post(records::<S>))
        .route("/exchange", post(exchange::<S>))
        .route("/transactions", post(transaction::<S>))
        .route("/orders", post(order::<S>))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Arc::new(Serving { edge, relay }))
}

fn refuse(status: StatusCode, why: impl std::fmt::Display) -> Response {
    (status, Json(json!({ "error": why.to_string() }))).into_response()
}

fn unavailable(error: &EdgeError) -> Response {
    refuse(StatusCode::SERVICE_UNAVAILABLE, error)
}

/// `GET /`.
#[derive(Serialize)]
struct About {
    organisation: u16,
    suite: &'static str,
    grade: u8,
    chain: String,
    #[serde(flatten)]
    counted: Counted,
}

async fn about<S: MessageSuite>(State(serving): State<Arc<Serving<S>>>) -> Response {
    let edge = &serving.edge;
    let about = About {
        organisation: edge.organisation().0,
        suite: S::NAME,
        grade: edge.parts.grade,
        chain: edge.parts.ledger.chain().id().to_string(),
        counted: edge.counted(),
    };
    Json(about).into_response()
}

async fn transaction<S: MessageSuite>(
    State(serving): State<Arc<Serving<S>>>,
    body: Bytes,
) -> Response {
    let Ok(signed) = SignedTransaction::decode(body) else {
        return refuse(StatusCode::BAD_REQUEST, "expected a signed transaction");
    };
    let parts = &serving.edge.parts;
    if *signed.sender() != parts.operator.public_key() {
        let why = "the transaction's sender is not the operator of this organisation";
        return refuse(StatusCode::FORBIDDEN, why);
    }
    match parts.ledger.execute(signed).await {
        Ok(()) => Json(json!({})).into_response(),
        Err(error @ LedgerError::Refused(_, Refusal::Replayed)) => {
            refuse(StatusCode::CONFLICT, error)
        }
        Err(error @ (LedgerError::Refused(..) | LedgerError::Submit(_))) => {
            refuse(StatusCode::FORBIDDEN, error)
        }
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    }
}

async fn order<S: MessageSuite>(State(serving): State<Arc<Serving<S>>>, body: Bytes) -> Response {
    let order = match Order::from_json(&body) {
        Ok(order) => order,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, error),
    };
    match serving.edge.carry_out(&serving.relay, order).await {
        Ok(fetched) => Json(fetched).into_response(),
        Err(error @ OrderError::Fetch(_)) => refuse(StatusCode::BAD_GATEWAY, error),
        Err(OrderError::Exchange(ExchangeError::Edge(error))) => unavailable(&error),
        Err(error) => refuse(StatusCode::FORBIDDEN, error),
    }
}

async fn readings<S: MessageSuite>(
    State(serving): State<Arc<Serving<S>>>,
    body: Bytes,
) -> Response {
    let readings = match Reading::many_from_json(&body, MAX_READINGS) {
        Ok(readings) => readings,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, error),
    };
    match serving.edge.ingest(&readings).await {
        Ok(ingested) => Json(ingested).into_response(),
        Err(error) => unavailable(&error),
    }
}

async fn records<S: MessageSuite>(State(serving): State<Arc<Serving<S>>>, body: Bytes) -> Response {
    let query = match Query::<S>::from_json(&body) {
        Ok(query) => query,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, error),
    };
    match serving.edge.own_records(&query).await {
        Ok(Ok(page)) => Json(page).into_response(),
        Ok(Err(refusal)) => refuse(StatusCode::FORBIDDEN, refusal),
        Err(error) => unavailable(&error),
    }
}

async fn exchange<S: MessageSuite>(
    State(serving): State<Arc<Serving<S>>>,
    body: Bytes,
) -> Response {
    let Some(asked) = Asked::from_bytes(&body) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "expected a request and its enrolment proof",
        );
    };
    let (sink, mut pieces) = mpsc::channel::<Vec<u8>>(BACKLOG);
    let answering =
        tokio::spawn(async move { serving.edge.answer(&serving.relay, &asked, sink).await });
    // An error before the first piece is an answer; a later one cuts the envelope off, which the
    // requester notices.
    if let Some(first) = pieces.recv().await {
        let rest = stream::unfold(pieces, |mut pieces| async move {
            let piece = pieces.recv().await?;
            Some((piece, pieces))
        });
        let all = stream::once(async { first }).chain(rest);
        return Body::from_stream(all.map(Ok::<_, Infallible>)).into_response();
    }
    match answering.await {
        Ok(Err(ExchangeError::Edge(error))) => unavailable(&error),
        Ok(Err(error)) => refuse(StatusCode::FORBIDDEN, error),
        Ok(Ok(_)) | Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "no envelope was made"),
    }
}
