//! One key at several values: where a load stops fitting.
//!
//! Promises: a pure function of what runs measured; a step says how much was offered beside how much was
//! answered; the knee is the last step, from the first on, that fits, and is none where the first does not.
//!
//! Deliberately not: the runs themselves, which whoever calls makes.

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

use crate::expect::{Metric, Statistic, Timing};
use crate::recorder::measured::Measured;

/// The version of the JSON.
pub const SCHEMA_VERSION: u32 = 1;

/// A key at several values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sweep {
    /// The version of this format: 1.
    pub schema_version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// Where requests went: `sim` or `stub`.
    pub target: String,
    /// The key, such as `arrivals.poisson.rate`.
    pub key: String,
    /// The largest share of attempts that may be throttled, and of requests that may be lost.
    pub bound: f64,
    /// What was measured at each value, in their order.
    pub steps: Vec<Step>,
    /// Which step is the last that fits; none where the first does not.
    pub knee: Option<usize>,
}

/// What was measured at one value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The value as it was set.
    pub value: String,
    /// The value as a number, in its own unit.
    pub number: f64,
    /// Requests that became due, those of a warm-up left out.
    pub requests: u64,
    /// The same, per second of the run's duration.
    pub offered: f64,
    /// Answers a second.
    pub goodput: f64,
    /// The part of ended attempts that was throttled.
    pub throttle_share: f64,
    /// The part of requests that failed or were dropped.
    pub lost_share: f64,
    /// Quantiles of latency in seconds, with failures as infinite; none where infinite, or of too few samples.
    pub latency_p50_s: Option<f64>,
    /// The 90th percentile.
    pub latency_p90_s: Option<f64>,
    /// The 99th percentile.
    pub latency_p99_s: Option<f64>,
    /// The 99th percentile of the wait for quota, in seconds; none of too few samples.
    pub wait_p99_s: Option<f64>,
    /// Mean use of the requests-per-minute quota by the model that uses most of its own; none without one.
    pub rpm_use: Option<f64>,
    /// The same of the tokens-per-minute quota.
    pub tpm_use: Option<f64>,
}

/// The JSON schema of a sweep.
#[must_use]
pub fn json_schema() -> String {
    let schema = schema_for!(Sweep);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

impl Step {
    /// What a run with this value came to.
    #[must_use]
    pub fn of(value: &str, number: f64, measured: &Measured) -> Self {
        let counts = measured.total.counts;
        let ended = counts.intended - counts.cancelled;
        // A run that ended before its duration offered nothing afterwards.
        let seconds = measured.window_ns.min(measured.elapsed_ns) as f64 / 1e9;
        let time = |timing, statistic| {
            measured
                .value(Metric::Time(timing, statistic))
                .filter(|value| value.is_finite())
        };
        let busiest = |share: fn(&crate::recorder::measured::QuotaUse) -> Option<f64>| {
            measured
                .quota_use
                .iter()
                .filter_map(share)
                .max_by(f64::total_cmp)
        };
        Self {
            value: value.to_owned(),
            number,
            requests: counts.intended,
            offered: if seconds > 0.0 {
                counts.intended as f64 / seconds
            } else {
                0.0
            },
            goodput: measured.total.requests_per_second,
            throttle_share: measured.total.attempts.throttle_share().unwrap_or(0.0),
            lost_share: if ended > 0 {
                (counts.failed + counts.dropped) as f64 / ended as f64
            } else {
                0.0
            },
            latency_p50_s: time(Timing::Latency, Statistic::P50),
            latency_p90_s: time(Timing::Latency, Statistic::P90),
            latency_p99_s: time(Timing::Latency, Statistic::P99),
            wait_p99_s: time(Timing::LimiterWait, Statistic::P99),
            rpm_use: busiest(|model| model.requests.mean_share()),
            tpm_use: busiest(|model| model.tokens.mean_share()),
        }
    }
}

impl Step {
    /// Whether the load fits: something was asked for, no more than the bound was throttled or lost, and no more of
    /// a quota was used than there is (a run may be over before a full bucket is empty).
    #[must_use]
    pub fn fits(&self, bound: f64) -> bool {
        let within = |used: Option<f64>| used.is_none_or(|used| used <= 1.0);
        self.requests > 0
            && self.throttle_share <= bound
            && self.lost_share <= bound
            && within(self.rpm_use)
            && within(self.tpm_use)
    }
}

/// Which step is the last, from the first on, that fits.
#[must_use]
pub fn knee(steps: &[Step], bound: f64) -> Option<usize> {
    let fit = steps.iter().take_while(|step| step.fits(bound));
    fit.count().checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(throttle_share: f64, lost_share: f64) -> Step {
        let step = Step::of("1/s", 1.0, &Measured::default());
        Step {
            requests: 10,
            throttle_share,
            lost_share,
            ..step
        }
    }

    #[test]
    fn the_knee_is_the_last_step_before_the_bound_breaks() {
        let steps = [
            step(0.0, 0.0),
            step(0.01, 0.0),
            step(0.0, 0.2),
            step(0.0, 0.0),
        ];
        assert_eq!(knee(&steps, 0.01), Some(1));
        assert_eq!(knee(&steps, 0.001), Some(0));
        assert_eq!(knee(&steps[2..], 0.01), None);
        assert_eq!(knee(&[], 0.01), None);
    }

    #[test]
    fn a_run_in_which_nothing_happened_has_no_numbers_and_no_infinities() {
        let step = Step::of("1/s", 1.0, &Measured::default());
        assert_eq!(
            (step.offered, step.goodput, step.latency_p50_s),
            (0.0, 0.0, None)
        );
    }
}
