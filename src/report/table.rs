//! Columns that line up.
//!
//! Promises: each column is as wide as its widest cell, the leading columns are flush left and the
//! numbers flush right; no line ends in spaces. A character is taken as one column wide, which holds
//! for all that reports print but names in wide scripts.

use super::style::{Paint, Style};

/// Names longer than this are cut, so that a table stays within a terminal.
const NAME_MAX: usize = 24;
/// Spaces between columns.
const GAP: usize = 2;

/// Rows of cells under a heading.
#[derive(Clone)]
pub(super) struct Table {
    left: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table whose first `left` columns are flush left.
    pub(super) fn new<const N: usize>(left: usize, heading: [&str; N]) -> Self {
        Self::with_heading(left, heading.map(str::to_owned).to_vec())
    }

    /// A table with as many columns as it turns out to need.
    pub(super) fn with_heading(left: usize, heading: Vec<String>) -> Self {
        Self {
            left,
            rows: vec![heading],
        }
    }

    /// Adds a row; it has as many cells as the heading.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.push(cells.to_vec());
    }

    /// Adds a row of as many cells as the heading has.
    pub(super) fn push(&mut self, cells: Vec<String>) {
        debug_assert_eq!(
            self.rows[0].len(),
            cells.len(),
            "a row has as many cells as the heading"
        );
        self.rows.push(cells);
    }

    /// The heading's cells.
    pub(super) fn heading(&self) -> &[String] {
        &self.rows[0]
    }

    /// The rows below it.
    pub(super) fn body(&self) -> &[Vec<String>] {
        &self.rows[1..]
    }

    /// Whether a column is flush left.
    pub(super) const fn is_left(&self, column: &usize) -> bool {
        *column < self.left
    }

    /// The lines, each with its newline.
    pub(super) fn render(&self, style: Style) -> String {
        let widths: Vec<usize> = (0..self.rows[0].len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| row[column].chars().count());
                cells.max().unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for (place, row) in self.rows.iter().enumerate() {
            let line = self.line(row, &widths);
            let line = line.trim_end();
            let paint = if place == 0 {
                style.paint(Paint::Quiet, line)
            } else {
                line.to_owned()
            };
            text.push_str(&paint);
            text.push('\n');
        }
        text
    }

    /// The same as a Markdown table.
    pub(super) fn to_markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells = cells.iter().map(|cell| cell.replace('|', "\\|"));
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let columns = self.rows[0].len();
        let rule = (0..columns).map(|column| if column < self.left { ":--" } else { "--:" });
        let rule: Vec<String> = rule.map(str::to_owned).collect();
        let mut rows = self.rows.iter();
        let heading = rows.next().map(|row| line(row)).unwrap_or_default();
        heading + &line(&rule) + &rows.map(|row| line(row)).collect::<String>()
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(widths).enumerate() {
            if column > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            line += &if column < self.left {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            };
        }
        line
    }
}

/// A name that fits into a table: control characters out, the end cut off where it is too long.
pub(super) fn name(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .filter(|character| !character.is_control())
        .collect();
    if shown.chars().count() > NAME_MAX {
        shown = shown.chars().take(NAME_MAX - 1).chain(['…']).collect();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_no_line_ends_in_spaces() {
        let mut table = Table::new(1, ["Time", "p50", "max"]);
        table.row(["latency".into(), "45 µs".into(), "1.24 s".into()]);
        table.row(["dispatch lag".into(), "∞".into(), String::new()]);
        assert_eq!(
            table.render(Style::new(false)),
            "Time            p50     max\n\
             latency       45 µs  1.24 s\n\
             dispatch lag      ∞\n"
        );
    }

    #[test]
    fn a_long_name_says_that_it_is_cut() {
        assert_eq!(name("short\u{1b}[31m"), "short[31m");
        assert_eq!(name(&"x".repeat(30)), format!("{}…", "x".repeat(23)));
    }
}
