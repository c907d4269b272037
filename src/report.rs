//! What a run came to, in words and tables for people.
//!
//! Promises: a pure function of the run, so that `run`, `sim` and `report` print the same text; the
//! first sentence says what happened to the requests; each time names its two ends; what was not
//! measured is said; colour never carries what the words do not.
//!
//! Deliberately not: judgement (the verdicts are in the run) and printing.

mod compare;
mod import;
mod models;
mod noise;
mod page;
mod plan;
mod quotas;
mod request;
mod style;
mod summary;
mod table;
mod times;
mod tune;
mod variants;
mod words;

pub use compare::{comparison, comparison_annotations, comparison_junit};
pub use import::import;
pub use models::{model, model_ages, models};
pub use noise::noise;
pub use plan::{Form, plan, quota_request};
pub use style::Style;
pub use summary::summary;
pub use tune::{confirmation, league, league_csv, tuning, tuning_csv};
pub use variants::{Variant, variants};

#[cfg(test)]
mod tests;
