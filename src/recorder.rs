//! Folds what happens in a run into totals, an interval series and histograms, in bounded memory.

pub mod histograms;
pub mod interval;
pub mod measured;
