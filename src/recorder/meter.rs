//! How much of one model's quotas is used, minute by minute.
//!
//! Promises: seconds are those of the wall clock, so that a clock minute is sixty of them and no
//! clock minute exceeds the greatest sliding one; memory is constant.
//!
//! A second stays open for ten minutes, because only the end of a request tells whether its
//! attempts were taken on or throttled, and that must be dated when they were sent: dated when
//! they failed, the attempts of an overloaded minute would count in the minute before them.
//!
//! Deliberately not: enforcement. What the service would refuse is for the quota's ledger to say.

use std::collections::VecDeque;
use std::time::Duration;

use super::measured::{DimensionUse, MinuteUse, QuotaUse};
use crate::outcome::{Failure, Outcome, RequestRecord};
use crate::quota::Quota;
use crate::time::{Instant, NANOS_PER_MINUTE, NANOS_PER_SECOND, nanos};
use crate::units::Tokens;

/// Seconds that stay open; what is told of an earlier one counts in the earliest of these.
const OPEN_SECONDS: usize = 600;
/// Entries kept of the series of minutes: a day of them.
const MINUTES_MAX: usize = 1_440;

/// Counts one model's use of its quotas.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    /// From the beginning of the clock minute in which the run began.
    offset_ns: u64,
    /// What was used before does not count.
    from: Instant,
    /// The seconds over which the steady mean is taken.
    steady: std::ops::Range<u64>,
    /// The number of the first open second, from the beginning of that clock minute.
    first_open: u64,
    open: VecDeque<MinuteUse>,
    closed: Closed,
}

/// What has been made of the seconds that no longer change.
#[derive(Clone, Debug, Default)]
struct Closed {
    total: MinuteUse,
    steady: MinuteUse,
    /// The last sixty seconds and their sum.
    last: VecDeque<MinuteUse>,
    sliding: MinuteUse,
    sliding_peak: MinuteUse,
    /// The clock minute that is being filled.
    minute: MinuteUse,
    minute_peak: MinuteUse,
    minutes: Minutes,
}

/// A series of clock minutes that halves its resolution whenever it has grown too long.
#[derive(Clone, Debug)]
struct Minutes {
    per_entry: u64,
    entries: Vec<MinuteUse>,
}

impl Default for Minutes {
    fn default() -> Self {
        Self {
            per_entry: 1,
            entries: Vec::new(),
        }
    }
}

impl Meter {
    /// For a run of this duration that began `clock_offset` into a minute of the wall clock; only what
    /// is used after the `warm_up` counts.
    pub(super) fn new(duration: Duration, clock_offset: Duration, warm_up: Duration) -> Self {
        let offset_ns = nanos(clock_offset) % NANOS_PER_MINUTE;
        let second = |since_start: u64| since_start.saturating_add(offset_ns) / NANOS_PER_SECOND;
        let window_ns = nanos(duration);
        let warm = second(nanos(warm_up).max(NANOS_PER_MINUTE));
        let minutes = second(window_ns).saturating_sub(warm) / 60;
        Self {
            offset_ns,
            from: Instant::ZERO + warm_up,
            steady: warm..warm + minutes * 60,
            first_open: 0,
            open: VecDeque::with_capacity(OPEN_SECONDS),
            closed: Closed::default(),
        }
    }

    /// Counts tokens that an attempt settled when it ended.
    pub(super) fn settle(&mut self, at: Instant, settled: Tokens) {
        if at >= self.from {
            self.at(at).settled += settled;
        }
    }

    /// Counts the attempts of a request that ended, each when it was sent.
    pub(super) fn finish(&mut self, request: &RequestRecord) {
        for attempt in &request.earlier {
            self.attempt(
                attempt.sent,
                request.reserved,
                attempt.failure.is_throttle(),
            );
        }
        // An attempt that the end of the run cut off has no sent instant of its own, and then
        // `sent` is that of the attempt before it, if anything: its admission is near enough.
        if let Some(sent) = request.sent.max(request.last_admitted)
            && request.attempts as usize > request.earlier.len()
        {
            let throttled =
                matches!(request.outcome, Outcome::Failed(f) if Failure::is_throttle(f));
            self.attempt(sent, request.reserved, throttled);
        }
    }

