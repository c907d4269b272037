//! When requests are due.
//!
//! Open arrivals are made by a change of time: a point process of rate 1 ([`Spacing`]) is mapped
//! through the inverse of the [`Profile`]'s cumulative rate, so that every spacing works with every
//! profile and the expected count by any instant is the integral of the rate.
//!
//! Promises: due times do not fall and lie below the duration; the same seed gives the same times,
//! however and by whomever they are asked for; evenly spaced requests at a constant rate are due
//! at exactly `floor(k · period / events)` nanoseconds for k = 0, 1, …; all other times are computed
//! in `f64`, to well below a microsecond over any run that a scenario may ask for.
//!
//! Deliberately not: an answer to how the service is doing. Only [`ArrivalProcess::ClosedLoop`]
//! waits for it, has therefore no [`Schedule`], and is left to the engine with [`ThinkTimes`].
//! Neither does this module read trace files.

mod curve;
mod pieces;
mod points;
mod scaled;
mod schedule;
mod sine;
mod think;

use std::sync::Arc;
use std::time::Duration;

use crate::distribution::Distribution;
use crate::outcome::ClassIndex;
use crate::rng::Seed;
use crate::time::{Instant, nanos};
use crate::units::{Rate, Tokens};

use curve::Curve;
pub use schedule::{Due, Schedule};
pub use think::ThinkTimes;

/// How arrivals lie between one another when the rate is 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spacing {
    /// Evenly, the first at once.
    Even,
    /// As in a Poisson process, the first after a gap as well.
    Poisson,
    /// Gamma-distributed gaps with this coefficient of variation (1 is Poisson, 4 is bursty).
    ///
    /// The run looks in on a process that began long before: the first gap is the rest of one that
    /// was under way, so the expected count is the integral of the rate from the start.
    Gamma {
        /// Standard deviation of the gaps over their mean; above zero. Counts as 0.001 below that
        /// and as 1,000 above.
        cv: f64,
    },
}

/// How the rate changes over the run.
#[derive(Clone, Debug, PartialEq)]
pub enum Profile {
    /// It does not.
    Constant(Rate),
    /// From one rate to another in a straight line, and then on at the second.
    Ramp {
        /// Rate at the start.
        from: Rate,
        /// Rate at the end.
        to: Rate,
        /// How long it takes.
        over: Duration,
    },
    /// One rate after another; the last one goes on.
    Steps(Vec<Step>),
    /// `mean + amplitude · sin(2π t / period)`; never below zero. Begins at the mean, rising.
    ///
    /// ```text
    /// mean + amplitude  ─    .─.
    ///                      /     \
    /// mean              ─ +───────+───────+─
    ///                              \     /
    /// mean − amplitude  ─            `─´
    ///                     0   period/2    period
    /// ```
    Sine {
        /// Mean rate.
        mean: Rate,
        /// How far the rate swings to either side; not above the mean.
        amplitude: Rate,
        /// The time of one swing; above zero.
        period: Duration,
    },
}

/// One step of [`Profile::Steps`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Its rate.
    pub rate: Rate,
    /// How long it lasts.
    pub lasts: Duration,
}

/// One request of a recorded trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracePoint {
    /// When it was due, after the first one.
    pub at: Instant,
    /// Its input tokens.
    pub input: Tokens,
    /// Its output tokens.
    pub output: Tokens,
    /// Its prompt class, where the recording says so.
    pub class: Option<ClassIndex>,
}

/// What makes requests due.
#[derive(Clone, Debug, PartialEq)]
pub enum ArrivalProcess {
    /// Open loop: requests come when the schedule says, whatever the service does.
    Open {
        /// The rate over time.
        profile: Profile,
        /// How they lie within it.
        spacing: Spacing,
    },
    /// Open loop from a recording.
    Trace {
        /// What was recorded, in order of time.
        points: Arc<[TracePoint]>,
        /// How many times faster than recorded it is replayed; above zero.
        speed: f64,
    },
    /// Closed loop: each worker sends its next request a think time after its last one ended.
    ClosedLoop {
        /// How many workers there are; above zero.
        workers: u32,
        /// Nanoseconds of thinking.
        think: Distribution,
    },
}

impl ArrivalProcess {
    /// The due times of a run of this length, in order.
    ///
    /// A trace is replayed `speed` times as fast and cut off at the duration. A closed loop has an
    /// empty schedule: its requests become due when earlier ones end.
    #[must_use]
    pub fn schedule(&self, seed: Seed, duration: Duration) -> Schedule {
        Schedule::new(self, seed, Instant::ZERO + duration)
    }

    /// The workers of a closed loop and the nanoseconds that each thinks between two requests;
    /// `None` for open arrivals.
    #[must_use]
    pub fn closed_loop(&self) -> Option<(u32, &Distribution)> {
        match self {
            Self::ClosedLoop { workers, think } => Some((*workers, think)),
            Self::Open { .. } | Self::Trace { .. } => None,
        }
    }

    /// How many requests are expected to become due in a run of this length: the integral of the
    /// rate, or the count of a trace; `None` for a closed loop, where the service decides.
    ///
    /// An even schedule has this number, rounded up.
    #[must_use]
    pub fn expected(&self, duration: Duration) -> Option<f64> {
        match self {
            Self::Open { profile, .. } => {
                Some(Curve::new(profile).count_by(nanos(duration) as f64))
            }
            Self::Trace { points, speed } => {
                let end = Instant::ZERO + duration;
                Some(points.partition_point(|point| replayed(point.at, *speed) < end) as f64)
            }
            Self::ClosedLoop { .. } => None,
        }
    }

    /// The highest rate of a run of this length, in requests per second; `None` where there is no
    /// rate: for a trace and for a closed loop.
    #[must_use]
    pub fn peak_rate(&self, duration: Duration) -> Option<f64> {
        match self {
            Self::Open { profile, .. } => {
                Some(Curve::new(profile).peak_by(nanos(duration) as f64) * 1e9)
            }
            Self::Trace { .. } | Self::ClosedLoop { .. } => None,
        }
    }
}

/// When a request recorded at `at` is due in a replay.
fn replayed(at: Instant, speed: f64) -> Instant {
    Instant::from_nanos((at.as_nanos() as f64 / speed).round() as u64)
}
