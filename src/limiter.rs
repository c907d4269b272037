//! What we do about the quota: who may be sent, and when.
//!
//! A [`Limiter`] admits each call by all dimensions together or by none, first come, first served
//! (within a class of priority): a small request never overtakes a large one that waits. It is a
//! state machine without a clock. [`Limiter::offer`] brings a request, [`Limiter::poll_turn`] tells
//! whose turn has come by `now`, [`Limiter::poll_timeout`] when to ask again, and each admitted call
//! holds a [`Permit`] that is given back exactly once, with what became of the call ([`End`]).
//!
//! Promises:
//! - what is admitted keeps to the strategy that the settings name (see [`quota`](crate::quota)),
//!   less headroom; for a bucket: the admitted cost in every interval (t₁, t₂] is at most capacity +
//!   rate · (t₂ − t₁), counting refunds as cost taken back;
//! - turns carry the instant at which they became possible, whatever `now` was when they were asked
//!   for, so that decisions do not depend on how often the limiter is polled;
//! - a request that can never be admitted is told so at once, and one that waits too long leaves the
//!   queue at its deadline.
//!
//! The first promise is ours. For comparison a limiter may also follow another [`Strategy`], as it is
//! published, and then keeps what that one keeps.
//!
//! Deliberately not: async. `client` and the drivers bring their own waiting.

mod adaptive;
mod end;
mod learned;
mod queue;
mod settings;
mod strategy;
mod throttle;

use std::time::Duration;

pub use self::end::End;
use self::learned::Learned;
pub use self::queue::Place;
use self::queue::{Queue, Waiting};
pub use self::settings::{LimiterSettings, Oversize, Reaction, Reservation};
use self::strategy::Rival;
pub use self::strategy::Strategy;
use self::throttle::{Throttle, part_of};
use crate::quota::{Cost, Counting, Demand, Dimension, Meters, Misfit, Readiness, Shortage};
use crate::time::Instant;
use crate::units::{Share, TokenUsage, Tokens};

/// A request as it is brought to a limiter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// What is known of its tokens.
    pub demand: Demand,
    /// Its prompt class, for reservations that learn.
    pub class: u16,
    /// Its class of priority: which of [`LimiterSettings::priorities`] is its weight.
    pub priority: u8,
}

/// The right to send one call. It is not `Clone`, so it can be given back only once:
///
/// ```
/// # use bedload::limiter::{End, Limiter, Permit};
/// # use bedload::time::Instant;
/// fn once(limiter: &mut Limiter, now: Instant, permit: Permit) {
///     limiter.end(now, permit, End::Throttled);
/// }
/// ```
///
/// ```compile_fail,E0382
/// # use bedload::limiter::{End, Limiter, Permit};
/// # use bedload::time::Instant;
/// fn twice(limiter: &mut Limiter, now: Instant, permit: Permit) {
///     limiter.end(now, permit, End::Throttled);
///     limiter.end(now, permit, End::Throttled);
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is never given back keeps its reservation for ever"]
pub struct Permit {
    number: u64,
    start: Instant,
    held: Cost,
    reserved: Cost,
    class: u16,
}

impl Permit {
    /// Which permit of its limiter it is, from 1, in the order in which calls were admitted.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// What the limiter has set aside for the call.
    #[must_use]
    pub const fn held(&self) -> Cost {
        self.held
    }

    /// What the service reserves for the call.
    #[must_use]
    pub const fn reserved(&self) -> Cost {
        self.reserved
    }
}

/// The limiter's answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may be sent now.
    Now(Permit),
    /// It waits its turn.
    Queued(Place),
    /// Not now, and requests do not wait here.
    Refused(Refusal),
    /// It costs more than can ever be held.
    Never(Misfit),
}

/// Why a request may not be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is too little quota.
    Quota(Shortage),
    /// As many calls are under way as may be.
    InFlight,
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

