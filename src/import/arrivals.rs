//! When requests came: rates over time, and how unevenly requests lie within them.
//!
//! Deliberately not: weekdays. A recording of days becomes one mean day, and says how much busier the
//! busiest was.

use std::fmt::Write as _;

use super::recording::Record;

const HOUR_S: f64 = 3_600.0;
const DAY_S: f64 = 86_400.0;

/// A recording of this length or more is folded into one day.
const FOLDED_FROM_S: f64 = 2.0 * DAY_S;

/// Steps of a profile, at most.
const STEPS_MAX: f64 = 96.0;

/// Lengths of a step, in seconds.
const STEP_LENGTHS_S: [f64; 8] = [1.0, 10.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0];

/// Requests in a window, on average, for their count to tell how bursty arrivals are.
const WINDOW_REQUESTS: f64 = 10.0;

/// Windows fewer than this say nothing.
const WINDOWS_MIN: f64 = 30.0;

/// Rates over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Requests a second, step by step.
    pub rates: Vec<f64>,
    /// How long a step lasts, in seconds.
    pub step_s: f64,
    /// Standard deviation of the gaps between requests over their mean.
    pub cv: f64,
    /// What there is to say about it.
    pub notes: Vec<String>,
}

impl Profile {
    /// The profile of requests in order of time.
    pub fn of(records: &[Record]) -> Self {
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return Self {
                rates: Vec::new(),
                step_s: 1.0,
                cv: 1.0,
                notes: Vec::new(),
            };
        };
        let begin = first.at;
        // The last request is within the recording, and not its end.
        let seconds = ((last.at - begin) as f64 / 1e9).max(1.0) + 1e-9;
        let times = || {
            records
                .iter()
                .map(|record| ((record.at - begin) as f64 / 1e9, 1.0))
        };
        let mut profile = if seconds < FOLDED_FROM_S {
            Self::straight(times, seconds, 0.0)
        } else {
            Self::folded(times, begin as f64 / 1e9, seconds)
        };
        let step_s = profile.step_s;
        if seconds < FOLDED_FROM_S {
            profile.measure_cv(times, seconds, |at| (at / step_s) as usize);
        } else {
            profile.measure_cv(times, seconds, |at| hour_of(begin as f64 / 1e9 + at));
        }
        profile
    }

    /// The profile of sums over periods; how requests lie within one is not known.
    pub(super) fn of_sums<I: Iterator<Item = (f64, f64)>>(
        times: impl Fn() -> I,
        begin_s: f64,
        seconds: f64,
        period_s: f64,
    ) -> Self {
        let mut profile = if seconds < FOLDED_FROM_S {
            Self::straight(times, seconds, period_s)
        } else {
            Self::folded(times, begin_s, seconds)
        };
        profile.cv = 1.0;
        profile
    }

    /// A short recording, from its beginning to its end.
    fn straight<I: Iterator<Item = (f64, f64)>>(
        times: impl Fn() -> I,
        seconds: f64,
        least_s: f64,
    ) -> Self {
        let fits = |length: &&f64| seconds / **length <= STEPS_MAX && **length >= least_s;
        let step_s = *STEP_LENGTHS_S.iter().find(fits).unwrap_or(&HOUR_S);
        let steps = (seconds / step_s).ceil().max(1.0) as usize;
        let mut counts = vec![0.0; steps];
        for (at, weight) in times() {
            counts[((at / step_s) as usize).min(steps - 1)] += weight;
        }
        let lasts = |step: usize| (seconds - step as f64 * step_s).min(step_s);
        let rates = (0..)
            .zip(&counts)
            .map(|(step, count)| count / lasts(step))
            .collect();
        Self {
            rates,
            step_s,
            cv: 1.0,
            notes: Vec::new(),
        }
    }

    /// A long recording as the mean of its days, hour by hour (UTC).
    fn folded<I: Iterator<Item = (f64, f64)>>(
        times: impl Fn() -> I,
        begin_s: f64,
        seconds: f64,
    ) -> Self {
        let mut counts = [0.0; 24];
        let mut days = vec![0.0; (seconds / DAY_S).ceil() as usize + 1];
        let first_day = (begin_s / DAY_S).floor();
        for (at, weight) in times() {
            counts[hour_of(begin_s + at)] += weight;
            let day = ((begin_s + at) / DAY_S).floor() - first_day;
            let last = days.len() - 1;
            days[(day as usize).min(last)] += weight;
        }
        let mut lasted = [0.0; 24];
        let mut at = 0.0;
        while at < seconds {
            let left = HOUR_S - (begin_s + at).rem_euclid(HOUR_S);
            let part = left.min(seconds - at).max(1e-6);
            lasted[hour_of(begin_s + at)] += part;
            at += part;
        }
        let rates: Vec<f64> = counts
            .iter()
            .zip(lasted)
            .map(|(count, lasted)| count / f64::max(lasted, 1e-9))
            .collect();
        let mean_day = rates.iter().sum::<f64>() * HOUR_S;
        let busiest = days.iter().copied().fold(0.0, f64::max) / mean_day.max(1e-9);
        Self {
            rates,
            step_s: HOUR_S,
            cv: 1.0,
            notes: vec![format!(
                "{:.1} days were folded into one, hour by hour (UTC); the busiest day had {busiest:.2} times \
                 the requests of this mean day (`bedload plan --load {busiest:.2}`)",
                seconds / DAY_S
            )],
        }
    }

    /// Finds the coefficient of variation of gaps from how much counts in windows vary: in a renewal
    /// process, the variance of a long window's count over its mean tends to the square of it. Unlike
    /// gaps, counts do not mind that recordings often round times to a second.
    ///
    /// Source: D. R. Cox, "Renewal Theory" (1962), section 4.5.
    fn measure_cv<I: Iterator<Item = (f64, f64)>>(
        &mut self,
        times: impl Fn() -> I,
        seconds: f64,
        step_of: impl Fn(f64) -> usize,
    ) {
        let total: f64 = times().map(|(_, weight)| weight).sum();
        let window = (WINDOW_REQUESTS * seconds / total.max(1.0)).max(1.0).ceil();
        let windows = (seconds / window).floor();
        if windows < WINDOWS_MIN {
            self.notes.push(format!(
                "{total:.0} requests are too few to tell how bursty they come: taken as a Poisson process"
            ));
            return;
        }
        let mut counts = vec![0.0; windows as usize];
        for (at, weight) in times() {
            if let Some(count) = counts.get_mut((at / window) as usize) {
                *count += weight;
            }
        }
        let last = self.rates.len() - 1;
        let (mut squares, mut expected) = (0.0, 0.0);
        for (place, count) in counts.iter().enumerate() {
            let middle = (place as f64 + 0.5) * window;
            let mean = self.rates[step_of(middle).min(last)] * window;
            squares += (count - mean).powi(2);
            expected += mean;
        }
        // Each step's rate is from the same counts, which costs a degree of freedom.
        let used =
            (self.rates.iter().filter(|rate| **rate > 0.0).count() as f64).min(windows / 2.0);
        let dispersion = squares / expected.max(1e-9) * windows / (windows - used);
        self.cv = (dispersion.sqrt() * 100.0).round().clamp(5.0, 3_000.0) / 100.0;
        self.notes.push(format!(
            "counts in windows of {window:.0} s have {dispersion:.2} times the variance of a Poisson process: \
             gaps with a coefficient of variation of {:.2}",
            self.cv
        ));
    }

    /// How long it goes on.
    pub(super) fn seconds(&self) -> u64 {
        (self.rates.len() as f64 * self.step_s).ceil() as u64
    }

    /// As a table of a scenario.
    pub(super) fn toml(&self) -> String {
        let mut text = String::from("[arrivals.steps]\n");
        let _written = writeln!(text, "spacing = \"gamma\"\ncv = {:?}\nsteps = [", self.cv);
        // Neighbours of one rate are one step.
        let mut rest = self.rates.as_slice();
        while let Some(first) = rest.first() {
            let shown = rate(*first);
            let same = rest.iter().take_while(|next| rate(**next) == shown).count();
            let lasts = same as f64 * self.step_s;
            let _written = writeln!(text, "  {{ rate = \"{shown}\", lasts = \"{lasts:.0}s\" }},");
            rest = &rest[same..];
        }
        text.push_str("]\n");
        text
    }
}

