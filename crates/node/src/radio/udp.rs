//! Radio over UDP sockets on the loopback interface.
//!
//! A thread of its own takes datagrams out of the sockets and keeps them for their receivers. The system's
//! buffers hold some 250 datagrams each; in a city's rush hour hundreds come at once, while the
//! tasks that are to receive them wait for one of the cores.

use super::{Endpoint, MAX_DATAGRAM_BYTES, Radio};
use bytes::Bytes;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    thread,
};
use tokio::{
    net::UdpSocket,
    runtime::{Builder, Handle},
    sync::{
        Mutex, Notify,
        mpsc::{self, Receiver, Sender},
    },
    task::AbortHandle,
};
use tracing::debug;

/// Datagrams that wait for one receiver; more wait in the socket's buffer, and are lost when that is
/// full. All that an RSU hears in two seconds of a busy junction.
const QUEUE: usize = 4_096;

/// A datagram and who sent it.
type Datagram = (SocketAddr, Bytes);

/// A medium of UDP sockets on 127.0.0.1. Clones are the same medium.
#[derive(Clone)]
pub struct Udp {
    thread: Arc<Thread>,
}

/// The thread that receives; it ends with the last medium and socket.
struct Thread {
    handle: Handle,
    end: Arc<Notify>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.end.notify_one();
    }
}

impl Udp {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the system has no thread or no event queue for it.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let end = Arc::new(Notify::new());
        let (handle, ended) = (runtime.handle().clone(), end.clone());
        thread::Builder::new()
            .name("radio".into())
            .spawn(move || runtime.block_on(ended.notified()))?;
        Ok(Self {
            thread: Arc::new(Thread { handle, end }),
        })
    }
}

impl Radio for Udp {
    type Endpoint = Socket;

    async fn open(&self) -> io::Result<Socket> {
        let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let socket = std::net::UdpSocket::bind(any_port)?;
        socket.set_nonblocking(true)?;
        let socket = {
            let _of_thread = self.thread.handle.enter();
            Arc::new(UdpSocket::from_std(socket)?)
        };
        let address = socket.local_addr()?;
        let (sender, received) = mpsc::channel(QUEUE);
        let receiving = self.thread.handle.spawn(receive(socket.clone(), sender));
        Ok(Socket {
            socket,
            address,
            received: Mutex::new(received),
            receiving: receiving.abort_handle(),
            _thread: self.thread.clone(),
        })
    }
}

async fn receive(socket: Arc<UdpSocket>, sender: Sender<Datagram>) {
    // One byte more than allowed, so that a longer datagram shows by its length.
    let mut buffer = [0; MAX_DATAGRAM_BYTES + 1];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, from)) if length <= MAX_DATAGRAM_BYTES => {
                let datagram = (from, Bytes::copy_from_slice(&buffer[..length]));
                if sender.send(datagram).await.is_err() {
                    return;
                }
            }
            Ok((_, from)) => debug!(%from, "datagram of more than {MAX_DATAGRAM_BYTES} bytes"),
            // A closed peer's "port unreachable" surfaces here; the socket stays usable.
            Err(error) => debug!(%error, "datagram not received"),
        }
    }
}

/// One UDP socket.
pub struct Socket {
    socket: Arc<UdpSocket>,
    address: SocketAddr,
    received: Mutex<Receiver<Datagram>>,
    receiving: AbortHandle,
    _thread: Arc<Thread>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.receiving.abort();
    }
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
        let received = self.received.lock().await.recv().await;
        received.expect("the thread receives as long as this socket exists")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn datagrams_wait_for_their_receiver_and_longer_ones_are_passed_over() {
        let radio = Udp::start().unwrap();
        let (one, other) = (radio.open().await.unwrap(), radio.open().await.unwrap());
        drop(radio);
        for length in [1, MAX_DATAGRAM_BYTES + 1, 2, MAX_DATAGRAM_BYTES] {
            one.send(other.address(), &vec![7; length]).await;
        }
        for length in [1, 2, MAX_DATAGRAM_BYTES] {
            let (from, datagram) = other.receive().await;
            assert_eq!((from, datagram.len()), (one.address(), length));
        }
        other.send(one.address(), b"answer").await;
        assert_eq!(one.receive().await.1, b"answer".as_slice());
    }
}
