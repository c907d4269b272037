//! The client-side rate limiter of the AWS SDKs' adaptive retry mode.
//!
//! A bucket of requests, not of tokens, whose rate follows CUBIC: nothing is limited until the first
//! throttle; a throttle cuts the rate to 0.7 of what was measured; answers without one let it grow
//! again, slowly near the rate at which the last throttle came and faster beyond, up to twice what is
//! measured. Every attempt is delayed, first ones as well.
//!
//! Promises: the formulae are the published ones, in floating point as there, and the vectors of the
//! SDKs' own tests hold. State changes only when an attempt starts or ends, never by looking, and an
//! instant once told is exact: before it there is no admission, at it there is. Square and cube are
//! products and the cube root is Newton's, so that every machine computes the same bits.
//!
//! Deliberately not: the price of 5 or 10 that the Rust SDK puts on an attempt that is not the first;
//! an attempt costs 1 here, as in botocore and the Go SDK.
//!
//! Sources: boto/botocore, `botocore/retries/adaptive.py`, `throttling.py` and `bucket.py`;
//! smithy-lang/smithy-rs, `rust-runtime/aws-smithy-runtime/src/client/retries/client_rate_limiter.rs`
//! (formulae, constants and test vectors).

use std::time::Duration;

use crate::time::Instant;

/// What a throttle leaves of the rate.
const BETA: f64 = 0.7;
/// How fast the rate grows again.
const SCALE: f64 = 0.4;
/// The weight of the latest half second in the measured rate.
const SMOOTH: f64 = 0.8;
/// Requests per second that are always let through.
const MIN_FILL_RATE: f64 = 0.5;
/// Requests that the bucket always holds.
const MIN_CAPACITY: f64 = 1.0;
/// The rate is at most this many times the measured one.
const MOST_GROWTH: f64 = 2.0;

const HALF_SECOND_NANOS: u64 = 500_000_000;

/// A client's rate, in requests per second. See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct Adaptive {
    /// Whether there has been a throttle.
    enabled: bool,
    fill_rate: f64,
    capacity: f64,
    available: f64,
    /// When `available` was last brought up to date.
    refilled: Option<Instant>,
    /// Responses per second, smoothed.
    measured: f64,
    /// The half second in which it was last measured, counted from the start.
    half_second: u64,
    /// Responses since.
    responses: u32,
    /// The rate at which the last throttle came.
    max_rate: f64,
    last_throttle: Instant,
}

impl Adaptive {
    /// From when on an attempt may start if none ends meanwhile; none while nothing is limited.
    pub fn ready_at(&self) -> Option<Instant> {
        let refilled = self.refilled.filter(|_| self.enabled)?;
        let missing = (1.0 - self.available).max(0.0);
        let nanos = (missing / self.fill_rate * 1e9).ceil();
        Some(refilled + Duration::from_nanos(nanos as u64))
    }

    /// An attempt starts, not before [`Self::ready_at`].
    pub fn start(&mut self, now: Instant) {
        if self.enabled {
            self.refill(now);
            // What rounding to a nanosecond may have left short of one is no debt.
            self.available = (self.available - 1.0).max(0.0);
        }
    }

    /// An attempt was answered or has failed.
    pub fn respond(&mut self, now: Instant, throttled: bool) {
        self.measure(now);
        let rate = if throttled {
            self.max_rate = if self.enabled {
                self.measured.min(self.fill_rate)
            } else {
                self.measured
            };
            self.last_throttle = now;
            self.enabled = true;
            self.max_rate * BETA
        } else {
            self.grown(now)
        };
        let rate = rate.min(MOST_GROWTH * self.measured);
        self.refill(now);
        self.fill_rate = rate.max(MIN_FILL_RATE);
        self.capacity = rate.max(MIN_CAPACITY);
        self.available = self.available.min(self.capacity);
    }

    /// The rate that CUBIC gives at `now`, after the last throttle.
    fn grown(&self, now: Instant) -> f64 {
        let window = cube_root(self.max_rate * (1.0 - BETA) / SCALE);
        let since = seconds(now.since(self.last_throttle)) - window;
        SCALE * since * since * since + self.max_rate
    }

    fn measure(&mut self, now: Instant) {
        self.responses += 1;
        let half_second = now.as_nanos() / HALF_SECOND_NANOS;
        if half_second > self.half_second {
            let elapsed = (half_second - self.half_second) as f64 / 2.0;
            let latest = f64::from(self.responses) / elapsed;
            self.measured = latest * SMOOTH + self.measured * (1.0 - SMOOTH);
            self.responses = 0;
            self.half_second = half_second;
        }
    }

    fn refill(&mut self, now: Instant) {
        if let Some(refilled) = self.refilled {
            let gained = seconds(now.since(refilled)) * self.fill_rate;
            self.available = self.capacity.min(self.available + gained);
        }
        self.refilled = Some(self.refilled.map_or(now, |refilled| refilled.max(now)));
    }
}

