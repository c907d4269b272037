//! How long requests took: over time, and as a distribution.

use hdrhistogram::Histogram;

use super::super::figure::{Cell, Data, Figure};
use super::super::words::{count, percent};
use super::{clock, in_seconds, seconds, time_axis};
use crate::chart::{Axis, Band, Hover, Line, Look, Plot, Rule, Scale};
use crate::expect::{Metric, Timing};
use crate::recorder::measured::{Inflated, Measured, Spread};
use crate::results::{LatencySpan, Run, Series};

/// From this factor between least and greatest on, an axis is logarithmic.
const LOG_FROM: f64 = 40.0;
/// Points of a distribution's curve.
const CURVE_POINTS: u32 = 160;
/// Percentiles that are told in tables and by pointing.
const TOLD: [f64; 6] = [0.5, 0.75, 0.9, 0.99, 0.999, 0.9999];

/// Latency over time, and how it is distributed.
pub(super) fn figures(run: &Run, measured: &Measured, series: &Series) -> Vec<Figure> {
    let mut figures = Vec::new();
    if !series.latency.is_empty() {
        figures.push(over_time(measured, series));
    }
    figures.extend(distribution(run, measured, series));
    figures
}

fn axis(values: impl IntoIterator<Item = f64>) -> Axis {
    let values: Vec<f64> = values.into_iter().collect();
    let (least, greatest) = lowest_and_highest(&values);
    let logarithmic = least > 0.0 && greatest > LOG_FROM * least;
    Axis {
        label: if logarithmic {
            "latency, due → finished (logarithmic)".to_owned()
        } else {
            "latency, due → finished".to_owned()
        },
        scale: if logarithmic {
            Scale::log_around(values)
        } else {
            Scale::up_to(values)
        },
        show: seconds,
    }
}

/// The least above zero, and the greatest; zero where there are none.
pub(in crate::report) fn lowest_and_highest(values: &[f64]) -> (f64, f64) {
    let above = values
        .iter()
        .copied()
        .filter(|value| *value > 0.0 && value.is_finite());
    let (low, high) = above.fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if high > 0.0 { (low, high) } else { (0.0, 0.0) }
}

/// The lines of the percentiles, the highest first.
fn draw_percentiles(plot: &mut Plot, spans: &[LatencySpan]) {
    type Of = fn(&LatencySpan) -> Option<u64>;
    let lines: [(&str, Look, Of); 4] = [
        ("greatest", Look::Quiet, |span| span.max_ns),
        ("p99", Look::Series(1), |span| Some(span.p99_ns)),
        ("p90", Look::Series(2), |span| span.p90_ns),
        ("p50", Look::Series(0), |span| Some(span.p50_ns)),
    ];
    for (name, look, of) in lines {
        if spans.iter().any(|span| of(span).is_some()) {
            plot.lines.push(Line {
                name: name.to_owned(),
                look,
                points: with_gaps(spans, |span| of(span).map(in_seconds)),
                step: true,
                marked: false,
                leaves: false,
            });
        }
    }
}

/// The numbers, as a table and for whoever points.
fn over_time_data(plot: &mut Plot, spans: &[LatencySpan]) -> Data {
    let s = in_seconds;
    let mut data = Data::new([
        "from (s)",
        "to (s)",
        "answered",
        "p50 (s)",
        "p90 (s)",
        "p99 (s)",
        "greatest (s)",
    ]);
    for span in spans {
        let (from, to) = (s(span.start.as_nanos()), s(span.end.as_nanos()));
        data.row([
            from.into(),
            to.into(),
            span.count.into(),
            s(span.p50_ns).into(),
            span.p90_ns.map(s).into(),
            s(span.p99_ns).into(),
            span.max_ns.map(s).into(),
        ]);
        let told =
            |nanos: Option<u64>| nanos.map_or_else(|| "–".to_owned(), |nanos| seconds(s(nanos)));
        plot.hovers.push(Hover {
            from,
            to,
            title: format!(
                "{} to {}: {} answered, p50 {}, p90 {}, p99 {}, greatest {}",
                clock(from),
                clock(to),
                count(span.count),
                told(Some(span.p50_ns)),
                told(span.p90_ns),
                told(Some(span.p99_ns)),
                told(span.max_ns)
            ),
        });
    }
    data
}

