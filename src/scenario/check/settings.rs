//! The tables that stand for themselves: `[target]`, `[run]`, `[retry]`, `[[expect]]`.

use std::time::Duration;

use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use super::super::raw::{RawExpect, RawRetry, RawRun, RawTarget};
use super::super::value::{Bound, Field, List, Placed};
use super::super::{RunSettings, TargetSettings};
use crate::arrivals::ArrivalProcess;
use crate::expect::{Expectation, Kind, Metric};
use crate::retry::RetryPolicy;
use crate::units::{Share, Tokens};

/// No run is longer: 30 days. Also the length of a run that only `max_requests` ends.
const LONGEST_RUN: Duration = Duration::from_secs(30 * 86_400);

const WHOLE: Share = Share::percent(100);

/// Where requests go; the stub unless said otherwise.
pub(super) fn target(raw: Option<Placed<RawTarget>>, problems: &mut Problems) -> TargetSettings {
    match raw.map(|raw| raw.value) {
        Some(RawTarget::Sim {}) => TargetSettings::Sim,
        Some(RawTarget::Stub {}) | None => TargetSettings::Stub,
        Some(RawTarget::Bedrock(raw)) => TargetSettings::Bedrock {
            region: problems.get(raw.value.region),
            profile: problems.get(raw.value.profile),
            endpoint_url: problems.get(raw.value.endpoint_url),
        },
    }
}

/// How long and how much. `arrivals` are none where they could not be read; `recorded` says whether
/// they come from a trace all the same.
pub(super) fn run(
    raw: Option<Placed<RawRun>>,
    arrivals: Option<&ArrivalProcess>,
    recorded: bool,
    problems: &mut Problems,
) -> RunSettings {
    let table = raw.as_ref().map(|raw| raw.span.clone());
    let raw = raw.map(|raw| raw.value).unwrap_or_default();
    let given = raw.duration.is_some();
    let duration = problems.read(raw.duration);
    problems.above_zero("duration", duration.as_ref());
    if let Some(duration) = duration
        .as_ref()
        .filter(|duration| duration.value > LONGEST_RUN)
    {
        let problem = Diagnostic::error("run-too-long", "`duration` is above 30 days");
        problems.push(
            problem
                .at(duration.span.clone(), "")
                .help("write a shorter one"),
        );
    }
    let bounded = raw.max_requests.is_some();
    let max_requests = problems.read(raw.max_requests);
    problems.above_zero("max_requests", max_requests.as_ref());
    if !given && !recorded && !bounded && !problems.excuses("run") {
        problems.missing(
            "duration",
            table.as_ref(),
            "`duration = \"60s\"` to `[run]`",
        );
    }
    let max_total_tokens = problems.read(raw.max_total_tokens);
    problems.above_zero("max_total_tokens", max_total_tokens.as_ref());
    let request_timeout = problems.read(raw.request_timeout);
    problems.above_zero("request_timeout", request_timeout.as_ref());
    let max_in_flight = problems.read(raw.max_in_flight);
    problems.above_zero("max_in_flight", max_in_flight.as_ref());
    let replayed = arrivals.and_then(super::arrivals::trace_length);
    RunSettings {
        duration: duration.map_or_else(
            // One second more, so that the last request of a trace is due within the run.
            || {
                replayed.map_or(LONGEST_RUN, |length| {
                    length.saturating_add(Duration::from_secs(1))
                })
            },
            |duration| duration.value,
        ),
        drain: problems.get(raw.drain).unwrap_or(Duration::from_secs(30)),
        request_timeout: request_timeout.map_or(Duration::from_secs(60), |length| length.value),
        max_requests: max_requests.map(|requests| requests.value),
        max_in_flight: max_in_flight.map_or(10_000, |requests| requests.value),
        max_queue: problems.get(raw.max_queue).unwrap_or(100_000),
        max_cost: problems.get(raw.max_cost),
        max_total_tokens: max_total_tokens.map(|tokens| Tokens(tokens.value)),
        max_throttled: share(
            problems,
            raw.max_throttled,
            "max_throttled",
            Share::percent(1),
        ),
        request_rows: problems.get(raw.request_rows).unwrap_or(true),
    }
}

/// When failed attempts are followed by others.
pub(super) fn retry(raw: Option<Placed<RawRetry>>, problems: &mut Problems) -> RetryPolicy {
    let RawRetry {
        max_attempts,
        base,
        cap,
        jitter,
        on,
    } = raw.map(|raw| raw.value).unwrap_or_default();
    let default = RetryPolicy::default();
    let max_attempts = problems.read(max_attempts);
    problems.above_zero("max_attempts", max_attempts.as_ref());
    let any = on.is_some();
    let listed = problems.list(on);
    RetryPolicy {
        max_attempts: max_attempts.map_or(default.max_attempts, |attempts| attempts.value),
        base: problems.get(base).unwrap_or(default.base),
        cap: problems.get(cap).unwrap_or(default.cap),
        jitter: problems.get(jitter).unwrap_or(default.jitter),
        on: if any {
            listed.into_iter().collect()
        } else {
            default.on
        },
    }
}

/// The pass marks that could be read.
pub(super) fn expectations(
    list: Option<List<Placed<RawExpect>>>,
    problems: &mut Problems,
) -> Vec<Expectation> {
    let marks = list.map(|list| list.value).unwrap_or_default();
    marks
        .into_iter()
        .filter_map(|raw| expectation(raw, problems))
        .collect()
}

fn expectation(raw: Placed<RawExpect>, problems: &mut Problems) -> Option<Expectation> {
    let Placed { span, value: raw } = raw;
    let metric = problems.require(raw.metric, "metric", &span, "`metric = \"latency.p99\"`");
    if raw.at_most.is_none() && raw.at_least.is_none() {
        let problem = Diagnostic::error("no-bound", "this pass mark has no bound");
        problems.push(problem.at(span, "").help("add `at_most` or `at_least`"));
    }
    let at_most = bound(raw.at_most, metric.as_ref(), problems);
    let at_least = bound(raw.at_least, metric.as_ref(), problems);
    if let (Some(most), Some(least)) = (&at_most, &at_least)
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
    Some(Expectation {
        metric: metric?.value,
        at_most: at_most.map(|bound| bound.value),
        at_least: at_least.map(|bound| bound.value),
    })
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
        }
    }
    Some(Placed::new(bound.span, bound.value.value))
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Time => "a length of time",
        Kind::Share => "a share",
        Kind::Number => "a plain number",
        Kind::Money => "an amount of money",
    }
}

/// A share of at most the whole.
pub(super) fn share(
    problems: &mut Problems,
    field: Option<Field<Share>>,
    key: &str,
    default: Share,
) -> Share {
    let Some(share) = problems.read(field) else {
        return default;
    };
    if share.value > WHOLE {
        let problem = Diagnostic::error("above-whole", format!("`{key}` is above 100%"));
        problems.push(
            problem
                .at(share.span, "")
                .help("write a share of at most `\"100%\"`"),
        );
    }
    share.value
}
