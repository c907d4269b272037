//! What can be typed after `plan`.

use std::path::PathBuf;
use std::time::Duration;

use bedload::scenario::{read_duration, read_share};
use bedload::units::Share;
use clap::ValueEnum;

pub const EXAMPLES: &str = "\
Examples:
  bedload plan scenarios/support-desk.toml
  bedload plan scenarios/support-desk.toml --growth 10% --months 12 --request
  bedload plan scenarios/max-tokens-unset.toml --load 2 --throttled-max 0.1% --wait-max 2s
  bedload plan scenarios/support-desk.toml --html plan.html
  bedload plan reports/support-desk --format markdown > plan.md
  bedload plan scenarios/trace.toml --percentile 95% --format json";

/// `bedload plan`.
#[derive(Debug, clap::Args)]
pub struct Plan {
    /// A scenario file; or a run, by its folder, its run.json or its scenario's folder of results
    pub from: PathBuf,
    /// Plan for so many times the load
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub load: f64,
    /// How much the load grows in a month, such as 10%
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = fraction)]
    pub growth: f64,
    /// How many months of growth the quota has to last
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub months: u32,
    /// The part of all minutes that the quota holds
    #[arg(long, value_name = "SHARE", default_value = "99%", value_parser = fraction)]
    pub percentile: f64,
    /// The part of a quota that is left alone
    #[arg(long, value_name = "SHARE", default_value = "10%", value_parser = read_share)]
    pub headroom: Share,
    /// The largest part of attempts that may be throttled; the scenario's run.max_throttled unless given
    #[arg(long, value_name = "SHARE", value_parser = read_share)]
    pub throttled_max: Option<Share>,
    /// The longest that 99 of 100 requests wait before the limiter
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = read_duration)]
    pub wait_max: Duration,
    /// The part of answers that max_tokens may cut off
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = fraction)]
    pub cut_off: f64,
    /// The part of all input that a prompt cache would hold
    #[arg(long, value_name = "SHARE", default_value = "50%", value_parser = fraction)]
    pub cached: f64,
    /// The part of all requests that could wait for a batch job
    #[arg(long, value_name = "SHARE", default_value = "20%", value_parser = fraction)]
    pub batch: f64,
    /// How many seeds each simulated figure is from
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub seeds: u32,
    /// Another first seed for everything that is random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Set any key of the scenario, such as model.sonnet.quota.tpm=400000
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print what AWS asks for before it raises a quota, ready to paste
    #[arg(long)]
    pub request: bool,
    /// Write a page with charts as well; - for stdout, in the place of --format
    #[arg(long, value_name = "FILE", conflicts_with = "request")]
    pub html: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// Print no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For a terminal
    Text,
    /// For a page
    Markdown,
    /// For programs
    Json,
}

fn fraction(text: &str) -> Result<f64, String> {
    Ok(read_share(text)?.fraction())
}
