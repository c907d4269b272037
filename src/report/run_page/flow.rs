//! What came, what became of it and what was under way, over time.

use super::super::figure::{Data, Figure};
use super::super::words::count;
use super::{SPANS_MAX, clock, in_seconds, short, time_axis};
use crate::chart::{Axis, Band, Column, Columns, Hover, Line, Look, Plot, Scale};
use crate::recorder::interval::Interval;
use crate::recorder::measured::Measured;
use crate::results::Series;
use crate::units::significant;

/// Neighbouring intervals.
struct Span<'a>(&'a [Interval]);

impl Span<'_> {
    fn from(&self) -> f64 {
        in_seconds(self.0[0].start.as_nanos())
    }

    fn to(&self) -> f64 {
        in_seconds(self.0[self.0.len() - 1].end.as_nanos())
    }

    /// Per second, over all of it.
    fn rate(&self, of: fn(&Interval) -> u64) -> f64 {
        let sum: u64 = self.0.iter().map(of).sum();
        sum as f64 / (self.to() - self.from()).max(1e-3)
    }

    /// The least and the greatest of single intervals.
    fn ends(&self, of: fn(&Interval) -> f64) -> (f64, f64) {
        let values = self.0.iter().map(of);
        values.fold((f64::INFINITY, 0.0), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    }
}

fn answered_rate(interval: &Interval) -> f64 {
    let length = (interval.end - interval.start).as_secs_f64();
    if length > 0.0 {
        interval.counts.completed as f64 / length
    } else {
        0.0
    }
}

/// Two charts; none of a run without intervals.
pub(super) fn figures(measured: &Measured, series: &Series) -> Vec<Figure> {
    let together = series.intervals.len().div_ceil(SPANS_MAX).max(1);
    // What is left over at the end, shorter than a second, has no rate to speak of.
    let intervals = series.intervals.as_slice();
    let whole = match intervals.split_last() {
        Some((last, rest)) if !rest.is_empty() && (last.end - last.start).as_secs_f64() < 1.0 => {
            rest
        }
        _ => intervals,
    };
    let spans: Vec<Span<'_>> = whole.chunks(together).map(Span).collect();
    if spans.is_empty() {
        return Vec::new();
    }
    let end = spans.last().map_or(0.0, Span::to);
    let end = end.max(in_seconds(measured.elapsed_ns));
    vec![
        rates(&spans, together, end),
        under_way(&spans, together, end),
    ]
}

/// How intervals were put together.
fn thinned(together: usize, extremes: &str) -> String {
    if together == 1 {
        return "Each step is five seconds.".to_owned();
    }
    format!(
        "Thinned: each step is the mean of {} s; {extremes} of its single five seconds.",
        5 * together
    )
}

