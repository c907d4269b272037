//! Columns in a plot, stacked: what was counted in spans of time.

use super::frame::{Entry, Frame, Sample};
use super::look::Look;
use super::svg::{Svg, hatch};

/// One column.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// Where it begins on the axis.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Its parts, from below, in the order of [`Columns::parts`].
    pub values: Vec<f64>,
    /// Its numbers in words.
    pub title: String,
}

/// Columns with the same parts.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// The names of the parts, from below.
    pub parts: Vec<(String, Look)>,
    /// The columns.
    pub columns: Vec<Column>,
}

impl Columns {
    /// The sums of the columns, for a scale that holds them.
    pub fn sums(&self) -> impl Iterator<Item = f64> {
        self.columns.iter().map(|column| column.values.iter().sum())
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.parts.iter().map(|(name, look)| Entry {
            name: name.clone(),
            look: *look,
            sample: Sample::Fill,
        })
    }

    pub(super) fn draw(&self, svg: &mut Svg, frame: &Frame<'_>) {
        for column in &self.columns {
            let (from, to) = (frame.across(column.from), frame.across(column.to));
            // Neighbours stand apart where there is room.
            let gap = if to - from > 6.0 { 1.5 } else { 0.0 };
            let mut sum = 0.0;
            for (value, (_, look)) in column.values.iter().zip(&self.parts) {
                let value = if value.is_finite() {
                    value.max(0.0)
                } else {
                    0.0
                };
                let (below, above) = (frame.down(sum), frame.down(sum + value));
                sum += value;
                if below - above < 0.05 {
                    continue;
                }
                let area = [
                    from + gap,
                    above,
                    (to - from - 2.0 * gap).max(0.1),
                    below - above,
                ];
                let class = if to - from > 8.0 { "br" } else { "br slim" };
                svg.rect(&format!("{class} {}", look.class()), area, &column.title);
                if let Some(gap) = look.hatch() {
                    svg.path(&format!("ht {}", look.class()), "", &hatch(area, gap));
                }
            }
        }
    }
}
