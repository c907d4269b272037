//! One simulated run of one setting, and what it comes to.
//!
//! Promises: the numbers are those that `run.json` has of the whole run, its warm-up included, but for goodput,
//! which leaves out what was cut off; with the same seed two settings meet the same requests, so that they differ
//! by what they are.
//!
//! Deliberately not: intervals and rows. A tuner makes thousands of runs and keeps six numbers of each.

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distribution::Distribution;
use crate::drive::{self, Observer, Wish, simulated};
use crate::engine::Engine;
use crate::outcome::{Event, Outcome, RequestRecord};
use crate::rng::Seed;
use crate::scenario::Scenario;
use crate::time::{Instant, nanos};
use crate::units::Tokens;

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Answers a second that were not cut off by `max_tokens`, until the last event.
    pub goodput: f64,
    /// Answers a second, those that were cut off included: what `run.json` has as `requests_per_second`.
    pub answered: f64,
    /// Requests a second that became due.
    pub offered: f64,
    /// The part of ended attempts that was throttled.
    pub throttle_share: f64,
    /// The 99th percentile of the wait for quota of what was admitted, in seconds.
    pub wait_p99_s: f64,
    /// The part of settled tokens that attempts without an answer cost.
    pub wasted_share: f64,
    /// The part of requests that was dropped or failed.
    pub lost_share: f64,
}

/// Runs a scenario with this seed.
#[must_use]
pub fn trial(scenario: &Scenario, seed: Seed) -> Score {
    let mut scenario = scenario.clone();
    scenario.seed = seed;
    let mut tally = Tally::new(&scenario);
    let mut engine = drive::engine(&scenario);
    simulated::run(&scenario, &mut engine, &mut tally);
    tally.score()
}

/// Counts.
struct Tally {
    /// The length at which answers are cut off, by prompt class; none where none is longer.
    cut_at: Vec<Option<Tokens>>,
    waits: Histogram<u64>,
    last: Instant,
    intended: u64,
    answered: u64,
    whole: u64,
    lost: u64,
    cancelled: u64,
    attempts: u64,
    throttled: u64,
    settled: u64,
    wasted: u64,
}

impl Tally {
    fn new(scenario: &Scenario) -> Self {
        let cut_at = scenario.prompts.iter().map(|prompt| {
            let longest = prompt.output.as_ref().and_then(Distribution::max);
            let cap = prompt.reserved_output;
            longest.is_none_or(|longest| longest > cap.0).then_some(cap)
        });
        Self {
            cut_at: cut_at.collect(),
            waits: Histogram::new(3).expect("three digits are within the limits of 0 to 5"),
            last: Instant::ZERO,
            intended: 0,
            answered: 0,
            whole: 0,
            lost: 0,
            cancelled: 0,
            attempts: 0,
            throttled: 0,
            settled: 0,
            wasted: 0,
        }
    }

    fn finish(&mut self, request: &RequestRecord) {
        if let Some(admitted) = request.admitted {
            // Not `saturating_record`: that cuts values off where an automatic histogram would grow.
            self.waits
                .record(nanos(admitted.since(request.due)))
                .expect("a histogram grows to hold any wait of a run");
        }
        match request.outcome {
            Outcome::Completed => {
                let cap = self.cut_at[usize::from(request.class.0)];
                // A request that was tried again may have usage of attempts that broke off.
                let cut =
                    request.attempts == 1 && cap.is_some_and(|cap| request.usage.output >= cap);
                self.answered += 1;
                self.whole += u64::from(!cut);
            }
            Outcome::Failed(_) | Outcome::Dropped(_) => self.lost += 1,
            Outcome::Cancelled => self.cancelled += 1,
        }
    }

    fn score(&self) -> Score {
        let elapsed = (self.last - Instant::ZERO).as_secs_f64();
        let rate = |count: u64| {
            if elapsed > 0.0 {
                count as f64 / elapsed
            } else {
                0.0
            }
        };
        let part = |some: u64, of: u64| if of > 0 { some as f64 / of as f64 } else { 0.0 };
        Score {
            goodput: rate(self.whole),
            answered: rate(self.answered),
            offered: rate(self.intended),
            throttle_share: part(self.throttled, self.attempts),
            wait_p99_s: self.waits.value_at_quantile(0.99) as f64 / 1e9,
            wasted_share: part(self.wasted, self.settled),
            lost_share: part(self.lost, self.intended - self.cancelled),
        }
    }
}

impl Observer for Tally {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Due { at, .. } => {
                self.last = self.last.max(*at);
                self.intended += 1;
            }
            Event::Sent { .. } | Event::Paused { .. } | Event::Resumed { .. } => {}
            Event::Ended {
                at,
                settled,
                failure,
                ..
            } => {
                self.last = self.last.max(*at);
                self.attempts += 1;
                self.settled += settled.0;
                if let Some(class) = failure {
                    self.throttled += u64::from(class.is_throttle());
                    self.wasted += settled.0;
                }
            }
            Event::Finished(request) => {
                self.last = self.last.max(request.finished);
                self.finish(request);
            }
        }
    }

    fn tick(&mut self, _: Instant, _: &Engine) -> Wish {
        Wish::GoOn
    }
}
