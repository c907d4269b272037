//! What traffic asks for, minute by minute, were there no quota.
//!
//! Promises: nothing is throttled or delayed here; what is counted is what each way to count would have
//! charged, looked at once a second. A minute's value is the greatest of its seconds: the peak that a
//! quota has to hold.
//!
//! Deliberately not: refill within a minute. A minute's peak has to fit into a minute's quota, which is
//! the usual rule for planning; what the refill allows on top is left to the simulated search.

use std::time::Duration;

use super::scenario::{Variation, vary};
use super::stats::{Estimate, quantile_estimate};
use crate::drive::{self, Observer, Wish, simulated};
use crate::engine::Engine;
use crate::outcome::{Event, Outcome, RequestRecord};
use crate::quota::Enforcement;
use crate::rng::Seed;
use crate::scenario::Scenario;
use crate::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shorter windows within a minute that peaks are told for, in seconds.
const WINDOWS: [u64; 3] = [60, 10, 1];

/// What one model is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Demand {
    /// Calls that were looked at.
    pub calls: u64,
    /// Whole minutes that were looked at.
    pub minutes: u64,
    /// Mean requests per minute.
    pub requests_mean: f64,
    /// Mean tokens settled per minute.
    pub tokens_mean: f64,
    /// Mean tokens reserved per minute.
    pub reserved_mean: f64,
    /// Mean input tokens of a call.
    pub input_mean: f64,
    /// Mean output tokens of a call.
    pub output_mean: f64,
    /// The share of calls with more than 25,000 input tokens, for which the quota form asks.
    pub inputs_above_25k: f64,
    /// Peaks of requests and settled tokens in windows of a minute and less, as rates per minute.
    pub peaks: Vec<WindowPeak>,
    /// Calls under way.
    pub in_flight: Level,
    /// Tokens that calls under way have reserved.
    pub tokens_in_flight: Level,
    /// The requests per minute that a minute's peak reaches.
    pub requests_per_minute: Peaks,
    /// The tokens per minute that a minute's peak reaches, by way to count, in the order of
    /// `bucket`, `ledger`, `rolling`, `fixed`.
    pub tokens_per_minute: Vec<Peaks>,
}

/// Peaks in windows of one length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowPeak {
    /// The window, in seconds.
    pub seconds: u64,
    /// The percentile that was asked for of requests, as a rate per minute.
    pub requests_asked: f64,
    /// The most requests, as a rate per minute.
    pub requests_max: f64,
    /// The percentile that was asked for of settled tokens (dated at the call's start), as a rate per
    /// minute.
    pub tokens_asked: f64,
    /// The most settled tokens, as a rate per minute.
    pub tokens_max: f64,
}

/// Something that goes up and down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Level {
    /// Mean over time.
    pub mean: f64,
    /// The percentile that was asked for, over seconds.
    pub asked: f64,
    /// The greatest.
    pub max: f64,
}

/// Quantiles over minutes of each minute's peak.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Peaks {
    /// The median minute: what AWS's form calls steady.
    pub p50: f64,
    /// What AWS's form calls peak.
    pub p90: f64,
    /// The percentile that was asked for, with an interval by order statistics.
    pub asked: Estimate,
    /// The greatest.
    pub max: f64,
}

/// One call, as far as quotas see it.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u64,
    end: u64,
    reserved: f64,
    settled: f64,
}

struct Collector {
    spans: Vec<Vec<Span>>,
    input: Vec<(u64, u64, u64)>,
}

impl Observer for Collector {
    fn event(&mut self, event: &Event) {
        if let Event::Finished(record) = event {
            self.take(record);
        }
    }

    fn tick(&mut self, _: Instant, _: &Engine) -> Wish {
        Wish::GoOn
    }
}

impl Collector {
    fn take(&mut self, record: &RequestRecord) {
        if record.outcome != Outcome::Completed {
            return;
        }
        let model = usize::from(record.model.0);
        let sent = record.sent.unwrap_or(record.due);
        self.spans[model].push(Span {
            start: sent.as_nanos(),
            end: record.finished.as_nanos(),
            reserved: record.reserved.0 as f64,
            settled: record.settled.0 as f64,
        });
        let input = record.usage.input.0;
        let (inputs, outputs, long) = &mut self.input[model];
        *inputs += input;
        *outputs += record.usage.output.0;
        *long += u64::from(input > 25_000);
    }
}

/// What the models of `scenario` are asked for in `length`, and what percentile `q` of minutes needs.
pub(super) fn demand(scenario: &Scenario, seed: Seed, length: Duration, q: f64) -> Vec<Demand> {
    let free = Variation {
        unlimited: true,
        length: Some(length),
        seed: Some(seed),
        ..Variation::default()
    };
    let scenario = vary(scenario, &free);
    let models = scenario.models.len();
    let mut collector = Collector {
        spans: vec![Vec::new(); models],
        input: vec![(0, 0, 0); models],
    };
    let mut engine = drive::engine(&scenario);
    simulated::run(&scenario, &mut engine, &mut collector);
    let seconds = scenario.run.duration.as_secs().max(1);
    let inputs = collector.input.into_iter();
    let spans = collector.spans.into_iter().zip(inputs);
    spans
        .map(|(mut spans, sums)| {
            spans.sort_unstable_by_key(|span| span.start);
            of_model(&spans, sums, seconds, q)
        })
        .collect()
}

