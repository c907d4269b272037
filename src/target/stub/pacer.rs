//! Waits for instants: many waiters, one timer.
//!
//! Promises: whoever waits is woken at its instant or soon after it, as finely as `clock::timer`
//! can; a waiter that is dropped is forgotten when its instant comes.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::clock::Clock;
use crate::clock::timer::Timer;
use crate::time::Instant;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Pacer {
    clock: Clock,
    waiters: Mutex<BinaryHeap<Reverse<Waiter>>>,
    sooner: Notify,
}

#[derive(Debug)]
struct Waiter {
    at: Instant,
    wake: oneshot::Sender<()>,
}

impl Pacer {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            waiters: Mutex::new(BinaryHeap::new()),
            sooner: Notify::new(),
        }
    }

    /// Returns at `at` or soon after it, while [`Self::keep_time`] runs.
    pub async fn until(&self, at: Instant) {
        if at <= self.clock.now() {
            return;
        }
        let (wake, woken) = oneshot::channel();
        let first = {
            let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
            let first = waiters.peek().is_none_or(|Reverse(next)| at < next.at);
            waiters.push(Reverse(Waiter { at, wake }));
            first
        };
        if first {
            self.sooner.notify_one();
        }
        // It fails only when the pacer is dropped, and the server with it.
        let _gone = woken.await;
    }

    /// Wakes the waiters, for ever.
    ///
    /// # Errors
    /// If the operating system gives no timer.
    pub async fn keep_time(&self) -> std::io::Result<()> {
        let mut timer = Timer::new()?;
        loop {
            match self.wake_due(self.clock.now()) {
                Some(next) => tokio::select! {
                    waited = timer.until(&self.clock, next) => waited?,
                    () = self.sooner.notified() => {}
                },
                None => self.sooner.notified().await,
            }
        }
    }

    /// Wakes those whose instant has come; when the next one's does.
    fn wake_due(&self, now: Instant) -> Option<Instant> {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(Reverse(next)) = waiters.peek() {
            if next.at > now {
                return Some(next.at);
            }
            if let Some(Reverse(due)) = waiters.pop() {
                // Whoever has gone need not be woken.
                let _gone = due.wake.send(());
            }
        }
        None
    }
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Waiter {}

impl PartialOrd for Waiter {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiter {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn waiters_are_woken_in_order_and_never_early() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let clock = Clock::start();
        let pacer = Pacer::new(clock);
        let order = Mutex::new(Vec::new());
        let wait = |ms: u64| {
            let (pacer, order) = (&pacer, &order);
            async move {
                let at = Instant::from_millis(ms);
                pacer.until(at).await;
                assert!(clock.now() >= at, "woken early");
                order.lock().expect("no panic").push(ms);
            }
        };
        runtime.block_on(async {
            let all = async {
                // One that has given up disturbs nobody.
                let gone = tokio::time::timeout(Duration::from_millis(1), wait(600_000));
                let (.., gone) = tokio::join!(wait(40), wait(20), wait(0), wait(30), gone);
                assert!(gone.is_err(), "it waited on");
            };
            tokio::select! {
                kept = pacer.keep_time() => panic!("{kept:?}"),
                () = all => {}
            }
        });
        assert_eq!(*order.lock().expect("no panic"), [0, 20, 30, 40]);
    }
}
