//! The catalogue, as tables: one line for each model, or all about one.

use std::fmt::Write as _;

use super::style::{Paint, Style};
use super::table::Table;
use crate::catalogue::{Entry, QuotaLine, QuotaScope, Scope};
use crate::quota::Dimension;
use crate::units::grouped;

/// Older than this, facts about models are likely to have changed: burndown rates did twice in 18
/// months.
const OLD_DAYS: i64 = 180;

/// One line for each row of the catalogue.
#[must_use]
pub fn models(entries: &[&Entry], style: Style) -> String {
    let heading = [
        "Model",
        "burndown",
        "context",
        "max out",
        "$ in",
        "$ out",
        "TPM default",
        "RPM",
        "end of life",
    ];
    let mut table = Table::new(1, heading);
    for entry in entries {
        let model = &entry.model;
        let price = entry
            .prices
            .get(&Scope::Base)
            .or_else(|| entry.prices.get(&Scope::Us));
        let unknown = || (dash(), dash());
        let (input, output) =
            price.map_or_else(unknown, |price| (usd(price.input), usd(price.output)));
        let published = |dimension| {
            let most = model
                .quotas
                .iter()
                .filter(|line| line.dimension == dimension);
            let most = most.filter_map(|line| line.default).max();
            most.map_or_else(dash, count)
        };
        let end = model.end_of_life.clone();
        let end = end.unwrap_or_else(|| {
            if model.retired {
                "retired".to_owned()
            } else {
                dash()
            }
        });
        table.row([
            model.id.clone(),
            format!("{}x", model.burndown),
            count(model.context.0),
            count(model.max_output.0),
            input,
            output,
            published(Dimension::Tpm),
            published(Dimension::Rpm),
            end,
        ]);
    }
    let mut text = table.render(style);
    let note = "Dollars for a million tokens: of the plain id, or of the us. profile where there is no \
                other.\nDefaults are the largest that AWS publishes for any scope; `bedload models NAME` \
                shows all.";
    let _ = writeln!(text, "{}", style.paint(Paint::Quiet, note));
    text
}

/// All about one model.
#[must_use]
pub fn model(entry: &Entry, style: Style) -> String {
    let model = &entry.model;
    let mut text = format!("{}\n", style.paint(Paint::Strong, &model.name));
    let mut line = |label: &str, value: &str| {
        let label = style.paint(Paint::Quiet, &format!("{label:<12}"));
        let _ = writeln!(text, "  {label}  {value}");
    };
    line("id", &model.id);
    if model.profile_only {
        line(
            "",
            "only through an inference profile, such as us. or global.",
        );
    }
    let family = serde_json::to_value(model.family).unwrap_or_default();
    line("bodies", family.as_str().unwrap_or_default());
    line(
        "burndown",
        &format!("{} tokens of quota for one output token", model.burndown),
    );
    line(
        "context",
        &format!("{} tokens", grouped_u64(model.context.0)),
    );
    line(
        "max output",
        &format!("{} tokens", grouped_u64(model.max_output.0)),
    );
    match (&model.end_of_life, model.retired) {
        (Some(day), true) => line("end of life", &format!("{day}; retired")),
        (Some(day), false) => line("end of life", day),
        (None, true) => line("end of life", "retired"),
        (None, false) => {}
    }
    line("as of", &model.as_of);
    line("source", &model.source);
    if !entry.prices.is_empty() {
        text.push('\n');
        text.push_str(&prices(entry, style));
    }
    text.push('\n');
    if model.quotas.is_empty() {
        text.push_str("  No published quota of this model is known.\n");
    } else {
        text.push_str(&quotas(&model.quotas, style));
    }
    text
}

fn prices(entry: &Entry, style: Style) -> String {
    let mut table = Table::new(
        1,
        [
            "$ per million tokens",
            "input",
            "output",
            "cache read",
            "cache write",
        ],
    );
    for (scope, price) in &entry.prices {
        table.row([
            scope.name().to_owned(),
            usd(price.input),
            usd(price.output),
            usd(price.cache_read),
            usd(price.cache_write),
        ]);
    }
    table.render(style)
}

