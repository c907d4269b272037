//! What a reader must know before trusting a run's numbers.
//!
//! Promises: each warning has a stable code and says what was seen, what it means and, where
//! something can be done, what.
//!
//! Deliberately not: judgement of the service. Throttles and slow answers are results.

use super::measured::{Measured, Warning};
use crate::units::{grouped, significant};

/// Dispatch lag above this part of the median latency makes the client part of the result …
const LAG_SHARE_MAX: f64 = 0.05;
/// … unless it is too short to matter to anyone.
const LAG_NANOS_MIN: u64 = 1_000_000;
/// How far the client's count of input tokens may be off the service's, in hundredths of the latter.
const ESTIMATE_ERROR_MAX_PERCENT: u64 = 10;
/// Reserving this many times what is settled wastes most of a tokens-per-minute quota's room.
const RESERVED_PER_SETTLED_MAX: u64 = 3;

/// The warnings that these numbers give cause for.
pub(super) fn warnings(measured: &Measured) -> Vec<Warning> {
    let checks: [fn(&Measured) -> Option<Warning>; 7] = [
        not_conserved,
        nothing_succeeded,
        paused,
        client_too_slow,
        few_samples,
        estimate_off,
        max_tokens_unused,
    ];
    checks.iter().filter_map(|check| check(measured)).collect()
}

fn warning(code: &str, message: String) -> Option<Warning> {
    Some(Warning {
        code: code.to_owned(),
        message,
    })
}

fn not_conserved(measured: &Measured) -> Option<Warning> {
    if measured.conserved {
        return None;
    }
    warning(
        "not-conserved",
        "intended is not completed + failed + dropped + cancelled: requests were lost or counted \
         twice; this is a bug, please report it"
            .to_owned(),
    )
}

fn nothing_succeeded(measured: &Measured) -> Option<Warning> {
    let counts = measured.total.counts;
    if counts.intended == 0 || counts.completed > 0 {
        return None;
    }
    warning(
        "nothing-succeeded",
        format!(
            "none of {} requests was answered, so this run says nothing about latency",
            count(counts.intended)
        ),
    )
}

fn paused(measured: &Measured) -> Option<Warning> {
    if measured.paused_ns == 0 {
        return None;
    }
    warning(
        "paused",
        format!(
            "nothing was admitted for {} s because whoever watched had paused the run: requests went on \
             becoming due, and their latency and limiter wait hold the pause",
            significant(measured.paused_ns as f64 / 1e9)
        ),
    )
}

fn client_too_slow(measured: &Measured) -> Option<Warning> {
    let lag = measured.total.dispatch_lag.p99_ns?;
    let latency = measured.total.latency.p50_ns?;
    let share = lag as f64 / latency as f64;
    if lag <= LAG_NANOS_MIN || share <= LAG_SHARE_MAX {
        return None;
    }
    warning(
        "client-too-slow",
        format!(
            "one request in a hundred was sent {} ms or more after it was admitted, {} % of the \
             median latency: this machine is part of the result; offer less load or use more cores",
            significant(lag as f64 / 1e6),
            significant(share * 100.0),
        ),
    )
}

fn few_samples(measured: &Measured) -> Option<Warning> {
    let latency = measured.total.latency;
    if latency.count == 0 || latency.p99_ns.is_some() {
        return None;
    }
    warning(
        "few-samples",
        format!(
            "{} completed requests are too few for a 99th percentile, which needs 299: run longer",
            count(latency.count)
        ),
    )
}

fn estimate_off(measured: &Measured) -> Option<Warning> {
    let (estimated, counted) = (
        measured.total.input_estimated.0,
        measured.total.input_counted.0,
    );
    let off = estimated.abs_diff(counted);
    if counted == 0 || off.saturating_mul(100) <= counted.saturating_mul(ESTIMATE_ERROR_MAX_PERCENT)
    {
        return None;
    }
    warning(
        "estimate-off",
        format!(
            "the client expected {} input tokens where the service counted {}, {} % {}: admission \
             and reservations are off by as much",
            count(estimated),
            count(counted),
            significant(off as f64 / counted as f64 * 100.0),
            if estimated > counted {
                "too many"
            } else {
                "too few"
            },
        ),
    )
}

