//! `plan`: from a scenario or a run to a decision.

use std::sync::Mutex;
use std::time::Duration;

use bedload::arrivals::{ArrivalProcess, TracePoint};
use bedload::clock::Clock;
use bedload::distribution::Distribution;
use bedload::plan::{Plan, PlanOptions};
use bedload::report::{self, Form, Style};
use bedload::scenario::Scenario;
use bedload::time::Instant;
use bedload::units::Tokens;
use indicatif::{ProgressBar, ProgressStyle};

use super::args::plan::{Plan as Args, PlanFormat};
use super::args::{ScenarioArgs, TargetName};
use super::exit::{BadInput, Exit};
use super::past_run::PastRun;
use super::{output, overrides, pages};

/// `bedload plan`.
pub fn plan(args: &Args) -> anyhow::Result<Exit> {
    check(args)?;
    let (scenario, evidence) = if args.from.extension().is_some_and(|end| end == "toml") {
        let Some(scenario) = from_scenario(args)? else {
            return Ok(Exit::BadInput);
        };
        let evidence = format!(
            "Scenario {}, first seed {}, simulated on {}.",
            scenario.name,
            scenario.seed.0,
            today()
        );
        (scenario, evidence)
    } else {
        match from_run(args)? {
            Some(found) => found,
            None => return Ok(Exit::BadInput),
        }
    };
    let options = PlanOptions {
        load: args.load,
        growth: args.growth,
        months: args.months,
        percentile: args.percentile,
        headroom: args.headroom,
        throttled_max: args.throttled_max,
        wait_max: args.wait_max,
        seeds: args.seeds,
        cut_off: args.cut_off,
        cached: args.cached,
        batch: args.batch,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        evidence: vec![evidence],
    };
    let bar = Bar::new(args.quiet);
    let plan = Plan::of(&scenario, &options, &|done, of| bar.show(done, of));
    bar.clear();
    if let Some(path) = &args.html {
        pages::write(path, &report::plan_page(&plan))?;
        if path.as_os_str() == "-" {
            return Ok(verdict(&plan));
        }
    }
    let form = match args.format {
        PlanFormat::Json => {
            let text = serde_json::to_string_pretty(&plan)?;
            output::print(&(text + "\n"))?;
            return Ok(verdict(&plan));
        }
        PlanFormat::Markdown => Form::Markdown,
        PlanFormat::Text => Form::Text(Style::new(output::color())),
    };
    let page = if args.request {
        report::quota_request(&plan, form)
    } else {
        report::plan(&plan, form)
    };
    output::print(&page)?;
    // Whoever asks for more knows that there is too little.
    Ok(if args.request {
        Exit::Done
    } else {
        verdict(&plan)
    })
}

/// The answer is no if today's load does not fit into the quota that there is.
fn verdict(plan: &Plan) -> Exit {
    let short = |headroom: Option<f64>| headroom.is_some_and(|headroom| headroom < 0.0);
    if plan.models.iter().any(|model| short(model.headroom)) {
        Exit::No
    } else {
        Exit::Done
    }
}

/// The day, as `2026-11-23`.
fn today() -> String {
    let now = Clock::start().started().to_string();
    now.get(..10).unwrap_or_default().to_owned()
}

fn check(args: &Args) -> Result<(), BadInput> {
    let wrong = |help: &str| Err(BadInput(help.to_owned()));
    if !(args.load > 0.0 && args.load <= 1_000.0) {
        return wrong("`--load` needs a factor above 0 and of at most 1000");
    }
    if !(args.percentile > 0.0 && args.percentile < 1.0) {
        return wrong("`--percentile` needs a share above 0% and below 100%");
    }
    if args.headroom.fraction() >= 1.0 {
        return wrong("`--headroom` leaves nothing of the quota: write less than 100%");
    }
    if args.seeds == 0 || args.seeds > 100 {
        return wrong("`--seeds` needs a number from 1 to 100");
    }
    if args.cached >= 1.0 || args.batch >= 1.0 || args.cut_off >= 1.0 {
        return wrong("`--cached`, `--batch` and `--cut-off` need shares below 100%");
    }
    if (1.0 + args.growth).powf(f64::from(args.months)) * args.load > 1_000.0 {
        return wrong(
            "`--growth` and `--months` make more than a thousand times the load: plan for less",
        );
    }
    if args.request && args.format == PlanFormat::Json {
        return wrong(
            "`--request` is text or Markdown; the figures are in `--format json` without it",
        );
    }
    Ok(())
}

