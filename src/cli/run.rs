//! `run` and `sim`: from a scenario to a folder of results, a summary and an exit code.

use std::path::Path;

use anyhow::Context;
use bedload::clock::Clock;
use bedload::drive::{self, real, simulated};
use bedload::exchange::{account_config, sdk_client};
use bedload::report::{self, Style};
use bedload::results::{
    ClassSettings, LimiterSummary, ModelSettings, ResultsError, Run, RunHeader, RunState,
    RunWriter, Settings, Target,
};
use bedload::scenario::{Scenario, ScenarioModel, TargetSettings};
use bedload::target::Target as SendsCalls;
use bedload::target::bedrock::{BedrockTarget, Calls};
use bedload::target::stub::{StubServer, StubTarget};
use bedload::time::nanos;

use super::args::watch::WatchArgs;
use super::args::{OutArgs, Run as RunArgs, Sim as SimArgs};
use super::exit::{BadInput, Exit};
use super::feeds::{self, Feeds};
use super::progress::Progress;
use super::pulse::Pulse;
use super::signals::Signals;
use super::watcher::Watcher;
use super::{output, overrides, pages, spend, vary};

/// `bedload run`.
pub fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let Some(scenario) = overrides::load(&args.scenario, args.target)? else {
        return Ok(Exit::BadInput);
    };
    if args.stub_server.is_some() && scenario.target != TargetSettings::Stub {
        let help = "`--stub-server` is for runs on the stub: add `--target stub`, or leave it out";
        return Err(BadInput(help.to_owned()).into());
    }
    let needed = StubServer::of(&scenario);
    let server = args.stub_server.map_or(needed, StubServer::from);
    if server == StubServer::Wiremock && needed == StubServer::Hyper {
        let help = "wiremock sends every answer whole: leave `--stub-server wiremock` out for a \
                    scenario that streams or has a `[[service.fault]]`";
        return Err(BadInput(help.to_owned()).into());
    }
    if args.dry_run {
        return spend::dry_run(&scenario);
    }
    match &scenario.target {
        TargetSettings::Sim if args.serve.metrics_addr.is_some() => {
            let help = "`--metrics-addr` is for runs on the real clock: leave it out, or use `--openmetrics`";
            Err(BadInput(help.to_owned()).into())
        }
        TargetSettings::Sim => simulate(&scenario, &args.out, &args.watch),
        TargetSettings::Stub => on_the_clock(&scenario, args, Target::Stub, server),
        TargetSettings::Bedrock { .. } => {
            spend::may_spend(&scenario, args.yes)?;
            on_the_clock(&scenario, args, Target::Bedrock, server)
        }
    }
}

/// `bedload sim`.
pub fn sim(args: &SimArgs) -> anyhow::Result<Exit> {
    if !args.vary.is_empty() {
        return vary::sim(args);
    }
    let target = Some(super::args::TargetName::Sim);
    match overrides::load(&args.scenario, target)? {
        Some(scenario) => simulate(&scenario, &args.out, &args.watch),
        None => Ok(Exit::BadInput),
    }
}

fn simulate(scenario: &Scenario, out: &OutArgs, watch: &WatchArgs) -> anyhow::Result<Exit> {
    let signals = Signals::listen()?;
    let clock = Clock::start();
    let feeds = Feeds::open(watch, scenario, Target::Sim, None, &signals)?;
    // In virtual time no date goes into the results, so that the same run writes the same bytes.
    let writer = create(scenario, out, Target::Sim, &clock, None)?;
    let recorder = drive::recorder(scenario, std::time::Duration::ZERO);
    let (wanted, duration) = (watch.progress, scenario.run.duration);
    let progress = Progress::start(wanted, out.quiet, false, duration, &signals);
    let pulse = Pulse::new(scenario, Target::Sim.name());
    let mut watcher = Watcher::new(recorder, scenario, writer, pulse, progress, feeds, signals);
    let mut engine = drive::engine(scenario);
    let now = simulated::run(scenario, &mut engine, &mut watcher);
    conclude(
        &watcher.finish(now, scenario, engine.stopped(), None)?,
        watch,
    )
}

fn on_the_clock(
    scenario: &Scenario,
    args: &RunArgs,
    target: Target,
    server: StubServer,
) -> anyhow::Result<Exit> {
    let signals = Signals::listen()?;
    raise_open_files();
    // One thread: it costs the least CPU per request, and `dispatch_lag` says when it is too slow.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        match &scenario.target {
            TargetSettings::Bedrock {
                region,
                profile,
                endpoint_url,
            } => {
                let config =
                    account_config(region.clone(), profile.clone(), endpoint_url.clone()).await;
                let Some(region) = config.region().map(ToString::to_string) else {
                    let help = "no AWS Region: set `region` in `[target.bedrock]`, or AWS_REGION";
                    return Err(BadInput(help.to_owned()).into());
                };
                let client = sdk_client(&config);
                if !args.no_preflight {
                    spend::can_call(scenario, &client, &region).await?;
                }
                let clock = Clock::start();
                // Windows that begin with the minute are taken to begin with this clock's.
                let scenario = scenario.clone().begun_at(clock.minute_offset());
                let calls = Calls::new(&scenario, clock, false).into();
                let sender = BedrockTarget::new(client, calls);
                watch(&scenario, args, target, &sender, clock, signals).await
            }
            _ => {
                let clock = Clock::start();
                let sender = StubTarget::start_on(server, scenario, clock)
                    .await
                    .context("cannot start the stub on the loopback interface")?;
                watch(scenario, args, target, &sender, clock, signals).await
            }
        }
    })
}

