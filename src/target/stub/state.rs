//! What a stub has counted, for whoever watches it.
//!
//! Promises: plain data with names that stay, since scripts read it.

use std::collections::BTreeMap;

use serde::Serialize;

/// The state of a stub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct State {
    /// By the name that the scenario gives a model.
    pub models: BTreeMap<String, ModelState>,
    /// Requests that reached no model, such as malformed ones, by the class of their failure.
    pub refused: Counted,
}

/// The state of one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelState {
    /// The id in the scenario.
    pub id: String,
    /// What is left of each limit, in requests or tokens; negative in debt.
    pub level: BTreeMap<&'static str, i64>,
    /// Calls whose answers are not complete.
    pub outstanding: u64,
    /// Calls by outcome: `answered`, or the class of their failure.
    pub outcomes: Counted,
}

/// Numbers of calls by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Counted(BTreeMap<&'static str, u64>);

impl Counted {
    /// Counts one.
    pub(super) fn add(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }

    /// The number of those whose name passes.
    pub fn sum(&self, passes: impl Fn(&str) -> bool) -> u64 {
        let passing = self.0.iter().filter(|(name, _)| passes(name));
        passing.map(|(_, number)| number).sum()
    }
}
