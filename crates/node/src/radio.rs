//! The radio link between vehicles and RSUs: datagrams that may be lost, reordered or repeated.
//!
//! [`udp`] carries them over loopback sockets, [`memory`] inside the process for the
//! deterministic runtime. A participant opens an [`Endpoint`] and is known by its address.

pub mod memory;
pub mod udp;

use bytes::Bytes;
use std::{future::Future, io, net::SocketAddr};

/// The largest datagram on the link. A ledger proof, the largest message, has about 1,300 bytes.
pub const MAX_DATAGRAM_BYTES: usize = 4_096;

/// A medium on which participants open endpoints.
pub trait Radio: Clone + Send + Sync + 'static {
    /// One participant's antenna.
    type Endpoint: Endpoint;

    /// Opens an endpoint with an address of its own.
    fn open(&self) -> impl Future<Output = io::Result<Self::Endpoint>> + Send;
}

/// One participant's antenna.
pub trait Endpoint: Send + Sync + 'static {
    /// The address under which others reach this endpoint.
    fn address(&self) -> SocketAddr;

    /// Sends a datagram; like radio, without a promise that it arrives.
    fn send(&self, to: SocketAddr, datagram: &[u8]) -> impl Future<Output = ()> + Send;

    /// Waits for the next datagram and its sender.
    fn receive(&self) -> impl Future<Output = (SocketAddr, Bytes)> + Send;
}
