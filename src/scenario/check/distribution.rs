//! Distributions that make sense, and the range in which nearly all of their values lie.

use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use super::super::raw_distribution::{
    Amount, RawDistribution, RawLognormal, RawNormal, RawShape, RawUniform,
};
use super::super::value::{Field, Placed};
use crate::distribution::Distribution;

/// Reads a distribution and its parameters.
pub(super) fn distribution<A: Amount>(
    raw: Placed<RawDistribution<A>>,
    problems: &mut Problems,
) -> Option<Placed<Distribution>> {
    let span = raw.span;
    let shape = match raw.value {
        RawDistribution::Bare(value) => {
            RawShape::Constant(Field::<A::Whole>::new(span.clone(), value))
        }
        RawDistribution::Shaped(shape) => shape,
    };
    let distribution = match shape {
        RawShape::Constant(value) => problems
            .get(Some(value))
            .map(A::whole)
            .map(Distribution::Constant),
        RawShape::Uniform(raw) => uniform(raw, problems),
        RawShape::Normal(raw) => normal(raw, problems),
        RawShape::Lognormal(raw) => lognormal(raw, problems),
        RawShape::Empirical(list) => {
            if list.value.is_empty() {
                let problem = Diagnostic::error("empty-list", "`empirical` holds no values");
                problems.push(
                    problem
                        .at(list.span.clone(), "")
                        .help("list at least one value"),
                );
            }
            let given = list.value.len();
            let values: Vec<u64> = problems
                .list(Some(list))
                .into_iter()
                .map(A::whole)
                .collect();
            (given > 0 && values.len() == given).then_some(Distribution::Empirical(values))
        }
    };
    distribution.map(|distribution| Placed::new(span, distribution))
}

/// The smallest and the largest value; where there is none, that beyond which lies one in a thousand.
pub(super) fn range(distribution: &Distribution) -> (u64, u64) {
    let low = match distribution {
        Distribution::Normal { .. } | Distribution::Lognormal { .. } => 0.001,
        _ => 0.0,
    };
    let high = distribution
        .max()
        .unwrap_or_else(|| distribution.quantile(0.999));
    (distribution.quantile(low), high)
}

fn uniform<A: Amount>(raw: Placed<RawUniform<A>>, problems: &mut Problems) -> Option<Distribution> {
    let min = problems.require(raw.value.min, "min", &raw.span, "`min`, the smallest value");
    let max = problems.require(raw.value.max, "max", &raw.span, "`max`, the largest value");
    let (min, max) = (min?, max?);
    if A::whole(min.value) > A::whole(max.value) {
        problems.push(
            Diagnostic::error("min-above-max", "`min` is above `max`")
                .at(min.span, "above `max`")
                .context(max.span, "below `min`")
                .help("swap them"),
        );
        return None;
    }
    Some(Distribution::Uniform {
        min: A::whole(min.value),
        max: A::whole(max.value),
    })
}

fn normal<A: Amount>(raw: Placed<RawNormal<A>>, problems: &mut Problems) -> Option<Distribution> {
    let mean = problems.require(raw.value.mean, "mean", &raw.span, "`mean`");
    let sd = problems.require(
        raw.value.sd,
        "sd",
        &raw.span,
        "`sd`, the standard deviation",
    );
    let (mean, sd) = (mean?, sd?);
    let mut fine = true;
    for (key, field) in [("mean", &mean), ("sd", &sd)] {
        if A::real(field.value) < 0.0 {
            let problem = Diagnostic::error("negative", format!("`{key}` is negative"));
            problems.push(
                problem
                    .at(field.span.clone(), "")
                    .help("write zero or more"),
            );
            fine = false;
        }
    }
    fine.then(|| Distribution::Normal {
        mean: A::real(mean.value),
        sd: A::real(sd.value),
    })
}

fn lognormal<A: Amount>(
    raw: Placed<RawLognormal<A>>,
    problems: &mut Problems,
) -> Option<Distribution> {
    let median = problems.require(raw.value.median, "median", &raw.span, "`median`");
    let p95 = problems.require(
        raw.value.p95,
        "p95",
        &raw.span,
        "`p95`, the 95th percentile",
    );
    let (median, p95) = (median?, p95?);
    let (low, high) = (A::real(median.value), A::real(p95.value));
    if low <= 0.0 {
        let problem = Diagnostic::error("not-above-zero", "`median` must be above zero");
        problems.push(
            problem
                .at(median.span, "")
                .help("write a larger value, or use `constant`"),
        );
        return None;
    }
    if high < low {
        problems.push(
            Diagnostic::error("p95-below-median", "`p95` is below `median`")
                .at(p95.span, "below the median")
                .context(median.span, "the median")
                .help("write a `p95` that is not below the `median`"),
        );
        return None;
    }
    Some(Distribution::Lognormal {
        median: low,
        p95: high,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_all_values_lie_in_the_range() {
        assert_eq!(range(&Distribution::Constant(7)), (7, 7));
        assert_eq!(range(&Distribution::Empirical(vec![5, 3, 9])), (3, 9));
        // 100 + 3.0902 · 50 = 254.5.
        assert_eq!(
            range(&Distribution::Normal {
                mean: 100.0,
                sd: 50.0
            }),
            (0, 255)
        );
        // 1,800 · (6,000 / 1,800)^(3.0902 / 1.6449) = 17,285.
        let (low, high) = range(&Distribution::Lognormal {
            median: 1_800.0,
            p95: 6_000.0,
        });
        assert!((187..=188).contains(&low), "{low}");
        assert!((17_250..17_330).contains(&high), "{high}");
    }
}