    /// The use of the quotas of a run that took so long.
    pub(super) fn quota_use(mut self, model: &str, quota: Quota, elapsed: Duration) -> QuotaUse {
        while !self.open.is_empty() {
            self.close_one();
        }
        if let Some(last) = self.first_open.checked_sub(1) {
            self.closed.close_minute(last / 60);
        }
        let closed = self.closed;
        let elapsed_minutes = elapsed.as_secs_f64() / 60.0;
        let steady_minutes = (self.steady.end - self.steady.start) / 60;
        let dimension = |quota: Option<u64>, of: fn(&MinuteUse) -> u64| DimensionUse {
            quota,
            mean: if elapsed.is_zero() {
                0.0
            } else {
                of(&closed.total) as f64 / elapsed_minutes
            },
            steady: (steady_minutes > 0).then(|| of(&closed.steady) as f64 / steady_minutes as f64),
            peak_clock_minute: of(&closed.minute_peak),
            peak_sliding_minute: of(&closed.sliding_peak),
        };
        QuotaUse {
            model: model.to_owned(),
            requests: dimension(quota.rpm, |minute| minute.requests),
            tokens: dimension(quota.tpm, |minute| minute.settled.0),
            reserved: dimension(quota.tpm, |minute| minute.reserved.0),
            minutes_per_entry: closed.minutes.per_entry,
            minutes: closed.minutes.entries,
        }
    }

    fn attempt(&mut self, sent: Instant, reserved: Tokens, throttled: bool) {
        if sent < self.from {
            return;
        }
        let second = self.at(sent);
        if throttled {
            second.refused += 1;
        } else {
            second.requests += 1;
            second.reserved += reserved;
        }
    }

    /// The open second that `at` falls into, or the earliest.
    fn at(&mut self, at: Instant) -> &mut MinuteUse {
        let second = at.as_nanos().saturating_add(self.offset_ns) / NANOS_PER_SECOND;
        while self.first_open + (self.open.len() as u64) <= second {
            if self.open.len() == OPEN_SECONDS {
                self.close_one();
            }
            self.open.push_back(MinuteUse::default());
        }
        &mut self.open[second.saturating_sub(self.first_open) as usize]
    }

    fn close_one(&mut self) {
        if let Some(used) = self.open.pop_front() {
            self.closed.add(
                self.first_open,
                used,
                self.steady.contains(&self.first_open),
            );
            self.first_open += 1;
        }
    }
}

impl Closed {
    fn add(&mut self, second: u64, used: MinuteUse, steady: bool) {
        if second > 0 && second.is_multiple_of(60) {
            self.close_minute(second / 60 - 1);
        }
        self.total.add(used);
        self.minute.add(used);
        if steady {
            self.steady.add(used);
        }
        self.sliding.add(used);
        self.last.push_back(used);
        if self.last.len() > 60
            && let Some(left) = self.last.pop_front()
        {
            self.sliding.take(left);
        }
        self.sliding_peak.raise_to(self.sliding);
    }

    fn close_minute(&mut self, minute: u64) {
        let used = std::mem::take(&mut self.minute);
        self.minute_peak.raise_to(used);
        self.minutes.add(minute, used);
    }
}

impl Minutes {
    fn add(&mut self, minute: u64, used: MinuteUse) {
        while minute / self.per_entry >= MINUTES_MAX as u64 {
            self.halve();
        }
        let entry = (minute / self.per_entry) as usize;
        if self.entries.len() <= entry {
            self.entries.resize(entry + 1, MinuteUse::default());
        }
        self.entries[entry].add(used);
    }

    fn halve(&mut self) {
        self.per_entry *= 2;
        self.entries = self
            .entries
            .chunks(2)
            .map(|pair| {
                let mut sum = pair[0];
                pair[1..].iter().for_each(|&second| sum.add(second));
                sum
            })
            .collect();
    }
}

