//! The due times of one run.
//!
//! Deliberately not: a list. A schedule holds its place and a generator, whatever the run's length.

use std::sync::Arc;

use super::curve::Curve;
use super::points::Points;
use super::{ArrivalProcess, Profile, Spacing, TracePoint, replayed};
use crate::outcome::ClassIndex;
use crate::rng::{Seed, Stream};
use crate::time::Instant;
use crate::units::{Rate, Tokens};

/// A request that becomes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Instant,
    /// Its input and output tokens, where a trace recorded them.
    pub lengths: Option<(Tokens, Tokens)>,
    /// Its prompt class, where a trace recorded it.
    pub class: Option<ClassIndex>,
}

/// The due times of one run: an iterator over [`Due`], in order of time.
#[derive(Clone, Debug)]
pub struct Schedule {
    times: Times,
    /// The end of the run; nothing is due at it or later.
    end: Instant,
}

#[derive(Clone, Debug)]
enum Times {
    Never,
    Exact(Exact),
    Mapped {
        points: Points,
        curve: Curve,
        last: Instant,
    },
    Recorded {
        points: Arc<[TracePoint]>,
        next: usize,
        speed: f64,
    },
}

impl Schedule {
    pub(super) fn new(process: &ArrivalProcess, seed: Seed, end: Instant) -> Self {
        let times = match process {
            ArrivalProcess::Open {
                profile: Profile::Constant(rate),
                spacing: Spacing::Even,
            } => Exact::new(*rate).map_or(Times::Never, Times::Exact),
            ArrivalProcess::Open { profile, spacing } => Times::Mapped {
                points: Points::new(*spacing, seed.stream(Stream::Arrivals)),
                curve: Curve::new(profile),
                last: Instant::ZERO,
            },
            ArrivalProcess::Trace { points, speed } => Times::Recorded {
                points: Arc::clone(points),
                next: 0,
                speed: *speed,
            },
            ArrivalProcess::ClosedLoop { .. } => Times::Never,
        };
        Self { times, end }
    }
}

impl Iterator for Schedule {
    type Item = Due;

    #[inline]
    fn next(&mut self) -> Option<Due> {
        let due = match &mut self.times {
            Times::Never => return None,
            Times::Exact(exact) => Due {
                at: exact.next(),
                lengths: None,
                class: None,
            },
            Times::Mapped {
                points,
                curve,
                last,
            } => {
                let nanos = curve.time_of(points.next())?.round();
                // Rounding inside the curve must not let a time fall by a nanosecond.
                *last = Instant::from_nanos(nanos as u64).max(*last);
                Due {
                    at: *last,
                    lengths: None,
                    class: None,
                }
            }
            Times::Recorded {
                points,
                next,
                speed,
            } => {
                let point = points.get(*next)?;
                *next += 1;
                let lengths = Some((point.input, point.output));
                Due {
                    at: replayed(point.at, *speed),
                    lengths,
                    class: point.class,
                }
            }
        };
        (due.at < self.end).then_some(due)
    }
}

/// The times `floor(k · period / events)` nanoseconds for k = 0, 1, …, by adding quotient and
/// remainder: exact for ever, and without a division for each.
#[derive(Clone, Debug)]
struct Exact {
    nanos: u64,
    /// The fraction that was cut off, in parts of `events`.
    fraction: u64,
    rate: Rate,
}

impl Exact {
    fn new(rate: Rate) -> Option<Self> {
        (rate.events > 0).then_some(Self {
            nanos: 0,
            fraction: 0,
            rate,
        })
    }

