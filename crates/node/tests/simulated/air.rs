//! Radio that loses, delays and repeats datagrams, and that can be watched.

use bytes::Bytes;
use cairn_node::radio::{
    Endpoint, Radio,
    memory::{self, Memory},
};
use commonware_runtime::{Clock as _, Spawner as _, Supervisor as _, deterministic::Context};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

/// What happens to a datagram on its way; each with its probability, from 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// It is lost.
    pub loss: f64,
    /// It arrives late, behind later ones.
    pub reordering: f64,
    /// It arrives twice.
    pub duplication: f64,
}

/// The longest that a late datagram is late: longer than a vehicle waits before it repeats a message.
const LATE_MS: u64 = 400;

/// What is told of each datagram that is sent: from whom, to whom, and its bytes.
type Watcher = Box<dyn FnMut(SocketAddr, SocketAddr, &[u8]) + Send>;

/// Says of each datagram that is sent whether it is lost: from whom, to whom, and its bytes.
type Thief = Box<dyn FnMut(SocketAddr, SocketAddr, &[u8]) -> bool + Send>;

/// A medium with faults. Clones are the same medium.
#[derive(Clone)]
pub struct Air {
    memory: Memory,
    shared: Arc<Shared>,
}

struct Shared {
    context: Mutex<Context>,
    faults: Faults,
    rng: Mutex<StdRng>,
    watcher: Mutex<Option<Watcher>>,
    thief: Mutex<Option<Thief>>,
    counts: Mutex<Counts>,
}

/// How many datagrams were sent, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub sent: u64,
    pub lost: u64,
    pub late: u64,
    pub repeated: u64,
}

impl Air {
    /// A medium whose faults are drawn from `seed`.
    pub fn new(context: Context, faults: Faults, seed: u64) -> Self {
        Self {
            memory: Memory::default(),
            shared: Arc::new(Shared {
                context: Mutex::new(context),
                faults,
                rng: Mutex::new(StdRng::seed_from_u64(seed)),
                watcher: Mutex::default(),
                thief: Mutex::default(),
                counts: Mutex::default(),
            }),
        }
    }

    /// From now on what `thief` says is lost.
    pub fn lose_if(
        &self,
        thief: impl FnMut(SocketAddr, SocketAddr, &[u8]) -> bool + Send + 'static,
    ) {
        *self.shared.thief.lock().unwrap() = Some(Box::new(thief));
    }

    /// What became of the datagrams so far.
    pub fn counts(&self) -> Counts {
        *self.shared.counts.lock().unwrap()
    }

    /// From now on `watcher` is told of each datagram that is sent, whether or not it arrives.
    pub fn watch(&self, watcher: impl FnMut(SocketAddr, SocketAddr, &[u8]) + Send + 'static) {
        *self.shared.watcher.lock().unwrap() = Some(Box::new(watcher));
    }
}

impl Radio for Air {
    type Endpoint = Antenna;

    async fn open(&self) -> io::Result<Antenna> {
        Ok(Antenna {
            inner: Arc::new(self.memory.open().await?),
            shared: self.shared.clone(),
        })
    }
}

/// One endpoint of an [`Air`].
pub struct Antenna {
    inner: Arc<memory::Antenna>,
    shared: Arc<Shared>,
}

impl Antenna {
    /// When the copies of the next datagram arrive: at once or late; none if it is lost.
    fn fate(&self) -> Vec<Duration> {
        let Faults {
            loss,
            reordering,
            duplication,
        } = self.shared.faults;
        let mut rng = self.shared.rng.lock().unwrap();
        let mut counts = self.shared.counts.lock().unwrap();
        counts.sent += 1;
        if rng.random_bool(loss) {
            counts.lost += 1;
            return Vec::new();
        }
        let copies = if rng.random_bool(duplication) { 2 } else { 1 };
        counts.repeated += copies - 1;
        (0..copies)
            .map(|_| {
                let is_late = rng.random_bool(reordering);
                counts.late += u64::from(is_late);
                let late_ms = if is_late {
                    rng.random_range(1..=LATE_MS)
                } else {
                    0
                };
                Duration::from_millis(late_ms)
            })
            .collect()
    }
}

impl Endpoint for Antenna {
    fn address(&self) -> SocketAddr {
        self.inner.address()
    }

    async fn send(&self, to: SocketAddr, datagram: &[u8]) {
        if let Some(watcher) = &mut *self.shared.watcher.lock().unwrap() {
            watcher(self.address(), to, datagram);
        }
        if let Some(thief) = &mut *self.shared.thief.lock().unwrap()
            && thief(self.address(), to, datagram)
        {
            return;
        }
        for delay in self.fate() {
            if delay.is_zero() {
                self.inner.send(to, datagram).await;
                continue;
            }
            let (inner, bytes) = (self.inner.clone(), Bytes::copy_from_slice(datagram));
            let context = self.shared.context.lock().unwrap().child("late");
            context.spawn(move |context| async move {
                context.sleep(delay).await;
                inner.send(to, &bytes).await;
            });
        }
    }

    async fn receive(&self) -> (SocketAddr, Bytes) {
        self.inner.receive().await
    }
}
