//! Resampling of what follows one another in time: whole blocks, so that what hangs together stays together.
//!
//! Not used by a verdict yet: comparisons are over pairs of runs.
//!
//! Throttles come in clusters and latency drifts; drawing single slices would make intervals far too narrow.

use rand::RngExt as _;

use crate::rng::Rng;

/// A block's mean length for `count` slices: n^(1/3), rounded up, and at least 1; the order that minimises
/// the error of a variance.
///
/// Source: D. N. Politis and J. P. Romano, "The stationary bootstrap" (1994), section 3.
#[must_use]
pub fn block_length(count: usize) -> usize {
    ((count as f64).cbrt().ceil() as usize).max(1)
}

/// Places of `count` slices, drawn with replacement by the stationary bootstrap: blocks of geometrically
/// distributed length with this mean, which go on at the beginning after the end. Written into `places`.
pub fn resample_blocks(count: usize, mean_length: usize, rng: &mut Rng, places: &mut Vec<usize>) {
    places.clear();
    if count == 0 {
        return;
    }
    let ends = 1.0 / mean_length.max(1) as f64;
    let mut at = rng.random_range(0..count);
    for _ in 0..count {
        places.push(at);
        at = if rng.random::<f64>() < ends {
            rng.random_range(0..count)
        } else {
            (at + 1) % count
        };
    }
}
