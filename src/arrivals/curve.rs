//! A rate over time as its integral: how many requests are due by a time, and the time by which so
//! many are due.
//!
//! Times are nanoseconds and rates are requests per nanosecond here, both as `f64`: whole
//! nanoseconds are exact up to 104 days.
//!
//! Promises: the inverse takes no longer over stretches where the rate is zero (a request that falls
//! on one is due when the rate rises again, or never), and loses no precision where the rate comes
//! close to zero.

use super::pieces::Pieces;
use super::sine::Sine;
use super::{Profile, Step};
use crate::time::nanos;
use crate::units::Rate;

/// The integral of a [`Profile`].
#[derive(Clone, Debug)]
pub(super) enum Curve {
    /// Rates that change in straight lines, and jump.
    Pieces(Pieces),
    /// A rate that swings.
    Sine(Sine),
}

impl Curve {
    pub(super) fn new(profile: &Profile) -> Self {
        let mut pieces = Pieces::default();
        match *profile {
            Profile::Constant(rate) => pieces.go_on(per_nano(rate)),
            Profile::Ramp { from, to, over } => {
                pieces.push(per_nano(from), per_nano(to), nanos(over) as f64);
                pieces.go_on(per_nano(to));
            }
            Profile::Steps(ref steps) => {
                for &Step { rate, lasts } in steps {
                    pieces.push(per_nano(rate), per_nano(rate), nanos(lasts) as f64);
                }
                pieces.go_on(steps.last().map_or(0.0, |step| per_nano(step.rate)));
            }
            Profile::Sine {
                mean,
                amplitude,
                period,
            } => {
                if mean.events > 0 && !period.is_zero() {
                    let (mean, amplitude) = (per_nano(mean), per_nano(amplitude));
                    return Self::Sine(Sine::new(mean, amplitude, nanos(period) as f64));
                }
                pieces.go_on(per_nano(mean));
            }
        }
        Self::Pieces(pieces)
    }

    /// The number of requests that are due before `time`.
    pub(super) fn count_by(&self, time: f64) -> f64 {
        match self {
            Self::Pieces(pieces) => pieces.count_by(time),
            Self::Sine(sine) => sine.count_by(time),
        }
    }

    /// The last time by which no more than `count` requests are due; `None` if there never are more.
    ///
    /// `count` must not be below that of an earlier call: pieces that were passed are forgotten.
    #[inline]
    pub(super) fn time_of(&mut self, count: f64) -> Option<f64> {
        match self {
            Self::Pieces(pieces) => pieces.time_of(count),
            Self::Sine(sine) => Some(sine.time_of(count)),
        }
    }

    /// The highest rate before `time`.
    pub(super) fn peak_by(&self, time: f64) -> f64 {
        match self {
            Self::Pieces(pieces) => pieces.peak_by(time),
            Self::Sine(sine) => sine.peak_by(time),
        }
    }
}

