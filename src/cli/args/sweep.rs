//! What can be typed after `sweep`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::TargetName;

pub const EXAMPLES: &str = "\
Examples:
  bedload sweep scenarios/support-desk.toml --arrivals.rate 0.5/s..2/s --steps 7
  bedload sweep my.toml --model.nova.quota.tpm 100000..1000000 --html sweep.html
  bedload sweep my.toml --vary limiter.burst=1s,5s,20s,60s --format json
  bedload sweep my.toml --arrivals.rate 10/s..100/s --target stub --duration 20s

Any flag with a dot in it names a key of the scenario. `arrivals.rate` is the rate of whichever process the
scenario has.";

/// `bedload sweep`.
#[derive(Debug, clap::Args)]
pub struct Sweep {
    /// The scenario file
    pub scenario: PathBuf,
    /// A key of the scenario and its values: a range FROM..TO or a list A,B,C; --KEY VALUES is the same
    #[arg(long, required = true, value_name = "KEY=VALUES")]
    pub vary: Vec<String>,
    /// How many values of a range
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub steps: u32,
    /// Where requests go: in virtual time unless given, whatever the scenario says
    #[arg(long, value_enum)]
    pub target: Option<TargetName>,
    /// Another seed for everything that is random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How long requests become due, such as 10m
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,
    /// Set any key of the scenario
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// On the stub: where the runs go
    #[arg(long, value_name = "DIR", default_value = "reports/sweep")]
    pub out: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t = SweepFormat::Text)]
    pub format: SweepFormat,
    /// Write a page with charts; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print no live line
    #[arg(long, short)]
    pub quiet: bool,
}

/// How a sweep is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SweepFormat {
    /// For a terminal
    Text,
    /// For a page
    Markdown,
    /// For programs
    Json,
}

/// What was typed, with every flag that names a key of the scenario turned into `--vary`.
pub fn with_keys(typed: impl Iterator<Item = std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    let mut typed: Vec<_> = typed.collect();
    if typed.get(1).is_none_or(|command| command != "sweep") {
        return typed;
    }
    let mut place = 2;
    while place < typed.len() {
        let text = typed[place].to_string_lossy().into_owned();
        let key = text.strip_prefix("--").filter(|key| {
            let name = key.split('=').next().unwrap_or_default();
            name.contains('.') && !name.contains('/')
        });
        if let Some(key) = key.map(str::to_owned) {
            if key.contains('=') {
                typed.splice(place..=place, ["--vary".into(), key.into()]);
            } else if place + 1 < typed.len() {
                let values = typed[place + 1].to_string_lossy().into_owned();
                typed.splice(
                    place..place + 2,
                    ["--vary".into(), format!("{key}={values}").into()],
                );
            }
            place += 1;
        }
        place += 1;
    }
    typed
}
