//! The problems found so far, and the reading of fields that adds to them.
//!
//! Promises: a field that was typed but could not be read is reported once, when it is asked for,
//! and is not then also reported as missing.

use std::collections::BTreeSet;
use std::ops::Range;

use super::diagnostic::Diagnostic;
use super::suggest::{closest, listed};
use super::value::{Field, List, Placed, shortened};

/// More problems than this are only counted: nobody reads them, and noise may have very many.
const MOST_PROBLEMS: usize = 100;

/// The longest name that becomes the name of a folder or of a series in a histogram log.
const LONGEST_NAME: usize = 100;

/// A growing list of problems.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<Diagnostic>,
    excused: BTreeSet<String>,
}

impl Problems {
    /// Problems found before, and keys whose absence those explain.
    pub fn new(found: Vec<Diagnostic>, excused: BTreeSet<String>) -> Self {
        Self { found, excused }
    }

    /// Adds one.
    pub fn push(&mut self, problem: Diagnostic) {
        self.found.push(problem);
    }

    /// Whether one of them keeps the scenario from being run.
    pub fn any_error(&self) -> bool {
        self.found.iter().any(Diagnostic::is_error)
    }

    /// All of them in the order of the text; errors first where both stand in one place.
    pub fn sorted(mut self) -> Vec<Diagnostic> {
        let place = |problem: &Diagnostic| problem.primary.as_ref().map(|label| label.span.start);
        self.found
            .sort_by_key(|problem| (place(problem), problem.severity));
        if self.found.len() > MOST_PROBLEMS {
            // Errors stay ahead of warnings, so that a cut never turns a refusal into a pass.
            self.found.sort_by_key(|problem| problem.severity);
            let more = self.found.len() - MOST_PROBLEMS;
            self.found.truncate(MOST_PROBLEMS);
            let title = format!("{more} more problems are not shown");
            self.found.push(Diagnostic::warning("more-problems", title));
        }
        self.found
    }

    /// The value and its place, if it was given and could be read.
    pub fn read<T>(&mut self, field: Option<Field<T>>) -> Option<Placed<T>> {
        let Placed { span, value } = field?;
        match value.0 {
            Ok(value) => Some(Placed::new(span, value)),
            Err(flaw) => {
                let mut problem = Diagnostic::error("invalid-value", flaw.title).at(span, "");
                problem.help = flaw.help;
                self.push(problem);
                None
            }
        }
    }

    /// The value, if it was given and could be read.
    pub fn get<T>(&mut self, field: Option<Field<T>>) -> Option<T> {
        self.read(field).map(|placed| placed.value)
    }

    /// The value and its place; that it is missing from its table is a problem.
    pub fn require<T>(
        &mut self,
        field: Option<Field<T>>,
        key: &str,
        table: &Range<usize>,
        example: &str,
    ) -> Option<Placed<T>> {
        if field.is_none() {
            self.missing(key, Some(table), example);
        }
        self.read(field)
    }

    /// Says that a key is missing from a table, or from the top of the file.
    pub fn missing(&mut self, key: &str, table: Option<&Range<usize>>, example: &str) {
        if self.excuses(key) {
            return;
        }
        let problem = Diagnostic::error("missing-key", format!("`{key}` is missing"))
            .help(format!("add {example}"));
        self.push(match table {
            Some(span) => problem.at(span.clone(), "in this table"),
            None => problem,
        });
    }

    /// Whether a key's absence is explained by a problem that is known already.
    pub fn excuses(&self, key: &str) -> bool {
        self.excused.contains(key)
    }

    /// The values that could be read.
    pub fn list<T>(&mut self, list: Option<List<Field<T>>>) -> Vec<T> {
        let fields = list.map(|list| list.value).unwrap_or_default();
        fields
            .into_iter()
            .filter_map(|field| self.get(Some(field)))
            .collect()
    }

    /// Says that a value has to be above zero, if it is not.
    pub fn above_zero<T: Default + PartialOrd>(&mut self, key: &str, value: Option<&Placed<T>>) {
        if let Some(placed) = value
            && placed.value <= T::default()
        {
            let problem =
                Diagnostic::error("not-above-zero", format!("`{key}` must be above zero"));
            self.push(
                problem
                    .at(placed.span.clone(), "")
                    .help("write a value above zero"),
            );
        }
    }

    /// Says that a name cannot be one, if it cannot: names become folders and series.
    pub fn name(&mut self, name: &Placed<String>) {
        let text = &name.value;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.starts_with('.') || !text.chars().all(allowed) {
            let title = format!("`{}` cannot be a name", shortened(text));
            let help = "use letters, digits, `-`, `_` and `.`, and do not begin with `.`";
            self.push(
                Diagnostic::error("invalid-name", title)
                    .at(name.span.clone(), "")
                    .help(help),
            );
        } else if text.len() > LONGEST_NAME {
            let title = format!("the name is longer than {LONGEST_NAME} characters");
            let problem = Diagnostic::error("invalid-name", title).at(name.span.clone(), "");
            self.push(problem.help("write a shorter one; `about` has room for more"));
        }
    }
}

/// What to write in the place of a word that is none of the names.
pub(super) fn did_you_mean<'a>(word: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    match closest(word, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("there is {}", listed(names)),
    }
}
