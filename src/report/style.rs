//! How a report may look: its width, and whether it has colours.
//!
//! Promises: without colour no escape sequence is written; with colour the text is the same.

/// How a report may look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether ANSI escape sequences are written.
    pub color: bool,
    /// The longest line of running text, in characters. Tables are at most 100 wide.
    pub width: u16,
}

/// What a piece of text is, as far as colour tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// What a reader should see first.
    Strong,
    /// As wanted.
    Good,
    /// Not as wanted.
    Bad,
    /// To be known before trusting the numbers.
    Caution,
    /// Labels and headings.
    Quiet,
}

impl Style {
    /// Text of 100 columns, with colours or without.
    #[must_use]
    pub const fn new(color: bool) -> Self {
        Self { color, width: 100 }
    }

    /// The text in its colour. Colour has no width, so texts are aligned before they are painted.
    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        // The sixteen-colour codes of ECMA-48: a terminal's own theme decides how they look.
        let code = match paint {
            Paint::Strong => "1",
            Paint::Good => "32",
            Paint::Bad => "1;31",
            Paint::Caution => "33",
            Paint::Quiet => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
