//! The table of runs that differ in a few settings: one row each.

use super::style::Style;
use super::table::Table;
use super::words::{length, percent};
use crate::recorder::measured::{DimensionUse, Measured};
use crate::units::significant;

/// One run.
#[derive(Clone, Debug)]
pub struct Variant {
    /// What it was set to, in the order of the keys.
    pub values: Vec<String>,
    /// What it measured.
    pub measured: Measured,
}

/// A row for each run; `keys` are the settings in which they differ.
#[must_use]
pub fn variants(keys: &[String], runs: &[Variant], style: Style) -> String {
    let measures = [
        "answered/min",
        "throttled",
        "dropped",
        "wait p50",
        "wait p99",
        "quota use",
    ];
    let heading = keys.iter().cloned();
    let heading = heading.chain(measures.map(str::to_owned)).collect();
    let mut table = Table::with_heading(keys.len(), heading);
    for run in runs {
        let total = &run.measured.total;
        let throttled: u64 = {
            let by = total.attempts.throttled;
            by.requests + by.tokens + by.tokens_per_day + by.other
        };
        let wait = |nanos: Option<u64>| nanos.map_or_else(|| "–".to_owned(), length);
        let cells = [
            significant(total.requests_per_second * 60.0),
            share(throttled, total.attempts.sent),
            share(total.counts.dropped, total.counts.intended),
            wait(total.limiter_wait.p50_ns),
            wait(total.limiter_wait.p99_ns),
            used(&run.measured).map_or_else(|| "–".to_owned(), percent),
        ];
        table.push(run.values.iter().cloned().chain(cells).collect());
    }
    table.render(style)
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    percent(part as f64 / whole as f64)
}

/// The use of the quota that is used most, in the steady part of the run if it has one.
fn used(measured: &Measured) -> Option<f64> {
    let shares = measured.quota_use.iter().flat_map(|model| {
        let share = |used: &DimensionUse| used.steady_share().or_else(|| used.mean_share());
        [share(&model.requests), share(&model.tokens)]
    });
    shares.flatten().max_by(f64::total_cmp)
}
