//! A chart with its title, a remark and the numbers behind it.

use serde::Serialize;

/// A chart on a page.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    /// What it shows.
    pub(super) title: String,
    /// How to read it.
    pub(super) note: String,
    /// The drawing.
    pub(super) svg: String,
    /// The numbers in it.
    pub(super) data: Data,
}

/// Numbers in columns.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Data {
    /// The names of the columns, with units.
    pub(super) columns: Vec<String>,
    /// The rows; each has a cell for each column.
    pub(super) rows: Vec<Vec<Cell>>,
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Cell {
    /// A name.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// Another number, with six significant digits.
    Number(f64),
    /// Nothing was measured.
    None,
}

impl Data {
    pub(super) fn new<const N: usize>(columns: [&str; N]) -> Self {
        Self {
            columns: columns.map(str::to_owned).to_vec(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.to_vec());
    }
}

impl Cell {
    /// The cell as the page shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::None => "–".to_owned(),
        }
    }

    pub(super) const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        if !value.is_finite() {
            return Self::None;
        }
        let digits = 5 - value.abs().max(1e-12).log10().floor() as i32;
        let power = 10_f64.powi(digits.clamp(0, 12));
        let rounded = (value * power).round() / power;
        if rounded.fract() == 0.0 && rounded.abs() < 9e15 {
            return Self::Whole(rounded as i64);
        }
        Self::Number(rounded)
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Self::None, Self::from)
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::None, Self::Whole)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_six_digits_and_whole_ones_no_point() {
        for (value, shown) in [
            (0.0, "0"),
            (1.0 / 3.0, "0.333333"),
            (1_234_567.4, "1234567"),
            (1_234.567_89, "1234.57"),
            (-2.5e-4, "-0.00025"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(Cell::from(value).shown(), shown);
        }
    }
}
