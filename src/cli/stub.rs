//! `stub`: a scenario's models, served to anybody's client.

use std::time::Duration;

use anyhow::Context;
use bedload::clock::Clock;
use bedload::drive::Wish;
use bedload::outcome::Failure;
use bedload::target::stub::{State, Stub};
use bedload::units::grouped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{ScenarioArgs, Stub as StubArgs, TargetName};
use super::exit::Exit;
use super::signals::Signals;
use super::{output, overrides};

/// How often the live line is drawn, and the longest that a signal waits.
const TICK: Duration = Duration::from_millis(200);

/// `bedload stub`.
pub fn stub(args: &StubArgs) -> anyhow::Result<Exit> {
    let scenario = ScenarioArgs {
        scenario: args.scenario.clone(),
        seed: args.seed,
        duration: None,
        set: args.set.clone(),
    };
    let Some(scenario) = overrides::load(&scenario, Some(TargetName::Stub))? else {
        return Ok(Exit::BadInput);
    };
    let signals = Signals::listen()?;
    super::run::raise_open_files();
    let stub = Stub::start(&scenario, args.port, Clock::start()).with_context(|| {
        format!(
            "cannot listen on port {}; give another `--port`, or 0 for any",
            args.port
        )
    })?;
    let address = stub.address();
    output::print(&environment(&address))?;
    output::hint(&format!(
        "serving {} on {address} until Ctrl-C; what it has counted: {address}/_bedload/state",
        scenario.name
    ));
    let line = live_line(args.quiet);
    while signals.wish() == Wish::GoOn {
        line.set_message(summary(&stub.state()));
        line.tick();
        std::thread::park_timeout(TICK);
    }
    line.finish_and_clear();
    output::hint(&format!("stopped: {}", summary(&stub.state())));
    Ok(Exit::Done)
}

/// What leads an AWS SDK to the stub, as a shell reads it. The stub checks no signatures, but SDKs
/// want something to sign with.
fn environment(address: &str) -> String {
    format!(
        "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME={address}\n\
         export AWS_REGION=us-east-1\n\
         export AWS_ACCESS_KEY_ID=stub\n\
         export AWS_SECRET_ACCESS_KEY=stub\n"
    )
}

fn live_line(quiet: bool) -> ProgressBar {
    let line = ProgressBar::new_spinner();
    if quiet || !output::is_watched() {
        line.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        line.set_style(style);
    }
    line
}

/// Requests, throttles and what is left of each quota.
fn summary(state: &State) -> String {
    let throttle = |name: &str| Failure::from_name(name).is_some_and(Failure::is_throttle);
    let sum = |passes: &dyn Fn(&str) -> bool| {
        let models = state.models.values();
        models.map(|model| model.outcomes.sum(passes)).sum::<u64>()
    };
    let all = sum(&|_| true);
    let answered = sum(&|name| name == "answered");
    let throttled = sum(&throttle);
    let refused = state.refused.sum(|_| true);
    let number = |number: u64| grouped(i64::try_from(number).unwrap_or(i64::MAX));
    let levels = state.models.iter().flat_map(|(name, model)| {
        let levels = model.level.iter();
        levels.map(move |(limit, level)| format!("{name} {limit} {} left", grouped(*level)))
    });
    let mut parts = vec![
        format!("{} requests", number(all + refused)),
        format!("{} answered", number(answered)),
        format!("{} throttled", number(throttled)),
        format!("{} failed", number(all - answered - throttled + refused)),
    ];
    parts.extend(levels);
    parts.join(" · ")
}
