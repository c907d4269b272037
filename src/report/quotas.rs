//! The table of quota use, by model and dimension.
//!
//! With a quota, use is a share of it; without one, it is in requests or tokens per minute.

use super::table::{Table, name};
use super::words::{count, percent};
use crate::recorder::measured::{DimensionUse, QuotaUse};
use crate::units::significant;

/// The table; none if nothing is known of any model.
pub(super) fn table(models: &[QuotaUse]) -> Option<Table> {
    let heading = [
        "Quota use",
        "per minute",
        "quota",
        "mean",
        "steady",
        "peak minute",
        "peak any 60 s",
    ];
    let mut table = Table::new(2, heading);
    for model in models {
        let dimensions = [
            ("requests", &model.requests),
            ("tokens settled", &model.tokens),
            ("tokens reserved", &model.reserved),
        ];
        for (place, (what, used)) in dimensions.into_iter().enumerate() {
            let model = if place == 0 {
                name(&model.model)
            } else {
                String::new()
            };
            let [mean, steady, clock, sliding] = uses(used);
            let quota = used.quota.map_or_else(|| "–".to_owned(), count);
            table.row([model, what.to_owned(), quota, mean, steady, clock, sliding]);
        }
    }
    (!models.is_empty()).then_some(table)
}

fn uses(used: &DimensionUse) -> [String; 4] {
    let cell = |per_minute: Option<f64>, share: Option<f64>| match (per_minute, share) {
        (_, Some(share)) => percent(share),
        (Some(per_minute), None) => significant(per_minute),
        (None, None) => "–".to_owned(),
    };
    [
        cell(Some(used.mean), used.mean_share()),
        cell(used.steady, used.steady_share()),
        cell(Some(used.peak_clock_minute as f64), used.peak_clock_share()),
        cell(
            Some(used.peak_sliding_minute as f64),
            used.peak_sliding_share(),
        ),
    ]
}
