//! What can be typed after `compare`.

use std::path::PathBuf;
use std::time::Duration;

use bedload::compare::Field;
use bedload::gate::{GateSettings, Gauge};
use bedload::scenario::{read_duration, read_share};
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;

pub const EXAMPLES: &str = "\
Examples:
  bedload compare baseline/burst reports/burst
  bedload compare 'base/burst/*' 'new/burst/*' --margin 2%
  bedload compare base new --allow digest --format markdown >> summary.md
  bedload compare 'base/*' 'new/*' --metric latency.p99 --metric throttle_share --strict
  bedload compare --save-baseline main 'reports/burst/*'
  bedload compare --baseline main 'new/burst/*'
  bedload compare 'base/*' 'new/*' --html compare.html
  bedload compare --pairs 10 my.toml --base ../before/bedload
  bedload compare --pairs 8 my.toml --sim --base-set limiter.burst=5s --new-set limiter.burst=20s
  bedload compare --calibrate my.toml --pairs 20
  bedload compare base new --margin 2% --margin latency.p99=10%";

/// `bedload compare`.
#[derive(Debug, clap::Args)]
pub struct Compare {
    /// The runs to compare with, and those that may be worse: each a folder of results, a run.json, a
    /// scenario's folder for its newest run, or a pattern of several in quotes. With --pairs a scenario
    #[arg(required = true, num_args = 1..=2, value_name = "BASE NEW|NEW|SCENARIO")]
    pub of: Vec<String>,
    /// Compare with a baseline that was saved: one side is enough then
    #[arg(long, value_name = "NAME", conflicts_with_all = ["pairs", "save_baseline"])]
    pub baseline: Option<String>,
    /// Save runs as a baseline, and compare nothing
    #[arg(long, value_name = "NAME", conflicts_with = "pairs")]
    pub save_baseline: Option<String>,
    /// Run a scenario against itself, in pairs (10 unless --pairs says otherwise), and save how much runs of
    /// this machine differ by themselves: margins below that are refused from then on
    #[arg(long, conflicts_with_all = ["baseline", "save_baseline", "base", "new", "base_set", "new_set", "sim"])]
    pub calibrate: bool,
    /// Where baselines are kept, and calibrations, in its folder noise
    #[arg(long, value_name = "DIR", default_value = "reports/baselines")]
    pub baselines: PathBuf,
    /// Make so many pairs of runs of a scenario, base and new in turns (A B B A)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub pairs: Option<u32>,
    /// With --pairs: the program that makes the base's runs, or a checkout in which it is built; this one
    /// unless given
    #[arg(long, value_name = "PROGRAM|DIR", requires = "pairs")]
    pub base: Option<PathBuf>,
    /// With --pairs: the same for the new runs
    #[arg(long, value_name = "PROGRAM|DIR", requires = "pairs")]
    pub new: Option<PathBuf>,
    /// With --pairs: what to set for the base's runs, such as limiter.burst=5s; may be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "pairs")]
    pub base_set: Vec<String>,
    /// With --pairs: what to set for the new runs; may be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "pairs")]
    pub new_set: Vec<String>,
    /// With --pairs: in virtual time, whatever the scenario says
    #[arg(long, requires = "pairs")]
    pub sim: bool,
    /// With --pairs: where the runs go, in the folders base and new
    #[arg(long, value_name = "DIR", default_value = "reports/compare")]
    pub out: PathBuf,
    /// The largest change for the worse that passes, as a part of the base [default: 5%, or what `[gate]` in
    /// the scenario says]; METRIC=SHARE for one metric; may be repeated
    #[arg(long, value_name = "SHARE|METRIC=SHARE", value_parser = margin)]
    pub margin: Vec<Margin>,
    /// … of a time: smaller changes pass whatever part they are [default: 5ms, or `[gate]`]
    #[arg(long, value_name = "TIME", value_parser = read_duration)]
    pub margin_time: Option<Duration>,
    /// … of a share of throttles, failures or drops [default: 0.5%, or `[gate]`]
    #[arg(long, value_name = "SHARE", value_parser = fraction)]
    pub margin_share: Option<f64>,
    /// Judge only this metric; may be repeated
    #[arg(long, value_name = "NAME", value_parser = gated)]
    pub metric: Vec<Gauge>,
    /// Compare although this differs; may be repeated
    #[arg(long, value_name = "FIELD", value_parser = fields())]
    pub allow: Vec<String>,
    /// Exit 1 also where the runs cannot tell
    #[arg(long)]
    pub strict: bool,
    /// Write a page with charts as well; - for stdout, in the place of --format
    #[arg(long, value_name = "FILE", conflicts_with = "save_baseline")]
    pub html: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = CompareFormat::Text)]
    pub format: CompareFormat,
}

impl Compare {
    /// Metrics and margins, as far as they were typed.
    pub fn settings(&self) -> GateSettings {
        let all = self.margin.iter().filter(|margin| margin.of.is_none());
        let own = self
            .margin
            .iter()
            .filter_map(|margin| Some((margin.of?.to_string(), margin.share)));
        GateSettings {
            metrics: self.metric.clone(),
            margin: all.map(|margin| margin.share).next_back(),
            margin_s: self.margin_time.map(|time| time.as_secs_f64()),
            margin_share: self.margin_share,
            margins: own.collect(),
            strict: self.strict,
        }
    }
}

/// How a comparison is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// For a terminal
    Text,
    /// For a page or a step summary
    Markdown,
    /// For programs
    Json,
    /// JUnit XML, for test reports
    Junit,
    /// Annotations of GitHub Actions
    Github,
}

fn gated(name: &str) -> Result<Gauge, String> {
    let gauge: Gauge = name.parse()?;
    if gauge.is_gated() {
        Ok(gauge)
    } else {
        Err("it can get neither better nor worse, and is shown all the same".to_owned())
    }
}

/// A margin as it was typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Margin {
    /// Of which metric; of all if none is named.
    pub of: Option<Gauge>,
    /// A part of the base, or of one for a share.
    pub share: f64,
}

fn margin(text: &str) -> Result<Margin, String> {
    let (of, share) = match text.split_once('=') {
        Some((name, share)) => (Some(name.parse()?), share),
        None => (None, text),
    };
    Ok(Margin {
        of,
        share: fraction(share)?,
    })
}

fn fields() -> PossibleValuesParser {
    PossibleValuesParser::new(Field::ALL.map(Field::name))
}

fn fraction(text: &str) -> Result<f64, String> {
    Ok(read_share(text)?.fraction())
}
