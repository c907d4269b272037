//! What a prompt says, or how long what it says is.

use std::ops::Range;

use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use super::super::raw::RawPrompt;
use super::super::value::Placed;
use super::distribution::{distribution, range};
use super::surroundings::Surroundings;
use crate::distribution::Distribution;
use crate::text::estimate_tokens;
use crate::units::Tokens;

/// What a prompt says, or how long it is. None inside means that it could not be read.
#[derive(Default)]
pub(super) struct Lengths {
    /// Its words; none inside where they are made up.
    pub text: Option<Option<String>>,
    /// The system prompt.
    pub system: Option<String>,
    /// Its input tokens; none inside where they are the trace's.
    pub input: Option<Option<Distribution>>,
    /// Where it says so.
    pub span: Option<Range<usize>>,
}

impl Lengths {
    /// The shortest and the longest input; those of the trace where the prompt has none.
    pub fn range(&self, around: &Surroundings<'_>) -> Option<(u64, u64)> {
        match self.input.as_ref()? {
            Some(input) => Some(range(input)),
            None => around.trace_input,
        }
    }
}

/// Reads them from a prompt's table, which is at `span`.
pub(super) fn lengths(
    raw: &mut RawPrompt,
    span: &Range<usize>,
    around: &Surroundings<'_>,
    problems: &mut Problems,
) -> Lengths {
    let system = problems.get(raw.system.take());
    match (raw.text.take(), raw.input_tokens.take()) {
        (Some(text), None) => {
            let Some(text) = problems.read(Some(text)) else {
                return Lengths::default();
            };
            if text.value.trim().is_empty() {
                let problem = Diagnostic::error("empty-text", "`text` is empty");
                problems.push(problem.at(text.span.clone(), "").help("write what to ask"));
            }
            let written = text.value.chars().count();
            let with_system = written + system.as_ref().map_or(0, |system| system.chars().count());
            let Tokens(input) = estimate_tokens(with_system as u64);
            Lengths {
                input: Some(Some(Distribution::Constant(input))),
                text: Some(Some(text.value)),
                system,
                span: Some(text.span),
            }
        }
        (None, Some(length)) => {
            let length = distribution(length, problems);
            let (span, input) = match length {
                Some(Placed { span, value }) => (Some(span), Some(Some(value))),
                None => (None, None),
            };
            Lengths {
                text: Some(None),
                system,
                input,
                span,
            }
        }
        (Some(text), Some(length)) => {
            let problem = Diagnostic::error("text-and-length", "`text` has a length of its own");
            problems.push(
                problem
                    .at(length.span, "a second length")
                    .context(text.span, "the text")
                    .help("keep one of `text` and `input_tokens`"),
            );
            Lengths::default()
        }
        (None, None) if around.recorded => Lengths {
            text: Some(None),
            system,
            input: Some(None),
            span: None,
        },
        (None, None) => {
            problems.missing(
                "text",
                Some(span),
                "`text`, or `input_tokens` for made-up text",
            );
            Lengths::default()
        }
    }
}
