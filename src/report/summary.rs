//! The summary of a run on the terminal.

use std::collections::BTreeMap;

use super::style::{Paint, Style};
use super::words::{count, counted, length, part_of, percent, wrap};
use super::{quotas, times};
use crate::expect::{Kind, Metric};
use crate::outcome::Failure;
use crate::recorder::ends::{End, Ends};
use crate::recorder::measured::{Group, Measured, QuotaUse, Spread, Throttles};
use crate::recorder::verdict::Verdict;
use crate::results::{Run, RunFile, RunState, Target};
use crate::units::{Usd, significant};

/// The width of the column of labels, the space after them included.
const LABELS: usize = 14;

/// What a run came to: a sentence, the identities, times, quota use, cost, warnings, pass marks, and
/// what was not measured.
#[must_use]
pub fn summary(run: &Run, style: Style) -> String {
    let file = &run.file;
    let mut page = Page {
        style,
        text: String::new(),
    };
    page.head(run);
    if let Some(measured) = &file.measured {
        for said in requests(&measured.total) {
            page.said(&said);
        }
        page.block(&times::of_the_run(&measured.total).render(style));
        for table in times::by_group(measured) {
            page.block(&table.render(style));
        }
        if let Some(table) = quotas::table(&measured.quota_use) {
            page.block(&table.render(style));
        }
    }
    page.text.push('\n');
    for said in [cost(file), warnings(file), pass_marks(file), gaps(file)].concat() {
        page.said(&said);
    }
    if let Some(dir) = &run.dir {
        page.said(&Said::plain("Results", dir.display().to_string()));
    }
    page.text
}

/// The same as Markdown.
#[must_use]
pub fn run_markdown(run: &Run) -> String {
    let file = &run.file;
    let mut page = super::page::Page::default();
    page.title(file.scenario.name.clone());
    for (paint, sentence) in head(run) {
        page.push(super::page::Block::Verdict(paint, sentence));
    }
    page.text(what_was_run(file));
    if let Some(measured) = &file.measured {
        page.facts(requests(&measured.total));
        page.table(times::of_the_run(&measured.total));
        for table in times::by_group(measured) {
            page.table(table);
        }
        if let Some(table) = quotas::table(&measured.quota_use) {
            page.table(table);
        }
    }
    page.facts([cost(file), warnings(file), pass_marks(file), gaps(file)].concat());
    page.to_markdown()
}

/// Something that is said of a run, under a label.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// What it is about; empty where it goes on with what is above it.
    pub(super) label: &'static str,
    /// How it is to be taken.
    pub(super) paint: Option<Paint>,
    /// The words.
    pub(super) text: String,
}

impl Said {
    pub(super) const fn plain(label: &'static str, text: String) -> Self {
        Self {
            label,
            paint: None,
            text,
        }
    }
}

/// Several things under one label.
fn list(
    label: &'static str,
    items: impl IntoIterator<Item = (Option<Paint>, String)>,
) -> Vec<Said> {
    let items = items.into_iter().enumerate();
    items
        .map(|(place, (paint, text))| Said {
            label: if place == 0 { label } else { "" },
            paint,
            text,
        })
        .collect()
}

/// The text as it grows.
struct Page {
    style: Style,
    text: String,
}

impl Page {
    /// A label with its text, which goes on under itself.
    fn said(&mut self, said: &Said) {
        let width = usize::from(self.style.width).saturating_sub(LABELS).max(20);
        for (place, line) in wrap(&said.text, width).iter().enumerate() {
            let label = if place == 0 { said.label } else { "" };
            let label = self.style.paint(Paint::Quiet, &format!("{label:<LABELS$}"));
            self.text.push_str(&label);
            match said.paint {
                Some(paint) => self.text.push_str(&self.style.paint(paint, line)),
                None => self.text.push_str(line),
            }
            self.text.push('\n');
        }
    }

    /// A block of whole lines, apart from what is above it.
    fn block(&mut self, block: &str) {
        self.text.push('\n');
        self.text.push_str(block);
    }

    /// The sentence, the verdict, and what was run.
    fn head(&mut self, run: &Run) {
        for (paint, sentence) in head(run) {
            for line in wrap(&sentence, usize::from(self.style.width)) {
                self.text.push_str(&self.style.paint(paint, &line));
                self.text.push('\n');
            }
        }
        self.text.push('\n');
        self.said(&Said::plain("Run", what_was_run(&run.file)));
    }
}

