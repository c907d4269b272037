//! What can go wrong between a run and its directory.
//!
//! Promises: each error names the file, what was being done with it, and the cause. Errors can be
//! cloned, because a failed write is told twice: when it is noticed and when the run is finished.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A results directory that could not be written or read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ResultsError {
    /// The operating system refused; a full disk is the usual cause while a run is written.
    #[error("cannot {action} `{}`: {cause}", path.display())]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// The cause.
        cause: Arc<io::Error>,
    },
    /// A scenario's name or a stamp that cannot name a directory.
    #[error("`{name}` cannot name a directory of results: use letters, digits, `-`, `_` and `.`")]
    Name {
        /// The name as given.
        name: String,
    },
    /// There is no run at the path.
    #[error("no run in `{}`: expected a directory with `run.json`, or one of such directories", path.display())]
    NotARun {
        /// The path as given.
        path: PathBuf,
    },
    /// The run was written by a later program.
    #[error(
        "`{}` has schema version {found}, and this version of bedload reads up to {supported}: \
         read it with a newer bedload",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The latest that can be read.
        supported: u32,
    },
    /// A file that is not what its name says.
    #[error("`{}`, line {line}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
}

impl ResultsError {
    /// The error as `run.json` keeps it: where the directory lies is no part of a run's results.
    pub(super) fn without_directory(&self) -> String {
        let mut local = self.clone();
        if let Self::Io { path, .. } = &mut local
            && let Some(name) = path.file_name()
        {
            *path = PathBuf::from(name);
        }
        local.to_string()
    }

    /// Puts the path and the action to an error of the operating system; for `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io {
            action,
            path,
            cause: Arc::new(cause),
        }
    }
}
