//! Use of the quotas over time, by minutes of the clock.

use super::super::figure::{Cell, Data, Figure};
use super::super::table::name;
use super::super::words::count;
use super::{clock, in_seconds, short, time_axis};
use crate::chart::{Axis, Column, Columns, Hover, Line, Look, Plot, Rule, Scale};
use crate::recorder::interval::Interval;
use crate::recorder::measured::{Measured, MinuteUse, QuotaUse};
use crate::results::{Run, Series};

/// More columns than this are put together, the fullest of each shown.
const COLUMNS_MAX: usize = 240;
/// More minutes than this are not marked one by one.
const MARKS_MAX: usize = 30;
/// In longer runs the rate within minutes is left out: it would hide the minutes.
const RATES_MAX: usize = 180;
/// How far above all else a rate within minutes may reach before it is cut at the top.
const RATE_MAX: f64 = 2.0;

/// Entries of the minutes' list that stand together.
struct Span<'a> {
    from: f64,
    to: f64,
    /// Minutes in each entry.
    minutes: f64,
    entries: &'a [MinuteUse],
}

impl Span<'_> {
    fn mean(&self, of: fn(&MinuteUse) -> u64) -> f64 {
        let sum: u64 = self.entries.iter().map(of).sum();
        sum as f64 / self.entries.len().max(1) as f64 / self.minutes
    }

    fn greatest(&self, of: fn(&MinuteUse) -> u64) -> f64 {
        let greatest = self.entries.iter().map(of).max().unwrap_or(0);
        greatest as f64 / self.minutes
    }
}

/// A chart of requests and one of tokens for each model, and one of the day's tokens where they are limited.
pub(super) fn figures(run: &Run, measured: &Measured, series: &Series) -> Vec<Figure> {
    let end = in_seconds(measured.elapsed_ns.max(measured.window_ns)).max(1e-3);
    let offset = in_seconds(measured.clock_offset_ns);
    let several = measured.quota_use.len() > 1;
    // Intervals do not tell models apart.
    let intervals: &[Interval] = if several || series.intervals.len() > RATES_MAX {
        &[]
    } else {
        &series.intervals
    };
    let mut figures = Vec::new();
    for (place, used) in measured.quota_use.iter().enumerate() {
        let spans = spans(used, offset, end);
        let mut marks = Vec::new();
        let first = 60.0 - offset;
        if (end / 60.0) as usize <= MARKS_MAX {
            marks.extend(
                (0..=MARKS_MAX)
                    .map(|k| first + 60.0 * k as f64)
                    .take_while(|at| *at < end),
            );
        }
        let chart = Chart {
            used,
            spans: &spans,
            marks: &marks,
            intervals,
            end,
        };
        figures.push(chart.requests());
        figures.push(chart.tokens());
        let tpd = run
            .file
            .settings
            .models
            .get(place)
            .and_then(|model| model.quota.tpd);
        if let Some(tpd) = tpd {
            figures.push(chart.day(tpd));
        }
    }
    figures
}

fn spans(used: &QuotaUse, offset: f64, end: f64) -> Vec<Span<'_>> {
    let minutes = used.minutes_per_entry.max(1) as f64;
    let together = used.minutes.len().div_ceil(COLUMNS_MAX).max(1);
    let length = minutes * 60.0 * together as f64;
    used.minutes
        .chunks(together)
        .enumerate()
        .map(|(place, entries)| {
            let from = place as f64 * length - offset;
            Span {
                from: from.max(0.0),
                to: (from + length).min(end).max(from.max(0.0)),
                minutes,
                entries,
            }
        })
        .collect()
}

struct Chart<'a> {
    used: &'a QuotaUse,
    spans: &'a [Span<'a>],
    marks: &'a [f64],
    intervals: &'a [Interval],
    end: f64,
}

