//! The `Hello`s of the replay window and what they were answered with (`V-HELLO-2`).

use std::collections::{HashMap, VecDeque};

use cairn_crypto::noise::KEY_BYTES;

use super::{MAX_REMEMBERED, REPLAY_WINDOW_MS, Refusal};
use crate::wire::Hello;

/// A `Hello` and what it was answered with; `None` while it is being worked on.
struct Seen {
    hello: Hello,
    reply: Option<Vec<u8>>,
}

/// Bounded memory, keyed by `e_v`.
#[derive(Default)]
pub(super) struct Memory {
    seen: HashMap<[u8; KEY_BYTES], Seen>,
    order: VecDeque<(u64, [u8; KEY_BYTES])>,
}

impl Memory {
    /// The answer to a repeated `Hello`; `None` for a new one.
    pub(super) fn look_up(&self, hello: &Hello) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(seen) = self.seen.get(&hello.ephemeral()) else {
            return Ok(None);
        };
        if seen.hello != *hello {
            return Err(Refusal::EphemeralReused);
        }
        seen.reply.clone().map(Some).ok_or(Refusal::InProgress)
    }

    pub(super) fn is_full(&self) -> bool {
        self.seen.len() >= MAX_REMEMBERED
    }

    /// Remembers a new `Hello` as being worked on.
    pub(super) fn begin(&mut self, hello: Hello, now_ms: u64) {
        let ephemeral = hello.ephemeral();
        self.seen.insert(ephemeral, Seen { hello, reply: None });
        self.order.push_back((now_ms, ephemeral));
    }

    /// Remembers the answer.
    pub(super) fn answered(&mut self, ephemeral: &[u8; KEY_BYTES], reply: &[u8]) {
        if let Some(seen) = self.seen.get_mut(ephemeral) {
            seen.reply = Some(reply.to_vec());
        }
    }

    /// Forgets what is older than the replay window.
    pub(super) fn forget(&mut self, now_ms: u64) {
        while let Some((since_ms, ephemeral)) = self.order.front() {
            if now_ms.saturating_sub(*since_ms) <= REPLAY_WINDOW_MS {
                break;
            }
            self.seen.remove(ephemeral);
            self.order.pop_front();
        }
    }

    pub(super) fn next_wakeup(&self) -> Option<u64> {
        self.order
            .front()
            .map(|(since_ms, _)| since_ms + REPLAY_WINDOW_MS + 1)
    }
}
