//! The one reader of clocks: everything else is told what time it is.
//!
//! Promises: instants never go back, whatever happens to the wall clock; the wall clock is read once,
//! at the start, for provenance and to know where the clock minutes begin.

pub(crate) mod timer;

use std::time::Duration;

use jiff::Timestamp;

use crate::time::Instant;

/// A clock that began with the run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: std::time::Instant,
    started: Timestamp,
}

impl Clock {
    /// Starts a clock: it is [`Instant::ZERO`] now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clocks"
    )]
    pub fn start() -> Self {
        Self {
            epoch: std::time::Instant::now(),
            started: Timestamp::now(),
        }
    }

    /// The time since the clock began.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.epoch.elapsed()
    }

    /// What time it was when the clock began.
    #[must_use]
    pub const fn started(&self) -> Timestamp {
        self.started
    }

    /// How far into a minute of the wall clock (UTC) the clock began.
    #[must_use]
    pub fn minute_offset(&self) -> Duration {
        let nanos = self.started.as_nanosecond().rem_euclid(60_000_000_000);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}
