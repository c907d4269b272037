//! A key at several values, for a terminal, a page and a browser.

use super::Form;
use super::figure::{Data, Figure};
use super::page::{Block, Page};
use super::run_page::short;
use super::table::Table;
use super::words::{percent, seconds};
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
        2,
        [
            &*sweep.key,
            "fits",
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
    for step in &sweep.steps {
        let fits = step.fits(sweep.bound);
        let time = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), seconds);
        let part = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), percent);
        table.row([
            step.value.clone(),
            if fits { "yes" } else { "no" }.to_owned(),
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
        "Fits: at most {} throttled and lost, and no more of a quota used than there is. Latency counts failures as infinite: a dash is infinite, or \
         too few samples. RPM and TPM: mean use of the quota by the model that uses most of its own.",
        percent(sweep.bound)
    ));
    page
}

fn headline(sweep: &Sweep) -> String {
    let place = match sweep.target.as_str() {
        "sim" => "In virtual time",
        _ => "On the stub",
    };
    let fits = |step: &&Step| step.fits(sweep.bound);
    let rising = sweep
        .steps
        .windows(2)
        .all(|pair| pair[0].number < pair[1].number);
    let fitting = sweep.steps.iter().filter(fits).count();
    let (Some(first), Some(last)) = (sweep.steps.first(), sweep.steps.last()) else {
        return format!("{place} nothing was run.");
    };
    match sweep.knee.map(|place| (place, &sweep.steps[place])) {
        _ if fitting == sweep.steps.len() => {
            format!("{place} all fit, from {} to {}.", first.value, last.value)
        }
        _ if fitting == 0 => format!("{place} none fits, from {} to {}.", first.value, last.value),
        // A load that grows fits up to some value.
        Some((at, step)) if rising && at + 1 == fitting => format!(
            "{place} {} fits: {} throttled, {} lost. {} does not.",
            step.value,
            percent(step.throttle_share),
            percent(step.lost_share),
            sweep.steps[at + 1].value
        ),
        _ => {
            let fitting = sweep.steps.iter().filter(fits);
            let values: Vec<&str> = fitting.map(|step| step.value.as_str()).collect();
            format!("{place} these fit: {}.", values.join(", "))
        }
    }
}

/// A number of a step; none where it has none.
type Of = fn(&Step) -> Option<f64>;

/// What a line shows, and its numbers.
type Named<'a> = (&'a str, Of);

fn across(sweep: &Sweep) -> Axis {
    let numbers = sweep.steps.iter().map(|step| step.number);
    Axis {
        label: sweep.key.clone(),
        scale: Scale::up_to(numbers),
        show: short,
    }
}

fn line(name: &str, look: Look, sweep: &Sweep, of: Of) -> Line {
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

fn figure(title: &str, note: &str, plot: &Plot, sweep: &Sweep, lines: &[Named<'_>]) -> Figure {
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
fn plot(title: &str, sweep: &Sweep, y: Axis, lines: &[Named<'_>]) -> Plot {
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
    let lines: [Named<'_>; 2] = [
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
    let lines: [Named<'_>; 4] = [
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
    let lines: [Named<'_>; 4] = [
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
