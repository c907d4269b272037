//! What a tuner found, for a terminal, a page and a spreadsheet.
//!
//! Promises: the first lines say what to set and what that is worth; each figure says over how many runs; the
//! interval is where one more run lies.

use std::fmt::Write as _;

use super::Form;
use super::csv_text::csv_text;
use super::page::{Block, Page};
use super::table::Table;
use super::tune_charts;
use super::words::{count, counted, percent, seconds};
use crate::expect::{Metric, Statistic, Timing};
use crate::results::RunFile;
use crate::tune::{Entry, Figure, League, Match, Summary, Tried, Tuning};
use crate::units::significant;

/// Settings of the table of all, at most.
const LISTED: usize = 10;

/// The answer, with `block` as the tables to paste.
#[must_use]
pub fn tuning(tuning: &Tuning, block: &str, form: Form) -> String {
    render(&tuning_blocks(tuning, block, false), form)
}

/// The same for a browser, with charts.
#[must_use]
pub fn tuning_page(tuning: &Tuning, block: &str) -> String {
    tuning_blocks(tuning, block, true).to_html("tune")
}

fn tuning_blocks(tuning: &Tuning, block: &str, charts: bool) -> Page {
    let mut page = Page::default();
    page.title(format!("Tuning of {}", tuning.scenario));
    page.push(Block::List(answers(tuning)));
    page.heading("Settings to paste");
    page.push(Block::Code(block.to_owned()));
    compared(&mut page, tuning);
    if charts {
        page.push(Block::Figure(Box::new(tune_charts::pareto(tuning))));
    }
    front(&mut page, tuning);
    sensitivity(&mut page, tuning);
    if let Some(chart) = tune_charts::sensitivity(tuning).filter(|_| charts) {
        page.push(Block::Figure(Box::new(chart)));
    }
    robustness(&mut page, tuning);
    page.heading("What this supposes");
    page.push(Block::List(supposed(tuning)));
    page
}

fn render(page: &Page, form: Form) -> String {
    match form {
        Form::Text(style) => page.to_text(style),
        Form::Markdown => page.to_markdown(),
    }
}

fn answers(tuning: &Tuning) -> Vec<String> {
    let promise = &tuning.chosen.promise;
    let set: Vec<String> = tuning
        .knobs
        .iter()
        .zip(&tuning.chosen.values)
        .map(|(knob, value)| format!("{knob} = {value}"))
        .collect();
    let mut lines = vec![if tuning.chosen.is_better {
        format!("Recommended: {}.", set.join(", "))
    } else {
        format!(
            "Nothing that was tried is worth more than the present settings. The nearest: {}.",
            set.join(", ")
        )
    }];
    lines.push(format!(
        "Promised of one run: {} answers/s of {} offered, {} throttled, wait p99 {}.",
        figure(&promise.goodput, significant),
        significant(promise.offered.mean),
        figure(&promise.throttle_share, percent),
        figure(&promise.wait_p99_s, seconds),
    ));
    let kept = percent(promise.kept);
    let bounds = bounds(tuning);
    lines.push(if promise.holds {
        format!("{kept} of {} kept {bounds}.", counted(promise.runs, "run"))
    } else {
        format!(
            "NO setting keeps {bounds} in {} of runs; this one did in {kept}, and comes nearest.",
            percent(tuning.goal.runs_share)
        )
    });
    if let Some(gain) = tuning.chosen.gain {
        let present = &tuning.present;
        lines.push(format!(
            "The present settings come to {} answers/s ({:+.1} % with the new ones), {} throttled, wait p99 {}.",
            significant(present.goodput.mean),
            gain * 100.0,
            percent(present.throttle_share.mean),
            seconds(present.wait_p99_s.mean),
        ));
    }
    lines
}

fn bounds(tuning: &Tuning) -> String {
    let mut text = format!(
        "the bound of {} throttled",
        percent(tuning.goal.throttle_share)
    );
    if let Some(wait) = tuning.goal.wait_p99_s {
        let _ = write!(text, " and a wait p99 of {}", seconds(wait));
    }
    text
}

fn figure(figure: &Figure, show: impl Fn(f64) -> String) -> String {
    match (figure.low, figure.high) {
        (Some(low), Some(high)) if low < high => {
            format!("{} ({} to {})", show(figure.mean), show(low), show(high))
        }
        _ => show(figure.mean),
    }
}

const COLUMNS: [&str; 6] = [
    "answers/s",
    "throttled",
    "wait p99",
    "wasted",
    "lost",
    "bounds kept",
];

fn cells(summary: &Summary) -> Vec<String> {
    vec![
        significant(summary.goodput.mean),
        percent(summary.throttle_share.mean),
        seconds(summary.wait_p99_s.mean),
        percent(summary.wasted_share.mean),
        percent(summary.lost_share.mean),
        percent(summary.kept),
    ]
}

