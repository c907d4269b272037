//! From histograms to the quantiles that a report may print.
//!
//! Promises: a quantile is given only where an upper confidence bound for it exists, quantiles
//! never pass the exact least and greatest values, and failures count as +∞ where they are asked
//! to.

use hdrhistogram::Histogram;

use super::histograms::{Histograms, Timing};
use super::measured::{Inflated, Quantile, Spread};

/// A quantile, with the number of samples from which on the greatest of them is an upper bound for
/// it at 95 % confidence: n ≥ ⌈ln 0.05 / ln q⌉ (Wilks 1941).
struct Level {
    /// In thousandths, so that ranks are exact.
    per_mille: u64,
    /// Samples needed.
    needs: u64,
}

const P50: Level = Level {
    per_mille: 500,
    needs: 5,
};
const P90: Level = Level {
    per_mille: 900,
    needs: 29,
};
const P99: Level = Level {
    per_mille: 990,
    needs: 299,
};
const P999: Level = Level {
    per_mille: 999,
    needs: 2_995,
};

impl Level {
    /// Which of `count` sorted samples, from 1, is this quantile; none if they are too few.
    const fn rank(&self, count: u64) -> Option<u64> {
        if count < self.needs {
            return None;
        }
        Some((count as u128 * self.per_mille as u128).div_ceil(1_000) as u64)
    }
}

/// The `rank`-th least value, from 1, to three significant digits.
pub(super) fn value_at_rank(histogram: &Histogram<u64>, rank: u64) -> u64 {
    // Half a sample below the rank: the crate rounds up, and no rounding error reaches that far.
    histogram.value_at_quantile((rank as f64 - 0.5) / histogram.len() as f64)
}

/// How one timing is distributed over the samples that have it.
pub(super) fn spread(histograms: &Histograms, timing: Timing) -> Spread {
    let Some(recorded) = histograms.recorded(timing) else {
        return Spread::default();
    };
    let count = recorded.histogram.len();
    let quantile = |level: Level| {
        let value = value_at_rank(&recorded.histogram, level.rank(count)?);
        Some(value.clamp(recorded.least, recorded.greatest))
    };
    Spread {
        count,
        mean_ns: Some((recorded.sum / u128::from(count)) as u64),
        min_ns: Some(recorded.least),
        p50_ns: quantile(P50),
        p90_ns: quantile(P90),
        p99_ns: quantile(P99),
        p999_ns: quantile(P999),
        max_ns: Some(recorded.greatest),
    }
}

/// How latency is distributed when so many `infinite` samples stand above all others.
pub(super) fn inflated_latency(histograms: &Histograms, infinite: u64) -> Inflated {
    let recorded = histograms.recorded(Timing::Latency);
    let finite = recorded.map_or(0, |recorded| recorded.histogram.len());
    let count = finite + infinite;
    let at = |rank: Option<u64>| match (rank, recorded) {
        (None, _) => Quantile::TooFew,
        (Some(rank), Some(recorded)) if rank <= finite => {
            let value = value_at_rank(&recorded.histogram, rank);
            Quantile::Ns(value.clamp(recorded.least, recorded.greatest))
        }
        (Some(_), _) => Quantile::Infinite,
    };
    Inflated {
        count,
        infinite,
        p50: at(P50.rank(count)),
        p90: at(P90.rank(count)),
        p99: at(P99.rank(count)),
        p999: at(P999.rank(count)),
        max: match recorded {
            _ if infinite > 0 => Quantile::Infinite,
            Some(recorded) => Quantile::Ns(recorded.greatest),
            None => Quantile::TooFew,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Histograms {
        let mut histograms = Histograms::default();
        for value in values {
            histograms.record(Timing::Latency, value);
        }
        histograms
    }

    #[test]
    fn a_quantile_needs_the_samples_that_bound_it() {
        for level in [P50, P90, P99, P999] {
            let quantile = level.per_mille as f64 / 1e3;
            assert_eq!(level.needs, (0.05_f64.ln() / quantile.ln()).ceil() as u64);
        }
        let shown = |count| {
            let spread = spread(&of(1..=count), Timing::Latency);
            [
                spread.p50_ns,
                spread.p90_ns,
                spread.p99_ns,
                spread.p999_ns,
                spread.max_ns,
            ]
        };
        assert_eq!(shown(0), [None; 5]);
        assert_eq!(shown(4), [None, None, None, None, Some(4)]);
        assert_eq!(shown(5), [Some(3), None, None, None, Some(5)]);
        assert_eq!(shown(29), [Some(15), Some(27), None, None, Some(29)]);
        assert_eq!(shown(298)[2], None);
        assert_eq!(shown(299)[2], Some(297));
        assert_eq!(shown(2_994)[3], None);
        assert_eq!(shown(2_995)[3..], [Some(2_993), Some(2_995)]);
    }

    #[test]
    fn half_of_the_requests_failing_puts_the_median_at_the_boundary() {
        let latencies = of(1..=300);
        assert_eq!(inflated_latency(&latencies, 300).p50, Quantile::Ns(300));
        assert_eq!(inflated_latency(&latencies, 301).p50, Quantile::Infinite);
        assert_eq!(inflated_latency(&latencies, 300).p90, Quantile::Infinite);
        assert_eq!(inflated_latency(&latencies, 1).max, Quantile::Infinite);
    }

    #[test]
    fn without_failures_inflation_changes_nothing() {
        let latencies = of(1..=300);
        let spread = spread(&latencies, Timing::Latency);
        let inflated = inflated_latency(&latencies, 0);
        assert_eq!(Some(inflated.p50), spread.p50_ns.map(Quantile::Ns));
        assert_eq!(Some(inflated.p99), spread.p99_ns.map(Quantile::Ns));
        assert_eq!(inflated.p999, Quantile::TooFew);
        assert_eq!(Some(inflated.max), spread.max_ns.map(Quantile::Ns));
    }

    #[test]
    fn when_nothing_succeeded_every_quantile_is_infinite_or_unknown() {
        let inflated = inflated_latency(&Histograms::default(), 30);
        assert_eq!(
            (inflated.p50, inflated.p90),
            (Quantile::Infinite, Quantile::Infinite)
        );
        assert_eq!(
            (inflated.p99, inflated.max),
            (Quantile::TooFew, Quantile::Infinite)
        );
        assert_eq!(
            inflated_latency(&Histograms::default(), 0).max,
            Quantile::TooFew
        );
    }

    proptest! {
        #[test]
        fn quantiles_are_the_sorted_samples_to_three_digits(
            values in prop::collection::vec(
                any::<u64>().prop_map(|value| value >> (8 + value % 56)), 5..4_000),
        ) {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let spread = spread(&of(values), Timing::Latency);
            let pairs = [
                (P50, spread.p50_ns), (P90, spread.p90_ns),
                (P99, spread.p99_ns), (P999, spread.p999_ns),
            ];
            for (level, got) in pairs {
                let want = level.rank(spread.count).map(|rank| sorted[rank as usize - 1]);
                prop_assert_eq!(got.is_some(), want.is_some());
                if let (Some(got), Some(want)) = (got, want) {
                    prop_assert!(got.abs_diff(want) <= want / 1_000, "{} for {}", got, want);
                }
            }
            prop_assert_eq!(spread.min_ns, sorted.first().copied());
            prop_assert_eq!(spread.max_ns, sorted.last().copied());
        }
    }
}