/// What a limiter has seen since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that were admitted.
    pub admitted: u64,
    /// Requests that were refused at once.
    pub refused: u64,
    /// Requests whose wait was too long.
    pub timed_out: u64,
    /// Requests that gave up waiting.
    pub cancelled: u64,
    /// Calls that the service throttled.
    pub throttled: u64,
    /// Permits that were lost.
    pub abandoned: u64,
    /// Permits that were given back without a call.
    pub unsent: u64,
    /// Tokens that the service reserved for calls that have ended.
    pub reserved: Tokens,
    /// Tokens that those calls have cost.
    pub settled: Tokens,
    /// Tokens that the service reserved for them without need.
    pub wasted: Tokens,
}

/// When the head of the queue can go, as far as is known; kept so that polling costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    Unknown,
    At(Instant),
    /// Only when a call under way ends, or a cut limit recovers.
    Blocked,
}

/// Admits calls to one model. See the module's documentation.
#[derive(Debug)]
pub struct Limiter {
    meters: Meters,
    /// Whose books are kept instead of ours, if so.
    rival: Option<Box<Rival>>,
    counting: Counting,
    reservation: Reservation,
    learned: Option<Learned>,
    oversize: Oversize,
    headroom: Share,
    throttle: Option<Throttle>,
    /// The last instant at which anything changed.
    touched: Instant,
    queue: Queue,
    head: Head,
    in_flight: u32,
    max_in_flight: u32,
    waits: bool,
    paused: bool,
    timeout: Duration,
    counts: Counts,
}

impl Limiter {
    /// A limiter at the instant zero.
    #[must_use]
    pub fn new(settings: &LimiterSettings) -> Self {
        let settings = &settings.in_force();
        Self {
            meters: Meters::new(settings.quota, &settings.meters),
            rival: Rival::of(settings),
            counting: settings.counting,
            reservation: settings.reservation,
            learned: settings.reservation.quantile().map(Learned::new),
            oversize: settings.oversize,
            headroom: settings.meters.headroom,
            throttle: settings.reaction.map(Throttle::new),
            touched: Instant::ZERO,
            queue: Queue::new(&settings.priorities),
            head: Head::Unknown,
            in_flight: 0,
            max_in_flight: settings.max_in_flight.unwrap_or(u32::MAX),
            waits: settings.wait_for_quota,
            paused: false,
            timeout: settings.quota_timeout,
            counts: Counts::default(),
        }
    }

    /// Asks to send a call at `now`. Where requests wait, one that is not admitted is queued under
    /// `ticket`.
    ///
    /// Turns that came before `now` must have been taken with [`Self::poll_turn`].
    pub fn offer(&mut self, now: Instant, ticket: u32, ask: Ask) -> Admission {
        let reserved = self.counting.reserve(ask.demand);
        let held = self.to_hold(&ask, reserved);
        if self.oversize == Oversize::Refuse
            && let Some(misfit) = self.meters.never_holds(self.needed(held))
        {
            self.counts.refused += 1;
            return Admission::Never(misfit);
        }
        self.advance(now);
        let free = !self.paused && self.in_flight < self.max_in_flight;
        if free && self.queue.is_empty() && self.readiness(held) == Readiness::Now {
            return Admission::Now(self.admit(held, reserved, ask.class));
        }
        if self.waits {
            let place = self.queue.push(
                ask.priority,
                Waiting {
                    ticket,
                    class: ask.class,
                    held,
                    reserved,
                    deadline: now + self.timeout,
                },
            );
            return Admission::Queued(place);
        }
        self.counts.refused += 1;
        let shortage = self.lacks(held);
        Admission::Refused(shortage.map_or(Refusal::InFlight, Refusal::Quota))
    }

    /// The next request that was admitted or timed out at or before `now`, in order.
    pub fn poll_turn(&mut self, now: Instant) -> Option<Turn> {
        loop {
            let deadline = self.queue.first_deadline()?;
            let turn = match self.head() {
                Head::At(at) if at <= deadline => Some(at),
                _ => None,
            };
            let next = turn.unwrap_or(deadline);
            if let Some(step) = self.next_step()
                && step < next
            {
                if step > now {
                    return None;
                }
                self.advance(step);
                continue;
            }
            if next > now {
                return None;
            }
            self.head = Head::Unknown;
            self.advance(next);
            if turn.is_none() {
                let waiting = self.queue.pop_first_deadline()?;
                self.counts.timed_out += 1;
                let ticket = waiting.ticket;
                return Some(Turn::TimedOut { ticket, at: next });
            }
            let waiting = self.queue.pop_head()?;
            return Some(Turn::Admitted {
                ticket: waiting.ticket,
                at: next,
                permit: self.admit(waiting.held, waiting.reserved, waiting.class),
            });
        }
    }

