//! `[[service.fault]]`: what goes wrong on purpose, and with which calls.

use std::ops::Range;
use std::time::Duration;

use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use super::super::raw::{RawDuring, RawFault};
use super::super::suggest::{closest, listed};
use super::super::value::{Field, List, Placed};
use super::settings::share;
use crate::outcome::{Failure, ModelIndex};
use crate::service::fault::{During, Fault, FaultKind, Flaw, When};
use crate::units::Share;
use crate::wire::error;

/// The faults that could be read; `models` are the names in `[model]`, in order.
pub(super) fn faults(
    list: Option<List<Placed<RawFault>>>,
    models: &[String],
    problems: &mut Problems,
) -> Vec<Fault> {
    let faults = list.map(|list| list.value).unwrap_or_default();
    faults
        .into_iter()
        .filter_map(|raw| fault(raw, models, problems))
        .collect()
}

fn fault(raw: Placed<RawFault>, models: &[String], problems: &mut Problems) -> Option<Fault> {
    let Placed { span, value: raw } = raw;
    let everything = raw.share.is_none() && raw.calls.is_none() && raw.during.is_none();
    let given = [
        raw.refuse.is_some(),
        raw.exception.is_some(),
        raw.delay.is_some(),
        raw.stall.is_some(),
        raw.reset.is_some(),
        raw.damage.is_some(),
    ];
    let given = given.into_iter().filter(|given| *given).count();
    if given != 1 {
        let title = if given == 0 {
            "this fault does not say what goes wrong"
        } else {
            "this fault says more than one thing that goes wrong"
        };
        let kinds = ["refuse", "exception", "delay", "stall", "reset", "damage"];
        let help = format!("write exactly one of {}", listed(kinds));
        let problem = Diagnostic::error("fault-kind", title).at(span.clone(), "");
        problems.push(problem.help(help));
    }
    if everything {
        let title = "this fault strikes every call";
        let problem = Diagnostic::warning("fault-always", title).at(span, "");
        problems.push(problem.help("add `share`, `calls` or `during`, if only some are meant"));
    }
    let failure = |field, problems: &mut Problems| service_failure(field, problems);
    let kinds = [
        failure(raw.refuse, problems).map(FaultKind::Refuse),
        failure(raw.exception, problems).map(|failure| FaultKind::Break(Flaw::Exception(failure))),
        problems.get(raw.delay).map(FaultKind::Delay),
        problems.get(raw.stall).map(FaultKind::Stall),
        problems
            .get(raw.reset)
            .map(|place| FaultKind::Break(place.0)),
        problems
            .get(raw.damage)
            .map(|damage| FaultKind::Break(damage.0)),
    ];
    let share = raw
        .share
        .map(|field| share(problems, Some(field), "share", Share::percent(100)));
    let calls = raw.calls.map(|list| {
        let mut calls = Vec::new();
        for field in list.value {
            if let Some(call) = problems.read(Some(field)) {
                problems.above_zero("calls", Some(&call));
                calls.push(call.value);
            }
        }
        calls.sort_unstable();
        calls
    });
    let when = When {
        model: model(raw.model, models, problems),
        share,
        calls,
        during: raw.during.and_then(|raw| during(raw, problems)),
    };
    let kind = kinds.into_iter().flatten().next()?;
    Some(Fault { kind, when })
}

/// A failure that the service can answer with.
fn service_failure(field: Option<Field<Failure>>, problems: &mut Problems) -> Option<Failure> {
    let failure = problems.read(field)?;
    if error::for_failure(failure.value).is_some() {
        return Some(failure.value);
    }
    let title = format!("`{}` is no answer of the service", failure.value);
    let says = |failure: &&Failure| error::for_failure(**failure).is_some();
    let known = Failure::ALL
        .iter()
        .filter(says)
        .map(|failure| failure.name());
    let problem = Diagnostic::error("not-an-answer", title).at(failure.span, "");
    problems.push(problem.help(format!("write one of {}", listed(known))));
    None
}

fn model(
    field: Option<Field<String>>,
    models: &[String],
    problems: &mut Problems,
) -> Option<ModelIndex> {
    let name = problems.read(field)?;
    let found = models.iter().position(|model| *model == name.value);
    if found.is_none() {
        let names = || models.iter().map(String::as_str);
        let title = format!("there is no `[model.{}]`", name.value);
        let problem = Diagnostic::error("no-such-model", title).at(name.span, "");
        problems.push(problem.help(match closest(&name.value, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of {}", listed(names())),
        }));
    }
    found
        .and_then(|place| u16::try_from(place).ok())
        .map(ModelIndex)
}

fn during(raw: Placed<RawDuring>, problems: &mut Problems) -> Option<During> {
    let Placed { span, value: raw } = raw;
    let from = problems.get(raw.from).unwrap_or_default();
    let to = problems.require(raw.to, "to", &span, "`to = \"20s\"`");
    let every = problems.read(raw.every);
    let to = to?;
    if to.value <= from {
        let problem = Diagnostic::error("empty-interval", "`to` is not after `from`");
        problems.push(problem.at(to.span, "").help("write a later time"));
        return None;
    }
    let length = to.value.saturating_sub(from);
    if let Some(every) = every.as_ref().filter(|every| every.value < length) {
        problems.push(too_often(every, length));
    }
    Some(During {
        from,
        to: to.value,
        every: every.map(|every| every.value),
    })
}

fn too_often(every: &Placed<Duration>, length: Duration) -> Diagnostic {
    let at: Range<usize> = every.span.clone();
    let title = "`every` is shorter than the time itself: it would never end";
    Diagnostic::error("interval-overlaps", title)
        .at(at, "")
        .help(format!("write at least {length:?}"))
}
