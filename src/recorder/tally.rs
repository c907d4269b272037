//! Running totals of one set of requests.
//!
//! Promises: a constant size, whatever the length of the run, and merging two tallies gives the
//! tally of both sets. A [`Group`] is made from one when the run is over.

use std::collections::BTreeMap;
use std::time::Duration;

use super::histograms::{Histograms, Timing};
use super::measured::{Attempts, Counts, Group, Throttles};
use super::spread::{inflated_latency, spread};
use crate::expect::Metric;
use crate::outcome::{DropReason, Failure, Outcome, RequestRecord};
use crate::price::Price;
use crate::time::{Instant, nanos};
use crate::units::{TokenUsage, Tokens, Usd};

/// Running totals of one set of requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    failures: [u64; Failure::ALL.len()],
    drops: [u64; DropReason::ALL.len()],
    requests_sent: u64,
    sent: u64,
    answered: u64,
    attempt_failures: [u64; Failure::ALL.len()],
    pub(super) histograms: Histograms,
    usage: TokenUsage,
    input_estimated: Tokens,
    input_counted: Tokens,
    reserved: Tokens,
    settled: Tokens,
    wasted: Tokens,
}

/// An attempt that came to its end, as [`crate::outcome::Event::Ended`] tells it.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndedAttempt {
    pub(super) reserved: Tokens,
    pub(super) settled: Tokens,
    pub(super) usage: TokenUsage,
    pub(super) failure: Option<Failure>,
}

/// A share of things that are counted one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CountedShare {
    pub(super) hits: u64,
    /// Those that are known to be hits or not.
    pub(super) ended: u64,
    /// Those that are under way.
    pub(super) pending: u64,
}

/// What a tally needs to know of the run to become a [`Group`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// How long load was offered.
    pub(super) window: Duration,
    /// What rates are over.
    pub(super) elapsed: Duration,
    /// Whether there are first tokens.
    pub(super) streaming: bool,
}

impl Counts {
    /// Counts one request that ended.
    pub(super) const fn end(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Completed => self.completed += 1,
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Dropped(_) => self.dropped += 1,
            Outcome::Cancelled => self.cancelled += 1,
        }
    }

    /// Adds the counts of other requests.
    pub(super) const fn merge(&mut self, other: Self) {
        self.intended += other.intended;
        self.completed += other.completed;
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.cancelled += other.cancelled;
    }
}

impl Throttles {
    /// Counts one failed attempt if it was throttled, and says whether it was.
    pub(super) const fn count(&mut self, failure: Failure, attempts: u64) -> bool {
        match failure {
            Failure::ThrottledRequests => self.requests += attempts,
            Failure::ThrottledTokens => self.tokens += attempts,
            Failure::ThrottledTokensPerDay => self.tokens_per_day += attempts,
            Failure::ThrottledOther => self.other += attempts,
            _ => return false,
        }
        true
    }
}

impl Tally {
    /// Counts an attempt that was sent.
    pub(super) const fn send(&mut self) {
        self.sent += 1;
    }

    /// Counts an attempt that ended.
    pub(super) fn end(&mut self, attempt: EndedAttempt) {
        self.usage += attempt.usage;
        self.settled += attempt.settled;
        match attempt.failure {
            None => self.answered += 1,
            Some(failure) => {
                self.attempt_failures[failure as usize] += 1;
                self.wasted += attempt.settled;
            }
        }
        if !attempt.failure.is_some_and(Failure::is_throttle) {
            self.reserved += attempt.reserved;
        }
    }

    /// Counts a request that ended. Its lengths of time are recorded by [`record_timings`].
    pub(super) fn finish(&mut self, request: &RequestRecord) {
        self.counts.end(request.outcome);
        self.requests_sent += u64::from(request.attempts > 0);
        match request.outcome {
            Outcome::Failed(failure) => self.failures[failure as usize] += 1,
            Outcome::Dropped(reason) => self.drops[reason as usize] += 1,
            // A retried request's usage may hold what attempts cut off half-way had read.
            Outcome::Completed if request.attempts == 1 => {
                let usage = request.usage;
                self.input_estimated += request.input_estimate;
                self.input_counted += usage.input + usage.cache_read + usage.cache_write;
            }
            Outcome::Completed | Outcome::Cancelled => {}
        }
    }

    /// Adds the totals of other requests.
    pub(super) fn merge(&mut self, other: &Self) {
        self.merge_numbers(other);
        self.histograms.merge(&other.histograms);
    }

    /// Adds the totals of other requests, but for their histograms.
    pub(super) fn merge_numbers(&mut self, other: &Self) {
        self.counts.merge(other.counts);
        add_each(&mut self.failures, &other.failures);
        add_each(&mut self.drops, &other.drops);
        self.requests_sent += other.requests_sent;
        self.sent += other.sent;
        self.answered += other.answered;
        add_each(&mut self.attempt_failures, &other.attempt_failures);
        self.usage += other.usage;
        self.input_estimated += other.input_estimated;
        self.input_counted += other.input_counted;
        self.reserved += other.reserved;
        self.settled += other.settled;
        self.wasted += other.wasted;
    }

