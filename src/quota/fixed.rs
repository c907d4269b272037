//! A count that begins again with each minute of the clock.
//!
//! A charge belongs to the minute in which its call started; what it settles to after that minute
//! has ended matters no more.
//!
//! A client cannot know the service's clock to the instant, nor how long its call will be under way
//! to it. So nothing is admitted within `margin` of a minute's end and beginning: what is admitted
//! before it arrives in the old minute, what is admitted after it in the new one.

use std::time::Duration;

use super::signed;
use crate::time::{Instant, nanos};

/// A fixed window. See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    limit: u64,
    length_nanos: u64,
    offset_nanos: u64,
    margin_nanos: u64,
    window: u64,
    used: u64,
    at: Instant,
}

impl Fixed {
    /// Windows of `length` that hold `limit` each. The instant zero lies `offset` into a window, of
    /// which `used` have been used. `margin` is at most a quarter of `length`.
    ///
    /// # Panics
    /// If `length` is zero.
    #[must_use]
    pub fn new(
        limit: u64,
        length: Duration,
        offset: Duration,
        margin: Duration,
        used: u64,
    ) -> Self {
        let length_nanos = nanos(length);
        assert!(length_nanos > 0, "a window's length is never zero");
        Self {
            limit,
            length_nanos,
            offset_nanos: nanos(offset) % length_nanos,
            margin_nanos: nanos(margin).min(length_nanos / 4),
            window: 0,
            used,
            at: Instant::ZERO,
        }
    }

    /// Holds `limit` from now on.
    pub const fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Lets time pass. An instant before the last one changes nothing.
    pub fn advance(&mut self, now: Instant) {
        self.at = self.at.max(now);
        let window = self.window_of(self.at);
        if window > self.window {
            self.window = window;
            self.used = 0;
        }
    }

    /// A window begins at the instant last advanced to, if nothing has been charged in this one.
    pub const fn begin(&mut self) {
        if self.used == 0 {
            let into = self.at.as_nanos() % self.length_nanos;
            self.offset_nanos = (self.length_nanos - into) % self.length_nanos;
            self.window = self.window_of(self.at);
        }
    }

    /// Whether `amount` could be charged at the instant last advanced to.
    #[must_use]
    pub fn holds(&self, amount: u64) -> bool {
        self.fits(amount) && self.after_margin(self.at) == self.at
    }

    /// The first instant at which `amount` can be charged if nothing else happens; none if it never
    /// can.
    #[must_use]
    pub fn ready_at(&self, amount: u64) -> Option<Instant> {
        if amount > self.limit {
            return None;
        }
        let earliest = if self.fits(amount) {
            self.at
        } else {
            let end = (self.window + 1).saturating_mul(self.length_nanos) - self.offset_nanos;
            Instant::from_nanos(end)
        };
        Some(self.after_margin(earliest))
    }

    /// `at`, or the end of the margin that it lies in.
    #[must_use]
    pub fn after_margin(&self, at: Instant) -> Instant {
        let into = at.as_nanos().saturating_add(self.offset_nanos) % self.length_nanos;
        let wait = if into < self.margin_nanos {
            self.margin_nanos - into
        } else if into >= self.length_nanos - self.margin_nanos && self.margin_nanos > 0 {
            self.length_nanos - into + self.margin_nanos
        } else {
            0
        };
        at + Duration::from_nanos(wait)
    }

    /// Charges `amount` at the instant last advanced to.
    pub const fn take(&mut self, amount: u64) {
        self.used = self.used.saturating_add(amount);
    }

    /// Replaces a charge of `from` at `start` by one of `to`; nothing if its window has ended.
    pub const fn adjust(&mut self, start: Instant, from: u64, to: u64) {
        if self.window_of(start) == self.window {
            self.used = self.used.saturating_sub(from).saturating_add(to);
        }
    }

    /// What [`Self::level`] says at `now`, if nothing happens until then.
    #[must_use]
    pub fn level_at(&self, now: Instant) -> i64 {
        let mut later = self.clone();
        later.advance(now);
        later.level()
    }

    /// What is left in the window of the instant last advanced to; negative if more has been charged
    /// than it holds.
    #[must_use]
    pub fn level(&self) -> i64 {
        signed(self.limit).saturating_sub(signed(self.used))
    }

    const fn window_of(&self, at: Instant) -> u64 {
        at.as_nanos().saturating_add(self.offset_nanos) / self.length_nanos
    }

    const fn fits(&self, amount: u64) -> bool {
        self.used.saturating_add(amount) <= self.limit
    }
}