fn from_scenario(args: &Args) -> anyhow::Result<Option<Scenario>> {
    let scenario = ScenarioArgs {
        scenario: args.from.clone(),
        seed: args.seed,
        duration: None,
        set: args.set.clone(),
    };
    // Its target is not touched; whether `[target.bedrock]` names a Region matters to the request.
    overrides::load(&scenario, None::<TargetName>)
}

/// The scenario of a run, with arrivals and lengths as they were.
fn from_run(args: &Args) -> anyhow::Result<Option<(Scenario, String)>> {
    let Some(mut run) = PastRun::open(&args.from, args.seed, &args.set)? else {
        return Ok(None);
    };
    let mut observed = Observed::new(run.scenario.prompts.len());
    for record in run.rows()? {
        observed.take(&record?);
    }
    let requests = observed.points.len();
    if requests == 0 {
        let shown = run.dir.display();
        return Err(BadInput(format!("{shown} has no requests to plan for")).into());
    }
    observed.put_into(
        &mut run.scenario,
        Duration::from_nanos(run.file.settings.duration_ns),
    );
    let began = run.file.started.map(|began| format!(", began {began}"));
    let evidence = format!(
        "Run of {} on {}{}: {requests} requests.",
        run.file.scenario.name,
        serde_json::to_value(run.file.target)?
            .as_str()
            .unwrap_or_default(),
        began.unwrap_or_default(),
    );
    Ok(Some((run.scenario, evidence)))
}

/// What a run was asked for.
struct Observed {
    points: Vec<TracePoint>,
    /// By prompt class: how often it came, and the lengths of what was answered.
    classes: Vec<(u64, Vec<u64>, Vec<u64>)>,
}

impl Observed {
    fn new(classes: usize) -> Self {
        Self {
            points: Vec::new(),
            classes: vec![(0, Vec::new(), Vec::new()); classes],
        }
    }

    fn take(&mut self, record: &bedload::outcome::RequestRecord) {
        let (count, inputs, outputs) = &mut self.classes[usize::from(record.class.0)];
        *count += 1;
        if record.outcome == bedload::outcome::Outcome::Completed {
            inputs.push(record.usage.input.0);
            outputs.push(record.usage.output.0);
        }
        self.points.push(TracePoint {
            at: record.due,
            input: record.input_estimate,
            output: Tokens(1),
            class: Some(record.class),
        });
    }

    fn put_into(mut self, scenario: &mut Scenario, duration: Duration) {
        self.points.sort_by_key(|point| point.at);
        let last = self.points.last().map_or(Instant::ZERO, |point| point.at);
        scenario.run.duration = duration.max(last - Instant::ZERO + Duration::from_secs(1));
        scenario.arrivals = ArrivalProcess::Trace {
            points: self.points.into(),
            speed: 1.0,
        };
        for (prompt, (count, inputs, outputs)) in scenario.prompts.iter_mut().zip(self.classes) {
            prompt.weight = count as f64;
            if !inputs.is_empty() {
                prompt.input = Some(Distribution::Empirical(inputs));
                prompt.output = Some(Distribution::Empirical(outputs));
            }
        }
    }
}

/// Progress, where somebody watches.
struct Bar(Mutex<Option<ProgressBar>>, bool);

impl Bar {
    fn new(quiet: bool) -> Self {
        Self(Mutex::new(None), !quiet && output::is_watched())
    }

    fn show(&self, done: usize, of: usize) {
        if !self.1 {
            return;
        }
        let Ok(mut bar) = self.0.lock() else { return };
        let bar = bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template(
                "simulating {bar:30} {pos}/{len} searches, {eta} left",
            );
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(of as u64).with_style(style)
        });
        bar.set_position(done as u64);
    }

    fn clear(&self) {
        if let Ok(bar) = self.0.lock()
            && let Some(bar) = bar.as_ref()
        {
            bar.finish_and_clear();
        }
    }
}
