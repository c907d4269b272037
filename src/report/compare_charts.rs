//! The charts of a comparison: changes with their intervals against margins, and latency on both sides.

use hdrhistogram::Histogram;

use super::compare::{interval, moved, verdict};
use super::figure::{Data, Figure};
use super::page::{Block, Page};
use super::run_page::curve;
use super::runs;
use crate::chart::{Axis, Forest, Interval, Look, Scale};
use crate::compare::{Compared, Comparison, Verdict};
use crate::gate::Gauge;
use crate::units::significant;

/// Latency of both sides, all runs of each together; none where histograms are not there.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// Nanoseconds, of the base's answered requests.
    pub base: Option<Histogram<u64>>,
    /// Nanoseconds, of the new ones.
    pub new: Option<Histogram<u64>>,
}

/// A unit of changes: a title, its sign, how many of it make one, and which metrics are told in it.
type Kind = (&'static str, &'static str, f64, fn(&Compared) -> bool);

/// One chart for each unit that changes are told in; metrics without a change have none.
pub(super) fn changes(comparison: &Comparison) -> Vec<Figure> {
    let kinds: [Kind; 4] = [
        ("Changes as parts of the base", "(%)", 100.0, |metric| {
            metric.relative
        }),
        ("Changes of shares", "(points)", 100.0, |metric| {
            !metric.relative && metric.unit == "share"
        }),
        ("Changes of times", "(s)", 1.0, |metric| {
            !metric.relative && metric.unit == "s"
        }),
        ("Other changes", "", 1.0, |metric| {
            !metric.relative && !["s", "share"].contains(&metric.unit.as_str())
        }),
    ];
    kinds
        .into_iter()
        .filter_map(|(title, unit, factor, belongs)| {
            let metrics = comparison.metrics.iter().filter(|metric| belongs(metric));
            let metrics: Vec<&Compared> =
                metrics.filter(|metric| metric.change.is_some()).collect();
            (!metrics.is_empty()).then(|| forest(title, unit, factor, &metrics))
        })
        .collect()
}

const HOW_TO_READ: &str = "The shaded part of each row is what passes; whiskers are 95 % intervals, cut off where they \
                leave the chart. A dot passed, a cross regressed, a triangle is open, a square is not gated.";

/// The changes that pass, scaled.
fn allowed(metric: &Compared, factor: f64) -> (f64, f64) {
    if !Gauge::parse(&metric.metric).is_some_and(Gauge::is_better_higher) {
        return (f64::NEG_INFINITY, metric.margin * factor);
    }
    // A loss of what is wanted is told below zero.
    let loss = if metric.relative {
        metric.margin / (1.0 + metric.margin)
    } else {
        metric.margin
    };
    (-loss * factor, f64::INFINITY)
}

const fn look(verdict: Option<Verdict>) -> Look {
    match verdict {
        Some(Verdict::Passed) => Look::Good,
        Some(Verdict::Regressed) => Look::Bad,
        Some(Verdict::Inconclusive) => Look::Caution,
        None => Look::Quiet,
    }
}

fn forest(title: &str, unit: &'static str, factor: f64, metrics: &[&Compared]) -> Figure {
    let mut data = Data::new(["metric", "change", "low", "high", "margin", "verdict"]);
    let mut rows = Vec::new();
    let mut ends = Vec::new();
    for metric in metrics {
        let change = metric.change.unwrap_or(0.0);
        let scaled = |value: f64| value * factor;
        let said = metric.verdict.map_or("not gated", verdict);
        let margin = scaled(metric.margin);
        let allowed = allowed(metric, factor);
        let gated = metric.verdict.is_some();
        let both = metric.low.zip(metric.high);
        ends.push(scaled(change));
        if gated {
            ends.extend([allowed.0, allowed.1]);
        }
        if let Some((low, high)) = both {
            // An interval of few pairs may be so wide that nothing else could be seen.
            let most = 6.0 * (scaled(change).abs() + margin.abs());
            ends.extend([scaled(low).max(-most), scaled(high).min(most)]);
        }
        rows.push(Interval {
            name: metric.metric.clone(),
            value: scaled(change),
            ends: both.map(|(low, high)| (scaled(low), scaled(high))),
            allowed: gated.then_some(allowed),
            look: look(metric.verdict),
            said: format!("{} {said}", moved(metric, change)),
            title: format!(
                "{}: {}{}, {} pass: {said}",
                metric.metric,
                moved(metric, change),
                interval(metric).map_or_else(String::new, |interval| format!(" ({interval})")),
                moved(metric, metric.margin),
            ),
        });
        data.row([
            metric.metric.as_str().into(),
            scaled(change).into(),
            metric.low.map(scaled).into(),
            metric.high.map(scaled).into(),
            margin.into(),
            said.into(),
        ]);
    }
    let drawn = Forest {
        title: title.to_owned(),
        about: "changes with their 95 % intervals, against the margin that passes".to_owned(),
        axis: Axis {
            label: format!("change {unit}"),
            scale: Scale::around(ends),
            show: |value| {
                let sign = if value > 0.0 { "+" } else { "" };
                format!("{sign}{}", significant(value))
            },
        },
        rows,
    };
    Figure {
        title: title.to_owned(),
        note: HOW_TO_READ.to_owned(),
        svg: drawn.svg(),
        data,
    }
}

/// Latency of both sides.
pub(super) fn distributions(page: &mut Page, sides: &Sides) {
    let known = [("base", &sides.base), ("new", &sides.new)];
    let curves: Vec<_> = known
        .into_iter()
        .filter_map(|(name, side)| Some((name.to_owned(), curve(side.as_ref()?, 0))))
        .collect();
    if let Some(figure) = runs::distributions(&curves) {
        page.push(Block::Heading("Latency on both sides".to_owned()));
        page.figure(figure);
    }
}
