//! A key at several values, for a terminal, a page and a browser.

use super::Form;
use super::figure::{Data, Figure};
use super::page::{Block, Page};
use super::run_page::short;
use super::table::Table;
use super::words::{length, percent};
use crate::chart::{Axis, Line, Look, Plot, Rule, Scale};
use crate::sweep::{Step, Sweep};
use crate::units::significant;

/// The answer and the table.
#[must_use]
pub fn sweep(sweep: &Sweep, form: Form) -> String {
    let page = page(sweep);
    match form {
        Form::Text(style) => page.to_text(style),
        Form::Markdown => page.to_markdown(),
    }
}

/// The same with charts.
#[must_use]
pub fn sweep_page(sweep: &Sweep) -> String {
    let mut page = page(sweep);
    page.heading("Charts");
    page.push(Block::Figure(Box::new(answered(sweep))));
    page.push(Block::Figure(Box::new(latency(sweep))));
    page.push(Block::Figure(Box::new(shares(sweep))));
    page.to_html("sweep")
}

fn page(sweep: &Sweep) -> Page {
    let mut page = Page::default();
    page.title(format!("{} over {}", sweep.scenario, sweep.key));
    page.text(headline(sweep));
    page.heading("Steps");
    let mut table = Table::new(
        1,
        [
            &*sweep.key,
            "offered/s",
            "answers/s",
            "throttled",
            "lost",
            "p50",
            "p90",
            "p99",
            "wait p99",
            "RPM",
            "TPM",
        ],
    );
    for (place, step) in sweep.steps.iter().enumerate() {
        let last = sweep.knee == Some(place);
        let time = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), seconds);
        let part = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), percent);
        table.row([
            if last {
                format!("{} *", step.value)
            } else {
                step.value.clone()
            },
            significant(step.offered),
            significant(step.goodput),
            percent(step.throttle_share),
            percent(step.lost_share),
            time(step.latency_p50_s),
            time(step.latency_p90_s),
            time(step.latency_p99_s),
            time(step.wait_p99_s),
            part(step.rpm_use),
            part(step.tpm_use),
        ]);
    }
    page.table(table);
    page.note(format!(
        "* the last step with at most {} throttled and lost. Latency counts failures as infinite: a dash is infinite, or \
         too few samples. RPM and TPM: mean use of the quota by the model that uses most of its own.",
        percent(sweep.bound)
    ));
    page
}

fn headline(sweep: &Sweep) -> String {
    let place = match sweep.target.as_str() {
        "sim" => "in virtual time",
        _ => "on the stub",
    };
    match sweep.knee.map(|place| (place, &sweep.steps[place])) {
        Some((last, step)) if last + 1 == sweep.steps.len() => format!(
            "All {} values fit, {place}, up to {}: look further.",
            sweep.steps.len(),
            step.value
        ),
        Some((last, step)) => format!(
            "{} fits, {place}: {} answers/s of {} offered. At {} it no longer does.",
            step.value,
            significant(step.goodput),
            significant(step.offered),
            sweep.steps[last + 1].value
        ),
        None => format!(
            "Not even {} fits, {place}.",
            sweep.steps.first().map_or("", |step| &step.value)
        ),
    }
}

fn seconds(value: f64) -> String {
    length((value * 1e9) as u64)
}

fn across(sweep: &Sweep) -> Axis {
    let numbers = sweep.steps.iter().map(|step| step.number);
    Axis {
        label: sweep.key.clone(),
        scale: Scale::up_to(numbers),
        show: short,
    }
}

fn line(name: &str, look: Look, sweep: &Sweep, of: fn(&Step) -> Option<f64>) -> Line {
    Line {
        name: name.to_owned(),
        look,
        points: sweep
            .steps
            .iter()
            .map(|step| (step.number, of(step)))
            .collect(),
        step: false,
        marked: true,
        leaves: false,
    }
}

fn figure(
    title: &str,
    note: &str,
    plot: &Plot,
    sweep: &Sweep,
    lines: &[(&str, fn(&Step) -> Option<f64>)],
) -> Figure {
    let mut columns = vec![sweep.key.clone()];
    columns.extend(lines.iter().map(|(name, _)| (*name).to_owned()));
    let rows = sweep.steps.iter().map(|step| {
        let mut row = vec![step.value.as_str().into()];
        row.extend(lines.iter().map(|(_, of)| of(step).into()));
        row
    });
    Figure {
        title: title.to_owned(),
        note: note.to_owned(),
        svg: plot.svg(),
        data: Data {
            columns,
            rows: rows.collect(),
        },
    }
}

/// A plot of these lines, with the knee marked.
fn plot(title: &str, sweep: &Sweep, y: Axis, lines: &[(&str, fn(&Step) -> Option<f64>)]) -> Plot {
    let mut plot = Plot::new(title, across(sweep), y);
    plot.about = format!("{title}, by {}", sweep.key);
    for (place, (name, of)) in (0_u8..).zip(lines) {
        plot.lines.push(line(name, Look::Series(place), sweep, *of));
    }
    if let Some(knee) = sweep.knee {
        plot.marks.push(sweep.steps[knee].number);
    }
    plot
}

const MARK: &str = "The thin line is the last value that fits.";

fn answered(sweep: &Sweep) -> Figure {
    let title = "What was offered, and what was answered";
    let lines: [(&str, fn(&Step) -> Option<f64>); 2] = [
        ("offered/s", |step| Some(step.offered)),
        ("answers/s", |step| Some(step.goodput)),
    ];
    let y = Axis {
        label: "per second".to_owned(),
        scale: Scale::up_to(sweep.steps.iter().map(|step| step.offered)),
        show: short,
    };
    figure(title, MARK, &plot(title, sweep, y, &lines), sweep, &lines)
}

fn latency(sweep: &Sweep) -> Figure {
    let title = "Latency, failures as infinite";
    let lines: [(&str, fn(&Step) -> Option<f64>); 4] = [
        ("p50 (s)", |step| step.latency_p50_s),
        ("p90 (s)", |step| step.latency_p90_s),
        ("p99 (s)", |step| step.latency_p99_s),
        ("wait p99 (s)", |step| step.wait_p99_s),
    ];
    let values = sweep
        .steps
        .iter()
        .flat_map(|step| lines.iter().filter_map(move |(_, of)| of(step)));
    let y = Axis {
        label: "seconds".to_owned(),
        scale: Scale::up_to(values.collect::<Vec<_>>()),
        show: |value| seconds(value),
    };
    let note =
        format!("{MARK} A line ends where its quantile is infinite, or has too few samples.");
    figure(title, &note, &plot(title, sweep, y, &lines), sweep, &lines)
}

fn shares(sweep: &Sweep) -> Figure {
    let title = "Throttles, losses and use of the quota";
    let lines: [(&str, fn(&Step) -> Option<f64>); 4] = [
        ("throttled", |step| Some(step.throttle_share)),
        ("lost", |step| Some(step.lost_share)),
        ("RPM used", |step| step.rpm_use),
        ("TPM used", |step| step.tpm_use),
    ];
    let values = sweep
        .steps
        .iter()
        .flat_map(|step| lines.iter().filter_map(move |(_, of)| of(step)));
    let y = Axis {
        label: "share".to_owned(),
        scale: Scale::up_to(values.chain([1.1]).collect::<Vec<_>>()),
        show: |value| percent(value),
    };
    let mut drawn = plot(title, sweep, y, &lines);
    drawn.rules.push(Rule {
        at: 1.0,
        label: "all of the quota".to_owned(),
        look: Look::Quiet,
    });
    figure(title, MARK, &drawn, sweep, &lines)
}