fn per_nano(rate: Rate) -> f64 {
    rate.events as f64 / rate.period_nanos as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::time::NANOS_PER_SECOND;

    const SECOND: f64 = NANOS_PER_SECOND as f64;

    fn per_second(events: u64) -> Rate {
        Rate {
            events,
            period_nanos: NANOS_PER_SECOND,
        }
    }

    fn steps(steps: &[(u64, u64)]) -> Curve {
        let step = |&(rate, secs)| Step {
            rate: per_second(rate),
            lasts: Duration::from_secs(secs),
        };
        Curve::new(&Profile::Steps(steps.iter().map(step).collect()))
    }

    fn ramp(from: u64, to: u64, secs: u64) -> Curve {
        let over = Duration::from_secs(secs);
        Curve::new(&Profile::Ramp {
            from: per_second(from),
            to: per_second(to),
            over,
        })
    }

    fn sine(mean: u64, amplitude: u64, secs: u64) -> Curve {
        let period = Duration::from_secs(secs);
        let (mean, amplitude) = (per_second(mean), per_second(amplitude));
        Curve::new(&Profile::Sine {
            mean,
            amplitude,
            period,
        })
    }

    fn seconds(curve: &mut Curve, count: f64) -> Option<f64> {
        curve
            .time_of(count)
            .map(|nanos| (nanos / SECOND * 1e9).round() / 1e9)
    }

    #[test]
    fn a_request_that_falls_on_a_stretch_of_rate_zero_waits_for_its_end() {
        let mut curve = steps(&[(0, 5), (1, 10), (0, 5), (0, 5), (1, 10), (0, 1)]);
        let times = [0.0, 9.0, 10.0, 19.0, 20.0, 1e9].map(|count| seconds(&mut curve, count));
        assert_eq!(
            times,
            [Some(5.0), Some(14.0), Some(25.0), Some(34.0), None, None]
        );
    }

    #[test]
    fn no_requests_ever_are_due_at_rate_zero() {
        for mut curve in [
            steps(&[]),
            steps(&[(0, 10)]),
            ramp(0, 0, 10),
            sine(0, 0, 10),
        ] {
            assert_eq!(curve.time_of(0.0), None);
            assert_eq!(curve.count_by(1e12), 0.0);
            assert_eq!(curve.peak_by(1e12), 0.0);
        }
    }

    #[test]
    fn thirds_of_a_request_add_up_to_whole_ones() {
        let third = Rate {
            events: 1,
            period_nanos: 3 * NANOS_PER_SECOND,
        };
        let step = |rate, secs| Step {
            rate,
            lasts: Duration::from_secs(secs),
        };
        let mut pieces = vec![step(third, 10); 3];
        pieces.extend([step(per_second(0), 30), step(third, 30)]);
        let mut curve = Curve::new(&Profile::Steps(pieces));
        assert_eq!(seconds(&mut curve, 9.0), Some(27.0));
        assert_eq!(seconds(&mut curve, 10.0), Some(60.0));
    }

    #[test]
    fn a_ramp_is_a_parabola_and_then_a_line() {
        let mut up = ramp(0, 100, 100);
        let times = [0.0, 50.0, 4_999.0, 5_000.0, 5_100.0].map(|count| seconds(&mut up, count));
        assert_eq!(times, [0.0, 10.0, 99.989_999_5, 100.0, 101.0].map(Some));
        let mut down = ramp(100, 0, 100);
        let times = [0.0, 4_950.0, 4_999.5, 5_000.0].map(|count| seconds(&mut down, count));
        assert_eq!(times, [Some(0.0), Some(90.0), Some(99.0), None]);
    }

    #[test]
    fn an_hours_ramp_down_to_zero_is_exact_to_its_last_request() {
        let mut down = ramp(1_000, 0, 3_600);
        // The last request is one request away from the end: τ = √(2 / slope).
        let end = 3_600.0 - (2.0 * 3_600.0 / 1_000.0_f64).sqrt();
        let time = down.time_of(1_799_999.0).unwrap();
        assert!((time - end * SECOND).abs() < 10.0, "{time}");
    }

    #[test]
    fn peaks_are_the_highest_rates_that_are_reached() {
        let peak = |curve: Curve, secs: f64| (curve.peak_by(secs * SECOND) * SECOND).round();
        assert_eq!(peak(steps(&[(1, 10), (50, 10), (2, 10)]), 10.0), 1.0);
        assert_eq!(peak(steps(&[(1, 10), (50, 10), (2, 10)]), 60.0), 50.0);
        assert_eq!(peak(ramp(0, 100, 100), 40.0), 40.0);
        assert_eq!(peak(ramp(0, 100, 100), 400.0), 100.0);
        assert_eq!(peak(ramp(100, 0, 100), 400.0), 100.0);
        assert_eq!(peak(sine(100, 50, 40), 400.0), 150.0);
        assert_eq!(peak(sine(100, 100, 60), 5.0), 150.0);
    }

    fn any_curve() -> impl Strategy<Value = Curve> {
        prop_oneof![
            (0..2_000_u64, 1..2_000_u64, 1..5_000_u64)
                .prop_map(|(from, to, over)| ramp(from, to, over)),
            (1..2_000_u64, 0..=100_u64, 1..5_000_u64).prop_map(|(mean, percent, period)| sine(
                mean,
                mean * percent / 100,
                period
            )),
            prop::collection::vec((1..2_000_u64, 1..5_000_u64), 1..6).prop_map(|list| steps(&list)),
        ]
    }

    proptest! {
        #[test]
        fn the_two_directions_agree_over_hours(
            mut curve in any_curve(),
            mut times in prop::collection::vec(0.0..20_000.0 * SECOND, 1..50),
        ) {
            times.sort_by(f64::total_cmp);
            for time in times {
                let count = curve.count_by(time);
                let back = curve.time_of(count).unwrap();
                let count_back = curve.count_by(back);
                // A ramp is solved from its slow end, which costs a rounding of its whole count.
                prop_assert!((count_back - count).abs() <= 1e-9_f64.max(1e-13 * count));
            }
        }
    }
}
