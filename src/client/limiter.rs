//! The limiter, shared between tasks: who has to wait, waits without a thread.
//!
//! Promises: the decisions are [`Limiter`]'s, the same that drives a scenario. Everybody is told in
//! turn. A task that stops waiting gives its place back; a permit that is dropped is counted as
//! abandoned, and what it reserved is taken as spent. No wait lasts longer than `quota_timeout`, also
//! where the runtime that kept the timer is gone.
//!
//! Deliberately not: a thread. One task sleeps until the limiter has something to say, and ends when
//! the last user is gone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use slab::Slab;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::error::QuotaExceeded;
use crate::clock::Clock;
use crate::limiter::{
    Admission, Ask, Counts, End, Limiter, LimiterSettings, Permit, Place, Refusal, Turn,
};
use crate::quota::{Dimension, Misfit, Shortage};
use crate::scenario::Scenario;
use crate::time::Instant;

/// After its time is up, whoever waits looks for itself this often.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A limiter for any number of tasks. Cheap to clone; clones are one limiter.
#[derive(Clone, Debug)]
pub struct SharedLimiter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    patience: Duration,
    state: Mutex<State>,
    wake: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    limiter: Limiter,
    waiters: Slab<oneshot::Sender<Grant>>,
    timer: Option<JoinHandle<()>>,
    /// When the timer wakes by itself.
    armed: Option<Instant>,
}

/// What a waiter is told; none that its time is up.
type Grant = Option<Permit>;

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Not in time.
    Exceeded(QuotaExceeded),
    /// Never.
    NeverFits(Misfit),
}

/// The right to send one call. Dropping it without [`Self::end`] is counted as abandoned, and keeps
/// what it reserved as spent: the service may be at work on the call.
#[derive(Debug)]
#[must_use = "a permit that is dropped counts as a call that was given up"]
pub struct SharedPermit {
    shared: Arc<Shared>,
    permit: Option<Permit>,
}

impl SharedLimiter {
    /// A limiter that begins now.
    #[must_use]
    pub fn new(settings: &LimiterSettings) -> Self {
        let clock = Clock::start();
        let mut settings = settings.clone();
        // Windows that begin with the minute are taken to begin with this clock's.
        settings.meters.clock_offset = clock.minute_offset();
        Self {
            shared: Arc::new(Shared {
                clock,
                patience: settings.quota_timeout,
                state: Mutex::new(State {
                    limiter: Limiter::new(&settings),
                    waiters: Slab::new(),
                    timer: None,
                    armed: None,
                }),
                wake: Arc::new(Notify::new()),
            }),
        }
    }

    /// The limiter that a scenario has for one of its models, by the name it has there; none if the
    /// scenario has no such model, or no limiter.
    #[must_use]
    pub fn from_scenario(scenario: &Scenario, model: &str) -> Option<Self> {
        scenario.limiter_of(model).map(Self::new)
    }

    /// Waits for the right to send a call. Dropping the future gives the place back.
    ///
    /// # Errors
    /// If the wait is too long, if there is to be none, or if the call never fits.
    ///
    /// # Panics
    /// If it has to wait outside a tokio runtime.
    pub async fn acquire(&self, ask: Ask) -> Result<SharedPermit, Denied> {
        let (mut waiting, asked) = match self.shared.offer(ask) {
            Offered::Now(permit) => return Ok(self.shared.wrap(permit)),
            Offered::Denied(denied) => return Err(denied),
            Offered::Queued { waiting, asked } => (waiting, asked),
        };
        // The timer tells whoever's turn it is. That it has gone with its runtime is the one case in
        // which a waiter has to look for itself.
        let mut patience = self.shared.patience.saturating_add(LOOK_AGAIN);
        let grant = loop {
            match timeout(patience, &mut waiting.receiver).await {
                Ok(grant) => break grant.ok().flatten(),
                Err(_elapsed) => self.shared.look(),
            }
            patience = LOOK_AGAIN;
        };
        waiting.place = None;
        match grant {
            Some(permit) => Ok(self.shared.wrap(permit)),
            None => Err(Denied::Exceeded(self.shared.explain(&ask, asked))),
        }
    }

    /// How many requests wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().limiter.waiting()
    }

    /// How many permits are out.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.shared.lock().limiter.in_flight()
    }

    /// What it has seen since it began.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.lock().limiter.counts()
    }

    /// What is left now of each dimension that is limited, in requests or tokens; negative in debt.
    #[must_use]
    pub fn remaining(&self) -> Vec<(Dimension, i64)> {
        let mut state = self.shared.lock();
        let now = self.shared.clock.now();
        let dimensions: Vec<Dimension> = state.limiter.meters().dimensions().collect();
        dimensions
            .into_iter()
            .filter_map(|dimension| Some((dimension, state.limiter.remaining(now, dimension)?)))
            .collect()
    }
}

impl SharedPermit {
    /// Which permit of its limiter it is, from 1, in the order in which calls were admitted.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.permit.as_ref().map_or(0, Permit::number)
    }

    /// Gives it back: the call has ended.
    pub fn end(mut self, end: End) {
        if let Some(permit) = self.permit.take() {
            self.shared.end(permit, end);
        }
    }
}

impl Drop for SharedPermit {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.shared.end(permit, End::Abandoned);
        }
    }
}

