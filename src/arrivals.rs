//! When requests are due.

use std::sync::Arc;
use std::time::Duration;

use crate::distribution::Distribution;
use crate::time::Instant;
use crate::units::{Rate, Tokens};

/// How arrivals lie between one another when the rate is 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spacing {
    /// Evenly, the first at once.
    Even,
    /// As in a Poisson process.
    Poisson,
    /// Gamma-distributed gaps with this coefficient of variation (1 is Poisson, 4 is bursty).
    Gamma {
        /// Standard deviation of the gaps over their mean; above zero.
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
    /// `mean + amplitude · sin(2π t / period)`; never below zero.
    Sine {
        /// Mean rate.
        mean: Rate,
        /// How far the rate swings to either side; not above the mean.
        amplitude: Rate,
        /// The time of one swing.
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
