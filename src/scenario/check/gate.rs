//! The table `[gate]`: by what runs of the scenario are compared.

use super::super::diagnostic::Diagnostic;
use super::super::problems::{Problems, did_you_mean};
use super::super::raw::RawGate;
use crate::gate::{GateSettings, Gauge};

/// What is given; what is not is `compare`'s own default.
pub(super) fn gate(raw: RawGate, problems: &mut Problems) -> GateSettings {
    let metrics = raw.metrics.map(|list| list.value).unwrap_or_default();
    let mut gauges = Vec::new();
    for field in metrics {
        let Some(gauge) = problems.read(Some(field)) else {
            continue;
        };
        if !gauge.value.is_gated() {
            let title = format!("`{}` can get neither better nor worse", gauge.value);
            let problem = Diagnostic::error("not-gated", title).at(gauge.span, "");
            problems.push(problem.help("leave it out: it is shown all the same"));
        } else if !gauges.contains(&gauge.value) {
            gauges.push(gauge.value);
        }
    }
    let names: Vec<String> = Gauge::all().map(|gauge| gauge.to_string()).collect();
    let mut margins = std::collections::BTreeMap::new();
    for (name, field) in raw.margins.map(|table| table.value).unwrap_or_default() {
        if Gauge::parse(&name).is_none() {
            let title = format!("`{name}` is no metric that runs are compared by");
            let problem = Diagnostic::error("unknown-metric", title).at(field.span.clone(), "");
            let names = names.iter().map(String::as_str);
            problems.push(problem.help(did_you_mean(&name, names)));
        }
        if let Some(margin) = problems.get(Some(field)) {
            margins.insert(name, margin.fraction());
        }
    }
    GateSettings {
        metrics: gauges,
        margin: problems.get(raw.margin).map(|share| share.fraction()),
        margin_s: problems
            .get(raw.margin_time)
            .map(|length| length.as_secs_f64()),
        margin_share: problems.get(raw.margin_share).map(|share| share.fraction()),
        margins,
        strict: problems.get(raw.strict).unwrap_or(false),
    }
}
