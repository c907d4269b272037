//! Whether and when to try again. WIP

use std::collections::BTreeSet;
use std::time::Duration;

use crate::outcome::Failure;

/// When a failed attempt is followed by another.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts for each request, the first included; at least 1, and 1 never retries.
    pub max_attempts: u32,
    /// The longest wait before the second attempt; doubles for each one after it.
    pub base: Duration,
    /// The longest wait before any attempt.
    pub cap: Duration,
    /// Whether the wait is drawn evenly from zero to its bound (full jitter) or is the bound itself.
    pub jitter: bool,
    /// Failures that are tried again.
    pub on: BTreeSet<Failure>,
}
