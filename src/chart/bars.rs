//! Horizontal bars, one beneath the other, each of several parts.

use super::Axis;
use super::frame::{Entry, ROW, Sample, WIDTH, legend, legend_height};
use super::look::Look;
use super::svg::{Anchor, Svg, hatch, width};

/// How high a bar is, and how far the next is from it.
const BAR: f64 = 20.0;
const PITCH: f64 = 32.0;
/// Names longer than this are cut; the whole one is told to whoever points.
const NAME_MAX: usize = 24;

/// One bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// Its parts, from the left, in the order of [`Bars::parts`].
    pub values: Vec<f64>,
    /// What is written behind it.
    pub said: String,
}

/// Bars with the same parts.
#[derive(Clone, Debug)]
pub struct Bars {
    /// What they show, for whoever cannot see them.
    pub title: String,
    /// What is to be seen in them, in a sentence.
    pub about: String,
    /// The axis below; it begins at zero.
    pub axis: Axis,
    /// The names of the parts, from the left.
    pub parts: Vec<(String, Look)>,
    /// The bars, from above.
    pub bars: Vec<Bar>,
}

/// A name that fits beside a chart.
pub(super) fn short(name: &str) -> String {
    if name.chars().count() <= NAME_MAX {
        return name.to_owned();
    }
    name.chars().take(NAME_MAX - 1).chain(['…']).collect()
}

impl Bars {
    /// The drawing.
    #[must_use]
    pub fn svg(&self) -> String {
        let entries: Vec<Entry> = self
            .parts
            .iter()
            .map(|(name, look)| Entry {
                name: name.clone(),
                look: *look,
                sample: Sample::Fill,
            })
            .collect();
        let names = self.bars.iter().map(|bar| width(&short(&bar.name)));
        let left = names.fold(24.0, f64::max) + 10.0;
        let said = self.bars.iter().map(|bar| width(&bar.said));
        let right = WIDTH - said.fold(10.0, f64::max) - 12.0;
        let top = legend_height(&entries) + 10.0;
        let bottom = top + self.bars.len() as f64 * PITCH;
        let across = |value: f64| left + self.axis.scale.place(value) * (right - left);
        let mut svg = Svg::default();
        legend(&mut svg, &entries);
        for tick in self.axis.scale.ticks(5) {
            let at = across(tick);
            svg.line("grid", (at, top), (at, bottom));
            let words = (self.axis.show)(tick);
            svg.text("tick", (at, bottom + ROW - 2.0), Anchor::Middle, &words);
        }
        svg.line("base", (left, top), (left, bottom));
        for (row, bar) in (0_u32..).zip(&self.bars) {
            let down = top + f64::from(row) * PITCH + (PITCH - BAR) / 2.0;
            let middle = down + BAR / 2.0 + 4.0;
            svg.text("name", (left - 8.0, middle), Anchor::End, &short(&bar.name));
            let mut sum = 0.0;
            for (value, (name, look)) in bar.values.iter().zip(&self.parts) {
                let value = if value.is_finite() {
                    value.max(0.0)
                } else {
                    0.0
                };
                let (from, to) = (across(sum), across(sum + value));
                sum += value;
                if to - from < 0.05 {
                    continue;
                }
                let area = [from, down, to - from, BAR];
                let title = format!("{}: {name} {}", bar.name, (self.axis.show)(value));
                svg.rect(&format!("br {}", look.class()), area, &title);
                if let Some(gap) = look.hatch() {
                    svg.path(&format!("ht {}", look.class()), "", &hatch(area, gap));
                }
            }
            svg.text(
                "said-by",
                (across(sum) + 6.0, middle),
                Anchor::Start,
                &bar.said,
            );
        }
        svg.text(
            "axis",
            (right, bottom + 2.0 * ROW),
            Anchor::End,
            &self.axis.label,
        );
        svg.finish((WIDTH, bottom + 2.0 * ROW + 6.0), &self.title, &self.about)
    }
}
