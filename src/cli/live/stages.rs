//! Where requests are: due, waiting, under way, retrying, and how they ended.

use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use super::super::pulse::Pulse;
use super::super::words::count;
use super::draw::Look;

/// The stages, broken into lines of `width`.
pub fn lines(pulse: &Pulse, look: Look, width: u16) -> Vec<Line<'static>> {
    let plain = Style::new();
    let bad = look.paint(Color::Red);
    let stages = [
        ("due", pulse.sum(|class| class.due), plain),
        ("waiting", pulse.waiting, look.paint(Color::Yellow)),
        ("under way", pulse.under_way, look.paint(Color::Cyan)),
        ("retrying", pulse.retrying, look.paint(Color::Yellow)),
        (
            "answered",
            pulse.sum(|class| class.completed),
            look.paint(Color::Green),
        ),
        ("failed", pulse.sum(|class| class.failed), bad),
        ("dropped", pulse.sum(|class| class.dropped), bad),
        ("cancelled", pulse.sum(|class| class.cancelled), plain),
        ("throttles", pulse.throttled(), bad),
    ];
    let mut lines: Vec<Vec<Span<'static>>> = vec![Vec::new()];
    let mut used = 0;
    for (name, number, style) in stages {
        // A colour says that there is something; the number says how much.
        let style = if number == 0 { plain } else { style };
        let text = format!("{name} {}", count(number));
        let length = text.chars().count();
        if used > 0 && used + 3 + length > usize::from(width) {
            lines.push(Vec::new());
            used = 0;
        }
        let line = lines.last_mut().expect("there is always a line");
        if used > 0 {
            line.push(Span::raw("   "));
            used += 3;
        }
        line.push(Span::styled(text, style));
        used += length;
    }
    lines.into_iter().map(Line::from).collect()
}
