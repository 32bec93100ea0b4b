//! Radio over UDP sockets on the loopback interface.

use super::{Endpoint, MAX_DATAGRAM_BYTES, Radio};
use bytes::Bytes;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};
use tokio::net::UdpSocket;
use tracing::debug;

/// A medium of UDP sockets on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub struct Udp;

impl Radio for Udp {
    type Endpoint = Socket;

    async fn open(&self) -> io::Result<Socket> {
        let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let socket = UdpSocket::bind(any_port).await?;
        let address = socket.local_addr()?;
        Ok(Socket { socket, address })
    }
}

/// One UDP socket.
pub struct Socket {
    socket: UdpSocket,
    address: SocketAddr,
}

impl Endpoint for Socket {
    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn send(&self, to: SocketAddr, datagram: &[u8]) {
        if let Err(error) = self.socket.send_to(datagram, to).await {
            // Radio makes no promise either; the sender repeats what matters.
            debug!(%to, %error, "datagram not sent");
        }
    }

    async fn receive(&self) -> (SocketAddr, Bytes) {
        // One byte more than allowed, so that a longer datagram shows by its length.
        let mut buffer = [0; MAX_DATAGRAM_BYTES + 1];
        loop {
            match self.socket.recv_from(&mut buffer).await {
                Ok((length, from)) if length <= MAX_DATAGRAM_BYTES => {
                    return (from, Bytes::copy_from_slice(&buffer[..length]));
                }
                Ok((_, from)) => debug!(%from, "datagram of more than {MAX_DATAGRAM_BYTES} bytes"),
                // A closed peer's "port unreachable" surfaces here; the socket stays usable.
                Err(error) => debug!(%error, "datagram not received"),
            }
        }
    }
}
