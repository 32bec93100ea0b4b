//! The network's clock: trace time, which a replay moves forward.
//!
//! Everybody in an embedded network, the chain included, reads this one clock, so that a trace of
//! 15 minutes is 15 minutes to certificates, tokens and replay windows however fast it is replayed.
//!
//! The replay advances the clock from step to step of the trace. Inside a step the clock runs on
//! with real time, so that timeouts work, but never reaches the next step by itself.

use commonware_runtime::Clock;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

/// A clock that shows trace time in milliseconds since 1970.
#[derive(Clone)]
pub struct TraceClock {
    state: Arc<Mutex<State>>,
    real: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

struct State {
    step_ms: u64,
    length_ms: u64,
    started: SystemTime,
}

impl TraceClock {
    /// A clock that stands at `start_ms` and may run on for `length_ms`.
    pub fn new(context: impl Clock, start_ms: u64, length_ms: u64) -> Self {
        let started = context.current();
        Self {
            state: Arc::new(Mutex::new(State {
                step_ms: start_ms,
                length_ms,
                started,
            })),
            real: Arc::new(move || context.current()),
        }
    }

    /// Moves to the step that begins at `step_ms` and lasts `length_ms`. Time never goes back.
    pub fn advance(&self, step_ms: u64, length_ms: u64) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        state.step_ms = state.step_ms.max(step_ms);
        state.length_ms = length_ms;
        state.started = (self.real)();
    }

    /// This clock as a function, for those who only read it.
    pub fn reader(&self) -> Arc<dyn Fn() -> u64 + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now_ms())
    }

    /// Trace time, milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        let state = self.state.lock().expect("no holder of this lock panics");
        let elapsed = (self.real)()
            .duration_since(state.started)
            .unwrap_or(Duration::ZERO);
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        state
            .step_ms
            .saturating_add(elapsed_ms.min(state.length_ms.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_runtime::{Runner as _, deterministic};

    #[test]
    fn runs_inside_a_step_but_never_into_the_next() {
        deterministic::Runner::default().start(|context| async move {
            let clock = TraceClock::new(context.child_clock(), 5_000, 1_000);
            assert_eq!(clock.now_ms(), 5_000);
            context.sleep(Duration::from_millis(300)).await;
            assert_eq!(clock.now_ms(), 5_300);
            context.sleep(Duration::from_secs(9)).await;
            assert_eq!(clock.now_ms(), 5_999);
            clock.advance(6_000, 1_000);
            assert_eq!(clock.now_ms(), 6_000);
            clock.advance(2_000, 1_000);
            assert_eq!(clock.now_ms(), 6_000, "time never goes back");
        });
    }

    trait ChildClock {
        fn child_clock(&self) -> Self;
    }

    impl ChildClock for deterministic::Context {
        fn child_clock(&self) -> Self {
            commonware_runtime::Supervisor::child(self, "clock")
        }
    }
}