/// Every call under way holds a connection, and the stub holds its other end. The system's usual soft
/// limit of 1,024 open files would fail calls that the hard limit allows.
pub fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // If it cannot be raised, calls beyond it fail as `transport` and are counted.
    let _kept = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

async fn watch(
    scenario: &Scenario,
    args: &RunArgs,
    target: Target,
    sender: &impl SendsCalls,
    clock: Clock,
    signals: Signals,
) -> anyhow::Result<Exit> {
    let started = clock
        .started()
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string();
    let serve = args.serve.metrics_addr;
    let mut feeds = Feeds::open(&args.watch, scenario, target, Some(&started), &signals)?;
    let pulse = Pulse::new(scenario, target.name());
    if let Some(address) = serve {
        feeds.serve(address, &pulse)?;
    }
    let writer = create(scenario, &args.out, target, &clock, Some(started))?;
    let recorder = drive::recorder(scenario, clock.minute_offset());
    let (wanted, duration) = (args.watch.progress, scenario.run.duration);
    let progress = Progress::start(wanted, args.out.quiet, true, duration, &signals);
    let mut watcher = Watcher::new(recorder, scenario, writer, pulse, progress, feeds, signals);
    let mut engine = drive::engine(scenario);
    let driven = real::drive(&mut engine, sender, &clock, &mut watcher)
        .await
        .context("cannot set a timer");
    let failure = driven.err();
    let run = watcher.finish(clock.now(), scenario, engine.stopped(), failure.as_ref())?;
    conclude(&run, &args.watch)
}

/// Prints the summary, and says by the exit code how the run ended.
fn conclude(run: &Run, watch: &WatchArgs) -> anyhow::Result<Exit> {
    feeds::write_openmetrics(watch, &run.file)?;
    output::print(&report::summary(run, Style::new(output::color())))?;
    // A run without its page is a run all the same.
    if let Err(error) = pages::keep(run) {
        output::complain(&format!("no page of this run: {error:#}"));
    }
    Ok(match run.file.state {
        RunState::Failed | RunState::Running => Exit::Failed,
        RunState::Interrupted if run.file.error.is_none() => Exit::Interrupted,
        _ if run.file.verdicts.iter().any(|verdict| !verdict.passed) => Exit::No,
        RunState::Interrupted | RunState::Complete => Exit::Done,
    })
}

fn create(
    scenario: &Scenario,
    out: &OutArgs,
    target: Target,
    clock: &Clock,
    started: Option<String>,
) -> Result<RunWriter, ResultsError> {
    let root: &Path = &out.out;
    let stamp = clock.started().strftime("%Y%m%dT%H%M%SZ").to_string();
    let clock_offset_ns = match target {
        Target::Sim => 0,
        Target::Stub | Target::Bedrock => nanos(clock.minute_offset()),
    };
    let simulated = target != Target::Bedrock;
    let header = RunHeader {
        target,
        about: scenario.about.clone(),
        seed: scenario.seed.0,
        started,
        settings: Settings {
            duration_ns: nanos(scenario.run.duration),
            clock_offset_ns,
            warm_up_ns: nanos(scenario.run.warm_up),
            enforcement: simulated.then(|| scenario.service.meters.enforcement.to_string()),
            adjustment: simulated.then(|| scenario.service.adjustment.name().to_owned()),
            streaming: scenario.streams(),
            request_rows: scenario.run.request_rows,
            models: scenario.models.iter().map(model_settings).collect(),
            classes: scenario
                .prompts
                .iter()
                .map(|prompt| ClassSettings {
                    name: prompt.name.clone(),
                    model: prompt.model.0,
                })
                .collect(),
            gate: scenario.gate.clone(),
        },
    };
    RunWriter::create(root, &scenario.name, &stamp, &scenario.text, header)
}

fn model_settings(model: &ScenarioModel) -> ModelSettings {
    ModelSettings {
        name: model.name.clone(),
        id: model.id.clone(),
        api: model.api.name().to_owned(),
        quota: model.quota,
        burndown: model.facts.burndown,
        price: model.facts.price,
        limiter: model.limiter.as_ref().map(LimiterSummary::from),
    }
}
