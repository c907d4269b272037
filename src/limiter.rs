//! What we do about the quota: who may be sent, and when.
//!
//! A [`Limiter`] admits each call by all dimensions together or by none, strictly first come, first
//! served: a small request never overtakes a large one that waits. It is a state machine without a
//! clock. [`Limiter::offer`] brings a request, [`Limiter::poll_turn`] tells whose turn has come by
//! `now`, [`Limiter::poll_timeout`] when to ask again, and each admitted call holds a [`Permit`]
//! that is given back exactly once: with what the call has cost, or unused.
//!
//! Promises:
//! - the admitted cost in every interval (t₁, t₂] is at most capacity + rate · (t₂ − t₁), counting
//!   refunds as cost taken back;
//! - turns carry the instant at which they became possible, whatever `now` was when they were asked
//!   for, so that decisions do not depend on how often the limiter is polled;
//! - a request that can never be admitted is told so at once, and one that waits too long leaves the
//!   queue at its deadline.
//!
//! Deliberately not: async. `client` and the drivers bring their own waiting.

use std::collections::VecDeque;
use std::time::Duration;

use crate::quota::{Buckets, Cost, Dimension, Quota, Readiness};
use crate::time::Instant;
use crate::units::{Share, Tokens};

/// A client's own limits for one model.
#[derive(Clone, Debug, PartialEq)]
pub struct LimiterSettings {
    /// The rates to stay within, before `headroom` is taken off; defaults to the model's quota.
    pub quota: Quota,
    /// How much unused quota can be saved up, as time at the full rate; above zero.
    pub burst: Duration,
    /// The share of the quota that is left alone; below one.
    pub headroom: Share,
    /// How full the buckets are at the start; one is full.
    pub initial_fill: Share,
    /// Whether requests wait for quota (true) or are dropped at once.
    pub wait_for_quota: bool,
    /// The longest a request waits for quota.
    pub quota_timeout: Duration,
    /// The most attempts under way at a time, if bounded.
    pub max_in_flight: Option<u32>,
}

impl LimiterSettings {
    /// The buckets that these settings describe.
    #[must_use]
    pub fn buckets(&self) -> Buckets {
        Buckets::new(self.quota, self.headroom, self.burst, self.initial_fill)
    }
}

/// The right to send one call. It is not `Clone`, so it can be given back only once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is never given back keeps its reservation for ever"]
pub struct Permit {
    cost: Cost,
}

impl Permit {
    /// The tokens that are set aside for the call.
    #[must_use]
    pub const fn reserved(&self) -> Tokens {
        self.cost.tokens
    }
}

/// The limiter's answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may be sent now.
    Now(Permit),
    /// Not now; at that instant, if nothing else changes. Where requests wait, it waits its turn.
    At(Instant),
    /// It costs more than this dimension can ever hold.
    Never(Dimension),
}

/// What became of a request that had been waiting.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may be sent; it could have been since `at`.
    Admitted {
        /// Who.
        ticket: u32,
        /// Since when.
        at: Instant,
        /// Its permit.
        permit: Permit,
    },
    /// It waited longer than `quota_timeout` and has left the queue.
    TimedOut {
        /// Who.
        ticket: u32,
        /// Its deadline.
        at: Instant,
    },
}

#[derive(Debug)]
struct Waiting {
    ticket: u32,
    cost: Cost,
    deadline: Instant,
}

/// When the head of the queue can go, as far as is known; kept so that polling costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    Unknown,
    At(Instant),
    /// Only when a call under way ends.
    Blocked,
}

/// Admits calls to one model. See the module's documentation.
#[derive(Debug)]
pub struct Limiter {
    buckets: Buckets,
    /// The last instant at which anything changed.
    touched: Instant,
    queue: VecDeque<Waiting>,
    /// The sum of what waits.
    queued: Cost,
    head: Head,
    in_flight: u32,
    max_in_flight: u32,
    waits: bool,
    timeout: Duration,
}

impl Limiter {
    /// A limiter at the instant zero.
    #[must_use]
    pub fn new(settings: &LimiterSettings) -> Self {
        Self {
            buckets: settings.buckets(),
            touched: Instant::ZERO,
            queue: VecDeque::new(),
            queued: Cost::default(),
            head: Head::Unknown,
            in_flight: 0,
            max_in_flight: settings.max_in_flight.unwrap_or(u32::MAX),
            waits: settings.wait_for_quota,
            timeout: settings.quota_timeout,
        }
    }

