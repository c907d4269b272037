//! A comparison, for a terminal, a page, a test report and a pull request.

use std::fmt::Write as _;

use super::Form;
use super::compare_charts::{self, Sides};
use super::page::{Block, Page};
use super::table::Table;
use super::words::{counted, length};
use crate::chart::escape;
use crate::compare::{Compared, Comparison, Verdict};
use crate::results::Target;
use crate::units::significant;

/// Moves of a mean of less than this part are not listed.
const SHIFT_MIN: f64 = 0.01;

/// Moves that are listed, at most.
const SHIFTS_MAX: usize = 8;

/// Tables and sentences.
#[must_use]
pub fn comparison(comparison: &Comparison, form: Form) -> String {
    let page = page(comparison, None);
    match form {
        Form::Text(style) => page.to_text(style),
        Form::Markdown => page.to_markdown(),
    }
}

/// The same for a browser, with charts; `sides` are the latencies of both, where their histograms are there.
#[must_use]
pub fn comparison_page(comparison: &Comparison, sides: &Sides) -> String {
    page(comparison, Some(sides)).to_html("compare")
}

fn page(comparison: &Comparison, sides: Option<&Sides>) -> Page {
    let mut page = Page::default();
    page.title(format!(
        "{} {}",
        verdict(comparison.verdict),
        headline(comparison)
    ));
    page.text(basis(comparison));
    page.push(Block::List(answers(comparison)));
    metrics(&mut page, comparison);
    for figure in compare_charts::changes(comparison) {
        page.figure(figure);
    }
    shifts(&mut page, comparison);
    if let Some(sides) = sides {
        compare_charts::distributions(&mut page, sides);
    }
    if !comparison.warnings.is_empty() {
        page.heading("To know");
        page.push(Block::List(comparison.warnings.clone()));
    }
    page
}

pub(super) const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "PASSED",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Regressed => "REGRESSED",
    }
}

fn headline(comparison: &Comparison) -> String {
    let gated = comparison
        .metrics
        .iter()
        .filter(|metric| metric.verdict.is_some());
    let of = |wanted| {
        gated
            .clone()
            .filter(|metric| metric.verdict == Some(wanted))
            .count()
    };
    let mut parts = Vec::new();
    for (wanted, words) in [
        (Verdict::Regressed, "worse"),
        (Verdict::Inconclusive, "open"),
        (Verdict::Passed, "no worse"),
    ] {
        let count = of(wanted);
        if count > 0 {
            parts.push(format!("{count} {words}"));
        }
    }
    format!("{}: {}", comparison.scenario, parts.join(", "))
}

fn basis(comparison: &Comparison) -> String {
    let pairs = counted(comparison.pairs, "pair");
    if comparison.identical {
        return format!(
            "{pairs} of runs: everything that was measured is the same, to the last digit."
        );
    }
    if comparison.exact {
        return format!(
            "{pairs} of runs in virtual time, paired by seed: every difference is one of behaviour."
        );
    }
    let place = match comparison.target {
        Target::Bedrock => "on Bedrock",
        _ => "on the stub",
    };
    if comparison.pairs == 1 {
        return format!(
            "{pairs} of runs {place}: no verdict without a calibration; with one, intervals are three times its noise \
             to either side."
        );
    }
    format!("{pairs} of runs {place}; intervals are Student's over pairs, at 95 %.")
}

/// A sentence for each metric that did not pass.
fn answers(comparison: &Comparison) -> Vec<String> {
    let mut rows: Vec<&Compared> = comparison
        .metrics
        .iter()
        .filter(|metric| {
            metric
                .verdict
                .is_some_and(|verdict| verdict != Verdict::Passed)
        })
        .collect();
    rows.sort_by_key(|metric| std::cmp::Reverse(metric.verdict));
    rows.into_iter().map(sentence).collect()
}

/// What there is to say of a metric.
fn sentence(metric: &Compared) -> String {
    let mut text = format!(
        "{} {}: {} → {}",
        metric.verdict.map_or("", verdict),
        metric.metric,
        value(metric, metric.base),
        value(metric, metric.new)
    );
    if let Some(change) = metric.change {
        let _ = write!(
            text,
            " ({}{}; {} pass)",
            moved(metric, change),
            interval(metric).map_or(String::new(), |interval| format!(", {interval}")),
            moved(metric, metric.margin)
        );
    }
    if let Some(needed) = metric.pairs_needed {
        let _ = write!(text, "; about {} would decide", counted(needed, "pair"));
    }
    if let Some(note) = &metric.note {
        let _ = write!(text, "; {note}");
    }
    text
}

fn metrics(page: &mut Page, comparison: &Comparison) {
    page.heading("Metrics");
    let heading = [
        "Metric",
        "base",
        "new",
        "change",
        "95 % interval",
        "margin",
        "verdict",
    ];
    let mut table = Table::new(1, heading);
    for metric in &comparison.metrics {
        table.row([
            metric.metric.clone(),
            value(metric, metric.base),
            value(metric, metric.new),
            metric
                .change
                .map_or_else(dash, |change| moved(metric, change)),
            interval(metric).unwrap_or_else(dash),
            metric
                .change
                .map_or_else(dash, |_| moved(metric, metric.margin)),
            metric.verdict.map_or(ungated(metric), verdict).to_owned(),
        ]);
    }
    page.table(table);
    page.note(
        "Worse is more, but for goodput and output tokens. A metric regressed if its interval is beyond its \
         margin, with Holm's adjustment over all that are gated, or in virtual time if it is beyond it for every seed; \
         it passed if its interval is within it. base and new are means over runs, a relative change the mean of the \
         pairs' logarithms.",
    );
    if comparison.strict && comparison.verdict == Verdict::Inconclusive {
        page.note("Strict: what the runs cannot tell is a no.");
    }
}

