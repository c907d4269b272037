//! Exit codes: the whole list.

use std::process::ExitCode;

use bedload::results::ResultsError;
use bedload::scenario::LoadError;

/// How a command ends, as its exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, and the answer is yes where there was a question.
    Done,
    /// The answer is no: a pass mark was missed, too much was throttled, nothing succeeded, today's load
    /// does not fit, no setting keeps the bounds, or it got worse.
    No,
    /// What was typed or written cannot be used.
    BadInput,
    /// The run could not be completed.
    Failed,
    /// Interrupted; what had been measured is written.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::BadInput => 2,
            Self::Failed => 3,
            Self::Interrupted => 130,
        }
    }

    /// What an error that reached the top means.
    pub fn of_error(error: &anyhow::Error) -> Self {
        let bad_input = error.is::<BadInput>()
            || error.is::<LoadError>()
            || error.downcast_ref::<ResultsError>().is_some_and(|error| {
                // Everything else is a file system that does not do what is asked of it.
                !matches!(error, ResultsError::Io { .. })
            });
        if bad_input {
            Self::BadInput
        } else {
            Self::Failed
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A mistake in what was typed, with the remedy in its words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

/// The list as `--help` prints it.
pub const HELP: &str = "\
Exit codes:
  0    done
  1    the answer is no: a pass mark was missed, too much was throttled or failed, nothing
       succeeded, today's load does not fit, no setting keeps the bounds, or it got worse
  2    bad input: what was typed, or a file, cannot be used
  3    the run could not be completed
  130  interrupted; what had been measured is written";
