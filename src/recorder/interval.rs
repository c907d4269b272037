//! Five seconds of a run: counters, and the histograms of what finished in them.
//!
//! Promises: an interval is dated by when things happened and never changes once it is handed out;
//! the intervals of a run add up to its totals, counter by counter and histogram by histogram.

use std::time::Duration;

use super::histograms::Histograms;
use super::measured::{Counts, Throttles};
use crate::time::Instant;
use crate::units::{TokenUsage, Tokens};

/// How long an interval is.
pub const INTERVAL: Duration = Duration::from_secs(5);

/// What happened in `[start, end)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interval {
    /// When it began: a multiple of [`INTERVAL`].
    pub start: Instant,
    /// When it ended: one [`INTERVAL`] later, or the end of the run.
    pub end: Instant,
    /// Requests that became due or ended in it.
    pub counts: Counts,
    /// Attempts that were sent in it.
    pub sent: u64,
    /// Attempts that were throttled in it, by cause.
    pub throttled: Throttles,
    /// Attempts that failed in it in any other way.
    pub failed_attempts: u64,
    /// Attempts that were under way when it ended.
    pub in_flight: u64,
    /// Tokens by the service's count, of attempts that ended in it.
    pub usage: TokenUsage,
    /// Tokens that attempts which ended in it had reserved, the throttled ones left out.
    pub reserved: Tokens,
    /// Tokens settled by attempts that ended in it.
    pub settled: Tokens,
    /// Median latency of requests that completed in it; none if none did.
    pub latency_p50_ns: Option<u64>,
    /// Their latency's 99th percentile, however few they were; none if none did.
    pub latency_p99_ns: Option<u64>,
    /// The histograms of each prompt class, in the scenario's order.
    pub classes: Vec<Histograms>,
}
