//! The last minutes of a run, second by second: how many were answered, and how fast.

use std::collections::VecDeque;

use bedload::time::{Instant, NANOS_PER_SECOND};
use hdrhistogram::Histogram;

/// How many seconds are kept: as many as a wide terminal has columns.
const KEPT: usize = 300;

/// Two digits are what a line of eight steps can show.
const DIGITS: u8 = 2;

/// One second that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Requests that were answered in it.
    pub completed: u64,
    /// Their median latency, in nanoseconds; zero if there were none.
    pub p50_ns: u64,
    /// Their latency's 99th percentile, in nanoseconds; zero if there were none.
    pub p99_ns: u64,
}

/// The last minutes.
#[derive(Clone)]
pub struct Seconds {
    over: VecDeque<Second>,
    open: u64,
    latency: Histogram<u64>,
}

impl Default for Seconds {
    fn default() -> Self {
        Self {
            over: VecDeque::new(),
            open: 0,
            latency: Histogram::new(DIGITS).expect("two digits are allowed"),
        }
    }
}

impl Seconds {
    /// Lets time pass.
    pub fn advance(&mut self, now: Instant) {
        let second = now.as_nanos() / NANOS_PER_SECOND;
        if second <= self.open {
            return;
        }
        let closed = Second {
            completed: self.latency.len(),
            p50_ns: self.latency.value_at_quantile(0.5),
            p99_ns: self.latency.value_at_quantile(0.99),
        };
        self.latency.reset();
        self.push(closed);
        // In virtual time a day may pass at once.
        for _ in 0..(second - self.open - 1).min(KEPT as u64) {
            self.push(Second::default());
        }
        self.open = second;
    }

    /// A request was answered at `at`; late news counts in the second that is open.
    pub fn complete(&mut self, at: Instant, latency_ns: u64) {
        self.advance(at);
        // It grows with what it has to hold; the longest run there can be fits.
        let _longer = self.latency.record(latency_ns);
    }

    /// The seconds that are over, the earliest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Second> + DoubleEndedIterator {
        self.over.iter()
    }

    /// Answers a second, over the last ten that are over.
    pub fn rate(&self) -> f64 {
        let last = self.over.iter().rev().take(10);
        let count = last.len();
        let sum: u64 = last.map(|second| second.completed).sum();
        if count == 0 {
            0.0
        } else {
            sum as f64 / count as f64
        }
    }

    fn push(&mut self, second: Second) {
        if self.over.len() == KEPT {
            self.over.pop_front();
        }
        self.over.push_back(second);
    }
}