/// What happened, whether that was wanted, and why a run is not whole: a sentence each.
pub(super) fn head(run: &Run) -> Vec<(Paint, String)> {
    let file = &run.file;
    let mut sentences = vec![(Paint::Strong, sentence(file))];
    let missed = file.verdicts.iter().filter(|verdict| !verdict.passed);
    let missed: Vec<String> = missed
        .map(|verdict| format!("`{}`", verdict.name()))
        .collect();
    let marks = file.verdicts.len() as u64;
    match missed.len() {
        _ if marks == 0 => {}
        0 => sentences.push((
            Paint::Good,
            format!("passed: {}", counted(marks, "pass mark")),
        )),
        some => sentences.push((
            Paint::Bad,
            format!(
                "MISSED {some} of {}: {}",
                counted(marks, "pass mark"),
                missed.join(", ")
            ),
        )),
    }
    if let Some(cut) = cut_short(run) {
        sentences.push((Paint::Caution, cut));
    }
    sentences
}

/// The identities of requests and attempts, what lies behind their parts, and how fast answers came.
pub(super) fn requests(total: &Group) -> Vec<Said> {
    let (counts, attempts) = (total.counts, &total.attempts);
    let failed: u64 = attempts.failed.values().sum();
    let mut said = vec![
        Said::plain(
            "Requests",
            format!(
                "intended {} = completed {} + failed {} + dropped {} + cancelled {}",
                count(counts.intended),
                count(counts.completed),
                count(counts.failed),
                count(counts.dropped),
                count(counts.cancelled)
            ),
        ),
        Said::plain(
            "Attempts",
            format!(
                "sent {} = answered {} + throttled {} + failed {} + unfinished {}",
                count(attempts.sent),
                count(attempts.answered),
                count(attempts.throttled.total()),
                count(failed),
                count(attempts.unfinished)
            ),
        ),
    ];
    if let Some(throttles) = throttles(attempts.throttled, attempts.throttle_share()) {
        said.push(Said::plain("Throttles", throttles));
    }
    for (label, reasons) in [
        ("Failed as", &total.failures),
        ("Dropped for", &total.drops),
    ] {
        if !reasons.is_empty() {
            said.push(Said::plain(label, listed(reasons)));
        }
    }
    said.push(Said::plain("Retries", retries(total)));
    said.push(Said::plain("Throughput", throughput(total)));
    said
}

fn retries(total: &Group) -> String {
    let amplification = total
        .attempts
        .amplification()
        .map_or_else(String::new, |amplification| {
            format!(", {amplification:.2} attempts per request")
        });
    let wasted = format!(
        "; wasted: {} settled without an answer{}",
        counted(total.wasted.0, "token"),
        part_of(total.wasted.0, total.settled.0)
    );
    format!("{}{amplification}{wasted}", count(total.attempts.retries()))
}

fn throughput(total: &Group) -> String {
    let (input, output) = (
        total.input_tokens_per_second,
        total.output_tokens_per_second,
    );
    format!(
        "{} answers/s ({}/min), {} input + {} output tokens/s ({} + {}/min)",
        significant(total.requests_per_second),
        significant(total.requests_per_second * 60.0),
        significant(input),
        significant(output),
        significant(input * 60.0),
        significant(output * 60.0)
    )
}

/// What it cost; nothing if that is not known.
pub(super) fn cost(file: &RunFile) -> Vec<Said> {
    let cost = file
        .measured
        .as_ref()
        .and_then(|measured| measured.total.cost);
    let Some(cost) = cost else { return Vec::new() };
    let text = match file.target {
        Target::Bedrock => format!("{cost} at list price"),
        Target::Sim | Target::Stub => format!("nothing; Bedrock's list price is {cost}"),
    };
    vec![Said::plain("Cost", text)]
}

/// What a reader must know before trusting the numbers.
pub(super) fn warnings(file: &RunFile) -> Vec<Said> {
    let warnings = file.measured.iter().flat_map(|measured| &measured.warnings);
    let warnings = warnings.map(|warning| {
        let text = format!("{}: {}", warning.code, warning.message);
        (Some(Paint::Caution), text)
    });
    list("Warnings", warnings)
}

/// The pass marks, and what became of each.
pub(super) fn pass_marks(file: &RunFile) -> Vec<Said> {
    list("Pass marks", file.verdicts.iter().map(pass_mark))
}

/// What was not measured, or is less than it seems.
pub(super) fn gaps(file: &RunFile) -> Vec<Said> {
    let missing = not_measured(file);
    list("Not measured", missing.into_iter().map(|text| (None, text)))
}

