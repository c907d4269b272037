//! The text of a drawing as it grows: elements, attributes, escapes.
//!
//! Promises: what is opened is closed, text is escaped, and a number that is not finite is written as 0.

use std::fmt::Write as _;

/// Text that can stand between tags and in quotes. What XML cannot hold is left out.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(' '),
            control if control.is_control() => {}
            '\u{fffe}' | '\u{ffff}' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// A coordinate, to a tenth: finer than a screen.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0" } else { text }.to_owned()
}

/// Where a text's given point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// About how wide a text is in the charts' small type: wide enough for common sans-serif fonts.
pub(super) fn width(text: &str) -> f64 {
    text.chars().count() as f64 * 7.4
}

/// A drawing.
#[derive(Debug, Default)]
pub(super) struct Svg {
    text: String,
}

impl Svg {
    /// An element without content. Attribute values are those of this module and its siblings.
    pub(super) fn element(&mut self, name: &str, attributes: &str) {
        let _ = write!(self.text, "<{name} {attributes}/>");
    }

    /// The same, with words for whoever points at it.
    pub(super) fn titled(&mut self, name: &str, attributes: &str, title: &str) {
        let title = escape(title);
        let _ = write!(
            self.text,
            "<{name} {attributes}><title>{title}</title></{name}>"
        );
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(number);
        self.element(
            "line",
            &format!(r#"class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}""#),
        );
    }

    pub(super) fn path(&mut self, class: &str, dash: &str, path: &str) {
        if path.is_empty() {
            return;
        }
        let dash = if dash.is_empty() {
            String::new()
        } else {
            format!(r#" stroke-dasharray="{dash}""#)
        };
        self.element("path", &format!(r#"class="{class}" d="{path}"{dash}"#));
    }

    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, words: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y) = (number(at.0), number(at.1));
        let words = escape(words);
        let _ = write!(
            self.text,
            r#"<text class="{class}" x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>"#
        );
    }

    /// A rectangle that is filled; hatched where it is told to be.
    pub(super) fn rect(&mut self, class: &str, area: [f64; 4], title: &str) {
        let [x, y, width, height] = area.map(number);
        let attributes =
            format!(r#"class="{class}" x="{x}" y="{y}" width="{width}" height="{height}""#);
        if title.is_empty() {
            self.element("rect", &attributes);
        } else {
            self.titled("rect", &attributes, title);
        }
    }

    /// The whole drawing, with its name and a description for whoever cannot see it.
    pub(super) fn finish(self, size: (f64, f64), title: &str, about: &str) -> String {
        let (width, height) = (number(size.0), number(size.1));
        let (title, about) = (escape(title), escape(about));
        format!(
            "<svg class=\"chart\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\">\
             <desc>{about}</desc>{}</svg>",
            self.text
        )
    }
}

/// A path through points, with gaps where there are none.
pub(super) fn path(points: impl IntoIterator<Item = Option<(f64, f64)>>) -> String {
    let mut path = String::new();
    let mut drawing = false;
    for point in points {
        let Some((x, y)) = point else {
            drawing = false;
            continue;
        };
        let command = if drawing { 'L' } else { 'M' };
        let _ = write!(path, "{command}{} {}", number(x), number(y));
        drawing = true;
    }
    path
}

/// Slanted strokes that fill a rectangle: what tells it from others without colour.
pub(super) fn hatch(area: [f64; 4], gap: f64) -> String {
    let [x, y, width, height] = area;
    let mut path = String::new();
    if width < 1.0 || height < 1.0 || !(width + height).is_finite() {
        return path;
    }
    // Each stroke is where x + y is constant, from the upper or right edge to the left or lower one.
    let mut sum = gap - (x + y).rem_euclid(gap);
    while sum < width + height {
        let from = (x + sum.min(width), y + (sum - width).max(0.0));
        let to = (x + (sum - height).max(0.0), y + sum.min(height));
        let _ = write!(
            path,
            "M{} {}L{} {}",
            number(from.0),
            number(from.1),
            number(to.0),
            number(to.1)
        );
        sum += gap;
    }
    path
}