    #[inline]
    fn next(&mut self) -> Instant {
        let now = Instant::from_nanos(self.nanos);
        let Rate {
            events,
            period_nanos,
        } = self.rate;
        let fraction = u128::from(self.fraction) + u128::from(period_nanos % events);
        let carry = fraction >= u128::from(events);
        self.fraction = (fraction - if carry { u128::from(events) } else { 0 }) as u64;
        self.nanos = self
            .nanos
            .saturating_add(period_nanos / events)
            .saturating_add(carry.into());
        now
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::Step;
    use super::*;
    use crate::distribution::Distribution;
    use crate::time::{NANOS_PER_MINUTE, NANOS_PER_SECOND, nanos};

    fn rate(events: u64, period_nanos: u64) -> Rate {
        Rate {
            events,
            period_nanos,
        }
    }

    fn per_second(events: u64) -> Rate {
        rate(events, NANOS_PER_SECOND)
    }

    fn constant(rate: Rate, spacing: Spacing) -> ArrivalProcess {
        ArrivalProcess::Open {
            profile: Profile::Constant(rate),
            spacing,
        }
    }

    fn times(process: &ArrivalProcess, duration: Duration) -> Vec<u64> {
        process
            .schedule(Seed(7), duration)
            .map(|due| due.at.as_nanos())
            .collect()
    }

    #[test]
    fn even_times_at_a_constant_rate_are_exact_fractions() {
        for rate in [
            rate(7, NANOS_PER_MINUTE),
            rate(1, NANOS_PER_MINUTE),
            per_second(3),
            rate(999_983, NANOS_PER_SECOND),
            per_second(1_000_000),
            rate(3, 2),
            rate(5, 86_400 * NANOS_PER_SECOND),
        ] {
            let process = constant(rate, Spacing::Even);
            for (k, due) in process
                .schedule(Seed(7), Duration::MAX)
                .take(100_000)
                .enumerate()
            {
                let exact = k as u128 * u128::from(rate.period_nanos) / u128::from(rate.events);
                assert_eq!(
                    u128::from(due.at.as_nanos()),
                    exact,
                    "request {k} at {rate:?}"
                );
            }
        }
    }

    #[test]
    fn seven_a_minute_is_seven_in_each_minute() {
        let due = times(
            &constant(rate(7, NANOS_PER_MINUTE), Spacing::Even),
            Duration::from_secs(600),
        );
        assert_eq!(due.len(), 70);
        assert_eq!(due[..3], [0, 8_571_428_571, 17_142_857_142]);
        assert_eq!(due[7], NANOS_PER_MINUTE);
    }

    #[test]
    fn a_closed_loop_and_a_rate_of_zero_have_no_due_times() {
        let think = Distribution::Constant(5);
        let process = ArrivalProcess::ClosedLoop {
            workers: 3,
            think: think.clone(),
        };
        assert_eq!(
            process.schedule(Seed(7), Duration::from_secs(60)).next(),
            None
        );
        assert_eq!(process.closed_loop(), Some((3, &think)));
        assert_eq!(process.expected(Duration::from_secs(60)), None);
        for spacing in [Spacing::Even, Spacing::Poisson, Spacing::Gamma { cv: 4.0 }] {
            let process = constant(per_second(0), spacing);
            assert_eq!(
                process.schedule(Seed(7), Duration::from_secs(60)).next(),
                None
            );
            assert_eq!(process.expected(Duration::from_secs(60)), Some(0.0));
        }
    }

    #[test]
    fn a_trace_is_replayed_at_its_speed_and_cut_off() {
        let point = |at, input| TracePoint {
            at: Instant::from_millis(at),
            input: Tokens(input),
            output: Tokens(1),
            class: None,
        };
        let points: Arc<[_]> = [
            point(0, 10),
            point(500, 20),
            point(500, 30),
            point(4_000, 40),
        ]
        .into();
        let process = ArrivalProcess::Trace { points, speed: 2.0 };
        let due: Vec<_> = process.schedule(Seed(7), Duration::from_secs(2)).collect();
        let due_at = |millis, input| Due {
            at: Instant::from_millis(millis),
            lengths: Some((Tokens(input), Tokens(1))),
            class: None,
        };
        assert_eq!(due, [due_at(0, 10), due_at(250, 20), due_at(250, 30)]);
        assert_eq!(process.expected(Duration::from_secs(2)), Some(3.0));
    }

    /// Variance over mean of the counts in windows that hold ten requests on average.
    fn dispersion(process: &ArrivalProcess, windows: usize, window: Duration) -> f64 {
        let mut counts = vec![0_u32; windows];
        for at in times(process, window * windows as u32) {
            counts[(at / nanos(window)) as usize] += 1;
        }
        let mean = counts.iter().sum::<u32>() as f64 / windows as f64;
        let squares = counts
            .iter()
            .map(|&count| (f64::from(count) - mean).powi(2));
        squares.sum::<f64>() / (windows - 1) as f64 / mean
    }

    #[test]
    fn poisson_counts_have_a_dispersion_of_one_at_any_rate() {
        for events in [1, 6, 60, 600, 6_000, 60_000] {
            let process = constant(rate(events, NANOS_PER_MINUTE), Spacing::Poisson);
            let window = Duration::from_nanos(10 * NANOS_PER_MINUTE / events);
            let index = dispersion(&process, 8_000, window);
            assert!((0.9..1.1).contains(&index), "{events}/min: {index}");
        }
    }

    #[test]
    fn gamma_times_are_as_bursty_as_asked_for() {
        let process = constant(per_second(100), Spacing::Gamma { cv: 4.0 });
        let due = times(&process, Duration::from_secs(4_000));
        let gaps: Vec<f64> = due
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f64)
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        let cv = variance.sqrt() / mean;
        assert!((3.7..4.3).contains(&cv), "{cv}");
        assert!((mean / 1e7 - 1.0).abs() < 0.03, "{mean}");
    }