    /// When [`Self::poll_turn`] has something to say next, or something to do, if nothing else
    /// happens.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        let deadline = self.queue.first_deadline()?;
        let next = match self.head() {
            Head::At(at) => at.min(deadline),
            Head::Blocked | Head::Unknown => deadline,
        };
        Some(self.next_step().map_or(next, |step| step.min(next)))
    }

    /// Gives a permit back for a call that has ended.
    pub fn end(&mut self, now: Instant, permit: Permit, end: End) {
        self.advance(now);
        let Permit {
            number: _,
            start,
            held,
            reserved,
            class,
        } = permit;
        let settled = end.cost(&self.counting, reserved);
        match &mut self.rival {
            None => self.meters.settle(start, held, settled),
            Some(rival) => rival.end(self.touched, start, held, end, &mut self.meters),
        }
        self.in_flight -= 1;
        self.head = Head::Unknown;
        match end {
            End::Answered(usage) => {
                if let Some(learned) = &mut self.learned {
                    learned.record(class, usage.output);
                }
            }
            End::Throttled => {
                self.counts.throttled += 1;
                if self
                    .throttle
                    .as_mut()
                    .is_some_and(|throttle| throttle.cut(now))
                {
                    self.keep_to_share();
                }
            }
            End::Abandoned => self.counts.abandoned += 1,
            End::Unsent => self.counts.unsent += 1,
            End::Failed(_) | End::Unknown => {}
        }
        if end != End::Unsent && end != End::Throttled {
            self.counts.reserved += reserved.tokens;
            self.counts.settled += settled.tokens;
            self.counts.wasted += reserved.tokens.saturating_sub(settled.tokens);
        }
    }

    /// Gives up waiting; false if the place was no longer held, because its turn had come.
    pub fn cancel(&mut self, place: Place) -> bool {
        let held = self.queue.cancel(place);
        if held {
            self.counts.cancelled += 1;
            self.head = Head::Unknown;
        }
        held
    }

    /// From `now` on admits nothing, or goes on admitting. Meanwhile quota refills, waits grow and run
    /// out, as they would behind calls that do not end.
    ///
    /// Turns that came before `now` must have been taken with [`Self::poll_turn`].
    pub fn pause(&mut self, now: Instant, paused: bool) {
        self.advance(now);
        self.paused = paused;
        self.head = Head::Unknown;
    }

    /// Takes everything that waits out of the queue.
    pub fn drain(&mut self) -> impl Iterator<Item = u32> + '_ {
        self.head = Head::Unknown;
        self.queue.drain().map(|waiting| waiting.ticket)
    }

    /// How many requests wait.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Whether requests wait for quota here, or are refused at once.
    #[must_use]
    pub const fn waits(&self) -> bool {
        self.waits
    }

    /// How many permits are out.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// What it has seen since it began.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The share of the limits in use: all, unless it reacts to throttles and there were some.
    #[must_use]
    pub fn share(&self) -> Share {
        self.throttle
            .as_ref()
            .map_or(Share::percent(100), Throttle::share)
    }

    /// What is left, as of the last decision.
    #[must_use]
    pub const fn meters(&self) -> &Meters {
        &self.meters
    }

    /// What is left of one dimension at `now`, in whole requests or tokens; negative in debt; none if
    /// it is not limited. An instant before the last decision counts as that.
    pub fn remaining(&mut self, now: Instant, dimension: Dimension) -> Option<i64> {
        self.advance(now);
        self.meters.level(dimension)
    }

    /// What keeps a request from being admitted at `now`, if it is quota.
    pub fn shortage(&mut self, now: Instant, ask: &Ask) -> Option<Shortage> {
        self.advance(now);
        let reserved = self.counting.reserve(ask.demand);
        let held = self.to_hold(ask, reserved);
        self.lacks(held)
    }

    /// What is set aside for a request for which the service reserves so much.
    fn to_hold(&self, ask: &Ask, reserved: Cost) -> Cost {
        if let Some(rival) = &self.rival {
            return rival.holds(ask.demand);
        }
        let Some(output) = self
            .learned
            .as_ref()
            .and_then(|learned| learned.get(ask.class))
        else {
            return reserved;
        };
        let expected = self.counting.settle(TokenUsage {
            input: ask.demand.input,
            output: output.min(ask.demand.max_tokens),
            cache_read: ask.demand.cache_read,
            cache_write: ask.demand.cache_write,
        });
        match self.reservation {
            Reservation::MaxTokens => reserved,
            Reservation::Expected { .. } => expected,
            Reservation::Mirror { .. } => reserved.max(expected),
        }
    }

    /// What must be free before a call starts that holds so much.
    fn needed(&self, held: Cost) -> Cost {
        let rival = self.rival.as_ref();
        let needed = rival.map_or(held, |rival| rival.needs(held, &self.meters));
        match self.oversize {
            Oversize::Refuse => needed,
            Oversize::Overdraw => self.meters.capped(needed),
        }
    }

    fn readiness(&self, held: Cost) -> Readiness {
        match self.not_before() {
            Some(at) => Readiness::At(at, Dimension::Rpm),
            None => self.meters.readiness(self.needed(held)),
        }
    }

    /// Why a call that holds so much cannot start now, if that is for want of quota.
    fn lacks(&self, held: Cost) -> Option<Shortage> {
        match self.not_before() {
            Some(at) => Some(Shortage {
                dimension: Dimension::Rpm,
                missing: 1,
                at: Some(at),
            }),
            None => self.meters.shortage(self.needed(held)),
        }
    }

    /// The instant that a rate which no meter counts keeps everybody waiting for, if so.
    fn not_before(&self) -> Option<Instant> {
        let at = self.rival.as_ref()?.not_before()?;
        (at > self.touched).then_some(at)
    }

    fn admit(&mut self, held: Cost, reserved: Cost, class: u16) -> Permit {
        let mut held = held;
        if let Some(rival) = &mut self.rival {
            held = rival.takes(held);
            rival.start(self.touched, &mut self.meters);
        }
        self.meters.take(held);
        self.in_flight += 1;
        self.counts.admitted += 1;
        Permit {
            number: self.counts.admitted,
            start: self.touched,
            held,
            reserved,
            class,
        }
    }

    /// Lets time pass, with every step in which cut limits recover at its own instant.
    fn advance(&mut self, now: Instant) {
        while let Some(step) = self.next_step()
            && step <= now
        {
            self.touch(step);
            if let Some(throttle) = &mut self.throttle {
                throttle.step();
            }
            self.keep_to_share();
        }
        self.touch(now);
    }

    fn touch(&mut self, now: Instant) {
        self.touched = self.touched.max(now);
        self.meters.advance(now);
    }

    fn next_step(&self) -> Option<Instant> {
        self.throttle.as_ref().and_then(Throttle::next_step)
    }

    fn keep_to_share(&mut self) {
        let unreserved = Share {
            ppm: Share::percent(100).ppm.saturating_sub(self.headroom.ppm),
        };
        self.meters.keep(part_of(unreserved, self.share()));
        self.head = Head::Unknown;
    }

    fn head(&mut self) -> Head {
        if self.head == Head::Unknown
            && let Some(held) = self.queue.head().map(|waiting| waiting.held)
        {
            self.head = if self.paused || self.in_flight >= self.max_in_flight {
                Head::Blocked
            } else {
                match self.readiness(held) {
                    // Whatever made it possible happened when the limiter was last touched.
                    Readiness::Now => Head::At(self.touched),
                    Readiness::At(at, _) => Head::At(at),
                    Readiness::Blocked(_) | Readiness::Never(_) => Head::Blocked,
                }
            };
        }
        self.head
    }
}

#[cfg(test)]
mod tests;
