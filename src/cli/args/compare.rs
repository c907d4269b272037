//! What can be typed after `compare`.

use std::time::Duration;

use bedload::compare::{Field, Gauge};
use bedload::scenario::{read_duration, read_share};
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;

pub const EXAMPLES: &str = "\
Examples:
  bedload compare baseline/burst reports/burst
  bedload compare 'base/burst/*' 'new/burst/*' --margin 2%
  bedload compare base new --allow digest --format markdown >> summary.md
  bedload compare 'base/*' 'new/*' --metric latency.p99 --metric throttle_share --strict";

/// `bedload compare`.
#[derive(Debug, clap::Args)]
pub struct Compare {
    /// The runs to compare with: a folder of results, a run.json, a scenario's folder for its newest run, or
    /// a pattern of several in quotes
    pub base: String,
    /// The runs that may be worse, in the same way
    pub new: String,
    /// The largest change for the worse that passes, as a part of the base
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = fraction)]
    pub margin: f64,
    /// … of a time: smaller changes pass whatever part they are
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = read_duration)]
    pub margin_time: Duration,
    /// … of a share of throttles, failures or drops
    #[arg(long, value_name = "SHARE", default_value = "0.5%", value_parser = fraction)]
    pub margin_share: f64,
    /// Judge only this metric; may be repeated
    #[arg(long, value_name = "NAME", value_parser = gauge)]
    pub metric: Vec<Gauge>,
    /// Compare although this differs; may be repeated
    #[arg(long, value_name = "FIELD", value_parser = fields())]
    pub allow: Vec<String>,
    /// Exit 1 also where the runs cannot tell
    #[arg(long)]
    pub strict: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = CompareFormat::Text)]
    pub format: CompareFormat,
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

fn gauge(name: &str) -> Result<Gauge, String> {
    Gauge::parse(name).ok_or_else(|| {
        let names: Vec<String> = Gauge::all().map(|gauge| gauge.to_string()).collect();
        format!("it is none of {}", names.join(", "))
    })
}

fn fields() -> PossibleValuesParser {
    PossibleValuesParser::new(Field::ALL.map(Field::name))
}

fn fraction(text: &str) -> Result<f64, String> {
    Ok(read_share(text)?.fraction())
}
