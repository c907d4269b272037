//! From a file or a text to a checked scenario.
//!
//! Promises: no input panics, none is read beyond [`LARGEST_FILE`], and every problem has a place:
//! also one of the file itself, such as bytes that are not UTF-8.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, Deserializer};

use super::check::check;
use super::diagnostic::{Diagnostic, Report, Severity};
use super::problems::Problems;
use super::raw::RawScenario;
use super::structure::{Pruned, prune};
use super::{Checked, Scenario};

/// The largest scenario file that is read, in bytes: 1 MiB.
pub const LARGEST_FILE: u64 = 1 << 20;

/// Syntax errors beyond these are echoes of the first ones.
const MOST_SYNTAX_ERRORS: usize = 10;

/// Why a scenario could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be opened or read: look at its path and its permissions.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is larger than any scenario: it is probably another file.
    #[error("`{}` is larger than {} bytes, the most that a scenario may have", path.display(), LARGEST_FILE)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file was read, but is not a scenario that can be run.
    #[error("`{}` has problems: {}", path.display(), diagnostics.len())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Its text, which the diagnostics' places are in; bytes that are not UTF-8 are replaced.
        text: String,
        /// Every problem in it, in the order of the text.
        diagnostics: Vec<Diagnostic>,
    },
}

impl LoadError {
    /// Every problem with its place in lines and columns; one at the top for a file as a whole.
    #[must_use]
    pub fn reports(&self) -> Vec<Report> {
        let whole = |path: &Path, code, message: String, help: &str| Report {
            file: path.display().to_string(),
            line: 1,
            column: 1,
            end_line: 1,
            end_column: 1,
            code,
            severity: Severity::Error,
            message,
            help: Some(help.to_owned()),
        };
        match self {
            Self::Read { path, source } => {
                let code = match source.kind() {
                    io::ErrorKind::NotFound => "file-missing",
                    _ => "file-unreadable",
                };
                vec![whole(
                    path,
                    code,
                    format!("{self}: {source}"),
                    "look at its path",
                )]
            }
            Self::TooLarge { path } => {
                vec![whole(
                    path,
                    "file-too-large",
                    self.to_string(),
                    "name a scenario file",
                )]
            }
            Self::Invalid {
                path,
                text,
                diagnostics,
            } => {
                let file = path.display().to_string();
                diagnostics
                    .iter()
                    .map(|problem| problem.report(&file, text))
                    .collect()
            }
        }
    }
}

impl Scenario {
    /// Reads and checks a file. Files that it names are looked for beside it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is too large, or holds anything that keeps it from being run.
    pub fn load(path: &Path) -> Result<Checked, LoadError> {
        Self::parse_as(path, read_text(path)?)
    }

    /// Checks a text that stands in the place of a file's own.
    ///
    /// # Errors
    ///
    /// If the text holds anything that keeps it from being run.
    pub fn parse_as(path: &Path, text: String) -> Result<Checked, LoadError> {
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        Self::parse(&text, folder).map_err(|diagnostics| LoadError::Invalid {
            path: path.to_owned(),
            text,
            diagnostics,
        })
    }

    /// Checks a text. Files that it names are looked for in `folder`.
    ///
    /// # Errors
    ///
    /// Every problem in it, warnings included, in the order of the text; at least one is an error.
    pub fn parse(text: &str, folder: &Path) -> Result<Checked, Vec<Diagnostic>> {
        if text.len() as u64 > LARGEST_FILE {
            let title = format!("the text is larger than {LARGEST_FILE} bytes");
            return Err(vec![Diagnostic::error("file-too-large", title)]);
        }
        let (mut document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(errors.iter().take(MOST_SYNTAX_ERRORS).map(syntax).collect());
        }
        if document.get_ref().is_empty() {
            return Err(vec![empty()]);
        }
        let Pruned { problems, excused } = prune(document.get_mut());
        let mut problems = Problems::new(problems, excused);
        match RawScenario::deserialize(Deserializer::from(document)) {
            Ok(raw) => check(raw, text, folder, problems),
            Err(error) => {
                problems.push(Diagnostic {
                    code: "invalid-value",
                    ..syntax(&error)
                });
                Err(problems.sorted())
            }
        }
    }
}

/// The text of a scenario file.
///
/// # Errors
///
/// If the file cannot be read, is too large, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, LoadError> {
    let read = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    // One byte more than is allowed tells a file that is too large from one that just fits.
    let file = File::open(path).map_err(read)?;
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(LoadError::TooLarge {
            path: path.to_owned(),
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        LoadError::Invalid {
            path: path.to_owned(),
            text: String::from_utf8_lossy(error.as_bytes()).into_owned(),
            diagnostics: vec![not_utf8(valid)],
        }
    })
}

fn syntax(error: &toml::de::Error) -> Diagnostic {
    let problem = Diagnostic::error("syntax", error.message().trim_end_matches('.'));
    match error.span() {
        Some(span) => problem.at(span, ""),
        None => problem,
    }
}

fn empty() -> Diagnostic {
    Diagnostic::error("empty", "the scenario is empty")
        .help("it needs a `name`, `[run]`, `[arrivals.…]`, `[model.…]` and `[[prompt]]`")
}

fn not_utf8(valid: usize) -> Diagnostic {
    let title = format!("byte {} is not UTF-8", valid + 1);
    // In the text that stands in for the bytes, U+FFFD has three bytes.
    Diagnostic::error("not-utf8", title)
        .at(valid..valid + 3, "here")
        .help("save it as UTF-8")
}
