//! A problem in a scenario, as plain data: what is wrong, where, and what to change.
//!
//! Promises: places are byte ranges in the text that was read, always on character boundaries once
//! they pass through [`line_column`], and a [`Report`] is all that an editor or a CI log needs.
//! Titles put literals in backticks and have no trailing period.
//!
//! Deliberately not: drawing. Whoever prints decides on colours, frames and widths.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The scenario cannot be run.
    Error,
    /// It can, but perhaps does not do what was meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// A place in the text and what to know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// What to know; may be empty.
    pub text: String,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name of the kind of problem, in kebab case.
    pub code: &'static str,
    /// One sentence without its period.
    pub title: String,
    /// The place to look at first; none where the whole file is meant.
    pub primary: Option<Label>,
    /// Other places that have to do with it.
    pub context: Vec<Label>,
    /// What to change.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem that keeps the scenario from being run.
    #[must_use]
    pub fn error(code: &'static str, title: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, title.into())
    }

    /// A problem that does not.
    #[must_use]
    pub fn warning(code: &'static str, title: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, title.into())
    }

    const fn new(severity: Severity, code: &'static str, title: String) -> Self {
        Self {
            severity,
            code,
            title,
            primary: None,
            context: Vec::new(),
            help: None,
        }
    }

    /// The same problem, at this place.
    #[must_use]
    pub fn at(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.primary = Some(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// The same problem, with another place that has to do with it.
    #[must_use]
    pub fn context(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.context.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// The same problem, with what to change.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether it keeps the scenario from being run.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The problem with its place in lines and columns, for editors and logs.
    #[must_use]
    pub fn report(&self, file: &str, text: &str) -> Report {
        let span = self
            .primary
            .as_ref()
            .map_or(0..0, |label| label.span.clone());
        let (line, column) = line_column(text, span.start);
        let (end_line, end_column) = line_column(text, span.end);
        Report {
            file: file.to_owned(),
            line,
            column,
            end_line,
            end_column,
            code: self.code,
            severity: self.severity,
            message: self.title.clone(),
            help: self.help.clone(),
        }
    }
}

/// A [`Diagnostic`] without its text: the line of JSON that `check --format json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The file, as it was named.
    pub file: String,
    /// The line on which the problem begins, from 1.
    pub line: usize,
    /// The column at which it begins, in characters from 1.
    pub column: usize,
    /// The line on which it ends.
    pub end_line: usize,
    /// The column just behind its end.
    pub end_column: usize,
    /// A stable name of the kind of problem.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to change.
    pub help: Option<String>,
}

/// The line and the column, both from 1 and the column in characters, of a byte of the text.
///
/// An offset behind the end means the end, one inside a character means its beginning.
#[must_use]
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_not_bytes() {
        let text = "a = 1\nß = \"é\" x\n";
        assert_eq!(line_column(text, 0), (1, 1));
        assert_eq!(
            line_column(text, text.find('x').unwrap_or_default()),
            (2, 9)
        );
        assert_eq!(line_column(text, 7), (2, 1), "inside the two bytes of ß");
        assert_eq!(line_column(text, usize::MAX), (3, 1));
    }

    #[test]
    fn a_report_is_one_json_object() {
        let problem = Diagnostic::error("zero-rate", "`rate` is zero")
            .at(7..12, "")
            .help("write a rate above zero");
        let report = problem.report("a.toml", "name=1\nrate = 0\n");
        assert_eq!(
            serde_json::to_value(&report).unwrap_or_default(),
            serde_json::json!({
                "file": "a.toml", "line": 2, "column": 1, "end_line": 2, "end_column": 6,
                "code": "zero-rate", "severity": "error", "message": "`rate` is zero",
                "help": "write a rate above zero",
            })
        );
    }
}
