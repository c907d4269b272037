//! The page of a run: what the summary says, with charts.
//!
//! Promises: a pure function of the run and its series; every number of the summary stands on the page;
//! the story goes from the verdict to the quota, the requests, the waiting, its causes, and what is not known.

mod flow;
mod latency;
mod quota;
mod shares;

use super::page::{Block, Page};
use super::summary::{self, Said};
use super::words::{count, length, percent};
use super::{quotas, times};
use crate::chart::{Axis, Scale};
use crate::limiter::Reservation;
use crate::recorder::measured::{Measured, QuotaUse};
use crate::results::{LimiterSummary, ModelSettings, Run, Series};
use crate::units::significant;

pub(super) use latency::{curve, lowest_and_highest, percentiles_axis};

/// A chart shows so many spans of time; a longer run has several intervals in each.
pub const SPANS_MAX: usize = 240;

/// The page of a run, for a browser.
#[must_use]
pub fn run_page(run: &Run, series: &Series) -> String {
    let file = &run.file;
    let mut page = Page::default();
    page.title(file.scenario.name.clone());
    if let Some(about) = &file.scenario.about {
        page.text(about.clone());
    }
    for (paint, sentence) in summary::head(run) {
        page.push(Block::Verdict(paint, sentence));
    }
    page.note(format!("Run: {}", summary::what_was_run(file)));
    if let Some(measured) = &file.measured {
        page.push(Block::Tiles(tiles(measured)));
        measurements(&mut page, run, measured, series);
    }
    let (marks, warnings) = (summary::pass_marks(file), summary::warnings(file));
    if !marks.is_empty() || !warnings.is_empty() {
        page.heading("Pass marks and warnings");
        page.facts(marks);
        page.facts(warnings);
    }
    page.heading("What was not measured");
    page.facts(summary::gaps(file));
    page.heading("What was run");
    page.facts(provenance(run));
    page.to_html("run")
}

fn measurements(page: &mut Page, run: &Run, measured: &Measured, series: &Series) {
    page.heading("How much of the quota was used");
    for figure in quota::figures(run, measured, series) {
        page.figure(figure);
    }
    if let Some(table) = quotas::table(&measured.quota_use) {
        page.table(table);
        page.note(
            "Steady: whole minutes after the first. A minute of the clock is what most quotas are told \
             by; any 60 s may hold more.",
        );
    }
    page.heading("What became of the requests");
    for figure in flow::figures(measured, series) {
        page.figure(figure);
    }
    page.figure(shares::outcomes(measured));
    let mut said = summary::requests(&measured.total);
    said.extend(summary::cost(&run.file));
    page.facts(said);
    page.heading("How long they took");
    for figure in latency::figures(run, measured, series) {
        page.figure(figure);
    }
    page.table(times::of_the_run(&measured.total));
    page.heading("Where the time went");
    page.figure(shares::time(measured));
    for table in times::by_group(measured) {
        page.table(table);
    }
    page.heading("What was expected, and what came");
    page.figure(shares::tokens(measured));
}

/// The numbers to be seen first.
fn tiles(measured: &Measured) -> Vec<[String; 3]> {
    let total = &measured.total;
    let tile = |name: &str, number: String, more: String| [name.to_owned(), number, more];
    let time = |nanos: Option<u64>| nanos.map_or_else(|| "–".to_owned(), length);
    let mut tiles = vec![
        tile(
            "Answered",
            count(total.counts.completed),
            format!("of {} requests", count(total.counts.intended)),
        ),
        tile(
            "Throttled",
            total
                .attempts
                .throttle_share()
                .map_or_else(|| "–".to_owned(), percent),
            format!("of {} attempts", count(total.attempts.sent)),
        ),
        tile(
            "Median latency",
            time(total.latency.p50_ns),
            format!("p99 {}", time(total.latency.p99_ns)),
        ),
        tile(
            "Median wait",
            time(total.limiter_wait.p50_ns),
            format!("for quota; longest {}", time(total.limiter_wait.max_ns)),
        ),
    ];
    if let Some((what, share)) = busiest(&measured.quota_use) {
        tiles.push(tile("Fullest minute", percent(share), what));
    }
    tiles
}

