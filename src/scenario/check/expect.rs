//! Pass marks: `[[expect]]`.
//!
//! Promises: a mark that comes out can be judged and can be met. What cannot be met, or cannot be told
//! of what it names, is refused with the reason.

use std::ops::Range;

use super::super::diagnostic::Diagnostic;
use super::super::problems::{Problems, did_you_mean};
use super::super::raw::RawExpect;
use super::super::value::{Bound, Field, List, Placed};
use crate::expect::{Expectation, Kind, Metric, Scope};
use crate::outcome::{ClassIndex, ModelIndex};

/// Whose requests a mark can look at.
pub(super) struct Named<'a> {
    /// The prompts, in their order; empty where a name cannot be read.
    pub classes: &'a [String],
    /// The models, in their order.
    pub models: &'a [String],
}

/// The pass marks that could be read.
pub(super) fn expectations(
    list: Option<List<Placed<RawExpect>>>,
    named: &Named<'_>,
    problems: &mut Problems,
) -> Vec<Expectation> {
    let marks = list.map(|list| list.value).unwrap_or_default();
    marks
        .into_iter()
        .filter_map(|raw| expectation(raw, named, problems))
        .collect()
}

fn expectation(
    raw: Placed<RawExpect>,
    named: &Named<'_>,
    problems: &mut Problems,
) -> Option<Expectation> {
    let Placed { span, value: raw } = raw;
    let metric = problems.require(raw.metric, "metric", &span, "`metric = \"latency.p99\"`");
    let of = scope(raw.class, raw.model, metric.as_ref(), named, problems);
    if raw.at_most.is_none() && raw.at_least.is_none() && raw.between.is_none() {
        let problem = Diagnostic::error("no-bound", "this pass mark has no bound");
        let help = "add `at_most`, `at_least` or `between`";
        problems.push(problem.at(span, "").help(help));
    }
    let at_most = bound(raw.at_most, metric.as_ref(), problems);
    let at_least = bound(raw.at_least, metric.as_ref(), problems);
    let (at_least, at_most) = match raw.between {
        None => {
            ordered(at_least.as_ref(), at_most.as_ref(), problems);
            (at_least, at_most)
        }
        Some(list) => {
            if let Some(other) = at_most.as_ref().or(at_least.as_ref()) {
                let title = "`between` stands beside `at_most` or `at_least`";
                problems.push(
                    Diagnostic::error("two-bounds", title)
                        .at(other.span.clone(), "")
                        .context(list.span.clone(), "both ends are here")
                        .help("leave one of them out"),
                );
            }
            between(list, metric.as_ref(), problems)
        }
    };
    let sure = problems.read(raw.sure);
    let abort = problems.read(raw.abort_on_fail);
    let mark = Expectation {
        metric: metric.as_ref()?.value,
        of: of?,
        at_most: at_most.as_ref().map(|bound| bound.value),
        at_least: at_least.as_ref().map(|bound| bound.value),
        sure: sure.as_ref().is_some_and(|sure| sure.value),
        abort_on_fail: abort.as_ref().is_some_and(|abort| abort.value),
    };
    if let Some(sure) = sure.filter(|sure| sure.value) {
        can_be_sure(&mark, &sure.span, problems);
    }
    if let Some(abort) = abort.filter(|abort| abort.value && !mark.can_miss_early()) {
        let title = format!(
            "`abort_on_fail` does nothing here: `{}` is not missed for certain before the end",
            mark.metric
        );
        let help = "leave it out, or give it to a share, or to a quantile or a cost with `at_most`";
        let problem = Diagnostic::warning("abort-does-nothing", title);
        problems.push(problem.at(abort.span, "").help(help));
    }
    Some(mark)
}

/// Whose requests count; none if that cannot be told.
fn scope(
    class: Option<Field<String>>,
    model: Option<Field<String>>,
    metric: Option<&Placed<Metric>>,
    named: &Named<'_>,
    problems: &mut Problems,
) -> Option<Scope> {
    let both = class.is_some() && model.is_some();
    let given = class.is_some() || model.is_some();
    let class = problems.read(class);
    let model = problems.read(model);
    if let (Some(class), Some(model)) = (&class, &model) {
        let title = "a pass mark is about a prompt class or about a model, not both";
        problems.push(
            Diagnostic::error("two-scopes", title)
                .at(model.span.clone(), "")
                .context(class.span.clone(), "the class is of one model already")
                .help("leave one of them out"),
        );
    }
    if let (Some(class), Some(metric)) = (&class, metric)
        && metric.value.is_quota_use()
    {
        let title = format!("`{}` is of a model, not of a prompt class", metric.value);
        let help = "all classes of a model draw from one quota: write `model` in place of `class`";
        problems.push(
            Diagnostic::error("no-quota-of-a-class", title)
                .at(class.span.clone(), "")
                .context(metric.span.clone(), "use of a model's quota")
                .help(help),
        );
    }
    let of_class = class.map(|name| {
        let place = find(&name, named.classes, "no-such-class", "prompt", problems)?;
        Some(Scope::Class(ClassIndex(place)))
    });
    let of_model = model.map(|name| {
        let place = find(&name, named.models, "no-such-model", "model", problems)?;
        Some(Scope::Model(ModelIndex(place)))
    });
    match of_class.or(of_model) {
        Some(found) if !both => found,
        None if !given => Some(Scope::All),
        _ => None,
    }
}