fn of_model(spans: &[Span], sums: (u64, u64, u64), seconds: u64, q: f64) -> Demand {
    let series = Series::new(spans, seconds);
    let calls = spans.len().max(1) as f64;
    let per_minute = 60.0 / seconds as f64;
    let sum = |value: fn(&Span) -> f64| spans.iter().map(value).sum::<f64>();
    let peaks = |values: &[f64]| Peaks::of(&minute_peaks(values), q);
    let tokens_per_minute = Enforcement::ALL
        .iter()
        .map(|&enforcement| peaks(&series.charged(enforcement)))
        .collect();
    Demand {
        calls: spans.len() as u64,
        minutes: seconds / 60,
        requests_mean: spans.len() as f64 * per_minute,
        tokens_mean: sum(|span| span.settled) * per_minute,
        reserved_mean: sum(|span| span.reserved) * per_minute,
        input_mean: sums.0 as f64 / calls,
        output_mean: sums.1 as f64 / calls,
        inputs_above_25k: sums.2 as f64 / calls,
        peaks: WINDOWS
            .iter()
            .map(|&window| series.window(window, q))
            .collect(),
        in_flight: Level::of(&series.in_flight, q),
        tokens_in_flight: Level::of(&series.outstanding, q),
        requests_per_minute: peaks(&sliding(&series.starts, 60)),
        tokens_per_minute,
    }
}

impl Peaks {
    fn of(minutes: &[f64], q: f64) -> Self {
        let mut sorted = minutes.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |q: f64| quantile_estimate(&sorted, q).value;
        Self {
            p50: at(0.5),
            p90: at(0.9),
            asked: quantile_estimate(&sorted, q),
            max: sorted.last().copied().unwrap_or(0.0),
        }
    }
}

impl Level {
    fn of(seconds: &[f64], q: f64) -> Self {
        let mut sorted = seconds.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self {
            mean: seconds.iter().sum::<f64>() / seconds.len().max(1) as f64,
            asked: quantile_estimate(&sorted, q).value,
            max: sorted.last().copied().unwrap_or(0.0),
        }
    }
}

/// Sums by second, and levels at the end of each second.
struct Series {
    /// Calls begun.
    starts: Vec<f64>,
    /// What calls begun in this second settle in the end.
    settled: Vec<f64>,
    /// What calls begun in this second reserve.
    reserved: Vec<f64>,
    /// What calls ended in this second had reserved too much (or, below zero, too little).
    returned: Vec<f64>,
    /// What calls ended in this second settled.
    ended: Vec<f64>,
    /// Calls under way.
    in_flight: Vec<f64>,
    /// What calls under way have reserved.
    outstanding: Vec<f64>,
    /// By second of the start: how much later each call's surplus came back.
    back: Vec<(u32, u32, f64)>,
}

impl Series {
    fn new(spans: &[Span], seconds: u64) -> Self {
        let length = usize::try_from(seconds).unwrap_or(usize::MAX);
        let empty = || vec![0.0; length];
        let mut series = Self {
            starts: empty(),
            settled: empty(),
            reserved: empty(),
            returned: empty(),
            ended: empty(),
            in_flight: empty(),
            outstanding: empty(),
            back: Vec::with_capacity(spans.len()),
        };
        for span in spans {
            let second = |nanos: u64| (nanos / 1_000_000_000) as usize;
            let (start, end) = (second(span.start), second(span.end));
            if start >= length {
                continue;
            }
            series.starts[start] += 1.0;
            series.settled[start] += span.settled;
            series.reserved[start] += span.reserved;
            series.in_flight[start] += 1.0;
            series.outstanding[start] += span.reserved;
            if end < length {
                series.returned[end] += span.reserved - span.settled;
                series.ended[end] += span.settled;
                // Under way at the end of the second in which it began, even if it ended in it: a
                // reservation is held for a moment at least.
                let after = (end + usize::from(end == start)).min(length - 1);
                series.in_flight[after] -= 1.0;
                series.outstanding[after] -= span.reserved;
                series
                    .back
                    .push((end as u32, start as u32, span.reserved - span.settled));
            }
        }
        series.back.sort_unstable_by_key(|(end, ..)| *end);
        accumulate(&mut series.in_flight);
        accumulate(&mut series.outstanding);
        series
    }