fn table(leading: &[&str]) -> Table {
    let heading = leading
        .iter()
        .chain(&COLUMNS)
        .map(|name| (*name).to_owned());
    Table::with_heading(leading.len(), heading.collect())
}

fn row(table: &mut Table, leading: Vec<String>, summary: &Summary) {
    table.push([leading, cells(summary)].concat());
}

fn compared(page: &mut Page, tuning: &Tuning) {
    page.heading("Present and recommended");
    let mut rows = table(&["Settings"]);
    row(&mut rows, vec!["present".to_owned()], &tuning.present);
    row(
        &mut rows,
        vec!["recommended".to_owned()],
        &tuning.chosen.promise,
    );
    page.table(rows);
    page.note(format!(
        "Means of {} with seeds that had no part in the choice. Wasted: tokens settled without an answer. Lost: \
         requests dropped or failed.",
        counted(tuning.chosen.promise.runs, "run")
    ));
}

fn short(key: &str) -> &str {
    key.strip_prefix("limiter.").unwrap_or(key)
}

fn settings_table(page: &mut Page, tuning: &Tuning, settings: &[Tried]) {
    let leading: Vec<&str> = tuning.knobs.iter().map(|knob| short(knob)).collect();
    let mut rows = table(&leading);
    for tried in settings {
        row(&mut rows, tried.values.clone(), &tried.summary);
    }
    page.table(rows);
}

fn front(page: &mut Page, tuning: &Tuning) {
    page.heading("Best of the search (those that came to the same once)");
    settings_table(page, tuning, &distinct(&tuning.all));
    page.heading("Pareto front: no other setting is better in everything");
    settings_table(page, tuning, &tuning.front);
    let runs = tuning.front.first().map_or(0, |tried| tried.summary.runs);
    page.note(format!(
        "Of the settings that were tried with {}.",
        counted(runs, "seed")
    ));
}

/// The first settings that came to something else than those before them.
fn distinct(all: &[Tried]) -> Vec<Tried> {
    let mut found: Vec<Tried> = Vec::new();
    for tried in all {
        if found.len() == LISTED {
            break;
        }
        if !found.iter().any(|other| other.summary == tried.summary) {
            found.push(tried.clone());
        }
    }
    found
}

fn sensitivity(page: &mut Page, tuning: &Tuning) {
    if tuning.sensitivity.is_empty() {
        return;
    }
    page.heading("Each knob at its other values");
    let mut rows = table(&["Knob", "value", "goodput"]);
    for turned in &tuning.sensitivity {
        let leading = vec![
            short(&turned.knob).to_owned(),
            turned.value.clone(),
            turned.goodput_change.map_or_else(
                || "–".to_owned(),
                |change| format!("{:+.2} %", change * 100.0),
            ),
        ];
        row(&mut rows, leading, &turned.summary);
    }
    page.table(rows);
}

fn robustness(page: &mut Page, tuning: &Tuning) {
    page.heading("Where things are not as supposed");
    let mut rows = table(&["World", "settings"]);
    for elsewhere in &tuning.robustness {
        let leading = |which: &str| vec![elsewhere.world.clone(), which.to_owned()];
        row(&mut rows, leading("recommended"), &elsewhere.chosen);
        row(&mut rows, leading("present"), &elsewhere.present);
    }
    page.table(rows);
}

fn supposed(tuning: &Tuning) -> Vec<String> {
    let mut lines = vec![
        format!(
            "The service counts as `{}` does; the table above says what becomes of the choice if it does not.",
            tuning.enforcement
        ),
        format!(
            "{} settings were tried in {} simulated runs.",
            count(tuning.tried),
            count(tuning.runs)
        ),
        "Answers that `max_tokens` cut off do not count as answers.".to_owned(),
        "What fails, and so what retries mend, is what `[service]` and its faults say; without any, retries are worth \
         nothing here and may be worth much elsewhere."
            .to_owned(),
    ];
    if tuning.refused > 0 {
        lines.push(format!(
            "{} cannot be run (`bedload check` says why of one): a prompt that never fits, for example.",
            counted(tuning.refused, "setting")
        ));
    }
    lines
}

