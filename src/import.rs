//! From what was recorded elsewhere to a scenario file.
//!
//! ```text
//! files ─► lines ─► Recording: 24 bytes a request ─► classes ─┐
//!                                                    arrivals ─┴► Draft ─► scenario.toml (and its trace)
//! metrics ─► Series: a row a minute ───────────────────────────┘
//! ```
//!
//! Promises: a line that cannot be read is counted and has its place, and is never guessed at; memory does
//! not grow with the length of lines; the same input gives the same text; what the source does not show is
//! said ([`Draft::unseen`]), and so is what was put in its place.
//!
//! Deliberately not: words of prompts, which are neither kept nor looked at; or a quota, which no recording
//! knows.

mod arrivals;
mod caps;
mod classes;
mod cluster;
mod csv_file;
mod draft;
mod invocation_log;
mod lines;
mod metrics;
mod mooncake;
mod recording;
mod run;
mod scenario_text;
mod time;

use std::io;
use std::path::{Path, PathBuf};

pub use self::draft::{Arrivals, Class, Draft, DraftModel, DraftOptions, TRACE_MAX};
pub use self::invocation_log::{LogKey, LogOptions};
pub use self::lines::{Problem, Problems};
pub use self::metrics::{Metric, Series};
pub use self::recording::{Record, Recording};
pub use self::run::{RunClass, of_run};

/// What can be imported from files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The Azure Public Dataset's LLM inference traces: `TIMESTAMP,ContextTokens,GeneratedTokens`.
    Azure,
    /// BurstGPT: `Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type`.
    BurstGpt(BurstGptKey),
    /// Mooncake: JSON lines with `timestamp`, `input_length`, `output_length` and `hash_ids`.
    Mooncake,
    /// Amazon Bedrock's model invocation logs: JSON lines, plain or gzip.
    Logs(LogOptions),
}

/// By what BurstGPT's requests may be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BurstGptKey {
    /// Not at all.
    None,
    /// Its column `Model`.
    Model,
    /// Its column `Log Type`.
    LogType,
}

/// Why nothing could be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file or folder could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A folder has no file in it.
    #[error("`{}` has no file in it", .0.display())]
    NoFiles(PathBuf),
    /// A file is of another format.
    #[error("`{}` {problem}", path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// There is nothing to make a scenario of.
    #[error("there are no requests in it{0}")]
    Empty(String),
    /// It is not clear which model is meant.
    #[error("{0}")]
    Model(String),
    /// More than fits into a scenario.
    #[error("{0}")]
    TooMany(String),
}

impl Source {
    /// Reads every file of `paths`; folders are gone through, whatever their depth.
    ///
    /// Lines that cannot be read are in the recording's problems, and left out. `progress` is told how many
    /// of how many files are done.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or is of another format.
    pub fn read(
        &self,
        paths: &[PathBuf],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Recording, ImportError> {
        let mut recording = Recording::default();
        let files = lines::files(paths)?;
        let count = files.len();
        for (done, path) in files.into_iter().enumerate() {
            progress(done, count);
            match self {
                Self::Azure => csv_file::azure(&path, &mut recording)?,
                Self::BurstGpt(key) => csv_file::burstgpt(&path, *key, &mut recording)?,
                Self::Mooncake => mooncake::read(&path, &mut recording)?,
                Self::Logs(wanted) => invocation_log::read(&path, wanted, &mut recording)?,
            }
        }
        self.say_what_is_unseen(&mut recording);
        recording.sort();
        Ok(recording)
    }

    fn say_what_is_unseen(&self, recording: &mut Recording) {
        match self {
            Self::Azure | Self::Mooncake => {
                recording.unseen("which model answered");
                recording.unseen("max_tokens, which is what a quota reserves");
            }
            Self::BurstGpt(_) => {
                recording.unseen("which model of Bedrock would answer");
                recording.unseen("max_tokens, which is what a quota reserves");
            }
            Self::Logs(wanted) => {
                let regions = &recording.regions;
                if wanted.region.is_none() && regions.len() > 1 {
                    let names: Vec<&str> = regions.keys().map(String::as_str).collect();
                    recording.note(format!(
                        "calls went to {} Regions ({}), each with quotas of its own: import one at a time with \
                         `--region`",
                        names.len(),
                        names.join(", ")
                    ));
                }
                recording.unseen("calls that were refused before the model was asked, such as throttles, unless logged with an errorCode");
            }
        }
    }
}

/// Reads CloudWatch metrics that were exported, as JSON of `get-metric-data` or as CSV.
///
/// # Errors
///
/// If a file cannot be read, or holds no such metrics.
pub fn exported_metrics(paths: &[PathBuf]) -> Result<Series, ImportError> {
    let mut series = Series::default();
    for path in lines::files(paths)? {
        metrics::read(&path, &mut series)?;
    }
    Ok(series)
}

fn cannot_read(path: &Path) -> impl FnOnce(io::Error) -> ImportError {
    move |source| ImportError::Read {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
