//! What went wrong last, the latest first.

use std::time::Duration;

use ratatui::style::Color;
use ratatui::text::{Line, Span};

use super::super::pulse::{Mishap, Pulse};
use super::super::words::{clock, count};
use super::draw::Look;

/// One line for each kind.
pub fn lines(pulse: &Pulse, look: Look, width: u16) -> Vec<Line<'static>> {
    let shown = pulse.mishaps.iter();
    shown
        .map(|mishap| line(pulse, mishap, look, width))
        .collect()
}

fn line(pulse: &Pulse, mishap: &Mishap, look: Look, width: u16) -> Line<'static> {
    let at = Duration::from_nanos(mishap.at.as_nanos());
    let class = &pulse.classes[usize::from(mishap.class)].name;
    let head = format!("{} {} ×{}", clock(at), mishap.what, count(mishap.times));
    let mut tail = format!(" {class}");
    if let Some(message) = &mishap.message {
        tail.push_str(": ");
        tail.push_str(message);
    }
    let left = usize::from(width).saturating_sub(head.chars().count());
    let tail: String = tail.chars().take(left).collect();
    Line::from(vec![
        Span::styled(head, look.paint(Color::Red)),
        Span::raw(tail),
    ])
}
