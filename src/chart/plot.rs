//! A plot: lines, steps, bands, columns, spots and reference lines over two axes.

use super::Axis;
use super::columns::Columns;
use super::frame::{Entry, Frame, Sample, legend, marker};
use super::look::Look;
use super::svg::{Anchor, Svg, number, path, width};

/// A line through points.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name in the legend; none if empty.
    pub name: String,
    /// How it looks.
    pub look: Look,
    /// Its points from left to right; where there is no number, the line has a gap.
    pub points: Vec<(f64, Option<f64>)>,
    /// Whether a value holds until the next point, as counts of spans do.
    pub step: bool,
    /// Whether its points have markers.
    pub marked: bool,
    /// Whether it goes on to infinity from its last point.
    pub leaves: bool,
}

/// The space between two lines.
#[derive(Clone, Debug)]
pub struct Band {
    /// Its name in the legend; none if empty.
    pub name: String,
    /// How it looks.
    pub look: Look,
    /// Where, and from what to what; where there are no numbers, the band has a gap.
    pub points: Vec<(f64, Option<(f64, f64)>)>,
    /// Whether values hold until the next point.
    pub step: bool,
}

/// Points that belong together.
#[derive(Clone, Debug)]
pub struct Scatter {
    /// Their name in the legend; none if empty.
    pub name: String,
    /// How they look.
    pub look: Look,
    /// The points.
    pub spots: Vec<Spot>,
}

/// A point.
#[derive(Clone, Debug)]
pub struct Spot {
    /// Where across.
    pub x: f64,
    /// Where up.
    pub y: f64,
    /// What is written beside it; nothing if empty.
    pub label: String,
    /// Its numbers in words.
    pub title: String,
}

/// A level that others are compared with, such as a quota.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where.
    pub at: f64,
    /// What it is.
    pub label: String,
    /// How it looks.
    pub look: Look,
}

/// What whoever points at a part of the plot is told.
#[derive(Clone, Debug)]
pub struct Hover {
    /// Where the part begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Its numbers in words.
    pub title: String,
}

/// A plot. What comes first is drawn below.
#[derive(Clone, Debug)]
pub struct Plot {
    /// What it shows, for whoever cannot see it.
    pub title: String,
    /// What is to be seen in it, in a sentence.
    pub about: String,
    /// The height of the plot itself; its width is always the same.
    pub height: f64,
    /// The axis below.
    pub x: Axis,
    /// The axis beside.
    pub y: Axis,
    /// Places across that are marked by a thin line, such as the beginnings of minutes.
    pub marks: Vec<f64>,
    /// Columns.
    pub columns: Columns,
    /// Bands.
    pub bands: Vec<Band>,
    /// Lines.
    pub lines: Vec<Line>,
    /// Points.
    pub scatters: Vec<Scatter>,
    /// Levels.
    pub rules: Vec<Rule>,
    /// What is told to whoever points.
    pub hovers: Vec<Hover>,
}

impl Plot {
    /// An empty plot.
    #[must_use]
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self {
            title: title.into(),
            about: String::new(),
            height: 210.0,
            x,
            y,
            marks: Vec::new(),
            columns: Columns::default(),
            bands: Vec::new(),
            lines: Vec::new(),
            scatters: Vec::new(),
            rules: Vec::new(),
            hovers: Vec::new(),
        }
    }

    /// The drawing.
    #[must_use]
    pub fn svg(&self) -> String {
        let entries = self.entries();
        let frame = Frame::new(&self.x, &self.y, self.height, &entries);
        let mut svg = Svg::default();
        legend(&mut svg, &entries);
        frame.draw(&mut svg);
        let (top, bottom) = (frame.top(), frame.top() + frame.height());
        for mark in &self.marks {
            let across = frame.across(*mark);
            svg.line("minute", (across, top), (across, bottom));
        }
        self.columns.draw(&mut svg, &frame);
        for band in &self.bands {
            svg.path(
                &format!("ar {}", band.look.class()),
                "",
                &area(band, &frame),
            );
        }
        for line in &self.lines {
            draw_line(&mut svg, line, &frame);
        }
        for scatter in &self.scatters {
            draw_spots(&mut svg, scatter, &frame);
        }
        for rule in &self.rules {
            draw_rule(&mut svg, rule, &frame);
        }
        for hover in &self.hovers {
            let (from, to) = (frame.across(hover.from), frame.across(hover.to));
            let place = [from, top, (to - from).max(1.0), frame.height()];
            svg.rect("hit", place, &hover.title);
        }
        svg.finish(frame.size(), &self.title, &self.about)
    }

    fn entries(&self) -> Vec<Entry> {
        let columns = self.columns.entries();
        let bands = self.bands.iter().map(|band| Entry {
            name: band.name.clone(),
            look: band.look,
            sample: Sample::Fill,
        });
        let lines = self.lines.iter().map(|line| Entry {
            name: line.name.clone(),
            look: line.look,
            sample: if line.marked {
                Sample::Marked
            } else {
                Sample::Line
            },
        });
        let spots = self.scatters.iter().map(|scatter| Entry {
            name: scatter.name.clone(),
            look: scatter.look,
            sample: Sample::Spot,
        });
        let all = columns.chain(lines).chain(bands).chain(spots);
        all.filter(|entry| !entry.name.is_empty()).collect()
    }
}