fn seconds(length: Duration) -> f64 {
    length.as_secs_f64()
}

/// The cube root of a number that is not negative.
fn cube_root(of: f64) -> f64 {
    if of <= 0.0 {
        return 0.0;
    }
    let mut root = of.max(1.0);
    loop {
        let next = (2.0 * root + of / (root * root)) / 3.0;
        // From above, Newton's steps fall until rounding stops them.
        if next >= root {
            return root;
        }
        root = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tenths: u64) -> Instant {
        Instant::from_millis(tenths * 100)
    }

    fn assert_close(found: f64, expected: f64) {
        let off = (found - expected).abs();
        assert!(off <= 1e-9 * expected.max(1.0), "{found}, not {expected}");
    }

    fn throttled_at(max_rate: f64, last_throttle: Instant) -> Adaptive {
        Adaptive {
            max_rate,
            last_throttle,
            ..Adaptive::default()
        }
    }

    #[test]
    fn the_rate_grows_as_the_sdks_own_tests_say() {
        let adaptive = throttled_at(10.0, at(50));
        for (second, expected) in [
            (5, 7.0),
            (6, 9.648_936_009_66),
            (7, 10.000_030_849_917_364),
            (8, 10.453_284_520_772_092),
            (9, 13.408_697_022_224_185),
            (10, 21.266_268_354_273_64),
            (11, 36.425_998_516_920_465),
        ] {
            assert_close(adaptive.grown(Instant::from_secs(second)), expected);
        }
    }

    #[test]
    fn throttles_cut_it_as_the_sdks_own_tests_say() {
        let mut adaptive = throttled_at(10.0, at(50));
        let mut rate = 0.0;
        for (second, throttled, expected) in [
            (5, false, 7.0),
            (6, false, 9.648_936_009_66),
            (7, true, 6.754_255_206_761_999),
            (8, true, 4.727_978_644_733_399),
            (9, false, 4.670_125_557_970_046),
            (10, false, 4.770_870_456_867_401),
            (11, false, 6.011_819_748_005_445),
            (12, false, 10.792_973_431_384_178),
        ] {
            let now = Instant::from_secs(second);
            // The published test feeds each cut rate back as the rate of the throttle.
            rate = if throttled {
                adaptive.max_rate = rate * BETA;
                adaptive.last_throttle = now;
                rate * BETA
            } else {
                adaptive.grown(now)
            };
            assert_close(rate, expected);
        }
    }

    #[test]
    fn measured_and_fill_rates_are_those_of_the_sdks_own_tests() {
        let mut adaptive = Adaptive::default();
        for (tenths, throttled, measured, fill_rate) in [
            (2, false, 0.0, 0.5),
            (4, false, 0.0, 0.5),
            (6, false, 4.8, 0.5),
            (8, false, 4.8, 0.5),
            (10, false, 4.16, 0.5),
            (12, false, 4.16, 0.691_2),
            (14, false, 4.16, 1.097_6),
            (16, false, 5.632, 1.638_4),
            (18, false, 5.632, 2.332_8),
            (20, true, 4.326_4, 3.028_48),
            (22, false, 4.326_4, 3.486_639_173_470_26),
            (24, false, 4.326_4, 3.821_874_416_040_255),
            (26, false, 5.665_28, 4.053_385_727_709_987),
            (28, false, 5.665_28, 4.200_373_108_479_454),
            (30, false, 4.333_056, 4.282_036_558_348_658),
            (32, true, 4.333_056, 2.997_425_590_844_06),
            (34, false, 4.333_056, 3.452_226_394_386_346_3),
        ] {
            adaptive.respond(at(tenths), throttled);
            assert_close(adaptive.measured, measured);
            assert_close(adaptive.fill_rate, fill_rate);
        }
    }

    #[test]
    fn nothing_is_limited_before_the_first_throttle() {
        let mut adaptive = Adaptive::default();
        for tenths in 0..100 {
            adaptive.start(at(tenths));
            adaptive.respond(at(tenths), false);
            assert_eq!(adaptive.ready_at(), None);
        }
        adaptive.respond(at(100), true);
        assert!(adaptive.ready_at().is_some());
    }

    #[test]
    fn at_the_least_an_attempt_goes_every_two_seconds() {
        let mut adaptive = Adaptive::default();
        // Throttled before anything was measured.
        adaptive.respond(at(0), true);
        for attempt in 1..=5 {
            let due = at(20 * attempt);
            assert_eq!(adaptive.ready_at(), Some(due));
            adaptive.start(due);
        }
    }

    #[test]
    fn a_cube_root_is_one() {
        for number in [0.0, 1e-6, 0.5, 1.0, 7.5, 27.0, 1e12] {
            let root = cube_root(number);
            assert_close(root * root * root, number);
        }
    }
}
