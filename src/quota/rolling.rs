//! The sum of what was charged in the last minute, and no more than the quota.
//!
//! A charge is dated at its call's start and stands for one window, at what the call has reserved
//! until it is settled and at what it has cost from then on.
//!
//! Promises: memory is bounded. Charges of the same 60,000th part of the window (1 ms of a minute)
//! are kept as one and leave together, when the last of them may.

use std::collections::VecDeque;
use std::time::Duration;

use super::signed;
use crate::time::{Instant, nanos};

const SLOTS: u64 = 60_000;

/// A rolling window. See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rolling {
    limit: u64,
    length_nanos: u64,
    slot_nanos: u64,
    charges: VecDeque<Charge>,
    sum: u64,
    at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Charge {
    slot: u64,
    amount: u64,
}

impl Rolling {
    /// A window of `length` that holds `limit`, of which `used` have been charged at the instant
    /// zero.
    ///
    /// # Panics
    /// If `length` is zero.
    #[must_use]
    pub fn new(limit: u64, length: Duration, used: u64) -> Self {
        let length_nanos = nanos(length);
        assert!(length_nanos > 0, "a window's length is never zero");
        let mut window = Self {
            limit,
            length_nanos,
            slot_nanos: length_nanos.div_ceil(SLOTS),
            charges: VecDeque::new(),
            sum: 0,
            at: Instant::ZERO,
        };
        if used > 0 {
            window.take(used);
        }
        window
    }

    /// Holds `limit` from now on.
    pub const fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Lets time pass. An instant before the last one changes nothing.
    pub fn advance(&mut self, now: Instant) {
        self.at = self.at.max(now);
        while let Some(oldest) = self.charges.front()
            && self.leaves(oldest.slot) <= self.at
        {
            self.sum -= oldest.amount;
            self.charges.pop_front();
        }
    }

    /// Whether `amount` could be charged at the instant last advanced to.
    #[must_use]
    pub const fn holds(&self, amount: u64) -> bool {
        self.sum.saturating_add(amount) <= self.limit
    }

    /// The first instant at which `amount` can be charged if nothing else happens; none if it never
    /// can.
    #[must_use]
    pub fn ready_at(&self, amount: u64) -> Option<Instant> {
        if self.holds(amount) {
            return Some(self.at);
        }
        let mut left = self.sum;
        for charge in &self.charges {
            left -= charge.amount;
            if left.saturating_add(amount) <= self.limit {
                return Some(self.leaves(charge.slot));
            }
        }
        None
    }

    /// Charges `amount` at the instant last advanced to.
    pub fn take(&mut self, amount: u64) {
        let slot = self.slot(self.at);
        // Whoever sums to more than this has other worries; but a sum is always that of its parts.
        let amount = amount.min(u64::MAX - self.sum);
        match self.charges.back_mut() {
            Some(latest) if latest.slot == slot => latest.amount += amount,
            _ => self.charges.push_back(Charge { slot, amount }),
        }
        self.sum += amount;
    }

    /// Replaces a charge of `from` at `start` by one of `to`; nothing if it has left the window.
    pub fn adjust(&mut self, start: Instant, from: u64, to: u64) {
        let slot = self.slot(start);
        let place = self.charges.partition_point(|charge| charge.slot < slot);
        if let Some(charge) = self.charges.get_mut(place)
            && charge.slot == slot
        {
            let rest = self.sum - charge.amount;
            charge.amount = charge
                .amount
                .saturating_sub(from)
                .saturating_add(to)
                .min(u64::MAX - rest);
            self.sum = rest + charge.amount;
        }
    }

    /// What is left in the window that ends at the instant last advanced to; negative if more has
    /// been charged than it holds.
    #[must_use]
    pub fn level(&self) -> i64 {
        signed(self.limit).saturating_sub(signed(self.sum))
    }

    /// What [`Self::level`] says at `now`, if nothing happens until then.
    #[must_use]
    pub fn level_at(&self, now: Instant) -> i64 {
        let gone = self.charges.iter();
        let gone = gone.take_while(|charge| self.leaves(charge.slot) <= now);
        let gone: u64 = gone.map(|charge| charge.amount).sum();
        signed(self.limit).saturating_sub(signed(self.sum - gone))
    }

    const fn slot(&self, at: Instant) -> u64 {
        at.as_nanos() / self.slot_nanos
    }

    /// When charges of this slot leave.
    fn leaves(&self, slot: u64) -> Instant {
        let end = Instant::from_nanos((slot + 1).saturating_mul(self.slot_nanos));
        end + Duration::from_nanos(self.length_nanos)
    }
}
