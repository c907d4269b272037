//! The frame of a chart: where the plot is, its axes, its legend.
//!
//! Promises: tick labels and legend lie within the drawing, one beside the other.

use super::Axis;
use super::look::Look;
use super::svg::{Anchor, Svg, hatch, number, width};

/// How wide charts are drawn; a page scales them.
pub(super) const WIDTH: f64 = 760.0;
/// A line of small text.
pub(super) const ROW: f64 = 18.0;
/// What is left free at the right edge.
const RIGHT: f64 = 14.0;

/// How an entry of the legend is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    Line,
    Marked,
    Fill,
    Spot,
}

/// A name in the legend.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) look: Look,
    pub(super) sample: Sample,
}

/// The plot's place in the drawing, and its axes.
pub(super) struct Frame<'a> {
    x: &'a Axis,
    y: &'a Axis,
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl<'a> Frame<'a> {
    /// Leaves room for the legend above and the labels beside a plot of this height.
    pub(super) fn new(x: &'a Axis, y: &'a Axis, height: f64, legend: &[Entry]) -> Self {
        let ticks = y.scale.ticks(5);
        let widest = ticks.iter().map(|tick| width(&(y.show)(*tick)));
        let left = widest.fold(24.0, f64::max) + 10.0;
        Self {
            x,
            y,
            left,
            top: legend_height(legend) + ROW + 14.0,
            width: WIDTH - left - RIGHT,
            height,
        }
    }

    /// The whole drawing's size.
    pub(super) fn size(&self) -> (f64, f64) {
        (WIDTH, self.top + self.height + 2.0 * ROW + 6.0)
    }

    /// Where a pair of numbers is.
    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.across(x), self.down(y))
    }

    pub(super) fn across(&self, x: f64) -> f64 {
        self.left + self.x.scale.place(x) * self.width
    }

    pub(super) fn down(&self, y: f64) -> f64 {
        self.top + (1.0 - self.y.scale.place(y)) * self.height
    }

    pub(super) fn show_x(&self, value: f64) -> String {
        (self.x.show)(value)
    }

    pub(super) fn show_y(&self, value: f64) -> String {
        (self.y.show)(value)
    }

    pub(super) const fn top(&self) -> f64 {
        self.top
    }

    pub(super) const fn height(&self) -> f64 {
        self.height
    }

    pub(super) const fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(super) const fn left(&self) -> f64 {
        self.left
    }

    /// Grid, tick labels and names of the axes.
    pub(super) fn draw(&self, svg: &mut Svg) {
        let (bottom, right) = (self.top + self.height, self.right());
        for tick in self.y.scale.ticks(5) {
            let down = self.down(tick);
            svg.line("grid", (self.left, down), (right, down));
            let at = (self.left - 6.0, down + 4.0);
            svg.text("tick", at, Anchor::End, &(self.y.show)(tick));
        }
        let mut free = f64::NEG_INFINITY;
        for tick in self.x.scale.ticks(8) {
            let (across, words) = (self.across(tick), (self.x.show)(tick));
            let half = width(&words) / 2.0;
            let at = across.clamp(half, WIDTH - half);
            svg.line("base", (across, bottom), (across, bottom + 4.0));
            // Labels that would touch their neighbour are left out.
            if at - half > free {
                svg.text("tick", (at, bottom + ROW), Anchor::Middle, &words);
                free = at + half + 6.0;
            }
        }
        svg.line("base", (self.left, bottom), (right, bottom));
        svg.text("axis", (0.0, self.top - 13.0), Anchor::Start, &self.y.label);
        svg.text(
            "axis",
            (right, bottom + 2.0 * ROW),
            Anchor::End,
            &self.x.label,
        );
    }
}

/// Where each entry begins, and how many rows there are.
fn legend_places(entries: &[Entry]) -> (Vec<(f64, f64)>, f64) {
    let (mut across, mut row) = (0.0, 0.0);
    let mut places = Vec::with_capacity(entries.len());
    for entry in entries {
        let needs = 34.0 + width(&entry.name);
        if across > 0.0 && across + needs > WIDTH {
            (across, row) = (0.0, row + 1.0);
        }
        places.push((across, row * ROW));
        across += needs + 14.0;
    }
    (places, if entries.is_empty() { 0.0 } else { row + 1.0 })
}

pub(super) fn legend_height(entries: &[Entry]) -> f64 {
    legend_places(entries).1 * ROW
}

/// Draws the names with samples of their marks.
pub(super) fn legend(svg: &mut Svg, entries: &[Entry]) {
    let (places, _) = legend_places(entries);
    for (entry, (x, y)) in entries.iter().zip(places) {
        let class = entry.look.class();
        let middle = y + 9.0;
        match entry.sample {
            Sample::Fill => {
                let area = [x + 1.0, y + 3.0, 24.0, 12.0];
                svg.rect(&format!("br {class}"), area, "");
                if let Some(gap) = entry.look.hatch() {
                    svg.path(&format!("ht {class}"), "", &hatch(area, gap));
                }
            }
            Sample::Line | Sample::Marked => {
                let path = format!("M{} {}h26", number(x), number(middle));
                svg.path(&format!("ln {class}"), entry.look.dash(), &path);
            }
            Sample::Spot => {}
        }
        if matches!(entry.sample, Sample::Marked | Sample::Spot) {
            marker(svg, entry.look, (x + 13.0, middle), "");
        }
        svg.text(
            "said-by",
            (x + 31.0, middle + 4.0),
            Anchor::Start,
            &entry.name,
        );
    }
}

/// A marker with its point at a place.
pub(super) fn marker(svg: &mut Svg, look: Look, at: (f64, f64), title: &str) {
    let attributes = format!(
        r#"class="mk {}" d="M{} {}{}""#,
        look.class(),
        number(at.0),
        number(at.1),
        look.marker()
    );
    if title.is_empty() {
        svg.element("path", &attributes);
    } else {
        svg.titled("path", &attributes, title);
    }
}
