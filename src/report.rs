//! What a run came to, in words and tables for people.
//!
//! Promises: a pure function of the run, so that `run`, `sim` and `report` print the same text; the
//! first sentence says what happened to the requests; each time names its two ends; what was not
//! measured is said; colour never carries what the words do not.
//!
//! Deliberately not: judgement (the verdicts are in the run) and printing.

mod compare;
mod compare_charts;
mod csv_text;
mod exposition;
mod figure;
mod html;
mod import;
mod models;
mod noise;
mod openmetrics;
mod page;
mod plan;
mod plan_charts;
mod quotas;
mod request;
mod run_page;
mod runs;
mod style;
mod summary;
mod sweep;
mod table;
mod times;
mod tune;
mod tune_charts;
mod variants;
mod words;

pub use compare::{comparison, comparison_annotations, comparison_junit, comparison_page};
pub use compare_charts::Sides;
pub use exposition::{Dialect, Exposition, Kind, Labels};
pub use import::import;
pub use models::{model, model_ages, models};
pub use noise::noise;
pub use openmetrics::openmetrics;
pub use plan::{Form, plan, plan_page, quota_request};
pub use run_page::{SPANS_MAX, run_page};
pub use runs::{RUNS_MAX, runs, runs_csv, runs_page};
pub use style::Style;
pub use summary::{run_markdown, summary};
pub use sweep::{sweep, sweep_page};
pub use tune::{confirmation, league, league_csv, league_page, tuning, tuning_csv, tuning_page};
pub use variants::{Variant, variants};

#[cfg(test)]
mod tests;
