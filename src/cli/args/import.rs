//! What can be typed after `import`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::account::AccountArgs;

pub const EXAMPLES: &str = "\
Examples:
  bedload import logs s3-download/ --by metadata.team --name support
  bedload import azure AzureLLMInferenceTrace_code.csv --model us.amazon.nova-pro-v1:0
  bedload import mooncake trace.jsonl --model us.amazon.nova-pro-v1:0 --max-tokens 2048 --lenient
  bedload import run reports/support-desk --arrivals fitted
  bedload import cloudwatch metrics.json --model us.amazon.nova-lite-v1:0
  bedload import cloudwatch --model us.amazon.nova-lite-v1:0 --from 2026-11-01 --to 2026-11-08

Without files, cloudwatch asks the account (IAM action cloudwatch:GetMetricData).
With logs, --region reads only that Region's calls: each has quotas of its own.";

/// `bedload import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// What is imported
    #[arg(value_enum)]
    pub source: SourceName,
    /// Files or folders; a run by its folder
    pub paths: Vec<PathBuf>,
    /// The scenario's name; the first file's unless given
    #[arg(long)]
    pub name: Option<String>,
    /// Where the scenario goes, its trace beside it; NAME.toml here unless given
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The model that answers: for all requests, or for those that the recording says are of RECORDED
    #[arg(long, value_name = "[RECORDED=]ID")]
    pub model: Vec<String>,
    /// Leave out the requests that the recording says are of this model
    #[arg(long, value_name = "RECORDED")]
    pub without: Vec<String>,
    /// max_tokens of requests whose own the recording does not show
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: Option<u32>,
    /// About how many prompt classes to part requests into, by their lengths
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=50))]
    pub classes: u16,
    /// Part requests by a key instead: operation, identity or metadata.KEY (logs), model or log-type
    /// (burstgpt), prompt (run)
    #[arg(long, value_name = "KEY")]
    pub by: Option<String>,
    /// How arrivals are kept; as a trace up to 200,000 requests unless given
    #[arg(long, value_enum)]
    pub arrivals: Option<ArrivalsName>,
    /// Leave out lines that cannot be read
    #[arg(long)]
    pub lenient: bool,
    /// Write over files that are there
    #[arg(long)]
    pub force: bool,
    /// cloudwatch: the first moment, such as 2026-11-01 or 2026-11-01T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// cloudwatch: the moment after the last; now unless given
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// cloudwatch: what is summed up; CloudWatch keeps minutes for 15 days
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = bedload::scenario::read_duration)]
    pub period: std::time::Duration,
    /// The account; of a log, only the calls of its `--region`
    #[command(flatten)]
    pub account: AccountArgs,
}

/// What can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SourceName {
    /// Azure LLM inference traces (CSV)
    Azure,
    /// BurstGPT (CSV)
    Burstgpt,
    /// Mooncake (JSON lines)
    Mooncake,
    /// Bedrock's model invocation logs (JSON lines, plain or gzip)
    Logs,
    /// CloudWatch's metrics of Bedrock, exported (JSON, CSV) or asked for
    Cloudwatch,
    /// A run of bedload
    Run,
}

/// How arrivals are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ArrivalsName {
    /// Each request at its time, in a CSV file beside the scenario
    Trace,
    /// Rates over time, and gamma-distributed gaps
    Fitted,
}
