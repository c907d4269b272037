//! The same traffic, more or less of it.
//!
//! Promises: a rate is multiplied, and its shape over time stays. Of a trace more is made by copies, less
//! by leaving some out: a trace that is replayed faster would have other minutes. What is left out at one
//! factor is left out at every smaller one, and a copy at one factor is there at every greater one, so
//! that factors can be compared.

use std::time::Duration;

use super::{ArrivalProcess, Profile, Step, TracePoint};
use crate::time::{Instant, nanos};
use crate::units::Rate;

/// How far a copy lies from what it is a copy of, at most, to either side: far enough that copies are no
/// bursts, near enough to keep the hour's shape.
const SHIFT_MAX: Duration = Duration::from_secs(30);

impl ArrivalProcess {
    /// The same process with `factor` times as many requests (workers, in a closed loop).
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        match self {
            Self::Open { profile, spacing } => Self::Open {
                profile: scaled_profile(profile, factor),
                spacing: *spacing,
            },
            Self::Trace { points, speed } => Self::Trace {
                points: copies(points, factor).into(),
                speed: *speed,
            },
            Self::ClosedLoop { workers, think } => Self::ClosedLoop {
                workers: ((f64::from(*workers) * factor).round() as u32).max(1),
                think: think.clone(),
            },
        }
    }
}

fn scaled_profile(profile: &Profile, factor: f64) -> Profile {
    let rate = |rate: Rate| scaled_rate(rate, factor);
    match profile {
        Profile::Constant(constant) => Profile::Constant(rate(*constant)),
        Profile::Ramp { from, to, over } => Profile::Ramp {
            from: rate(*from),
            to: rate(*to),
            over: *over,
        },
        Profile::Steps(steps) => {
            let scaled = |step: &Step| Step {
                rate: rate(step.rate),
                lasts: step.lasts,
            };
            Profile::Steps(steps.iter().map(scaled).collect())
        }
        Profile::Sine {
            mean,
            amplitude,
            period,
        } => Profile::Sine {
            mean: rate(*mean),
            amplitude: rate(*amplitude),
            period: *period,
        },
    }
}

/// A rate with a period so much shorter, kept to nine digits.
fn scaled_rate(rate: Rate, factor: f64) -> Rate {
    let mut events = rate.events;
    let mut period = rate.period_nanos as f64 / factor;
    while period < 1e9 && events > 0 && events < u64::MAX / 1_000 {
        events *= 1_000;
        period *= 1e3;
    }
    Rate {
        events,
        period_nanos: (period.round() as u64).max(1),
    }
}

fn copies(points: &[TracePoint], factor: f64) -> Vec<TracePoint> {
    let last = points.last().map_or(0, |point| point.at.as_nanos());
    let mut copies = Vec::with_capacity((points.len() as f64 * factor) as usize + 1);
    for (number, point) in (0_u64..).zip(points) {
        // A copy is there if its number, and a part of one that is this request's own, is below the factor.
        let own = fraction(mixed(number));
        let mut copy = 0_u64;
        while copy as f64 + own < factor {
            copies.push(TracePoint {
                at: if copy == 0 {
                    point.at
                } else {
                    shifted(point.at, mixed(number ^ copy.rotate_left(32)), last)
                },
                ..*point
            });
            copy += 1;
        }
    }
    copies.sort_by_key(|point| point.at);
    copies
}

/// An instant nearby, within the trace.
fn shifted(at: Instant, random: u64, last: u64) -> Instant {
    let most = nanos(SHIFT_MAX) as f64;
    let shift = (fraction(random) * 2.0 - 1.0) * most;
    let moved = (at.as_nanos() as f64 + shift).clamp(0.0, last as f64);
    Instant::from_nanos(moved as u64)
}

/// From 0 to below 1.
fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number whose bits look random: the finaliser of `SplitMix64` (Steele, Lea, Flood 2014).
const fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Spacing;
    use super::*;
    use crate::units::Tokens;

    fn trace(count: u64) -> Vec<TracePoint> {
        (0..count)
            .map(|second| TracePoint {
                at: Instant::from_secs(second),
                input: Tokens(second),
                output: Tokens(1),
                class: None,
            })
            .collect()
    }

    #[test]
    fn a_trace_has_as_many_requests_as_asked_for_and_keeps_those_it_had() {
        let points = trace(10_000);
        let count = |points: &[TracePoint]| {
            let mut by_request: BTreeMap<u64, u64> = BTreeMap::new();
            for point in points {
                *by_request.entry(point.input.0).or_default() += 1;
            }
            by_request
        };
        let mut before = BTreeMap::new();
        for factor in [0.1, 0.5, 1.0, 1.3, 2.0, 3.7] {
            let scaled = copies(&points, factor);
            let off = scaled.len() as f64 / (points.len() as f64 * factor) - 1.0;
            assert!(off.abs() < 0.05, "{factor}: {off}");
            assert!(scaled.is_sorted_by_key(|point| point.at));
            let now = count(&scaled);
            for (request, times) in &before {
                assert!(now.get(request) >= Some(times), "{factor}: {request}");
            }
            before = now;
        }
        assert_eq!(copies(&points, 1.0), points, "once is what was recorded");
    }

    #[test]
    fn a_rate_is_multiplied() {
        let rate = Rate {
            events: 1,
            period_nanos: 1_000_000_000,
        };
        for factor in [0.01, 0.333, 1.0, 7.0, 1_000.0] {
            let process = ArrivalProcess::Open {
                profile: Profile::Constant(rate),
                spacing: Spacing::Even,
            };
            let expected = process.scaled(factor).expected(Duration::from_secs(1_000));
            let off = expected.unwrap_or_default() / (1_000.0 * factor) - 1.0;
            assert!(off.abs() < 1e-6, "{factor}: {off}");
            let back = process.scaled(factor).scaled(1.0 / factor).scaled(1.0);
            let expected = back.expected(Duration::from_secs(1_000));
            let off = expected.unwrap_or_default() / 1_000.0 - 1.0;
            assert!(off.abs() < 1e-6, "{factor} and back: {off}");
        }
    }
}