    /// A share that is counted one by one; none of any other metric.
    pub(super) fn counted_share(&self, metric: Metric) -> Option<CountedShare> {
        let counts = self.counts;
        let ended = counts.completed + counts.failed + counts.dropped;
        let of_requests = |hits| CountedShare {
            hits,
            ended,
            pending: counts.intended.saturating_sub(ended + counts.cancelled),
        };
        match metric {
            Metric::FailureShare => Some(of_requests(counts.failed)),
            Metric::DropShare => Some(of_requests(counts.dropped)),
            Metric::ThrottleShare => {
                let attempts = self.attempts();
                Some(CountedShare {
                    hits: attempts.throttled.total(),
                    ended: attempts.sent.saturating_sub(attempts.unfinished),
                    pending: attempts.unfinished,
                })
            }
            _ => None,
        }
    }

    /// What the tokens cost; none if there are any and the price is not known.
    pub(super) fn cost(&self, price: Option<Price>) -> Option<Usd> {
        if self.usage == TokenUsage::default() {
            return Some(Usd::ZERO);
        }
        price.map(|price| price.of(self.usage))
    }

    /// The totals as a report shows them.
    pub(super) fn group(&self, name: &str, cost: Option<Usd>, frame: Frame) -> Group {
        let seconds = frame.elapsed.as_secs_f64();
        let per_second = |number: u64| {
            if seconds > 0.0 {
                number as f64 / seconds
            } else {
                0.0
            }
        };
        let streamed = |timing| frame.streaming.then(|| spread(&self.histograms, timing));
        let refused = self.counts.failed + self.counts.dropped;
        Group {
            name: name.to_owned(),
            counts: self.counts,
            failures: by_name(Failure::ALL, Failure::name, &self.failures),
            drops: by_name(DropReason::ALL, DropReason::name, &self.drops),
            attempts: self.attempts(),
            latency: spread(&self.histograms, Timing::Latency),
            inflated_latency: inflated_latency(&self.histograms, refused),
            limiter_wait: spread(&self.histograms, Timing::LimiterWait),
            service_time: spread(&self.histograms, Timing::ServiceTime),
            dispatch_lag: spread(&self.histograms, Timing::DispatchLag),
            ttft: streamed(Timing::Ttft),
            itl: streamed(Timing::Itl),
            tpot: streamed(Timing::Tpot),
            usage: self.usage,
            input_estimated: self.input_estimated,
            input_counted: self.input_counted,
            reserved: self.reserved,
            settled: self.settled,
            wasted: self.wasted,
            requests_per_second: per_second(self.counts.completed),
            input_tokens_per_second: per_second(self.usage.input.0),
            output_tokens_per_second: per_second(self.usage.output.0),
            cost,
        }
    }

    fn attempts(&self) -> Attempts {
        let mut throttled = Throttles::default();
        let mut others = [0; Failure::ALL.len()];
        for (&failure, &attempts) in Failure::ALL.iter().zip(&self.attempt_failures) {
            if !throttled.count(failure, attempts) {
                others[failure as usize] = attempts;
            }
        }
        let ended = self.answered + self.attempt_failures.iter().sum::<u64>();
        Attempts {
            requests: self.requests_sent,
            sent: self.sent,
            answered: self.answered,
            throttled,
            failed: by_name(Failure::ALL, Failure::name, &others),
            unfinished: self.sent.saturating_sub(ended),
        }
    }
}

/// Records the lengths of time of a request that ended, by their two ends.
pub(super) fn record_timings(histograms: &mut Histograms, request: &RequestRecord) {
    let mut record = |timing, from: Instant, to: Instant| {
        histograms.record(timing, nanos(to.since(from)));
    };
    if let Some(admitted) = request.admitted {
        record(Timing::LimiterWait, request.due, admitted);
    }
    // A sent instant from before the last admission is that of an earlier attempt; it is left when
    // the end of the run cuts off the last one.
    if let (Some(admitted), Some(sent)) = (request.last_admitted, request.sent)
        && admitted <= sent
    {
        record(Timing::DispatchLag, admitted, sent);
    }
    if request.outcome == Outcome::Completed {
        record(Timing::Latency, request.due, request.finished);
        if let Some(sent) = request.sent {
            record(Timing::ServiceTime, sent, request.finished);
            if let Some(first_token) = request.first_token {
                record(Timing::Ttft, sent, first_token);
            }
        }
        record_tokens(histograms, request);
    }
}

/// Records the pace of a streamed answer.
fn record_tokens(histograms: &mut Histograms, request: &RequestRecord) {
    for (gap, times) in request.gaps.iter() {
        histograms.record_times(Timing::Itl, nanos(gap), times);
    }
    // A retried request's usage may hold tokens of attempts that were cut off.
    if let Some(first_token) = request.first_token
        && request.attempts == 1
        && let Some(pace) =
            nanos(request.finished - first_token).checked_div(request.usage.output.0)
    {
        histograms.record(Timing::Tpot, pace);
    }
}

fn add_each(numbers: &mut [u64], others: &[u64]) {
    for (number, other) in numbers.iter_mut().zip(others) {
        *number += other;
    }
}

/// The numbers that are not zero, by the name of what they count.
fn by_name<T: Copy>(
    all: &[T],
    name: impl Fn(T) -> &'static str,
    numbers: &[u64],
) -> BTreeMap<String, u64> {
    all.iter()
        .zip(numbers)
        .filter(|&(_, &number)| number > 0)
        .map(|(&value, &number)| (name(value).to_owned(), number))
        .collect()
}