fn over_time(measured: &Measured, series: &Series) -> Figure {
    let spans = &series.latency;
    let s = in_seconds;
    let end = series
        .intervals
        .last()
        .map_or(0, |last| last.end.as_nanos());
    let end = s(end.max(measured.elapsed_ns));
    let drawn = spans.iter().flat_map(|span| {
        [Some(span.p50_ns), Some(span.p99_ns), span.max_ns].map(|nanos| nanos.map_or(0.0, s))
    });
    let title = "Latency of answered requests over time";
    let mut plot = Plot::new(title, time_axis(end), axis(drawn));
    plot.about =
        "median, 90th and 99th percentile and the greatest, by when requests were answered"
            .to_owned();
    plot.bands.push(Band {
        name: String::new(),
        look: Look::Series(0),
        points: with_gaps(spans, |span| Some((s(span.p50_ns), s(span.p99_ns)))),
        step: true,
    });
    draw_percentiles(&mut plot, spans);
    let data = over_time_data(&mut plot, spans);
    let span = 5 * series.intervals_per_span.max(1);
    let merged = if series.intervals_per_span > 1 {
        " Thinned: histograms of neighbours are merged, and the greatest of all is kept."
    } else {
        ""
    };
    let note = format!(
        "Steps of {span} s, by when answers were complete, however few there were in each.{merged}"
    );
    Figure {
        title: title.to_owned(),
        note,
        svg: plot.svg(),
        data,
    }
}

/// Points that hold until the span's end, and a gap where nothing was answered.
fn with_gaps<T: Copy>(
    spans: &[LatencySpan],
    of: impl Fn(&LatencySpan) -> Option<T>,
) -> Vec<(f64, Option<T>)> {
    let mut points = Vec::with_capacity(spans.len() + 2);
    for (place, span) in spans.iter().enumerate() {
        let value = of(span);
        points.push((in_seconds(span.start.as_nanos()), value));
        let next = spans.get(place + 1);
        if next.is_none_or(|next| next.start > span.end) {
            let end = in_seconds(span.end.as_nanos());
            points.extend([(end, value), (end, None)]);
        }
    }
    points
}

/// An axis of percentiles, evenly by 1/(1 − part).
pub(in crate::report) fn percentiles_axis(samples: u64) -> Axis {
    Axis {
        label: "part of requests that took no longer".to_owned(),
        scale: Scale::percentiles(samples),
        show: |part| {
            // As many nines as there are.
            let text = format!("{:.4}", part * 100.0);
            format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
        },
    }
}

/// A distribution's curve, where `infinite` more samples stand above all others.
pub(in crate::report) fn curve(whole: &Histogram<u64>, infinite: u64) -> Vec<(f64, Option<f64>)> {
    let all = (whole.len() + infinite).max(1) as f64;
    let nines = all.max(10.0).log10();
    let mut parts: Vec<f64> = (0..=CURVE_POINTS)
        .map(|step| 1.0 - 10_f64.powf(-nines * f64::from(step) / f64::from(CURVE_POINTS)))
        .collect();
    parts.extend(TOLD.into_iter().filter(|part| *part < 1.0 - 1.0 / all));
    let answered = whole.len() as f64 / all;
    parts.push(answered.min(1.0 - 1.0 / all.max(10.0)));
    parts.retain(|part| *part <= answered);
    parts.sort_by(f64::total_cmp);
    parts.dedup();
    parts
        .into_iter()
        .map(|part| {
            // Half a sample below the rank, as everywhere: the crate rounds up.
            let rank = (part * all).ceil().clamp(1.0, whole.len().max(1) as f64);
            let nanos = whole.value_at_quantile((rank - 0.5) / whole.len().max(1) as f64);
            (part, Some(in_seconds(nanos)))
        })
        .collect()
}

/// What a run's own numbers tell of its distribution, where its histograms are not there.
fn known(spread: &Spread) -> Vec<(f64, Option<f64>)> {
    let last = 1.0 - 1.0 / (spread.count.max(10) as f64);
    [
        (0.0, spread.min_ns),
        (0.5, spread.p50_ns),
        (0.9, spread.p90_ns),
        (0.99, spread.p99_ns),
        (0.999, spread.p999_ns),
        (last, spread.max_ns),
    ]
    .into_iter()
    .filter(|(part, nanos)| nanos.is_some() && *part <= last)
    .map(|(part, nanos)| (part, nanos.map(in_seconds)))
    .collect()
}

