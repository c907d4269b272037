//! How a run is watched: on the terminal, and by other programs.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;

/// What is shown and told while a run goes on.
#[derive(Debug, clap::Args)]
pub struct WatchArgs {
    /// What to show on stderr; by itself the live view at a terminal with room, for runs on the real
    /// clock, and a bar for those in virtual time
    #[arg(long, value_enum, value_name = "HOW", default_value_t = ProgressName::Auto, conflicts_with = "quiet")]
    pub progress: ProgressName,
    /// Write what happens to this file or FIFO while it happens, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Write what was measured to this file in the OpenMetrics format, when the run is over
    #[arg(long, value_name = "FILE")]
    pub openmetrics: Option<PathBuf>,
}

/// What other programs may ask while a run goes on.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Serve metrics to Prometheus on this loopback address while the run goes on; port 0 takes any
    /// that is free, and the address is printed on stderr
    #[arg(long, value_name = "IP:PORT")]
    pub metrics_addr: Option<SocketAddr>,
}

/// A way to show progress, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgressName {
    /// What fits, and nothing where stderr is no terminal
    Auto,
    /// The whole terminal: quotas, stages, trends and what went wrong; q stops, p pauses
    Live,
    /// A line every ten seconds of the run, wherever stderr goes
    Plain,
    /// Nothing
    None,
}
