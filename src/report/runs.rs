//! Several runs beside each other: a table, CSV, and a page with their curves in the same charts.

use super::Form;
use super::csv_text::csv_text;
use super::figure::{Data, Figure};
use super::page::{Block, Page};
use super::run_page::{self, curve, in_seconds, lowest_and_highest, percentiles_axis, seconds};
use super::summary;
use super::table::{Table, name};
use super::words::{count, length, percent};
use crate::chart::{Axis, Line, Look, Plot, Scale};
use crate::compare;
use crate::gate::Gauge;
use crate::recorder::measured::Measured;
use crate::results::{LatencySpan, Run, Series};
use crate::units::significant;

/// More curves than this in one chart cannot be told apart.
pub const RUNS_MAX: usize = 12;

/// One table, a row for each run.
#[must_use]
pub fn runs(runs: &[Run], form: Form) -> String {
    let mut page = Page::default();
    page.table(table(runs));
    match form {
        Form::Text(style) => page.to_text(style),
        Form::Markdown => page.to_markdown(),
    }
}

fn table(runs: &[Run]) -> Table {
    let heading = [
        "Run",
        "target",
        "seed",
        "state",
        "pass marks",
        "requests",
        "answered",
        "throttled",
        "answers/min",
        "latency p50",
        "p99",
        "wait p99",
        "fullest minute",
    ];
    let mut table = Table::new(1, heading);
    for run in runs {
        let file = &run.file;
        let missed = file
            .verdicts
            .iter()
            .filter(|verdict| !verdict.passed)
            .count();
        let marks = match (file.verdicts.len(), missed) {
            (0, _) => "–".to_owned(),
            (_, 0) => "passed".to_owned(),
            (all, missed) => format!("MISSED {missed} of {all}"),
        };
        let [requests, answered, throttled, rate, p50, p99, wait, fullest] = file
            .measured
            .as_ref()
            .map_or_else(|| [const { String::new() }; 8], numbers);
        table.row([
            called(run),
            file.target.name().to_owned(),
            file.seed.to_string(),
            file.state.name().to_owned(),
            marks,
            requests,
            answered,
            throttled,
            rate,
            p50,
            p99,
            wait,
            fullest,
        ]);
    }
    table
}

/// What a run is called: its scenario, and the folder that it is in.
fn called(run: &Run) -> String {
    let dir = run.dir.as_ref().and_then(|dir| dir.file_name());
    let dir = dir.map_or_else(String::new, |dir| format!(" {}", dir.to_string_lossy()));
    format!("{}{dir}", name(&run.file.scenario.name))
}

fn numbers(measured: &Measured) -> [String; 8] {
    let total = &measured.total;
    let dash = || "–".to_owned();
    let time = |nanos: Option<u64>| nanos.map_or_else(dash, length);
    let shares = measured.quota_use.iter().flat_map(|model| {
        [&model.requests, &model.tokens, &model.reserved].map(|used| used.peak_clock_share())
    });
    [
        count(total.counts.intended),
        count(total.counts.completed),
        total.attempts.throttle_share().map_or_else(dash, percent),
        significant(total.requests_per_second * 60.0),
        time(total.latency.p50_ns),
        time(total.latency.p99_ns),
        time(total.limiter_wait.p99_ns),
        shares
            .flatten()
            .max_by(f64::total_cmp)
            .map_or_else(dash, percent),
    ]
}

/// A line for each run, with a heading: what was run, how requests ended, and each metric under the name that
/// pass marks and `compare` give it, in seconds, parts of one, or plain numbers. Latency has failures as
/// infinite (`inf`); what was not measured is empty.
#[must_use]
pub fn runs_csv(runs: &[Run]) -> String {
    let names = [
        "run",
        "scenario",
        "target",
        "seed",
        "started",
        "state",
        "passed",
        "intended",
        "completed",
        "failed",
        "dropped",
        "cancelled",
        "attempts",
        "throttled",
    ];
    let gauges = Gauge::all().map(|gauge| gauge.to_string());
    let heading = names.map(str::to_owned).into_iter().chain(gauges);
    csv_text(heading.collect(), runs.iter().map(csv_row))
}

