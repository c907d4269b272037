//! Answers a second and their latency, second by second.

use bedload::units::significant;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Color;
use ratatui::widgets::Sparkline;

use super::super::pulse::Pulse;
use super::super::words::length;
use super::draw::{Look, cut, heading};

/// Below this width there is room for one.
const WIDE: u16 = 60;

/// Draws one or two lines of columns.
pub fn draw(frame: &mut Frame<'_>, area: Rect, pulse: &Pulse, look: Look) {
    let rate = format!(
        "Answers {}/s, each second",
        significant(pulse.seconds.rate())
    );
    let latency = match pulse.latency {
        Some((p50, p99)) => format!("Latency p50 {}, p99 {}", length(p50), length(p99)),
        None => "Latency".to_owned(),
    };
    let explained = area.width >= 2 * WIDE;
    let latency = latency
        + if explained {
            "; p99 of each second"
        } else {
            ""
        };
    let completed = pulse.seconds.iter().map(|second| second.completed);
    let slowest = pulse.seconds.iter().map(|second| second.p99_ns);
    if area.width < WIDE {
        sparkline(
            frame,
            area,
            &rate,
            &completed.collect::<Vec<_>>(),
            look.paint(Color::Green),
        );
        return;
    }
    let [left, _, right] = Layout::horizontal([
        Constraint::Fill(1),
        Constraint::Length(2),
        Constraint::Fill(1),
    ])
    .areas(area);
    sparkline(
        frame,
        left,
        &rate,
        &completed.collect::<Vec<_>>(),
        look.paint(Color::Green),
    );
    sparkline(
        frame,
        right,
        &latency,
        &slowest.collect::<Vec<_>>(),
        look.paint(Color::Cyan),
    );
}

fn sparkline(
    frame: &mut Frame<'_>,
    mut area: Rect,
    title: &str,
    data: &[u64],
    style: ratatui::style::Style,
) {
    frame.render_widget(heading(title), cut(&mut area, 1));
    // The latest are what is looked at; where there is room for more, they stand at the right.
    let shown = &data[data.len().saturating_sub(usize::from(area.width))..];
    let left = area.width - shown.len() as u16;
    let area = Rect {
        x: area.x + left,
        width: area.width - left,
        ..area
    };
    frame.render_widget(Sparkline::default().data(shown).style(style), area);
}