/// The place of a name; a problem if it is none of them.
fn find(
    name: &Placed<String>,
    names: &[String],
    code: &'static str,
    kind: &str,
    problems: &mut Problems,
) -> Option<u16> {
    let found = names.iter().position(|known| *known == name.value);
    if found.is_none() {
        let title = format!("there is no {kind} `{}`", name.value);
        let readable = names
            .iter()
            .map(String::as_str)
            .filter(|name| !name.is_empty());
        let help = did_you_mean(&name.value, readable);
        let problem = Diagnostic::error(code, title);
        problems.push(problem.at(name.span.clone(), "").help(help));
    }
    found.and_then(|place| u16::try_from(place).ok())
}

/// Both ends of a list of two: the lower and the upper.
fn between(
    list: List<Field<Bound>>,
    metric: Option<&Placed<Metric>>,
    problems: &mut Problems,
) -> (Option<Placed<f64>>, Option<Placed<f64>>) {
    let Placed { span, value: ends } = list;
    let Ok([low, high]) = <[Field<Bound>; 2]>::try_from(ends) else {
        let problem = Diagnostic::error("not-two-ends", "`between` must have two ends");
        let help = "write the smallest and the largest value that pass: `[\"1s\", \"2s\"]`";
        problems.push(problem.at(span, "").help(help));
        return (None, None);
    };
    let low = bound(Some(low), metric, problems);
    let high = bound(Some(high), metric, problems);
    if let (Some(low), Some(high)) = (&low, &high)
        && low.value > high.value
    {
        problems.push(
            Diagnostic::error(
                "min-above-max",
                "the ends of `between` are the wrong way round: nothing passes",
            )
            .at(low.span.clone(), "above the other")
            .context(high.span.clone(), "")
            .help("swap them"),
        );
    }
    (low, high)
}

fn ordered(least: Option<&Placed<f64>>, most: Option<&Placed<f64>>, problems: &mut Problems) {
    if let (Some(most), Some(least)) = (most, least)
        && least.value > most.value
    {
        problems.push(
            Diagnostic::error(
                "min-above-max",
                "`at_least` is above `at_most`: nothing passes",
            )
            .at(least.span.clone(), "above `at_most`")
            .context(most.span.clone(), "below `at_least`")
            .help("swap them"),
        );
    }
}

fn bound(
    field: Option<Field<Bound>>,
    metric: Option<&Placed<Metric>>,
    problems: &mut Problems,
) -> Option<Placed<f64>> {
    let bound = problems.read(field)?;
    if let (Some(given), Some(metric)) = (bound.value.kind, metric) {
        let wanted = metric.value.kind();
        if given != wanted {
            let title = format!(
                "`{}` is {}, not {}",
                metric.value,
                kind(wanted),
                kind(given)
            );
            problems.push(
                Diagnostic::error("wrong-unit", title)
                    .at(bound.span.clone(), kind(given))
                    .context(metric.span.clone(), kind(wanted))
                    .help("write a bound in the metric's own unit"),
            );
            return None;
        }
    }
    Some(Placed::new(bound.span, bound.value.value))
}

/// Says that a mark asks for more than any sample can show, if it does.
fn can_be_sure(mark: &Expectation, place: &Range<usize>, problems: &mut Problems) {
    let metric = mark.metric;
    let (title, help) = if !metric.has_interval() {
        (
            format!("`{metric}` has no confidence interval to be sure of"),
            "leave `sure` out; quantiles have one, and the shares of throttles, failures and drops",
        )
    } else if metric.is_counted_share()
        && (mark.at_most.is_some_and(|most| most <= 0.0)
            || mark.at_least.is_some_and(|least| least >= 1.0))
    {
        (
            "no sample is sure of none, or of all".to_owned(),
            "leave `sure` out, or allow a little: of 300 requests without a hit it can be 1.3%",
        )
    } else {
        return;
    };
    let problem = Diagnostic::error("never-sure", title);
    problems.push(problem.at(place.clone(), "").help(help));
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Time => "a length of time",
        Kind::Share => "a share",
        Kind::Number => "a plain number",
        Kind::Money => "an amount of money",
    }
}
