//! Radio inside the process, for the deterministic runtime.

use super::{Endpoint, MAX_DATAGRAM_BYTES, Radio};
use bytes::Bytes;
use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};
use tokio::sync::{
    Mutex as AsyncMutex,
    mpsc::{self, Receiver, Sender},
};

/// Datagrams that wait at one endpoint; more are lost, as in a socket's buffer.
const QUEUE: usize = 1_024;

/// A datagram and who sent it.
type Datagram = (SocketAddr, Bytes);

/// A medium inside the process. Clones are the same medium.
#[derive(Clone, Default)]
pub struct Memory {
    endpoints: Arc<Mutex<HashMap<SocketAddr, Sender<Datagram>>>>,
}

impl Radio for Memory {
    type Endpoint = Antenna;

    async fn open(&self) -> io::Result<Antenna> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut endpoints = self.endpoints.lock().expect("no holder panics");
        let number = u32::try_from(endpoints.len()).map_err(io::Error::other)?;
        // Addresses of 10.0.0.0/8 that name endpoints of this process and nothing outside.
        let address = SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + number), 1));
        endpoints.insert(address, sender);
        Ok(Antenna {
            radio: self.clone(),
            address,
            receiver: AsyncMutex::new(receiver),
        })
    }
}

/// One endpoint of a [`Memory`].
pub struct Antenna {
    radio: Memory,
    address: SocketAddr,
    receiver: AsyncMutex<Receiver<Datagram>>,
}

impl Endpoint for Antenna {
    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn send(&self, to: SocketAddr, datagram: &[u8]) {
        if datagram.len() > MAX_DATAGRAM_BYTES {
            return;
        }
        let endpoints = self.radio.endpoints.lock().expect("no holder panics");
        if let Some(receiver) = endpoints.get(&to) {
            // A full queue or a closed endpoint loses the datagram, as radio does.
            let _ = receiver.try_send((self.address, Bytes::copy_from_slice(datagram)));
        }
    }

    async fn receive(&self) -> (SocketAddr, Bytes) {
        let received = self.receiver.lock().await.recv().await;
        received.expect("the medium holds a sender as long as this endpoint exists")
    }
}
