//! Where latency moved: by prompt class, and by the part of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::judge::judged;
use super::pairs::Pairs;
use crate::recorder::measured::{Group, Spread};

/// How the mean of a part of a class's latency moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shift {
    /// The prompt class; `total` for all.
    pub class: String,
    /// The part: `latency`, or `limiter_wait`, `service_time` or `ttft` of it.
    pub part: String,
    /// Mean seconds over all of the base's requests.
    pub base_s: f64,
    /// Mean seconds over all new requests.
    pub new_s: f64,
}

type Part = (&'static str, fn(&Group) -> Option<Spread>);

const PARTS: [Part; 4] = [
    ("latency", |group| Some(group.latency)),
    ("limiter_wait", |group| Some(group.limiter_wait)),
    ("service_time", |group| Some(group.service_time)),
    ("ttft", |group| group.ttft),
];

/// Every part that moved at all, the largest move first.
pub(super) fn shifts(pairs: &Pairs<'_>) -> Vec<Shift> {
    let mut base = Vec::new();
    let mut new = Vec::new();
    for (one, other) in pairs.each() {
        base.extend(groups(one));
        new.extend(groups(other));
    }
    let mut shifts = Vec::new();
    for group in groups(pairs.first()) {
        for (part, spread) in PARTS {
            let mean = |groups: &[&Group]| {
                let own = groups.iter().filter(|other| other.name == group.name);
                weighted_mean(own.filter_map(|group| spread(group)))
            };
            let (Some(base_s), Some(new_s)) = (mean(&base), mean(&new)) else {
                continue;
            };
            if base_s != new_s {
                shifts.push(Shift {
                    class: group.name.clone(),
                    part: part.to_owned(),
                    base_s,
                    new_s,
                });
            }
        }
    }
    let size = |shift: &Shift| (shift.new_s - shift.base_s).abs();
    shifts.sort_by(|one, other| size(other).total_cmp(&size(one)));
    shifts
}

fn groups(run: &crate::results::RunFile) -> Vec<&Group> {
    let Some(measured) = judged(run) else {
        return Vec::new();
    };
    // One class alone is the total under another name.
    let classes = measured
        .classes
        .iter()
        .filter(|_| measured.classes.len() > 1);
    [&measured.total].into_iter().chain(classes).collect()
}

fn weighted_mean(spreads: impl Iterator<Item = Spread>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for spread in spreads {
        if let Some(mean) = spread.mean_ns {
            sum += mean as f64 * spread.count as f64;
            count += spread.count as f64;
        }
    }
    (count > 0.0).then(|| sum / count / 1e9)
}