fn quotas(lines: &[QuotaLine], style: Style) -> String {
    let mut table = Table::new(3, ["Quota", "", "code", "default", "where"]);
    for scope in QuotaScope::ALL {
        for line in lines.iter().filter(|line| line.scope == scope) {
            table.row([
                scope.name().to_owned(),
                line.dimension.name().to_uppercase(),
                line.code.clone().unwrap_or_else(dash),
                line.default.map_or_else(dash, grouped_u64),
                line.note.clone().unwrap_or_default(),
            ]);
        }
    }
    table.render(style)
}

/// How old these facts are on `today` (`YYYY-MM-DD`).
#[must_use]
pub fn model_ages(entries: &[&Entry], today: &str) -> String {
    let day = |text: &str| text.parse::<jiff::civil::Date>().ok();
    let dates = entries.iter().filter_map(|entry| day(&entry.model.as_of));
    let (Some(oldest), Some(today)) = (dates.min(), day(today)) else {
        return String::new();
    };
    let days = today
        .since(oldest)
        .map_or(0, |age| i64::from(age.get_days()));
    let advice = if days > OLD_DAYS {
        ": check them against AWS's own pages, and correct them with `--catalogue`"
    } else {
        ""
    };
    let ago = match days {
        ..=0 => "today".to_owned(),
        1 => "a day ago".to_owned(),
        days => format!("{days} days ago"),
    };
    format!("\nThe oldest of these facts are of {oldest}, {ago}{advice}.\n")
}

fn usd(micro_dollars: u64) -> String {
    let dollars = micro_dollars as f64 / 1e6;
    let text = format!("{dollars:.4}");
    let short = text.trim_end_matches('0');
    // At least cents: 0.30, not 0.3.
    let cents = text.find('.').map_or(text.len(), |point| point + 3);
    text.get(..short.len().max(cents))
        .unwrap_or(&text)
        .to_owned()
}

/// 64K, 1M, 5.5M: as quota tables are read.
fn count(value: u64) -> String {
    let scaled = |unit: f64| {
        let text = format!("{:.2}", value as f64 / unit);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match value {
        ..1_000 => value.to_string(),
        1_000..1_000_000 => scaled(1e3) + "K",
        1_000_000..1_000_000_000 => scaled(1e6) + "M",
        _ => scaled(1e9) + "G",
    }
}

fn grouped_u64(value: u64) -> String {
    grouped(i64::try_from(value).unwrap_or(i64::MAX))
}

fn dash() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    #[test]
    fn numbers_are_short_and_exact() {
        assert_eq!(
            [0, 512, 64_000, 8_191].map(count),
            ["0", "512", "64K", "8.19K"]
        );
        assert_eq!([5_000_000, 1_500_000].map(count), ["5M", "1.5M"]);
        assert_eq!(
            [3_300_000, 35_000, 8_750, 0].map(usd),
            ["3.30", "0.035", "0.0088", "0.00"]
        );
    }

    #[test]
    fn old_facts_are_said_to_be_old() {
        let entries: Vec<_> = Catalogue::shipped().entries().iter().collect();
        let said = model_ages(&entries, "2026-11-24");
        assert!(
            said.contains("days ago.") || said.contains("a day ago."),
            "{said}"
        );
        assert!(model_ages(&entries, "2028-01-01").contains("check them"));
        assert_eq!(model_ages(&entries, "never"), "");
    }

    #[test]
    fn a_model_is_shown_with_its_prices_and_quotas() {
        let entry = Catalogue::shipped().entry("anthropic.claude-sonnet-4-5-20250929-v1:0");
        let page = model(entry.expect("shipped"), Style::new(false));
        for part in [
            "L-F4DDD3EB",
            "5,000,000",
            "global",
            "5 tokens of quota",
            "only through",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
}
