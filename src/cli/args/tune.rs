//! What can be typed after `tune`.

use std::path::PathBuf;
use std::time::Duration;

use bedload::goal::KnobText;
use bedload::scenario::{Knob, read_duration, read_share};
use clap::ValueEnum;

pub const EXAMPLES: &str = "\
Examples:
  bedload tune scenarios/support-desk.toml
  bedload tune my.toml --wait-p99 10s --throttle-share 0.1%
  bedload tune my.toml --knob limiter.burst=1s..60s --knob 'limiter.headroom=0%..10%/5'
  bedload tune my.toml --knob prompt.chat.max_tokens=300,500,800 --write
  bedload tune my.toml --confirm --pairs 5
  bedload tune my.toml --format csv > settings.csv
  bedload tune --rivals scenarios/burst.toml scenarios/over-quota.toml --format markdown

Without --knob and without `[tune]` in the scenario it turns limiter.burst, limiter.headroom,
limiter.reservation, limiter.backoff.decrease and retry.max_attempts.";

/// `bedload tune`.
#[derive(Debug, clap::Args)]
pub struct Tune {
    /// The scenario file; with --rivals one or more
    #[arg(required = true)]
    pub scenarios: Vec<PathBuf>,
    /// A key of the scenario and the values to try: a list A,B,C or a range FROM..TO or FROM..TO/STEPS;
    /// `unset` takes the key out; may be repeated
    #[arg(long, value_name = "KEY=VALUES", value_parser = knob)]
    pub knob: Vec<KnobText>,
    /// The largest share of attempts that may be throttled [default: 0.1%, or `[tune]`]
    #[arg(long, value_name = "SHARE", value_parser = fraction)]
    pub throttle_share: Option<f64>,
    /// The longest 99th percentile of the wait for quota [default: any, or `[tune]`]
    #[arg(long, value_name = "TIME", value_parser = read_duration)]
    pub wait_p99: Option<Duration>,
    /// The share of runs in which both have to hold [default: 95%, or `[tune]`]
    #[arg(long, value_name = "SHARE", value_parser = fraction)]
    pub runs_share: Option<f64>,
    /// The most simulated runs of the search
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub budget: u64,
    /// Begin no round of the search after this long; the answer then depends on the machine
    #[arg(long, value_name = "TIME", value_parser = read_duration)]
    pub time: Option<Duration>,
    /// Compare the limiter with those that others have published, at the settings that there are
    #[arg(long, conflicts_with_all = ["knob", "write", "confirm"])]
    pub rivals: bool,
    /// Write the recommended settings into the scenario; its comments stay
    #[arg(long)]
    pub write: bool,
    /// Run the recommended and the present settings on the stub, in turns, and compare them
    #[arg(long)]
    pub confirm: bool,
    /// With --confirm: how many pairs of runs
    #[arg(long, value_name = "N", default_value_t = 5, requires = "confirm", value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub pairs: u32,
    /// With --confirm: where the runs go
    #[arg(
        long,
        value_name = "DIR",
        default_value = "reports/tune",
        requires = "confirm"
    )]
    pub out: PathBuf,
    /// Another first seed for everything that is random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How long requests become due, such as 10m
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,
    /// Set any key of the scenario before it is tuned
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TuneFormat::Text)]
    pub format: TuneFormat,
    /// Write a page with charts; `-` is stdout
    #[arg(long, value_name = "FILE", conflicts_with = "confirm")]
    pub html: Option<PathBuf>,
    /// Print no live line
    #[arg(long, short)]
    pub quiet: bool,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TuneFormat {
    /// For a terminal
    Text,
    /// For a page
    Markdown,
    /// For programs
    Json,
    /// Every setting that was tried, a row each
    Csv,
}

fn knob(text: &str) -> Result<KnobText, String> {
    let (key, values) = text
        .split_once('=')
        .ok_or("it has the form KEY=VALUES, such as limiter.burst=1s..60s")?;
    let knob = KnobText {
        key: key.trim().to_owned(),
        values: values.trim().to_owned(),
    };
    if !Knob::can_be_tuned(&knob.key) {
        return Err("a knob is a key of limiter, retry or prompt.NAME".to_owned());
    }
    Knob::read(&knob)?;
    Ok(knob)
}

fn fraction(text: &str) -> Result<f64, String> {
    let share = read_share(text)?.fraction();
    if share > 1.0 {
        return Err("it is above 100%".to_owned());
    }
    Ok(share)
}