impl Chart<'_> {
    fn title(&self, what: &str) -> String {
        format!("{}: {what} per minute of the clock", name(&self.used.model))
    }

    fn note(&self, cut: bool) -> String {
        let mut note = String::from(
            "A column is a minute of the clock; the first and the last may be parts of one.",
        );
        let entries = self.spans.first().map_or(1, |span| span.entries.len());
        let minutes = entries as u64 * self.used.minutes_per_entry.max(1);
        if minutes > 1 {
            note = format!(
                "Thinned: a column is {} minutes; it shows the fullest of them, per minute.",
                count(minutes)
            );
        }
        if !self.intervals.is_empty() {
            note += " The thin line is the rate within five seconds, as if it went on for a minute";
            note += if cut { ", cut off at the top." } else { "." };
        }
        note
    }

    /// A rate per minute, from what intervals count.
    fn rate(&self, of: fn(&Interval) -> u64, top: f64) -> (Option<Line>, bool) {
        let per_minute = |interval: &Interval| {
            let length = (interval.end - interval.start).as_secs_f64();
            if length > 0.5 {
                of(interval) as f64 * 60.0 / length
            } else {
                0.0
            }
        };
        let mut points: Vec<(f64, Option<f64>)> = self
            .intervals
            .iter()
            .map(|interval| {
                (
                    in_seconds(interval.start.as_nanos()),
                    Some(per_minute(interval)),
                )
            })
            .collect();
        points.push((self.end, points.last().and_then(|last| last.1)));
        let highest = points
            .iter()
            .filter_map(|point| point.1)
            .fold(0.0, f64::max);
        let line = Line {
            name: "rate in 5 s".to_owned(),
            look: Look::Quiet,
            points,
            step: true,
            marked: false,
            leaves: false,
        };
        ((!self.intervals.is_empty()).then_some(line), highest > top)
    }

    fn requests(&self) -> Figure {
        let quota = self.used.requests.quota.map(|quota| quota as f64);
        let taken: fn(&MinuteUse) -> u64 = |minute| minute.requests;
        let refused: fn(&MinuteUse) -> u64 = |minute| minute.refused;
        let mut parts = vec![("taken on".to_owned(), Look::Series(0))];
        // What did not happen needs no place in the legend.
        if self.spans.iter().any(|span| span.greatest(refused) > 0.0) {
            parts.push(("refused".to_owned(), Look::Bad));
        }
        let column = |span: &Span<'_>| Column {
            from: span.from,
            to: span.to,
            values: vec![span.greatest(taken), span.greatest(refused)],
            title: String::new(),
        };
        let columns = Columns {
            parts,
            columns: self.spans.iter().map(column).collect(),
        };
        let highest = columns.sums().chain(quota).fold(1.0, f64::max);
        let sent = |interval: &Interval| interval.sent;
        let (line, cut) = self.rate(sent, RATE_MAX * highest);
        let mut data = Data::new(["from (s)", "to (s)", "taken on", "refused", "most taken on"]);
        for span in self.spans {
            data.row([
                span.from.into(),
                span.to.into(),
                span.mean(taken).into(),
                span.mean(refused).into(),
                span.greatest(taken).into(),
            ]);
        }
        let rule = quota.map(|at| Rule {
            at,
            label: format!("RPM quota {}", count(at as u64)),
            look: Look::Caution,
        });
        self.draw("requests", columns, line, rule, highest, cut, data)
    }

    fn tokens(&self) -> Figure {
        let quota = self.used.tokens.quota.map(|quota| quota as f64);
        let settled: fn(&MinuteUse) -> u64 = |minute| minute.settled.0;
        let reserved: fn(&MinuteUse) -> u64 = |minute| minute.reserved.0;
        let column = |span: &Span<'_>| Column {
            from: span.from,
            to: span.to,
            values: vec![span.greatest(settled)],
            title: String::new(),
        };
        let columns = Columns {
            parts: vec![("settled".to_owned(), Look::Series(2))],
            columns: self.spans.iter().map(column).collect(),
        };
        let most_reserved = self.spans.iter().map(|span| span.greatest(reserved));
        let highest = columns
            .sums()
            .chain(quota)
            .chain(most_reserved)
            .fold(1.0, f64::max);
        let mut data = Data::new([
            "from (s)",
            "to (s)",
            "settled",
            "reserved",
            "most settled",
            "most reserved",
        ]);
        for span in self.spans {
            data.row([
                span.from.into(),
                span.to.into(),
                span.mean(settled).into(),
                span.mean(reserved).into(),
                span.greatest(settled).into(),
                span.greatest(reserved).into(),
            ]);
        }
        let rule = quota.map(|at| Rule {
            at,
            label: format!("TPM quota {}", count(at as u64)),
            look: Look::Caution,
        });
        let (line, cut) = self.rate(|interval| interval.settled.0, RATE_MAX * highest);
        self.draw("tokens", columns, line, rule, highest, cut, data)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one drawing, from two callers beside it"
    )]
    fn draw(
        &self,
        what: &str,
        columns: Columns,
        line: Option<Line>,
        rule: Option<Rule>,
        highest: f64,
        cut: bool,
        data: Data,
    ) -> Figure {
        let most = line
            .iter()
            .flat_map(|line| &line.points)
            .filter_map(|point| point.1);
        let top = most.fold(highest, f64::max).min(RATE_MAX * highest);
        let y = Axis {
            label: format!("{what} per minute"),
            scale: Scale::up_to([top]),
            show: short,
        };
        let mut plot = Plot::new(self.title(what), time_axis(self.end), y);
        plot.about = format!("{what} by minutes of the clock, against the quota");
        plot.marks = self.marks.to_vec();
        plot.columns = columns;
        if what == "tokens" {
            plot.lines.push(self.reserved());
        }
        plot.lines.extend(line);
        plot.rules.extend(rule);
        plot.hovers = self.spans.iter().map(hover).collect();
        Figure {
            title: self.title(what),
            note: self.note(cut),
            svg: plot.svg(),
            data,
        }
    }

    fn reserved(&self) -> Line {
        let mut points: Vec<(f64, Option<f64>)> = self
            .spans
            .iter()
            .map(|span| (span.from, Some(span.greatest(|minute| minute.reserved.0))))
            .collect();
        points.push((self.end, points.last().and_then(|last| last.1)));
        Line {
            name: "reserved".to_owned(),
            look: Look::Series(1),
            points,
            step: true,
            marked: false,
            leaves: false,
        }
    }

    /// Tokens of the day, as they add up.
    fn day(&self, quota: u64) -> Figure {
        let mut sum = 0;
        let mut points = vec![(0.0, Some(0.0))];
        let mut data = Data::new(["until (s)", "settled so far"]);
        for span in self.spans {
            sum += span
                .entries
                .iter()
                .map(|minute| minute.settled.0)
                .sum::<u64>();
            points.push((span.to, Some(sum as f64)));
            data.row([Cell::from(span.to), sum.into()]);
        }
        let y = Axis {
            label: "tokens".to_owned(),
            scale: Scale::up_to([sum as f64, quota as f64]),
            show: short,
        };
        let title = format!(
            "{}: tokens settled since the run began",
            name(&self.used.model)
        );
        let mut plot = Plot::new(title.clone(), time_axis(self.end), y);
        plot.about = "settled tokens as they add up, against the quota of a day".to_owned();
        plot.lines.push(Line {
            name: "settled".to_owned(),
            look: Look::Series(2),
            points,
            step: false,
            marked: false,
            leaves: false,
        });
        plot.rules.push(Rule {
            at: quota as f64,
            label: format!("TPD quota {}", count(quota)),
            look: Look::Caution,
        });
        let note = "What others used on the same day is not known here.".to_owned();
        Figure {
            title,
            note,
            svg: plot.svg(),
            data,
        }
    }
}

fn hover(span: &Span<'_>) -> Hover {
    let whole = |value: f64| count(value.round() as u64);
    Hover {
        from: span.from,
        to: span.to,
        title: format!(
            "{} to {}: {} requests taken on, {} refused; {} tokens reserved, {} settled, per minute",
            clock(span.from),
            clock(span.to),
            whole(span.mean(|minute| minute.requests)),
            whole(span.mean(|minute| minute.refused)),
            whole(span.mean(|minute| minute.reserved.0)),
            whole(span.mean(|minute| minute.settled.0)),
        ),
    }
}