fn distribution_data(
    answered: &[(f64, Option<f64>)],
    inflated: &[(f64, Option<f64>)],
    infinite: u64,
) -> Data {
    let at = |points: &[(f64, Option<f64>)], part: f64| {
        let mut reached = points.iter().filter(|point| point.0 >= part - 1e-12);
        reached.next().and_then(|point| point.1)
    };
    let mut data = Data::new(["part of requests", "answered (s)", "failures as ∞ (s)"]);
    let mut parts: Vec<f64> = answered.iter().step_by(4).map(|point| point.0).collect();
    parts.extend(
        TOLD.into_iter()
            .filter(|part| answered.last().is_some_and(|last| *part <= last.0)),
    );
    parts.sort_by(f64::total_cmp);
    parts.dedup();
    for part in parts {
        let failing = match at(inflated, part) {
            Some(value) => value.into(),
            None if infinite > 0 => Cell::from("∞"),
            None => at(answered, part).into(),
        };
        data.row([part.into(), at(answered, part).into(), failing]);
    }
    data
}

fn distribution_note(measured: &Measured, series: &Series) -> String {
    let total = &measured.total;
    let Inflated {
        count: samples,
        infinite,
        ..
    } = total.inflated_latency;
    let mut note =
        "The axis is even in 1/(1 − part), so that each nine has as much room.".to_owned();
    if infinite > 0 {
        note += &format!(
            " With failed and dropped requests as infinite, the curve leaves the plot where the answered \
             {} of {} end.",
            percent(total.latency.count as f64 / samples.max(1) as f64),
            count(samples)
        );
    }
    if series.whole.is_none() {
        note += " The histograms are not there: only the quantiles in `run.json` are drawn.";
    }
    note
}

fn distribution(run: &Run, measured: &Measured, series: &Series) -> Option<Figure> {
    let total = &measured.total;
    let answered = match &series.whole {
        Some(whole) => curve(whole, 0),
        None => known(&total.latency),
    };
    if answered.is_empty() {
        return None;
    }
    let Inflated {
        count: samples,
        infinite,
        ..
    } = total.inflated_latency;
    let inflated = match &series.whole {
        Some(whole) if infinite > 0 => curve(whole, infinite),
        _ => Vec::new(),
    };
    let values = answered.iter().chain(&inflated).filter_map(|point| point.1);
    let axis = axis(values.clone());
    let (_, highest) = lowest_and_highest(&values.collect::<Vec<_>>());
    let title = "How latency is distributed";
    let mut plot = Plot::new(
        title,
        percentiles_axis(samples.max(total.latency.count)),
        axis,
    );
    plot.height = 250.0;
    plot.about =
        "latency by percentile: of answered requests, and with failed and dropped ones as infinite"
            .to_owned();
    let line = |name: &str, look, points: &[(f64, Option<f64>)], leaves| Line {
        name: name.to_owned(),
        look,
        points: points.to_vec(),
        step: false,
        marked: false,
        leaves,
    };
    plot.lines
        .push(line("answered requests", Look::Series(0), &answered, false));
    if !inflated.is_empty() {
        plot.lines.push(line(
            "failed and dropped ones as ∞",
            Look::Bad,
            &inflated,
            true,
        ));
    }
    plot.rules = bounds(run, highest);
    let data = distribution_data(&answered, &inflated, infinite);
    let note = distribution_note(measured, series);
    Some(Figure {
        title: title.to_owned(),
        note,
        svg: plot.svg(),
        data,
    })
}

/// The pass marks of latency that lie within reach of the curve.
fn bounds(run: &Run, highest: f64) -> Vec<Rule> {
    let marks = run.file.verdicts.iter().filter_map(|verdict| {
        let metric = Metric::parse(&verdict.metric)?;
        let bound = verdict.at_most.filter(|bound| *bound <= highest)?;
        matches!(metric, Metric::Time(Timing::Latency, _)).then(|| Rule {
            at: bound,
            label: format!("{} at most {}", verdict.metric, seconds(bound)),
            look: if verdict.passed {
                Look::Good
            } else {
                Look::Bad
            },
        })
    });
    marks.collect()
}