    /// What a minute's quota would be charged with at each second.
    fn charged(&self, enforcement: Enforcement) -> Vec<f64> {
        let add = |one: Vec<f64>, other: &[f64], sign: f64| -> Vec<f64> {
            let pairs = one.iter().zip(other);
            pairs
                .map(|(one, other)| (one + sign * other).max(0.0))
                .collect()
        };
        match enforcement {
            // Taken at the start, and given back at the end, whenever the call began.
            Enforcement::Bucket => {
                // What comes back in a second comes before or after what begins in it: the worse is taken.
                let mut returned = vec![0.0];
                returned.extend_from_slice(&self.returned[..self.returned.len().saturating_sub(1)]);
                add(sliding(&self.reserved, 60), &sliding(&returned, 60), -1.0)
            }
            // What calls have cost that ended in the minute, and what those under way hold.
            Enforcement::Ledger => add(sliding(&self.ended, 60), &self.outstanding, 1.0),
            Enforcement::Rolling => self.dated(|second| second.saturating_sub(59)),
            Enforcement::Fixed => self.dated(|second| second - second % 60),
        }
    }

    /// The sum of the charges of calls that began from `first(second)` on, each its reservation until it
    /// is over and then what it settled.
    fn dated(&self, first: impl Fn(usize) -> usize) -> Vec<f64> {
        let mut sums = Vec::with_capacity(self.starts.len());
        // What has come back so far, by the second in which the call began.
        let mut corrected = self.reserved.clone();
        let mut next = 0;
        let mut running = 0.0;
        let mut from = 0;
        for second in 0..self.starts.len() {
            running += corrected[second];
            let wanted = first(second);
            while from < wanted {
                running -= corrected[from];
                from += 1;
            }
            sums.push(running);
            while let Some((end, start, surplus)) = self.back.get(next)
                && *end as usize <= second
            {
                corrected[*start as usize] -= surplus;
                if *start as usize >= from {
                    running -= surplus;
                }
                next += 1;
            }
        }
        sums
    }

    fn window(&self, window: u64, q: f64) -> WindowPeak {
        let scale = 60.0 / window as f64;
        let sorted = |values: &[f64]| {
            let mut sums = sliding(values, window as usize);
            sums.sort_by(f64::total_cmp);
            sums
        };
        let (requests, tokens) = (sorted(&self.starts), sorted(&self.settled));
        let asked = |sums: &[f64]| quantile_estimate(sums, q).value * scale;
        let max = |sums: &[f64]| sums.last().copied().unwrap_or(0.0) * scale;
        WindowPeak {
            seconds: window,
            requests_asked: asked(&requests),
            requests_max: max(&requests),
            tokens_asked: asked(&tokens),
            tokens_max: max(&tokens),
        }
    }
}

fn accumulate(values: &mut [f64]) {
    let mut sum = 0.0;
    for value in values {
        sum += *value;
        *value = sum;
    }
}

/// The sum of the last `window` values at each place.
fn sliding(values: &[f64], window: usize) -> Vec<f64> {
    let mut sum = 0.0;
    values
        .iter()
        .enumerate()
        .map(|(place, value)| {
            sum += value;
            if place >= window {
                sum -= values[place - window];
            }
            sum
        })
        .collect()
}

/// The greatest second of each whole minute; of all, where there is none.
fn minute_peaks(seconds: &[f64]) -> Vec<f64> {
    let most = |minute: &[f64]| minute.iter().copied().fold(0.0, f64::max);
    let minutes: Vec<f64> = seconds.chunks_exact(60).map(most).collect();
    if minutes.is_empty() {
        vec![most(seconds)]
    } else {
        minutes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn span(start: u64, end: u64, reserved: f64, settled: f64) -> Span {
        Span {
            start: start * SECOND,
            end: end * SECOND,
            reserved,
            settled,
        }
    }

    #[test]
    fn each_way_to_count_charges_as_it_does() {
        // Reserves 100 from second 10 to second 30, and settles 20.
        let series = Series::new(&[span(10, 30, 100.0, 20.0)], 120);
        let at = |enforcement| {
            let charged = series.charged(enforcement);
            [9, 10, 30, 31, 59, 60, 69, 70, 91].map(|second: usize| charged[second])
        };
        assert_eq!(
            at(Enforcement::Bucket),
            // 80 come back after second 30; the start has left the minute at 70, what came back at 91.
            [0.0, 100.0, 100.0, 20.0, 20.0, 20.0, 20.0, 0.0, 0.0]
        );
        assert_eq!(
            at(Enforcement::Ledger),
            [0.0, 100.0, 20.0, 20.0, 20.0, 20.0, 20.0, 20.0, 0.0]
        );
        assert_eq!(
            at(Enforcement::Rolling),
            [0.0, 100.0, 100.0, 20.0, 20.0, 20.0, 20.0, 0.0, 0.0]
        );
        assert_eq!(
            at(Enforcement::Fixed),
            [0.0, 100.0, 100.0, 20.0, 20.0, 0.0, 0.0, 0.0, 0.0]
        );
    }

    #[test]
    fn windows_are_told_as_rates_per_minute() {
        let spans: Vec<Span> = (0..60)
            .map(|second| span(second, second + 1, 10.0, 10.0))
            .collect();
        let series = Series::new(&spans, 60);
        for window in WINDOWS {
            let peak = series.window(window, 0.99);
            assert_eq!(
                [peak.requests_max, peak.tokens_max],
                [60.0, 600.0],
                "{window}"
            );
        }
        assert_eq!(Level::of(&series.in_flight, 0.99).max, 1.0);
    }
}