fn pass_mark(verdict: &Verdict) -> (Option<Paint>, String) {
    let kind = Metric::parse(&verdict.metric).map_or(Kind::Number, Metric::kind);
    let found = match (verdict.value, &verdict.reason) {
        (Some(value), _) => format!(
            "is {}{}",
            quantity(kind, value),
            verdict
                .interval
                .map_or_else(String::new, |interval| range(kind, interval))
        ),
        (None, Some(reason)) => format!("is {reason}"),
        (None, None) => "was not measured".to_owned(),
    };
    let surely = if verdict.sure { "surely " } else { "" };
    let wanted = match (verdict.at_most, verdict.at_least) {
        (Some(most), Some(least)) => {
            format!("between {}", ends(kind, least, most).join(" and "))
        }
        (Some(most), None) => format!("at most {}", quantity(kind, most)),
        (None, Some(least)) => format!("at least {}", quantity(kind, least)),
        (None, None) => "nothing".to_owned(),
    };
    let (paint, word) = if verdict.passed {
        (Paint::Good, "passed")
    } else {
        (Paint::Bad, "MISSED")
    };
    let note = match (verdict.value, &verdict.reason) {
        (Some(_), Some(reason)) => format!("; {reason}"),
        _ if verdict.is_close() => "; too close to call".to_owned(),
        _ => String::new(),
    };
    let text = format!(
        "{word}  {} {found}, wanted {surely}{wanted}{note}",
        verdict.name()
    );
    (Some(paint), text)
}

/// What happened to the requests, in plain words.
fn sentence(file: &RunFile) -> String {
    let Some(measured) = &file.measured else {
        return "nothing was measured".to_owned();
    };
    let counts = measured.total.counts;
    let throttled: u64 = measured
        .total
        .failures
        .iter()
        .filter(|(name, _)| Failure::from_name(name).is_some_and(Failure::is_throttle))
        .map(|(_, count)| count)
        .sum();
    let offered = length(measured.window_ns.min(measured.elapsed_ns));
    let intended = counts.intended;
    // Of a run that broke off only what had ended is known; what was under way is not in it.
    let ended = if file.state == RunState::Running {
        " that had ended"
    } else {
        ""
    };
    let requests = format!("{}{ended} in {offered}", counted(intended, "request"));
    if intended == 0 || counts.completed == intended {
        return match intended {
            0 => format!("no requests in {offered}"),
            _ => format!("{requests}: all answered"),
        };
    }
    let parts: Vec<String> = [
        ("throttled", throttled),
        ("failed", counts.failed.saturating_sub(throttled)),
        ("dropped", counts.dropped),
        ("cancelled", counts.cancelled),
    ]
    .into_iter()
    .filter(|&(_, part)| part > 0)
    .map(|(what, part)| format!(", {} {what}{}", count(part), part_of(part, intended)))
    .collect();
    let answered = if counts.completed == 0 {
        "none".into()
    } else {
        count(counts.completed)
    };
    format!("{requests}: {answered} answered{}", parts.concat())
}

/// What is to be known of a run that is not complete.
fn cut_short(run: &Run) -> Option<String> {
    let error = run.file.error.as_deref();
    let because = |what: &str| match error {
        Some(error) => format!("{what}: {error}"),
        None => what.to_owned(),
    };
    match (&run.partial, run.file.state) {
        (Some(note), _) => {
            let torn = if note.torn_line {
                "; the last row was cut off and is left out"
            } else {
                ""
            };
            Some(format!(
                "this run was killed or still goes on: measured again from {}{torn}",
                counted(note.rows, "row")
            ))
        }
        (None, RunState::Running) => Some("this run still goes on".to_owned()),
        (None, RunState::Interrupted) => Some(match error {
            Some(error) => format!("stopped early: {error}"),
            None => "the run was interrupted".to_owned(),
        }),
        (None, RunState::Failed) => Some(because("the run could not be completed")),
        (None, RunState::Complete) => error.map(ToOwned::to_owned),
    }
}

pub(super) fn what_was_run(file: &RunFile) -> String {
    let target = match file.target {
        Target::Sim => "the simulator, in virtual time",
        Target::Stub => "the local stub",
        Target::Bedrock => "Amazon Bedrock",
    };
    let started = file
        .started
        .as_ref()
        .map_or_else(String::new, |at| format!(", began {at}"));
    let warm_up = match file.settings.warm_up_ns {
        0 => String::new(),
        warm_up => format!(
            "; pass marks leave out what was due in the first {}",
            length(warm_up)
        ),
    };
    format!(
        "{} on {target}, seed {}{started}{warm_up}",
        file.scenario.name, file.seed
    )
}