/// The quota of which most was used in a minute of the clock.
fn busiest(models: &[QuotaUse]) -> Option<(String, f64)> {
    let uses = models.iter().flat_map(|model| {
        let of = |what: &str| format!("of {}'s {what}", super::table::name(&model.model));
        [
            (of("RPM quota"), model.requests.peak_clock_share()),
            (of("TPM quota, settled"), model.tokens.peak_clock_share()),
            (of("TPM quota, reserved"), model.reserved.peak_clock_share()),
        ]
    });
    uses.filter_map(|(what, share)| Some((what, share?)))
        .max_by(|one, other| one.1.total_cmp(&other.1))
}

/// What a reader needs in order to run it again, and to know what the numbers rest on.
fn provenance(run: &Run) -> Vec<Said> {
    let file = &run.file;
    let settings = &file.settings;
    let mut said = vec![
        Said::plain(
            "Scenario",
            format!("{}, SHA-256 {}", file.scenario.name, file.scenario.digest),
        ),
        Said::plain("Seed", file.seed.to_string()),
        Said::plain(
            "Load offered",
            format!("for {}", length(settings.duration_ns)),
        ),
        Said::plain(
            "Program",
            format!("{} {}", file.tool.name, file.tool.version),
        ),
    ];
    if let Some(rule) = &settings.enforcement {
        let adjustment = settings.adjustment.as_ref();
        let adjustment = adjustment.map_or_else(String::new, |adjustment| {
            format!(", reservations adjusted `{adjustment}`")
        });
        said.push(Said::plain(
            "Quota counted",
            format!("by the `{rule}` rule{adjustment}"),
        ));
    }
    for model in &settings.models {
        said.push(Said::plain("Model", model_said(model)));
        let limiter = model.limiter.as_ref();
        said.push(Said::plain(
            "Its limiter",
            limiter.map_or_else(|| "none".to_owned(), limiter_said),
        ));
    }
    said
}

fn model_said(model: &ModelSettings) -> String {
    let quota: Vec<String> = model
        .quota
        .limited()
        .map(|(dimension, limit)| format!("{} {}", count(limit), dimension.name().to_uppercase()))
        .collect();
    let quota = if quota.is_empty() {
        "no quota stated".to_owned()
    } else {
        quota.join(", ")
    };
    format!(
        "{}: {} by `{}`, burndown {}, {quota}",
        model.name, model.id, model.api, model.burndown
    )
}

fn limiter_said(limiter: &LimiterSummary) -> String {
    let reserves = match limiter.reservation {
        Reservation::MaxTokens => "reserves `max_tokens`",
        Reservation::Expected { .. } => "reserves what a call is expected to cost",
        Reservation::Mirror { .. } => "reserves the larger of `max_tokens` and what is expected",
    };
    let waits = if limiter.wait_for_quota {
        format!("waits up to {} for quota", length(limiter.quota_timeout_ns))
    } else {
        "drops what finds no quota".to_owned()
    };
    let in_flight = limiter.max_in_flight.map_or_else(String::new, |most| {
        format!(", at most {} under way", count(u64::from(most)))
    });
    format!(
        "counts by `{}`, burst {}, headroom {}, {reserves}, {waits}{in_flight}",
        limiter.enforcement,
        length(limiter.burst_ns),
        percent(limiter.headroom.fraction()),
    )
}

/// Seconds since the run began.
pub(super) fn time_axis(end: f64) -> Axis {
    Axis {
        label: "time since the run began".to_owned(),
        scale: Scale::Time { end: end.max(1e-3) },
        show: clock,
    }
}

/// `0:05`, `12:30`, `1:02:30`.
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    if hours == 0 {
        format!("{minutes}:{seconds:02}")
    } else {
        format!("{hours}:{minutes:02}:{seconds:02}")
    }
}

/// Seconds, as a length of time.
pub(super) fn seconds(value: f64) -> String {
    length((value * 1e9).round() as u64)
}

/// A number of few characters: `950`, `12.5k`, `3M`.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 1e6 => format!("{}M", significant(value / 1e6)),
        large if large >= 1e4 => format!("{}k", significant(value / 1e3)),
        _ => significant(value),
    }
}

/// From nanoseconds to seconds.
pub(super) fn in_seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