    /// Asks to send a call at `now`. On [`Admission::At`] the request is queued under `ticket` if the
    /// limiter's settings let requests wait, and is forgotten otherwise ([`Self::keeps_waiting`]).
    ///
    /// Turns that came before `now` must have been taken with [`Self::poll_turn`].
    pub fn offer(&mut self, now: Instant, ticket: u32, cost: Cost) -> Admission {
        if let Some(dimension) = self.buckets.never_holds(cost) {
            return Admission::Never(dimension);
        }
        self.advance(now);
        if self.queue.is_empty() && self.in_flight < self.max_in_flight {
            match self.buckets.readiness(cost) {
                Readiness::Now => return Admission::Now(self.admit(cost)),
                Readiness::At(..) => {}
                Readiness::Never(dimension) => return Admission::Never(dimension),
            }
        }
        let at = self
            .buckets
            .refilled_at(self.queued.plus(cost))
            .unwrap_or(now);
        if self.waits {
            self.queue.push_back(Waiting {
                ticket,
                cost,
                deadline: now + self.timeout,
            });
            self.queued = self.queued.plus(cost);
        }
        Admission::At(at)
    }

    /// Whether requests that are not admitted at once are queued.
    #[must_use]
    pub const fn keeps_waiting(&self) -> bool {
        self.waits
    }

    /// The next request that was admitted or timed out at or before `now`, in order.
    pub fn poll_turn(&mut self, now: Instant) -> Option<Turn> {
        let head = self.head_turn();
        let waiting = self.queue.front()?;
        match head {
            Head::At(at) if at <= waiting.deadline => {
                if at > now {
                    return None;
                }
                let waiting = self.pop()?;
                self.advance(at);
                let permit = self.admit(waiting.cost);
                Some(Turn::Admitted {
                    ticket: waiting.ticket,
                    at,
                    permit,
                })
            }
            _ => {
                if waiting.deadline > now {
                    return None;
                }
                let waiting = self.pop()?;
                self.advance(waiting.deadline);
                Some(Turn::TimedOut {
                    ticket: waiting.ticket,
                    at: waiting.deadline,
                })
            }
        }
    }

    /// When [`Self::poll_turn`] has something to say next, if nothing else happens.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        let head = self.head_turn();
        let deadline = self.queue.front()?.deadline;
        Some(match head {
            Head::At(at) => at.min(deadline),
            Head::Blocked | Head::Unknown => deadline,
        })
    }

    /// Gives a permit back for a call that has cost `settled` tokens, be it more or less than was
    /// reserved.
    pub fn settle(&mut self, now: Instant, permit: Permit, settled: Tokens) {
        self.advance(now);
        self.buckets.settle(permit.cost.tokens, settled);
        self.leave();
    }

    /// Gives a permit back for a call that has cost nothing, such as one that was throttled.
    pub fn refund(&mut self, now: Instant, permit: Permit) {
        self.advance(now);
        self.buckets.give(permit.cost);
        self.leave();
    }

    /// Takes everything that waits out of the queue, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = u32> + '_ {
        self.head = Head::Unknown;
        self.queued = Cost::default();
        self.queue.drain(..).map(|waiting| waiting.ticket)
    }

    /// How many requests wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many permits are out.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// The levels, as of the last decision.
    #[must_use]
    pub const fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    fn admit(&mut self, cost: Cost) -> Permit {
        self.buckets.take(cost);
        self.in_flight += 1;
        Permit { cost }
    }

    fn leave(&mut self) {
        self.in_flight -= 1;
        self.head = Head::Unknown;
    }

    fn advance(&mut self, now: Instant) {
        self.touched = self.touched.max(now);
        self.buckets.advance(now);
    }

    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.queue.pop_front()?;
        self.queued = self.queued.minus(waiting.cost);
        self.head = Head::Unknown;
        Some(waiting)
    }

    fn head_turn(&mut self) -> Head {
        if self.head == Head::Unknown
            && let Some(waiting) = self.queue.front()
        {
            self.head = if self.in_flight >= self.max_in_flight {
                Head::Blocked
            } else {
                match self.buckets.readiness(waiting.cost) {
                    // Whatever made it possible happened when the limiter was last touched.
                    Readiness::Now => Head::At(self.touched),
                    Readiness::At(at, _) => Head::At(at),
                    Readiness::Never(_) => Head::Blocked,
                }
            };
        }
        self.head
    }
}

#[cfg(test)]
mod tests;