fn max_tokens_unused(measured: &Measured) -> Option<Warning> {
    let (reserved, settled) = (measured.total.reserved.0, measured.total.settled.0);
    if settled == 0 || reserved < settled.saturating_mul(RESERVED_PER_SETTLED_MAX) {
        return None;
    }
    warning(
        "max-tokens-unused",
        format!(
            "requests reserved {} times the tokens that they settled: a smaller `max_tokens` lets \
             more of them run at once",
            significant(reserved as f64 / settled as f64)
        ),
    )
}

fn count(number: u64) -> String {
    grouped(i64::try_from(number).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::measured::{Counts, Spread};
    use super::*;
    use crate::units::Tokens;

    /// A run with nothing to warn about.
    fn sound() -> Measured {
        let mut measured = Measured {
            conserved: true,
            ..Measured::default()
        };
        let total = &mut measured.total;
        total.counts = Counts {
            intended: 300,
            completed: 300,
            ..Counts::default()
        };
        total.latency = Spread {
            count: 300,
            p50_ns: Some(1_000_000_000),
            p99_ns: Some(2_000_000_000),
            ..Spread::default()
        };
        total.dispatch_lag = Spread {
            p99_ns: Some(50_000_000),
            ..Spread::default()
        };
        (total.input_estimated, total.input_counted) = (Tokens(110), Tokens(100));
        (total.reserved, total.settled) = (Tokens(299), Tokens(100));
        measured
    }

    fn codes(change: impl FnOnce(&mut Measured)) -> Vec<String> {
        let mut measured = sound();
        change(&mut measured);
        warnings(&measured)
            .into_iter()
            .map(|warning| warning.code)
            .collect()
    }

    #[test]
    fn a_sound_run_gets_no_warning() {
        assert!(codes(|_| {}).is_empty());
    }

    #[test]
    fn each_cause_gets_its_code() {
        assert_eq!(codes(|run| run.conserved = false), ["not-conserved"]);
        assert_eq!(
            codes(|run| {
                run.total.counts = Counts {
                    intended: 9,
                    failed: 9,
                    ..Counts::default()
                };
                run.total.latency = Spread::default();
            }),
            ["nothing-succeeded"]
        );
        assert_eq!(codes(|run| run.paused_ns = 1), ["paused"]);
        assert_eq!(
            codes(|run| run.total.dispatch_lag.p99_ns = Some(50_000_001)),
            ["client-too-slow"]
        );
        assert_eq!(
            codes(|run| run.total.latency.p99_ns = None),
            ["few-samples"]
        );
        assert_eq!(
            codes(|run| run.total.input_estimated = Tokens(111)),
            ["estimate-off"]
        );
        assert_eq!(
            codes(|run| run.total.input_estimated = Tokens(89)),
            ["estimate-off"]
        );
        assert_eq!(
            codes(|run| run.total.reserved = Tokens(300)),
            ["max-tokens-unused"]
        );
    }

    #[test]
    fn a_lag_below_a_millisecond_matters_to_no_one() {
        let fast = |run: &mut Measured| {
            run.total.latency.p50_ns = Some(2_000_000);
            run.total.dispatch_lag.p99_ns = Some(1_000_000);
        };
        assert!(codes(fast).is_empty());
    }

    #[test]
    fn a_message_says_what_was_seen_and_what_it_means() {
        let mut measured = sound();
        measured.total.input_estimated = Tokens(1_500);
        measured.total.input_counted = Tokens(3_000);
        assert_eq!(
            warnings(&measured)[0].message,
            "the client expected 1,500 input tokens where the service counted 3,000, 50 % too few: \
             admission and reservations are off by as much"
        );
    }
}