fn csv_row(run: &Run) -> Vec<String> {
    let file = &run.file;
    let dir = run.dir.as_ref().map(|dir| dir.display().to_string());
    let marks = &file.verdicts;
    let passed = (!marks.is_empty()).then(|| marks.iter().all(|verdict| verdict.passed));
    let mut row = vec![
        dir.unwrap_or_default(),
        file.scenario.name.clone(),
        file.target.name().to_owned(),
        file.seed.to_string(),
        file.started.clone().unwrap_or_default(),
        file.state.name().to_owned(),
        passed.map_or_else(String::new, |passed| passed.to_string()),
    ];
    let counts = file.measured.as_ref().map(|measured| {
        let (counts, attempts) = (measured.total.counts, &measured.total.attempts);
        [
            counts.intended,
            counts.completed,
            counts.failed,
            counts.dropped,
            counts.cancelled,
            attempts.sent,
            attempts.throttled.total(),
        ]
    });
    row.extend(match counts {
        Some(counts) => counts.map(|count| count.to_string()),
        None => Default::default(),
    });
    row.extend(Gauge::all().map(|gauge| {
        compare::value(gauge, file).map_or_else(String::new, |value| value.to_string())
    }));
    row
}

/// One page for several runs.
#[must_use]
pub fn runs_page(runs: &[(Run, Series)]) -> String {
    let mut page = Page::default();
    page.title(format!("{} runs", runs.len()));
    for (run, _) in runs {
        for (paint, sentence) in summary::head(run) {
            page.push(Block::Verdict(
                paint,
                format!("{}: {sentence}", called(run)),
            ));
        }
    }
    page.heading("Beside each other");
    let alone: Vec<Run> = runs.iter().map(|(run, _)| run.clone()).collect();
    page.table(table(&alone));
    page.heading("How long they took");
    page.figure(over_time(runs, "Median latency over time", |span| {
        span.p50_ns
    }));
    page.figure(over_time(
        runs,
        "99th percentile of latency over time",
        |span| span.p99_ns,
    ));
    let curves: Vec<Curve> = runs
        .iter()
        .filter_map(|(run, series)| Some((called(run), curve(series.whole.as_ref()?, 0))))
        .collect();
    page.push(distributions(&curves).map_or_else(
        || Block::Note("The histograms of these runs are not there.".to_owned()),
        |figure| Block::Figure(Box::new(figure)),
    ));
    page.heading("How much came through");
    page.figure(answered(runs));
    page.heading("What was not measured");
    for (run, _) in runs {
        page.text(called(run));
        page.facts(summary::gaps(&run.file));
    }
    page.to_html("runs")
}

fn look(place: usize) -> Look {
    Look::Series(u8::try_from(place % 24).unwrap_or(0))
}

fn line(name: String, place: usize, points: Vec<(f64, Option<f64>)>, step: bool) -> Line {
    Line {
        name,
        look: look(place),
        points,
        step,
        marked: false,
        leaves: false,
    }
}

fn latency_axis(lines: &[Line]) -> Axis {
    let values: Vec<f64> = lines
        .iter()
        .flat_map(|line| line.points.iter().filter_map(|point| point.1))
        .collect();
    let (low, high) = lowest_and_highest(&values);
    Axis {
        label: "latency, due → finished".to_owned(),
        scale: if high > 40.0 * low && low > 0.0 {
            Scale::log_around(values)
        } else {
            Scale::up_to(values)
        },
        show: seconds,
    }
}

fn end_of(runs: &[(Run, Series)]) -> f64 {
    let ends = runs
        .iter()
        .filter_map(|(_, series)| Some(in_seconds(series.intervals.last()?.end.as_nanos())));
    ends.fold(1.0, f64::max)
}