/// What was promised of one run, and what runs on the stub came to.
#[must_use]
pub fn confirmation(tuning: &Tuning, runs: &[RunFile], form: Form) -> String {
    let promise = &tuning.chosen.promise;
    let wait = Metric::Time(Timing::LimiterWait, Statistic::P99);
    type Show = fn(f64) -> String;
    let rows: [(&str, Figure, Metric, Show); 3] = [
        ("answers/s", promise.answered, Metric::Goodput, significant),
        (
            "throttled",
            promise.throttle_share,
            Metric::ThrottleShare,
            percent,
        ),
        ("wait p99", promise.wait_p99_s, wait, seconds),
    ];
    let mut page = Page::default();
    page.heading("Promised and measured");
    let mut table = Table::new(1, ["Metric", "promised of one run", "measured", "within"]);
    for (name, promised, metric, show) in rows {
        let measured: Vec<f64> = runs
            .iter()
            .filter_map(|run| run.measured.as_ref()?.value(metric))
            .collect();
        let (low, high) = (
            promised.low.unwrap_or(promised.mean),
            promised.high.unwrap_or(promised.mean),
        );
        let within = measured
            .iter()
            .filter(|value| (low..=high).contains(*value))
            .count();
        let least = measured.iter().copied().fold(f64::INFINITY, f64::min);
        let most = measured.iter().copied().fold(0.0, f64::max);
        table.row([
            name.to_owned(),
            figure(&promised, show),
            if measured.is_empty() {
                "not measured: too few samples".to_owned()
            } else {
                format!("{} to {}", show(least), show(most))
            },
            format!("{within} of {}", measured.len()),
        ]);
    }
    page.table(table);
    page.heading("Present and recommended, on the stub");
    render(&page, form)
}

/// Every strategy on every scenario, and who leads where.
#[must_use]
pub fn league(league: &League, form: Form) -> String {
    render(&league_blocks(league, false), form)
}

/// The same for a browser, with charts.
#[must_use]
pub fn league_page(league: &League) -> String {
    league_blocks(league, true).to_html("league")
}

fn league_blocks(league: &League, charts: bool) -> Page {
    let mut page = Page::default();
    page.title("Limiters on the same traffic");
    page.text(format!(
        "Goodput is told as a part of the oracle's: the most that the quota lets through of the mix in closed form, \
         known in advance and without waiting. A leader has the most answers of those with at most {} throttled.",
        percent(league.goal.throttle_share)
    ));
    let leads = |of: &Match| {
        let leaders: Vec<String> = of.leaders.iter().map(|name| format!("`{name}`")).collect();
        match leaders.as_slice() {
            [] => format!("{}: no strategy keeps the bound.", of.scenario),
            [leader] => format!("{}: {leader} leads.", of.scenario),
            level => format!("{}: {} are level.", of.scenario, level.join(", ")),
        }
    };
    page.push(Block::List(league.scenarios.iter().map(leads).collect()));
    for of in &league.scenarios {
        page.heading(format!("{}, counted as {}", of.scenario, of.enforcement));
        let mut rows = table(&["Strategy", "of the oracle"]);
        for entry in &of.entries {
            let leading = vec![entry.strategy.clone(), percent(entry.of_oracle)];
            row(&mut rows, leading, &entry.summary);
        }
        if charts {
            page.push(Block::Figure(Box::new(tune_charts::league(league, of))));
        }
        page.table(rows);
        for entry in &of.entries {
            if let Some(settings) = &entry.settings {
                page.note(format!("{}: {settings}.", entry.strategy));
            }
        }
    }
    let runs = league.scenarios.first();
    let runs = runs.and_then(|of| of.entries.first());
    page.note(format!(
        "Means of {}. Wasted: tokens settled without an answer. Lost: requests dropped or failed. Each strategy has \
         the scenario's rates, queue and time-outs, and its own published burst; `bedload` has the scenario's \
         `[limiter]`, or the default where that is absent or not enabled.",
        counted(runs.map_or(0, |entry| entry.summary.runs), "run")
    ));
    page
}

/// The same as rows.
#[must_use]
pub fn league_csv(league: &League) -> String {
    let entries = league.scenarios.iter().flat_map(|of| {
        let leading = |entry: &Entry| {
            vec![
                of.scenario.clone(),
                entry.strategy.clone(),
                entry.of_oracle.to_string(),
            ]
        };
        of.entries
            .iter()
            .map(move |entry| (leading(entry), entry.summary))
    });
    rows(&["scenario", "strategy", "of_oracle"], entries)
}

/// A row for each setting that was tried: those with the most seeds first, and of these the best.
#[must_use]
pub fn tuning_csv(tuning: &Tuning) -> String {
    let names: Vec<&str> = tuning.knobs.iter().map(String::as_str).collect();
    let tried = tuning.all.iter();
    rows(
        &names,
        tried.map(|tried| (tried.values.clone(), tried.summary)),
    )
}

fn rows(leading: &[&str], rows: impl Iterator<Item = (Vec<String>, Summary)>) -> String {
    let names = [
        "runs",
        "kept",
        "goodput",
        "offered",
        "throttle_share",
        "wait_p99_s",
        "wasted_share",
        "lost_share",
    ];
    let heading = leading.iter().chain(&names).map(|name| (*name).to_owned());
    let rows = rows.map(|(mut cells, summary)| {
        let numbers = [
            summary.kept,
            summary.goodput.mean,
            summary.offered.mean,
            summary.throttle_share.mean,
            summary.wait_p99_s.mean,
            summary.wasted_share.mean,
            summary.lost_share.mean,
        ];
        cells.push(summary.runs.to_string());
        cells.extend(numbers.map(|number| number.to_string()));
        cells
    });
    csv_text(heading.collect(), rows)
}