/// Throttled attempts by cause; none if there were none.
fn throttles(throttled: Throttles, share: Option<f64>) -> Option<String> {
    let causes: Vec<String> = [
        ("too many requests", throttled.requests),
        ("too many tokens", throttled.tokens),
        ("too many tokens per day", throttled.tokens_per_day),
        ("other causes", throttled.other),
    ]
    .into_iter()
    .filter(|&(_, times)| times > 0)
    .map(|(cause, times)| format!("{} for {cause}", count(times)))
    .collect();
    let share = share.map_or_else(String::new, |share| {
        format!("{} of attempts: ", percent(share))
    });
    (!causes.is_empty()).then(|| format!("{share}{}", causes.join(", ")))
}

fn listed(reasons: &BTreeMap<String, u64>) -> String {
    let listed: Vec<String> = reasons
        .iter()
        .map(|(reason, times)| format!("{reason} {}", count(*times)))
        .collect();
    listed.join(", ")
}

/// A value in the unit of its metric.
fn quantity(kind: Kind, value: f64) -> String {
    match kind {
        Kind::Time => length((value * 1e9).round() as u64),
        Kind::Share => percent(value),
        Kind::Number => significant(value),
        Kind::Money => Usd {
            pico: (value * 1e12).round() as u64,
        }
        .to_string(),
    }
}

/// A confidence interval in parentheses, with a space before; nothing if neither end is known.
fn range(kind: Kind, interval: Ends) -> String {
    let text = match (interval.low, interval.high) {
        (End::TooFew, End::TooFew) => return String::new(),
        (End::At(low), End::At(high)) => ends(kind, low, high).join(" to "),
        (End::At(low), End::TooFew) => format!("at least {}", quantity(kind, low)),
        (End::TooFew, End::At(high)) => format!("at most {}", quantity(kind, high)),
        (End::At(low), End::Infinite) => format!("{} to infinite", quantity(kind, low)),
        (End::TooFew | End::Infinite, End::Infinite) | (End::Infinite, _) => "infinite".to_owned(),
    };
    format!(" ({text})")
}

/// Two values, the first without its unit where the second has the same.
fn ends(kind: Kind, low: f64, high: f64) -> [String; 2] {
    let (low, high) = (quantity(kind, low), quantity(kind, high));
    let unit = |text: &str| text.split_once(' ').map(|(_, unit)| unit.to_owned());
    let bare = low.split(' ').next().unwrap_or_default().to_owned();
    // Zero is zero in any unit.
    if unit(&low).is_some() && (unit(&low) == unit(&high) || bare == "0") {
        return [bare, high];
    }
    [low, high]
}

/// What a reader might look for and not find, or take for more than it is.
fn not_measured(file: &RunFile) -> Vec<String> {
    let mut missing = Vec::new();
    match file.target {
        Target::Sim | Target::Stub => {
            let rule = file.settings.enforcement.as_deref().unwrap_or("unknown");
            missing.push(format!(
                "Bedrock itself: answers take as long as `[service]` says, and quota is counted by \
                 the `{rule}` rule, one reading of what Bedrock does not publish"
            ));
        }
        Target::Bedrock => missing
            .push("other users of the same account and Region, who share its quotas".to_owned()),
    }
    if let Some(measured) = &file.measured {
        missing.extend(unknown(measured).into_iter().map(ToOwned::to_owned));
    }
    missing
}

/// Whether answers were streamed, but only their rows are left.
fn between_tokens_is_lost(measured: &Measured) -> bool {
    let samples = |spread: Option<Spread>| spread.map_or(0, |spread| spread.count);
    samples(measured.total.tpot) > 0
        && samples(measured.total.itl) == 0
        && measured.total.usage.output.0 > measured.total.attempts.answered
}

fn unknown(measured: &Measured) -> Vec<&'static str> {
    let unsteady = |quota: &QuotaUse| quota.tokens.steady.is_none();
    [
        (
            measured.total.ttft.is_none(),
            "time to first token and between tokens: answers were not streamed",
        ),
        (
            between_tokens_is_lost(measured),
            "between tokens: rows do not hold it, and the run did not come to its end",
        ),
        (
            measured.total.cost.is_none(),
            "cost: a model that was used has no known price",
        ),
        (
            measured.quota_use.iter().any(unsteady),
            "steady quota use: it needs whole minutes after the first",
        ),
    ]
    .into_iter()
    .filter_map(|(missing, text)| missing.then_some(text))
    .collect()
}
