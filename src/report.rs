//! What a run came to, in words and tables for people.
//!
//! Promises: a pure function of the run, so that `run`, `sim` and `report` print the same text; the
//! first sentence says what happened to the requests; each time names its two ends; what was not
//! measured is said; colour never carries what the words do not.
//!
//! Deliberately not: judgement (the verdicts are in the run) and printing.

mod compare;
mod exposition;
mod import;
mod models;
mod openmetrics;
mod page;
mod plan;
mod quotas;
mod request;
mod style;
mod summary;
mod table;
mod times;
mod variants;
mod words;

pub use compare::{comparison, comparison_annotations, comparison_junit};
pub use exposition::{Dialect, Exposition, Kind, Labels};
pub use import::import;
pub use models::{model, model_ages, models};
pub use openmetrics::openmetrics;
pub use plan::{Form, plan, quota_request};
pub use style::Style;
pub use summary::summary;
pub use variants::{Variant, variants};

#[cfg(test)]
mod tests;
