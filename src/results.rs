//! The directory of results: written while a run goes on, read by everything that judges runs.
//!
//! ```text
//! reports/<scenario>/<UTC stamp>/
//!     run.json          what was run, how far it came, totals, quantiles, verdicts
//!     requests.csv      a row for each request, streamed while the run goes on
//!     intervals.csv     a row for each five seconds
//!     histograms.hlog   an HdrHistogram interval log, tagged metric.class
//!     scenario.toml     the scenario's text, byte for byte
//!     report.html       the run as a page, once it has ended
//! ```
//!
//! Promises: the same run in virtual time writes the same bytes; no run overwrites another; a run
//! that was killed leaves what it had measured and a `run.json` that says `running`, and opening it
//! measures those rows again.
//!
//! Deliberately not: judgement and formatting.

mod error;
pub mod events;
mod file;
mod histograms;
mod intervals;
mod recover;
mod rows;
mod run_file;
mod series;
mod writer;

use std::fs;
use std::path::{Path, PathBuf};

pub use error::ResultsError;
pub use file::replace as replace_file;
pub use histograms::{HISTOGRAMS_FILE, LoggedHistogram, read_histograms};
pub use intervals::INTERVALS_FILE;
pub use recover::PartialNote;
pub use rows::{REQUESTS_FILE, RequestRows};
pub use run_file::{
    ClassSettings, LimiterSummary, ModelSettings, RUN_FILE, RunFile, RunState, SCHEMA_VERSION,
    ScenarioSummary, Settings, Target, Tool, digest, json_schema,
};
pub use series::{LatencySpan, Series};
pub use writer::{Ending, RunHeader, RunWriter};

/// The name of the scenario's copy in a directory of results.
pub const SCENARIO_FILE: &str = "scenario.toml";

/// The name of the run's page in a directory of results.
pub const REPORT_FILE: &str = "report.html";

/// Puts a page into a file, whole or not at all.
pub fn write_page(path: &Path, page: &str) -> Result<(), ResultsError> {
    file::replace(&Path::new(".").join(path), page.as_bytes())
}

/// A run, as whoever judges it sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its directory; none if it was not written.
    pub dir: Option<PathBuf>,
    /// What was run and measured.
    pub file: RunFile,
    /// What is missing, where the run never came to its end.
    pub partial: Option<PartialNote>,
}

impl Run {
    /// Opens a run: its directory, its `run.json`, or the newest run of `reports/<scenario>`.
    ///
    /// A run that never came to its end has its rows measured again; see [`PartialNote`].
    pub fn open(path: &Path) -> Result<Self, ResultsError> {
        let dir = find(path)?;
        let mut file = RunFile::read(&dir.join(RUN_FILE))?;
        let mut partial = None;
        if file.state == RunState::Running {
            let (concluded, note) = recover::measure_rows(&dir, &file.settings)?;
            if let Some(concluded) = concluded {
                file.measured = Some(concluded.measured);
                file.measured_after_warm_up = concluded.after_warm_up;
            }
            partial = Some(note);
        }
        Ok(Self {
            dir: Some(dir),
            file,
            partial,
        })
    }
}

/// The directory of the run that a path means.
fn find(path: &Path) -> Result<PathBuf, ResultsError> {
    if path.is_file() {
        return match path.parent() {
            // A bare `run.json` lies in the working directory, which has no name of its own.
            Some(parent) if path.ends_with(RUN_FILE) => Ok(Path::new(".").join(parent)),
            _ => Err(ResultsError::NotARun {
                path: path.to_owned(),
            }),
        };
    }
    if path.join(RUN_FILE).is_file() {
        return Ok(path.to_owned());
    }
    if !path.exists() {
        return Err(ResultsError::NotARun {
            path: path.to_owned(),
        });
    }
    let entries = fs::read_dir(path).map_err(ResultsError::io("read", path))?;
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|dir| dir.join(RUN_FILE).is_file())
        .max_by_key(|dir| age(dir))
        .ok_or_else(|| ResultsError::NotARun {
            path: path.to_owned(),
        })
}

/// Sorts directories by their stamps, `-10` of a stamp after its `-9`.
fn age(dir: &Path) -> (String, u64) {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    match name.rsplit_once('-') {
        Some((stamp, number)) if number.parse::<u64>().is_ok() => {
            (stamp.to_owned(), number.parse().unwrap_or(0))
        }
        _ => (name.into_owned(), 1),
    }
}
