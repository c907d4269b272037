//! Pass marks: what a run's results must be for it to exit 0. WIP

/// One pass mark.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What is looked at.
    pub metric: Metric,
    /// The largest value that passes: seconds for times, parts of one for shares.
    pub at_most: Option<f64>,
    /// The smallest value that passes.
    pub at_least: Option<f64>,
}

/// Something that a finished run can be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// As written in the scenario.
    pub name: String,
}