/// The hour of a day, UTC.
fn hour_of(seconds: f64) -> usize {
    (seconds.rem_euclid(DAY_S) / HOUR_S) as usize % 24
}

/// A rate as scenarios write it.
fn rate(per_second: f64) -> String {
    let (value, unit) = match per_second {
        rate if rate >= 1.0 => (rate, "s"),
        rate if rate * 60.0 >= 1.0 => (rate * 60.0, "min"),
        rate => (rate * 3_600.0, "h"),
    };
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}/{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrivals::{ArrivalProcess, Profile as Rates, Spacing};
    use crate::rng::Seed;
    use crate::units::Rate;
    use std::time::Duration;

    fn made(cv: f64, per_second: u64, seconds: u64) -> Vec<Record> {
        let process = ArrivalProcess::Open {
            profile: Rates::Constant(Rate {
                events: per_second,
                period_nanos: 1_000_000_000,
            }),
            spacing: Spacing::Gamma { cv },
        };
        let schedule = process.schedule(Seed(3), Duration::from_secs(seconds));
        schedule
            .map(|due| Record {
                // As a log writes it: to the second.
                at: (due.at.as_nanos() / 1_000_000_000 * 1_000_000_000) as i64,
                input: 1,
                output: 1,
                max_tokens: 0,
                model: 0,
                key: 0,
            })
            .collect()
    }

    #[test]
    fn burstiness_is_found_again_though_times_are_rounded() {
        for cv in [0.5, 1.0, 3.0] {
            let records = made(cv, 20, 7_000);
            let found = Profile::of(&records);
            assert!(
                (found.cv / cv - 1.0).abs() < 0.2,
                "{cv} was found as {}",
                found.cv
            );
            let mean = found.rates.iter().sum::<f64>() / found.rates.len() as f64;
            assert!((mean / 20.0 - 1.0).abs() < 0.1, "{mean}");
        }
    }

    #[test]
    fn days_are_folded_into_one() {
        // From 06:00 on, three days; 1/s by day (08:00 to 20:00), nothing at night.
        let begin = 6 * 3_600;
        let by_day = |second: &i64| (8..20).contains(&((second / 3_600) % 24));
        let records: Vec<Record> = (begin..begin + 3 * 86_400)
            .filter(by_day)
            .map(|second| Record {
                at: second * 1_000_000_000,
                input: 1,
                output: 1,
                max_tokens: 0,
                model: 0,
                key: 0,
            })
            .collect();
        let profile = Profile::of(&records);
        assert_eq!((profile.rates.len(), profile.seconds()), (24, 86_400));
        for (hour, rate) in profile.rates.iter().enumerate() {
            let expected = if (8..20).contains(&hour) { 1.0 } else { 0.0 };
            assert!((rate - expected).abs() < 0.01, "{hour}: {rate}");
        }
    }

    #[test]
    fn rates_are_written_in_the_unit_that_suits_them() {
        assert_eq!(rate(12.5), "12.5/s");
        assert_eq!(rate(0.5), "30/min");
        assert_eq!(rate(0.001), "3.6/h");
        assert_eq!(rate(0.0), "0/h");
    }
}
