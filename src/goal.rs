//! What a tuner looks for, and what it may turn.
//!
//! Deliberately not: the search (`tune`), or what a knob's values do to a scenario.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What makes one setting better than another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Goal {
    /// The largest share of attempts that may be throttled, as a part of one.
    pub throttle_share: f64,
    /// The longest 99th percentile of the wait for quota, in seconds; none does not matter.
    pub wait_p99_s: Option<f64>,
    /// The share of runs in which both have to hold, as a part of one.
    pub runs_share: f64,
    /// What counts for how much, within those bounds; goodput alone unless given.
    pub weights: Option<Weights>,
}

/// A weighted mix of what is wanted and what is not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Weights {
    /// For the share of offered requests that is answered.
    pub goodput: f64,
    /// Against the share of attempts that is throttled.
    pub throttle_share: f64,
    /// Against each second of the 99th percentile of the wait for quota.
    pub wait_p99_s: f64,
    /// Against the share of settled tokens that came to nothing.
    pub wasted_share: f64,
}

impl Default for Goal {
    /// As many answers as possible with at most one throttle in a thousand attempts, in 19 of 20 runs.
    fn default() -> Self {
        Self {
            throttle_share: 0.001,
            wait_p99_s: None,
            runs_share: 0.95,
            weights: None,
        }
    }
}

/// A key of a scenario that may be turned, and its values: a list, or a range such as `1s..60s`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnobText {
    /// The key, such as `limiter.burst` or `prompt.chat.max_tokens`.
    pub key: String,
    /// Its values as they were typed.
    pub values: String,
}

/// A scenario's `[tune]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TuneSettings {
    /// What is looked for.
    pub goal: Goal,
    /// What may be turned; a usual choice, if empty.
    pub knobs: Vec<KnobText>,
}
