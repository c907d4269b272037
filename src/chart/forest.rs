//! Values with their intervals, one beneath the other, against what is allowed: a forest plot.

use super::Axis;
use super::bars::short;
use super::frame::{ROW, WIDTH, marker};
use super::look::Look;
use super::svg::{Anchor, Svg, width};

const PITCH: f64 = 28.0;

/// A value with its interval.
#[derive(Clone, Debug)]
pub struct Interval {
    /// What it is of.
    pub name: String,
    /// The value.
    pub value: f64,
    /// From where to where it lies; none if that is not known.
    pub ends: Option<(f64, f64)>,
    /// What is allowed: a stretch of the axis, whose ends may be infinite; none if nothing is asked.
    pub allowed: Option<(f64, f64)>,
    /// How it is judged.
    pub look: Look,
    /// What is written behind it.
    pub said: String,
    /// Its numbers in words.
    pub title: String,
}

/// Intervals over one axis.
#[derive(Clone, Debug)]
pub struct Forest {
    /// What it shows, for whoever cannot see it.
    pub title: String,
    /// What is to be seen in it, in a sentence.
    pub about: String,
    /// The axis below; it holds zero.
    pub axis: Axis,
    /// The intervals, from above.
    pub rows: Vec<Interval>,
}

impl Forest {
    /// The drawing.
    #[must_use]
    pub fn svg(&self) -> String {
        let names = self.rows.iter().map(|row| width(&short(&row.name)));
        let left = names.fold(24.0, f64::max) + 10.0;
        let said = self.rows.iter().map(|row| width(&row.said));
        let right = WIDTH - said.fold(10.0, f64::max) - 12.0;
        let top = 8.0;
        let bottom = top + self.rows.len() as f64 * PITCH;
        let across = |value: f64| left + self.axis.scale.place(value) * (right - left);
        let mut svg = Svg::default();
        let mut free = f64::NEG_INFINITY;
        for tick in self.axis.scale.ticks(7) {
            let (at, words) = (across(tick), (self.axis.show)(tick));
            svg.line("grid", (at, top), (at, bottom));
            if at - width(&words) / 2.0 > free {
                svg.text("tick", (at, bottom + ROW - 2.0), Anchor::Middle, &words);
                free = at + width(&words) / 2.0 + 6.0;
            }
        }
        for (place, row) in (0_u32..).zip(&self.rows) {
            let down = top + f64::from(place) * PITCH;
            let middle = down + PITCH / 2.0;
            if let Some((from, to)) = row.allowed {
                let (from, to) = (across(from), across(to));
                let area = [from, down + 3.0, (to - from).max(0.5), PITCH - 6.0];
                svg.rect("ar quiet", area, "");
            }
            svg.text(
                "name",
                (left - 8.0, middle + 4.0),
                Anchor::End,
                &short(&row.name),
            );
            let class = row.look.class();
            if let Some((low, high)) = row.ends {
                let (low, high) = (across(low), across(high));
                svg.line(&format!("ln {class}"), (low, middle), (high, middle));
                for end in [low, high] {
                    svg.line(
                        &format!("ln {class}"),
                        (end, middle - 5.0),
                        (end, middle + 5.0),
                    );
                }
            }
            marker(&mut svg, row.look, (across(row.value), middle), &row.title);
            svg.text(
                "said-by",
                (right + 10.0, middle + 4.0),
                Anchor::Start,
                &row.said,
            );
        }
        let zero = across(0.0);
        svg.line("base", (zero, top), (zero, bottom));
        svg.text(
            "axis",
            (right, bottom + 2.0 * ROW),
            Anchor::End,
            &self.axis.label,
        );
        svg.finish((WIDTH, bottom + 2.0 * ROW + 6.0), &self.title, &self.about)
    }
}
