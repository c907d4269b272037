//! The tables that stand for themselves: `[target]`, `[run]`, `[retry]`.

use std::time::Duration;

use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use super::super::raw::{RawRetry, RawRun, RawTarget};
use super::super::value::{Field, Placed};
use super::super::{RunSettings, TargetSettings};
use crate::arrivals::ArrivalProcess;
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
    let warm_up = problems.read(raw.warm_up);
    let replayed = arrivals.and_then(super::arrivals::trace_length);
    let length = duration.as_ref().map_or_else(
        // One second more, so that the last request of a trace is due within the run.
        || {
            replayed.map_or(LONGEST_RUN, |length| {
                length.saturating_add(Duration::from_secs(1))
            })
        },
        |duration| duration.value,
    );
    leaves_something(warm_up.as_ref(), duration.as_ref(), length, problems);
    RunSettings {
        duration: length,
        warm_up: warm_up.map_or(Duration::ZERO, |warm_up| warm_up.value),
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

/// Says that the warm-up is the whole run, if it is. The length of a run whose duration could not be read
/// is nobody's.
fn leaves_something(
    warm_up: Option<&Placed<Duration>>,
    duration: Option<&Placed<Duration>>,
    length: Duration,
    problems: &mut Problems,
) {
    let Some(warm_up) = warm_up.filter(|warm_up| warm_up.value >= length && !length.is_zero())
    else {
        return;
    };
    let title = "`warm_up` is as long as the run: nothing is left to be judged";
    let problem = Diagnostic::error("warm-up-too-long", title).at(warm_up.span.clone(), "");
    let problem = match duration {
        Some(duration) => problem.context(duration.span.clone(), "the run"),
        None => problem,
    };
    problems.push(problem.help("write a shorter one, or a longer `duration`"));
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