fn over_time(runs: &[(Run, Series)], title: &str, of: fn(&LatencySpan) -> u64) -> Figure {
    let mut data = Data::new(["run", "from (s)", "latency (s)"]);
    let mut lines = Vec::new();
    for (place, (run, series)) in runs.iter().enumerate() {
        let points = series.latency.iter().map(|span| {
            (
                in_seconds(span.start.as_nanos()),
                Some(in_seconds(of(span))),
            )
        });
        let points: Vec<_> = points.collect();
        for (from, value) in &points {
            data.row([called(run).as_str().into(), (*from).into(), (*value).into()]);
        }
        lines.push(line(called(run), place, points, true));
    }
    let mut plot = Plot::new(
        title,
        run_page::time_axis(end_of(runs)),
        latency_axis(&lines),
    );
    plot.about = "a line for each run".to_owned();
    plot.lines = lines;
    let note = "By when answers were complete, however few there were in each step.".to_owned();
    Figure {
        title: title.to_owned(),
        note,
        svg: plot.svg(),
        data,
    }
}

/// A name, and the points of its curve.
type Curve = (String, Vec<(f64, Option<f64>)>);

/// Distributions in one chart; none if there is none.
pub(super) fn distributions(curves: &[Curve]) -> Option<Figure> {
    if curves.is_empty() {
        return None;
    }
    let mut data = Data::new(["run", "part of requests", "latency (s)"]);
    let mut lines = Vec::new();
    let mut last = 0.0_f64;
    for (place, (name, points)) in curves.iter().enumerate() {
        for (part, value) in points.iter().step_by(4) {
            data.row([name.as_str().into(), (*part).into(), (*value).into()]);
        }
        last = points.last().map_or(last, |point| last.max(point.0));
        lines.push(line(name.clone(), place, points.clone(), false));
    }
    let title = "How latency is distributed";
    let samples = (1.0 / (1.0 - last).max(1e-9)).round() as u64;
    let mut plot = Plot::new(title, percentiles_axis(samples), latency_axis(&lines));
    plot.height = 250.0;
    plot.about = "latency of answered requests by percentile, a line for each".to_owned();
    plot.lines = lines;
    let note = "Of answered requests. The axis is even in 1/(1 − part), so that each nine has as much room.".to_owned();
    Some(Figure {
        title: title.to_owned(),
        note,
        svg: plot.svg(),
        data,
    })
}

fn answered(runs: &[(Run, Series)]) -> Figure {
    let mut data = Data::new(["run", "from (s)", "answered/s"]);
    let mut lines = Vec::new();
    for (place, (run, series)) in runs.iter().enumerate() {
        let together = series.intervals.len().div_ceil(run_page::SPANS_MAX).max(1);
        let points = series.intervals.chunks(together).map(|span| {
            let (from, to) = (
                in_seconds(span[0].start.as_nanos()),
                in_seconds(span[span.len() - 1].end.as_nanos()),
            );
            let sum: u64 = span.iter().map(|interval| interval.counts.completed).sum();
            (from, Some(sum as f64 / (to - from).max(1.0)))
        });
        let points: Vec<_> = points.collect();
        for (from, rate) in &points {
            data.row([called(run).as_str().into(), (*from).into(), (*rate).into()]);
        }
        lines.push(line(called(run), place, points, true));
    }
    let values = lines
        .iter()
        .flat_map(|line| line.points.iter().filter_map(|point| point.1));
    let y = Axis {
        label: "answers per second".to_owned(),
        scale: Scale::up_to(values),
        show: run_page::short,
    };
    let title = "Answers per second";
    let mut plot = Plot::new(title, run_page::time_axis(end_of(runs)), y);
    plot.about = "a line for each run".to_owned();
    plot.lines = lines;
    let note = "Means of five seconds, or of more where a run has more of them than a chart shows."
        .to_owned();
    Figure {
        title: title.to_owned(),
        note,
        svg: plot.svg(),
        data,
    }
}