impl MinuteUse {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.refused += other.refused;
        self.reserved += other.reserved;
        self.settled += other.settled;
    }

    /// Takes away what was added before.
    const fn take(&mut self, other: Self) {
        self.requests -= other.requests;
        self.refused -= other.refused;
        self.reserved = self.reserved.saturating_sub(other.reserved);
        self.settled = self.settled.saturating_sub(other.settled);
    }

    /// Raises each number to the other's, where that is greater.
    fn raise_to(&mut self, other: Self) {
        self.requests = self.requests.max(other.requests);
        self.refused = self.refused.max(other.refused);
        self.reserved = self.reserved.max(other.reserved);
        self.settled = self.settled.max(other.settled);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outcome::{ClassIndex, EarlierAttempt, Gaps, ModelIndex};
    use crate::units::TokenUsage;

    /// A request that was sent at `sent`, in milliseconds, and answered three seconds later.
    fn answered(sent: u64) -> RequestRecord {
        let sent = Instant::from_millis(sent);
        RequestRecord {
            id: 0,
            class: ClassIndex(0),
            model: ModelIndex(0),
            due: sent,
            admitted: Some(sent),
            last_admitted: Some(sent),
            sent: Some(sent),
            first_token: None,
            gaps: Gaps::default(),
            finished: sent + Duration::from_secs(3),
            outcome: Outcome::Completed,
            message: None,
            attempts: 1,
            input_estimate: Tokens::ZERO,
            reserved: Tokens(100),
            usage: TokenUsage::default(),
            settled: Tokens(40),
            earlier: Vec::new(),
        }
    }

    fn observe(meter: &mut Meter, request: &RequestRecord) {
        meter.settle(request.finished, request.settled);
        meter.finish(request);
    }

    fn meter(seconds: u64, offset_seconds: u64) -> Meter {
        Meter::new(
            Duration::from_secs(seconds),
            Duration::from_secs(offset_seconds),
            Duration::ZERO,
        )
    }

    fn used(meter: Meter, seconds: u64) -> QuotaUse {
        let quota = Quota {
            rpm: Some(60),
            tpm: Some(6_000),
            ..Quota::default()
        };
        meter.quota_use("sonnet", quota, Duration::from_secs(seconds))
    }

    #[test]
    fn one_request_a_second_is_sixty_a_minute_by_every_measure() {
        let mut meter = meter(180, 0);
        (0..180).for_each(|second| observe(&mut meter, &answered(second * 1_000)));
        let used = used(meter, 180);
        assert_eq!(
            used.requests,
            DimensionUse {
                quota: Some(60),
                mean: 60.0,
                steady: Some(60.0),
                peak_clock_minute: 60,
                peak_sliding_minute: 60,
            }
        );
        assert_eq!(used.requests.steady_share(), Some(1.0));
        assert_eq!(used.reserved.peak_sliding_share(), Some(1.0));
        assert_eq!(used.tokens.steady_share(), Some(0.4));
        let settled: Vec<u64> = used.minutes.iter().map(|minute| minute.settled.0).collect();
        assert_eq!(settled, [57 * 40, 60 * 40, 60 * 40, 3 * 40]);
    }

    #[test]
    fn what_was_used_before_the_end_of_the_warm_up_does_not_count() {
        let second = Duration::from_secs;
        let mut meter = Meter::new(second(240), second(0), second(100));
        (0..240).for_each(|second| observe(&mut meter, &answered(second * 1_000)));
        let used = used(meter, 140);
        let requests: Vec<u64> = used.minutes.iter().map(|minute| minute.requests).collect();
        assert_eq!(requests, [0, 20, 60, 60, 0]);
        assert_eq!(used.requests.mean.round(), 60.0);
        assert_eq!(used.requests.steady, Some(60.0));
    }

    #[test]
    fn a_burst_across_the_turn_of_a_minute_shows_in_the_sliding_peak_only() {
        let mut meter = meter(120, 0);
        (50..70).for_each(|second| observe(&mut meter, &answered(second * 1_000)));
        let used = used(meter, 120);
        assert_eq!(used.requests.peak_clock_minute, 10);
        assert_eq!(used.requests.peak_sliding_minute, 20);
    }

    #[test]
    fn minutes_are_those_of_the_wall_clock() {
        let mut meter = meter(120, 50);
        (0..70).for_each(|second| observe(&mut meter, &answered(second * 1_000)));
        let requests: Vec<u64> = used(meter, 120)
            .minutes
            .iter()
            .map(|minute| minute.requests)
            .collect();
        assert_eq!(requests, [10, 60, 0]);
    }

    #[test]
    fn a_throttled_attempt_is_refused_in_the_second_in_which_it_was_sent() {
        let mut meter = meter(120, 0);
        let mut request = answered(61_000);
        request.attempts = 2;
        request.earlier = vec![EarlierAttempt {
            sent: Instant::from_millis(59_999),
            finished: Instant::from_millis(60_010),
            failure: Failure::ThrottledTokens,
        }];
        observe(&mut meter, &request);
        let minutes = used(meter, 120).minutes;
        assert_eq!(
            minutes[0],
            MinuteUse {
                refused: 1,
                ..MinuteUse::default()
            }
        );
        assert_eq!((minutes[1].requests, minutes[1].refused), (1, 0));
    }

    #[test]
    fn an_attempt_that_was_cut_off_counts_when_it_was_admitted() {
        let mut meter = meter(180, 0);
        let cut_off = RequestRecord {
            last_admitted: Some(Instant::from_secs(61)),
            outcome: Outcome::Cancelled,
            ..answered(61_000)
        };
        meter.finish(&RequestRecord {
            sent: None,
            ..cut_off.clone()
        });
        meter.finish(&RequestRecord {
            attempts: 2,
            sent: Some(Instant::from_secs(1)),
            earlier: vec![EarlierAttempt {
                sent: Instant::from_secs(1),
                finished: Instant::from_secs(2),
                failure: Failure::ThrottledRequests,
            }],
            ..cut_off
        });
        let minutes = used(meter, 180).minutes;
        assert_eq!((minutes[0].requests, minutes[0].refused), (0, 1));
        assert_eq!((minutes[1].requests, minutes[1].refused), (2, 0));
    }

    #[test]
    fn a_request_that_was_never_sent_uses_nothing() {
        let mut meter = meter(120, 0);
        let request = RequestRecord {
            last_admitted: None,
            sent: None,
            attempts: 0,
            ..answered(0)
        };
        meter.finish(&request);
        assert!(used(meter, 120).minutes.is_empty());
    }

    #[test]
    fn a_steady_minute_needs_a_run_of_two() {
        assert_eq!(used(meter(119, 0), 119).requests.steady, None);
        assert_eq!(used(meter(120, 59), 120).requests.steady, Some(0.0));
    }

    #[test]
    fn a_month_keeps_no_more_minutes_than_a_day() {
        let minutes = 30 * 1_440;
        let mut meter = meter(minutes * 60, 0);
        (0..minutes).for_each(|minute| observe(&mut meter, &answered(minute * 60_000)));
        let used = used(meter, minutes * 60);
        assert_eq!((used.minutes_per_entry, used.minutes.len()), (32, 1_350));
        assert!(used.minutes.iter().all(|entry| entry.requests == 32));
    }

    proptest! {
        #[test]
        fn no_clock_minute_exceeds_the_greatest_sliding_one(
            sent in prop::collection::vec(0_u64..1_500_000, 1..300),
            offset_ms in 0_u64..60_000,
        ) {
            let mut meter = Meter::new(
                Duration::from_secs(300), Duration::from_millis(offset_ms), Duration::ZERO);
            let mut requests: Vec<RequestRecord> = sent.iter().map(|&sent| answered(sent)).collect();
            requests.sort_by_key(|request| request.finished);
            requests.iter().for_each(|request| observe(&mut meter, request));
            let used = used(meter, 1_503);
            for dimension in [used.requests, used.tokens, used.reserved] {
                prop_assert!(dimension.peak_sliding_minute >= dimension.peak_clock_minute);
                prop_assert!(dimension.peak_clock_minute as f64 >= dimension.steady.unwrap_or(0.0) / 2.0);
            }
            let all: u64 = used.minutes.iter().map(|minute| minute.requests).sum();
            prop_assert_eq!(all, sent.len() as u64);
        }
    }
}
