//! How long something is: tokens of a prompt, nanoseconds until a first token.

/// A distribution over whole numbers (tokens, or nanoseconds).
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Constant(u64),
    /// Every whole number from `min` to `max`, both included, equally often.
    Uniform {
        /// Smallest value.
        min: u64,
        /// Largest value; not below `min`.
        max: u64,
    },
    /// Normal, rounded, and never below zero.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation; not negative.
        sd: f64,
    },
    /// Lognormal, told by two quantiles.
    Lognormal {
        /// The 50th percentile; above zero.
        median: f64,
        /// The 95th percentile; not below the median.
        p95: f64,
    },
    /// One of these, equally often; not empty.
    Empirical(Vec<u64>),
}