/// The corners of a line: where it steps, each value goes on to the next point.
fn corners<'a>(
    points: &'a [(f64, Option<f64>)],
    step: bool,
    frame: &'a Frame<'_>,
) -> impl Iterator<Item = Option<(f64, f64)>> + 'a {
    points.iter().enumerate().flat_map(move |(place, &(x, y))| {
        let at = y.filter(|y| !y.is_nan()).map(|y| frame.at(x, y));
        let next = points.get(place + 1).map(|next| frame.across(next.0));
        let held = match (step, at, next) {
            (true, Some((_, down)), Some(next)) => Some(Some((next, down))),
            _ => None,
        };
        [Some(at), held].into_iter().flatten()
    })
}

fn draw_line(svg: &mut Svg, line: &Line, frame: &Frame<'_>) {
    let mut drawn = path(corners(&line.points, line.step, frame));
    let last = line.points.iter().rev().find_map(|&(x, y)| Some((x, y?)));
    if let (true, Some((x, y))) = (line.leaves, last) {
        let (across, down) = frame.at(x, y);
        let top = frame.top();
        // An arrow out of the plot: what comes after has no end.
        let (across, down, top) = (number(across), number(down), number(top));
        drawn.push_str(&format!("M{across} {down}V{top}m-4 7l4 -7l4 7"));
    }
    svg.path(
        &format!("ln {}", line.look.class()),
        line.look.dash(),
        &drawn,
    );
    if line.marked {
        for &(x, y) in &line.points {
            if let Some(y) = y.filter(|y| y.is_finite() && x.is_finite()) {
                let title = format!("{}: {}", frame.show_x(x), frame.show_y(y));
                marker(svg, line.look, frame.at(x, y), &title);
            }
        }
    }
}

/// The outline of a band; each stretch between gaps by itself.
fn area(band: &Band, frame: &Frame<'_>) -> String {
    let mut drawn = String::new();
    for stretch in band.points.split(|point| point.1.is_none()) {
        let side = |of: fn((f64, f64)) -> f64| -> Vec<(f64, Option<f64>)> {
            stretch.iter().map(|&(x, ends)| (x, ends.map(of))).collect()
        };
        let upper = side(|ends| ends.1);
        let lower = side(|ends| ends.0);
        let upper: Vec<_> = corners(&upper, band.step, frame).collect();
        let mut lower: Vec<_> = corners(&lower, band.step, frame).collect();
        lower.reverse();
        let outline = path(upper.into_iter().chain(lower));
        if !outline.is_empty() {
            drawn.push_str(&outline);
            drawn.push('Z');
        }
    }
    drawn
}

fn draw_spots(svg: &mut Svg, scatter: &Scatter, frame: &Frame<'_>) {
    let mut last = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for spot in &scatter.spots {
        let at = frame.at(spot.x, spot.y);
        marker(svg, scatter.look, at, &spot.title);
        if !spot.label.is_empty() {
            let beyond = at.0 + 9.0 + width(&spot.label) > frame.right();
            let (across, anchor) = if beyond {
                (at.0 - 9.0, Anchor::End)
            } else {
                (at.0 + 9.0, Anchor::Start)
            };
            // Above its point, unless that is out of the plot or another label is there.
            let above = at.1 - 8.0 >= frame.top();
            let taken = across < last.0 && (at.1 - 6.0 - last.1).abs() < 15.0;
            let down = if above && !taken {
                at.1 - 6.0
            } else {
                at.1 + 16.0
            };
            last = (across + width(&spot.label), down);
            svg.text("halo", (across, down), anchor, &spot.label);
        }
    }
}

fn draw_rule(svg: &mut Svg, rule: &Rule, frame: &Frame<'_>) {
    let down = frame.down(rule.at);
    let class = rule.look.class();
    svg.line(
        &format!("rule {class}"),
        (frame.left(), down),
        (frame.right(), down),
    );
    // Above the line, unless that is out of the plot.
    let beside = if down - 16.0 < frame.top() {
        down + 15.0
    } else {
        down - 5.0
    };
    let at = (frame.right() - 4.0, beside);
    svg.text(&format!("said halo {class}"), at, Anchor::End, &rule.label);
}
