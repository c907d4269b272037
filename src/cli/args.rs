//! What can be typed.

pub mod account;
pub mod compare;
pub mod import;
pub mod plan;
pub mod quotas;
pub mod sweep;
pub mod tune;
pub mod watch;

use std::path::PathBuf;

use bedload::target::stub::StubServer;
use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::exit;

/// Quota planning, load tests and regression gates for Amazon Bedrock
///
/// A scenario file says which requests come when, to which models, under which quota. `bedload` runs
/// it in virtual time, against a local stub that counts quota as Bedrock does, or against Bedrock
/// itself, and says what was throttled, how long people waited and how much of the quota was used.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = exit::HELP, after_long_help = exit::HELP)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario on the real clock, against the stub or Bedrock
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// Run a scenario in virtual time: hours of traffic in seconds
    #[command(after_help = SIM_EXAMPLES)]
    Sim(Sim),
    /// Serve a scenario's models as Bedrock would, for anybody's client
    #[command(after_help = STUB_EXAMPLES)]
    Stub(Stub),
    /// Check scenario files and say what they will do
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Say which quota traffic needs, how much fits into the one there is, and what would help
    #[command(after_help = plan::EXAMPLES)]
    Plan(plan::Plan),
    /// Compare runs: did it get worse? Answers with an exit code
    #[command(after_help = compare::EXAMPLES)]
    Compare(compare::Compare),
    /// Find the limiter settings that do the most work with the fewest throttles
    #[command(after_help = tune::EXAMPLES)]
    Tune(Box<tune::Tune>),
    /// Run a scenario at several values of a key: where does it stop fitting?
    #[command(after_help = sweep::EXAMPLES)]
    Sweep(Box<sweep::Sweep>),
    /// List the models that bedload knows, or say all about some of them
    #[command(after_help = MODELS_EXAMPLES)]
    Models(Models),
    /// Read the account's quotas from Service Quotas, and write them into a scenario
    #[command(after_help = quotas::EXAMPLES)]
    Quotas(quotas::Quotas),
    /// Make a scenario of recorded traffic: traces, logs, metrics or a run
    #[command(after_help = import::EXAMPLES)]
    Import(Box<import::Import>),
    /// Print or draw runs from their folders of results
    #[command(after_help = REPORT_EXAMPLES)]
    Report(Report),
    /// Print the JSON schema of scenario files, of run.json, or of an answer in JSON
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema(Schema),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(Completions),
}

const RUN_EXAMPLES: &str = "\
Examples:
  bedload run scenarios/quickstart.toml
  bedload run scenarios/over-quota.toml --set limiter.enabled=true --duration 2m
  bedload run scenarios/support-desk.toml --target bedrock --dry-run
  bedload run scenarios/support-desk.toml --target bedrock --set run.max_cost='\"$2\"'";

const SIM_EXAMPLES: &str = "\
Examples:
  bedload sim scenarios/support-desk.toml
  bedload sim scenarios/burst.toml --duration 1h --seed 3
  bedload sim scenarios/tpm-bound.toml --set limiter.burst=5s
  bedload sim scenarios/tpm-bound.toml --vary limiter.burst=1s,5s,10s
  bedload sim scenarios/semantics.toml --vary service.enforcement=bucket,ledger \\
      --vary limiter.enforcement=bucket,ledger";

const STUB_EXAMPLES: &str = "\
Examples:
  bedload stub scenarios/support-desk.toml --port 8088
  bedload stub scenarios/faults.toml --seed 3 > stub.env &
  curl -s http://127.0.0.1:8088/_bedload/state
  curl -s -X POST http://127.0.0.1:8088/_bedload/reset

What it prints to stdout are the environment variables that lead an AWS SDK to it.";