/// Why a metric has no verdict.
const fn ungated(metric: &Compared) -> &'static str {
    if metric.base.is_none() {
        "too few"
    } else {
        "not gated"
    }
}

fn shifts(page: &mut Page, comparison: &Comparison) {
    let moved = comparison
        .shifts
        .iter()
        .filter(|shift| (shift.new_s / shift.base_s.max(1e-9) - 1.0).abs() >= SHIFT_MIN);
    let moved: Vec<_> = moved.take(SHIFTS_MAX).collect();
    if moved.is_empty() {
        return;
    }
    page.heading("What moved");
    let mut table = Table::new(
        2,
        [
            "Class",
            "part of its latency",
            "base mean",
            "new mean",
            "change",
        ],
    );
    for shift in moved {
        let seconds = |seconds: f64| length((seconds * 1e9) as u64);
        table.row([
            shift.class.clone(),
            shift.part.clone(),
            seconds(shift.base_s),
            seconds(shift.new_s),
            signed(shift.new_s - shift.base_s, seconds),
        ]);
    }
    page.table(table);
}

fn dash() -> String {
    "–".to_owned()
}

fn value(metric: &Compared, value: Option<f64>) -> String {
    let Some(value) = value else { return dash() };
    match metric.unit.as_str() {
        "s" => length((value * 1e9) as u64),
        "share" => format!("{} %", significant(value * 100.0)),
        "usd" => format!("${}", significant(value)),
        _ => significant(value),
    }
}

/// A change, with its sign.
pub(super) fn moved(metric: &Compared, change: f64) -> String {
    if metric.relative {
        return signed(change * 100.0, |percent| format!("{percent:.1} %"));
    }
    match metric.unit.as_str() {
        "s" => signed(change, |seconds| length((seconds * 1e9) as u64)),
        "share" => signed(change * 100.0, |points| format!("{points:.2} points")),
        _ => signed(change, significant),
    }
}

fn signed(value: f64, show: impl Fn(f64) -> String) -> String {
    let sign = if value < 0.0 { "-" } else { "+" };
    format!("{sign}{}", show(value.abs()))
}

pub(super) fn interval(metric: &Compared) -> Option<String> {
    let (low, high) = (metric.low?, metric.high?);
    if metric.relative {
        return Some(format!("{:+.1} to {:+.1} %", low * 100.0, high * 100.0));
    }
    Some(match metric.unit.as_str() {
        "share" => format!("{:+.2} to {:+.2} points", low * 100.0, high * 100.0),
        _ => format!("{} to {}", moved(metric, low), moved(metric, high)),
    })
}

/// Whether a verdict is a no.
fn fails(comparison: &Comparison, verdict: Verdict) -> bool {
    verdict == Verdict::Regressed || (comparison.strict && verdict == Verdict::Inconclusive)
}

/// JUnit XML: a test case for each gated metric.
#[must_use]
pub fn comparison_junit(comparison: &Comparison) -> String {
    let gated: Vec<&Compared> = comparison
        .metrics
        .iter()
        .filter(|metric| metric.verdict.is_some())
        .collect();
    let of = |failed| {
        let open = gated.iter().filter_map(|metric| metric.verdict);
        open.filter(|verdict| *verdict != Verdict::Passed && fails(comparison, *verdict) == failed)
            .count()
    };
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"{}\" tests=\"{}\" \
         failures=\"{}\" skipped=\"{}\">\n",
        escape(&format!("bedload compare {}", comparison.scenario)),
        gated.len(),
        of(true),
        of(false),
    );
    for metric in gated {
        let name = escape(&metric.metric);
        let said = escape(&sentence(metric));
        let class = escape(&comparison.scenario);
        let inner = match metric.verdict {
            Some(verdict) if fails(comparison, verdict) => format!("<failure message=\"{said}\"/>"),
            Some(Verdict::Inconclusive) => format!("<skipped message=\"{said}\"/>"),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "    <testcase classname=\"{class}\" name=\"{name}\">{inner}</testcase>"
        );
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// Annotations of GitHub Actions: a line for each metric that did not pass.
#[must_use]
pub fn comparison_annotations(comparison: &Comparison) -> String {
    let mut text = String::new();
    for metric in &comparison.metrics {
        let kind = match metric.verdict {
            Some(verdict) if fails(comparison, verdict) => "error",
            Some(Verdict::Inconclusive) => "warning",
            _ => continue,
        };
        let title = format!("bedload: {}", comparison.scenario);
        // What ends a property or a line there.
        let title = title
            .replace('%', "%25")
            .replace(':', "%3A")
            .replace(',', "%2C");
        let message = sentence(metric).replace('%', "%25").replace('\n', "%0A");
        let _ = writeln!(text, "::{kind} title={title}::{message}");
    }
    text
}