    fn profiles() -> Vec<Profile> {
        let step = |events, secs| Step {
            rate: per_second(events),
            lasts: Duration::from_secs(secs),
        };
        let (ten, hundred) = (per_second(10), per_second(100));
        vec![
            Profile::Constant(rate(1_000, 7 * NANOS_PER_SECOND)),
            Profile::Ramp {
                from: per_second(0),
                to: hundred,
                over: Duration::from_secs(120),
            },
            Profile::Ramp {
                from: hundred,
                to: per_second(0),
                over: Duration::from_secs(120),
            },
            Profile::Steps(vec![
                step(0, 7),
                step(50, 33),
                step(0, 20),
                step(5, 40),
                step(80, 10),
            ]),
            Profile::Sine {
                mean: hundred,
                amplitude: hundred,
                period: Duration::from_secs(37),
            },
            Profile::Sine {
                mean: ten,
                amplitude: per_second(3),
                period: Duration::from_secs(3_600),
            },
        ]
    }

    #[test]
    fn counts_follow_the_integral_of_the_rate_in_every_window() {
        let (length, window) = (Duration::from_secs(180), Duration::from_millis(4_500));
        for profile in profiles() {
            for (spacing, sigmas) in [(Spacing::Even, 0.0), (Spacing::Poisson, 4.5)] {
                let process = ArrivalProcess::Open {
                    profile: profile.clone(),
                    spacing,
                };
                let due = times(&process, length);
                for k in 0..40 {
                    let (from, to) = (window * k, window * (k + 1));
                    let inside = |at: &&u64| (nanos(from)..nanos(to)).contains(*at);
                    let count = due.iter().filter(inside).count() as f64;
                    let expected = process.expected(to).unwrap() - process.expected(from).unwrap();
                    let allowed = 1.0 + 1e-6 + sigmas * expected.sqrt();
                    let told = format!("{profile:?} {spacing:?} {from:?}: {count}, {expected}");
                    assert!((count - expected).abs() <= allowed, "{told}");
                }
            }
        }
    }

    #[test]
    fn an_hour_at_a_thousand_a_second_is_exact_without_integers_too() {
        let hour = Duration::from_secs(3_600);
        let step = Step {
            rate: per_second(1_000),
            lasts: hour,
        };
        let steps = ArrivalProcess::Open {
            profile: Profile::Steps(vec![step]),
            spacing: Spacing::Even,
        };
        let exact = times(&constant(per_second(1_000), Spacing::Even), hour);
        let mapped = times(&steps, hour);
        assert_eq!(exact.len(), mapped.len());
        assert_eq!(
            exact.iter().zip(&mapped).map(|(a, b)| a.abs_diff(*b)).max(),
            Some(0)
        );
    }

    fn any_process() -> impl Strategy<Value = ArrivalProcess> {
        let spacing = prop_oneof![
            Just(Spacing::Even),
            Just(Spacing::Poisson),
            (0.05..8.0_f64).prop_map(|cv| Spacing::Gamma { cv }),
        ];
        (prop::sample::select(profiles()), spacing)
            .prop_map(|(profile, spacing)| ArrivalProcess::Open { profile, spacing })
    }

    proptest! {
        #[test]
        fn even_counts_are_the_duration_times_the_rate_rounded_up(
            events in 1..2_000_u64,
            period_nanos in 1_000_000..NANOS_PER_MINUTE,
            length in 0..10_000_000_000_u64,
        ) {
            let process = constant(rate(events, period_nanos), Spacing::Even);
            let expected = (u128::from(length) * u128::from(events)).div_ceil(period_nanos.into());
            prop_assume!(expected < 100_000);
            prop_assert_eq!(times(&process, Duration::from_nanos(length)).len() as u128, expected);
        }

        #[test]
        fn times_do_not_fall_and_end_before_the_duration(
            process in any_process(),
            seed: u64,
            millis in 0..200_000_u64,
        ) {
            let length = Duration::from_millis(millis);
            let due: Vec<_> = process.schedule(Seed(seed), length).map(|due| due.at).collect();
            prop_assert!(due.is_sorted());
            prop_assert!(due.last().is_none_or(|&last| last < Instant::ZERO + length));
        }

        #[test]
        fn a_longer_run_begins_like_a_shorter_one_and_stays_ended(
            process in any_process(),
            seed: u64,
            millis in 0..100_000_u64,
        ) {
            let length = Duration::from_millis(millis);
            let mut short = process.schedule(Seed(seed), length);
            let mut long = process.schedule(Seed(seed), length * 2);
            for due in short.by_ref() {
                prop_assert_eq!(Some(due), long.clone().next());
                long.next();
            }
            prop_assert_eq!(short.next(), None);
            prop_assert!(long.next().is_none_or(|due| due.at >= Instant::ZERO + length));
        }
    }
}