enum Offered<'a> {
    Now(Permit),
    Denied(Denied),
    Queued {
        waiting: Waiting<'a>,
        asked: Instant,
    },
}

/// A place in the queue, given back when it is dropped.
struct Waiting<'a> {
    shared: &'a Shared,
    place: Option<Place>,
    ticket: u32,
    receiver: oneshot::Receiver<Grant>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(place) = self.place else {
            return;
        };
        let mut state = self.shared.lock();
        if state.limiter.cancel(place) {
            state.waiters.remove(self.ticket as usize);
        } else {
            // Its turn had come, but nobody took the permit.
            self.receiver.close();
            if let Ok(Some(permit)) = self.receiver.try_recv() {
                state
                    .limiter
                    .end(self.shared.clock.now(), permit, End::Unsent);
            }
        }
        self.shared.settle_down(state);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrap(self: &Arc<Self>, permit: Permit) -> SharedPermit {
        SharedPermit {
            shared: Arc::clone(self),
            permit: Some(permit),
        }
    }

    fn offer(self: &Arc<Self>, ask: Ask) -> Offered<'_> {
        let mut state = self.lock();
        // Read with the lock held, so that instants come in order.
        let now = self.clock.now();
        state.grant(now);
        let ticket = u32::try_from(state.waiters.vacant_key()).unwrap_or(u32::MAX);
        match state.limiter.offer(now, ticket, ask) {
            Admission::Now(permit) => Offered::Now(permit),
            Admission::Never(misfit) => Offered::Denied(Denied::NeverFits(misfit)),
            Admission::Refused(refusal) => {
                let shortage = match refusal {
                    Refusal::Quota(shortage) => Some(shortage),
                    Refusal::InFlight => None,
                };
                let exceeded = exceeded(shortage, now, Duration::ZERO);
                Offered::Denied(Denied::Exceeded(exceeded))
            }
            Admission::Queued(place) => {
                let (sender, receiver) = oneshot::channel();
                state.waiters.insert(sender);
                self.keep_time(&mut state);
                self.settle_down(state);
                let waiting = Waiting {
                    shared: self,
                    place: Some(place),
                    ticket,
                    receiver,
                };
                Offered::Queued {
                    waiting,
                    asked: now,
                }
            }
        }
    }

    fn end(&self, permit: Permit, end: End) {
        let mut state = self.lock();
        state.limiter.end(self.clock.now(), permit, end);
        self.settle_down(state);
    }

    /// Tells whoever's turn has come.
    fn look(&self) {
        let state = self.lock();
        self.settle_down(state);
    }

    /// After a change: tells whoever's turn has come by it, and has the timer look at its clock.
    fn settle_down(&self, mut state: MutexGuard<'_, State>) {
        state.grant(self.clock.now());
        let next = state.limiter.poll_timeout();
        let sooner = match (next, state.armed) {
            (Some(next), Some(armed)) => next < armed,
            (Some(_), None) => true,
            (None, _) => false,
        };
        drop(state);
        if sooner {
            self.wake.notify_one();
        }
    }

    /// Sees to it that somebody wakes when the limiter has something to say.
    fn keep_time(self: &Arc<Self>, state: &mut State) {
        if state.timer.as_ref().is_none_or(JoinHandle::is_finished) {
            state.armed = None;
            let wake = Arc::clone(&self.wake);
            state.timer = Some(tokio::spawn(keep_time(Arc::downgrade(self), wake)));
        }
    }

    fn explain(&self, ask: &Ask, asked: Instant) -> QuotaExceeded {
        let mut state = self.lock();
        let now = self.clock.now();
        exceeded(state.limiter.shortage(now, ask), now, now - asked)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The timer finds nobody left, and ends.
        self.wake.notify_one();
    }
}

impl State {
    fn grant(&mut self, now: Instant) {
        while let Some(turn) = self.limiter.poll_turn(now) {
            let (ticket, grant) = match turn {
                Turn::Admitted { ticket, permit, .. } => (ticket, Some(permit)),
                Turn::TimedOut { ticket, .. } => (ticket, None),
            };
            let sender = self.waiters.remove(ticket as usize);
            if let Err(Some(permit)) = sender.send(grant) {
                self.limiter.end(now, permit, End::Unsent);
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "up to a millisecond late costs an application nothing, and one timer task is simple"
)]
async fn keep_time(shared: Weak<Shared>, wake: Arc<Notify>) {
    while let Some(shared) = shared.upgrade() {
        let wait = {
            let mut state = shared.lock();
            let now = shared.clock.now();
            state.grant(now);
            state.armed = state.limiter.poll_timeout();
            state.armed.map(|at| at - now)
        };
        drop(shared);
        match wait {
            Some(wait) => tokio::select! {
                () = sleep(wait) => {}
                () = wake.notified() => {}
            },
            None => wake.notified().await,
        }
    }
}

fn exceeded(shortage: Option<Shortage>, now: Instant, waited: Duration) -> QuotaExceeded {
    QuotaExceeded {
        dimension: shortage.map(|shortage| shortage.dimension),
        missing: shortage.map_or(0, |shortage| shortage.missing),
        fits_in: shortage.and_then(|shortage| shortage.at).map(|at| at - now),
        waited,
    }
}