/// A way to end: its name, how it looks, and how often it happened.
type Part = (&'static str, Look, fn(&Interval) -> u64);

const PARTS: [Part; 4] = [
    ("answered", Look::Series(0), |interval| {
        interval.counts.completed
    }),
    ("failed", Look::Bad, |interval| interval.counts.failed),
    ("dropped", Look::Series(3), |interval| {
        interval.counts.dropped
    }),
    ("cancelled", Look::Quiet, |interval| {
        interval.counts.cancelled
    }),
];

const fn due(interval: &Interval) -> u64 {
    interval.counts.intended
}

fn rates_data(spans: &[Span<'_>], parts: &[&Part]) -> Data {
    let mut data = Data {
        columns: ["from (s)", "to (s)", "due/s"].map(str::to_owned).to_vec(),
        rows: Vec::new(),
    };
    let names = parts.iter().map(|part| format!("{}/s", part.0));
    data.columns.extend(names);
    data.columns.push("answered/s, least".to_owned());
    data.columns.push("answered/s, most".to_owned());
    for span in spans {
        let (low, high) = span.ends(answered_rate);
        let mut row = vec![span.from().into(), span.to().into(), span.rate(due).into()];
        row.extend(parts.iter().map(|part| span.rate(part.2).into()));
        row.extend([low.into(), high.into()]);
        data.rows.push(row);
    }
    data
}

fn rates_columns(spans: &[Span<'_>], parts: &[&Part]) -> Columns {
    let column = |span: &Span<'_>| Column {
        from: span.from(),
        to: span.to(),
        values: parts.iter().map(|part| span.rate(part.2)).collect(),
        title: String::new(),
    };
    Columns {
        parts: parts
            .iter()
            .map(|part| (part.0.to_owned(), part.1))
            .collect(),
        columns: spans.iter().map(column).collect(),
    }
}

fn rates(spans: &[Span<'_>], together: usize, end: f64) -> Figure {
    let occurs = |part: &&Part| spans.iter().any(|span| span.rate(part.2) > 0.0);
    let parts: Vec<&Part> = PARTS.iter().filter(occurs).collect();
    let columns = rates_columns(spans, &parts);
    let data = rates_data(spans, &parts);
    let highest = spans
        .iter()
        .map(|span| span.rate(due))
        .chain(columns.sums());
    let highest = highest.chain(spans.iter().map(|span| span.ends(answered_rate).1));
    let y = Axis {
        label: "requests per second".to_owned(),
        scale: Scale::up_to(highest),
        show: short,
    };
    let title = "Requests that became due, and how they ended";
    let mut plot = Plot::new(title, time_axis(end), y);
    plot.about = "requests per second: due as a line, ended as columns".to_owned();
    plot.columns = columns;
    plot.lines
        .push(steps("due", Look::Series(1), spans, |span| span.rate(due)));
    if together > 1 {
        plot.bands.push(Band {
            name: "answered, least to most".to_owned(),
            look: Look::Series(4),
            points: spans
                .iter()
                .map(|span| (span.from(), Some(span.ends(answered_rate))))
                .collect(),
            step: true,
        });
    }
    plot.hovers = spans
        .iter()
        .map(|span| {
            let ended = parts
                .iter()
                .map(|part| format!(", {} {}/s", part.0, significant(span.rate(part.2))));
            hover(
                span,
                format!(
                    "due {}/s{}",
                    significant(span.rate(due)),
                    ended.collect::<String>()
                ),
            )
        })
        .collect();
    let note = thinned(together, "the band reaches from the least to the most");
    Figure {
        title: title.to_owned(),
        note,
        svg: plot.svg(),
        data,
    }
}

const fn in_flight(interval: &Interval) -> f64 {
    interval.in_flight as f64
}

fn under_way_data(spans: &[Span<'_>]) -> Data {
    let mut data = Data::new(["from (s)", "to (s)", "least under way", "most under way"]);
    for span in spans {
        let (low, high) = span.ends(in_flight);
        data.row([
            span.from().into(),
            span.to().into(),
            low.into(),
            high.into(),
        ]);
    }
    data
}

fn under_way(spans: &[Span<'_>], together: usize, end: f64) -> Figure {
    let y = Axis {
        label: "attempts under way".to_owned(),
        scale: Scale::up_to(spans.iter().map(|span| span.ends(in_flight).1)),
        show: short,
    };
    let title = "Attempts under way";
    let mut plot = Plot::new(title, time_axis(end), y);
    plot.height = 120.0;
    plot.about =
        "attempts that were sent and had not ended, at the end of each interval".to_owned();
    let name = if together > 1 {
        "most under way"
    } else {
        "under way"
    };
    plot.lines.push(steps(name, Look::Series(4), spans, |span| {
        span.ends(in_flight).1
    }));
    plot.bands.push(Band {
        name: if together > 1 {
            "least to most".to_owned()
        } else {
            String::new()
        },
        look: Look::Series(4),
        points: spans
            .iter()
            .map(|span| {
                let (low, high) = span.ends(in_flight);
                (
                    span.from(),
                    Some(if together > 1 {
                        (low, high)
                    } else {
                        (0.0, high)
                    }),
                )
            })
            .collect(),
        step: true,
    });
    let data = under_way_data(spans);
    plot.hovers = spans
        .iter()
        .map(|span| {
            hover(
                span,
                format!("{} under way", count(span.ends(in_flight).1 as u64)),
            )
        })
        .collect();
    let note = format!(
        "As many as there were when each five seconds ended.{}",
        if together > 1 {
            format!(
                " Thinned: {} s a step, the least and the most of them.",
                5 * together
            )
        } else {
            String::new()
        }
    );
    Figure {
        title: title.to_owned(),
        note,
        svg: plot.svg(),
        data,
    }
}

fn steps(name: &str, look: Look, spans: &[Span<'_>], of: impl Fn(&Span<'_>) -> f64) -> Line {
    let mut points: Vec<(f64, Option<f64>)> = spans
        .iter()
        .map(|span| (span.from(), Some(of(span))))
        .collect();
    if let Some(last) = spans.last() {
        points.push((last.to(), Some(of(last))));
    }
    Line {
        name: name.to_owned(),
        look,
        points,
        step: true,
        marked: false,
        leaves: false,
    }
}

fn hover(span: &Span<'_>, said: String) -> Hover {
    Hover {
        from: span.from(),
        to: span.to(),
        title: format!("{} to {}: {said}", clock(span.from()), clock(span.to())),
    }
}