const CHECK_EXAMPLES: &str = "\
Examples:
  bedload check scenarios/*.toml
  bedload check my.toml --format json";

const MODELS_EXAMPLES: &str = "\
Examples:
  bedload models
  bedload models sonnet-4-5
  bedload models us.amazon.nova-lite-v1:0 --format json
  bedload models oracle --catalogue my-models.toml";

const REPORT_EXAMPLES: &str = "\
Examples:
  bedload report reports/quickstart
  bedload report reports/quickstart/20261123T101500Z --open
  bedload report reports/burst/* --csv > runs.csv
  bedload report reports/burst/2026* --html burst.html
  bedload report reports/burst --markdown >> summary.md";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  bedload schema > schema/scenario.json
  bedload schema run > schema/run.json
  bedload schema plan > schema/plan.json
  bedload schema compare > schema/compare.json
  bedload schema tune > schema/tune.json
  bedload schema sweep > schema/sweep.json";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  bedload completions bash > ~/.local/share/bash-completion/completions/bedload";

/// A scenario file, and what to change in it.
#[derive(Clone, Debug, clap::Args)]
pub struct ScenarioArgs {
    /// The scenario file
    pub scenario: PathBuf,
    /// Another seed for everything that is random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How long requests go on becoming due, such as 30s or 2m
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,
    /// Set any key of the scenario, such as limiter.burst=5s
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Where results go.
#[derive(Debug, clap::Args)]
pub struct OutArgs {
    /// The folder under which results are kept
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
    /// Print no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// `bedload run`.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// The scenario
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Where requests go, whatever the scenario says
    #[arg(long, value_enum)]
    pub target: Option<TargetName>,
    /// What serves the stub's answers; by itself hyper if a model streams or there are faults,
    /// wiremock otherwise
    #[arg(long, value_enum)]
    pub stub_server: Option<StubServerName>,
    /// Spend up to the worst case that is printed, without a budget in the scenario
    #[arg(long)]
    pub yes: bool,
    /// Say what would be sent, how many tokens, dollars and minutes it takes, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// On Bedrock, do not first make a small call to each model
    #[arg(long)]
    pub no_preflight: bool,
    /// Where results go
    #[command(flatten)]
    pub out: OutArgs,
    /// How it is watched
    #[command(flatten)]
    pub watch: watch::WatchArgs,
    /// What it serves
    #[command(flatten)]
    pub serve: watch::ServeArgs,
}

/// `bedload sim`.
#[derive(Debug, clap::Args)]
pub struct Sim {
    /// The scenario
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Run once for each value, print a table and keep no results; with several, for each combination
    #[arg(long, value_name = "KEY=A,B,C")]
    pub vary: Vec<String>,
    /// Where results go
    #[command(flatten)]
    pub out: OutArgs,
    /// How it is watched
    #[command(flatten)]
    pub watch: watch::WatchArgs,
}

/// `bedload stub`.
#[derive(Debug, clap::Args)]
pub struct Stub {
    /// The scenario: its models, quotas and `[service]` count
    pub scenario: PathBuf,
    /// The port of the loopback interface; 0 takes any that is free
    #[arg(long, value_name = "N", default_value_t = 8088)]
    pub port: u16,
    /// Another seed for everything that is random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Set any key of the scenario, such as service.enforcement=rolling
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print no live line
    #[arg(long, short)]
    pub quiet: bool,
}

/// `bedload check`.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The scenario files
    #[arg(required = true)]
    pub scenarios: Vec<PathBuf>,
    /// How to print what is found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `bedload models`.
#[derive(Debug, clap::Args)]
pub struct Models {
    /// An id, an ARN, or a part of an id or of a name
    pub name: Option<String>,
    /// A TOML file of your own that corrects or adds to what is shipped
    #[arg(long, value_name = "FILE")]
    pub catalogue: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `bedload report`.
#[derive(Debug, clap::Args)]
pub struct Report {
    /// Runs' folders, their run.json, or scenarios' folders for the newest run of each
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Write a page with charts; - for stdout
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print Markdown
    #[arg(long, group = "printed")]
    pub markdown: bool,
    /// Print what run.json holds; of several runs an array
    #[arg(long, group = "printed")]
    pub json: bool,
    /// Print OpenMetrics text, of one run
    #[arg(long, group = "printed")]
    pub openmetrics: bool,
    /// Print CSV: a line for each run
    #[arg(long, group = "printed")]
    pub csv: bool,
    /// Open the page in a browser; without --html the report.html in the run's folder, written anew
    #[arg(long)]
    pub open: bool,
}

/// `bedload schema`.
#[derive(Debug, clap::Args)]
pub struct Schema {
    /// Which files it describes
    #[arg(value_enum, default_value_t = SchemaName::Scenario)]
    pub of: SchemaName,
}

impl Schema {
    /// The schema itself.
    pub fn text(&self) -> String {
        match self.of {
            SchemaName::Scenario => bedload::scenario::json_schema(),
            SchemaName::Run => bedload::results::json_schema(),
            SchemaName::Plan => bedload::plan::json_schema(),
            SchemaName::Compare => bedload::compare::json_schema(),
            SchemaName::Tune => bedload::tune::json_schema(),
            SchemaName::Sweep => bedload::sweep::json_schema(),
        }
    }
}

/// `bedload completions`.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// A target, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TargetName {
    /// A local stub that counts quota as Bedrock does
    Stub,
    /// Amazon Bedrock: costs money
    Bedrock,
    /// The simulator, in virtual time
    Sim,
}

/// A server of the stub, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StubServerName {
    /// wiremock
    Wiremock,
    /// hyper: for streams, faults and thousands of calls under way
    Hyper,
}

impl From<StubServerName> for StubServer {
    fn from(name: StubServerName) -> Self {
        match name {
            StubServerName::Wiremock => Self::Wiremock,
            StubServerName::Hyper => Self::Hyper,
        }
    }
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs and editors
    Json,
}

/// A kind of file that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaName {
    /// Scenario files
    Scenario,
    /// The run.json of a folder of results
    Run,
    /// What `bedload plan --format json` prints
    Plan,
    /// What `bedload compare --format json` prints
    Compare,
    /// What `bedload tune --format json` prints
    Tune,
    /// What `bedload sweep --format json` prints
    Sweep,
}
