//! The first lines: which run it is, how far it has come, what it has cost.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::super::pulse::Pulse;
use super::super::words::clock;
use super::draw::{Look, bar};

/// One line, the most important first; what does not fit is left out.
pub fn draw(frame: &mut Frame<'_>, area: Rect, pulse: &Pulse, look: Look) {
    let elapsed = pulse.now.since(bedload::time::Instant::ZERO);
    let mut parts = vec![
        Span::styled(
            pulse.scenario.clone(),
            Style::new().add_modifier(Modifier::BOLD),
        ),
        Span::raw(format!(" {} of {}", clock(elapsed), clock(pulse.duration))),
    ];
    if pulse.paused_since.is_some() {
        let paused = format!(" PAUSED {}", clock(pulse.paused_for(pulse.now)));
        let style = look.paint(Color::Yellow).add_modifier(Modifier::BOLD);
        parts.push(Span::styled(paused, style));
    }
    if look.stopping {
        let style = look.paint(Color::Yellow).add_modifier(Modifier::BOLD);
        parts.push(Span::styled(" STOPPING", style));
    }
    parts.push(Span::raw(format!(" {}", cost(pulse))));
    parts.push(Span::raw(format!(" on {}", pulse.target)));
    let mut left = usize::from(area.width);
    let fitting = parts.into_iter().take_while(|part| {
        let fits = part.width() <= left;
        left = left.saturating_sub(part.width());
        fits
    });
    frame.render_widget(Line::from_iter(fitting), area);
}

/// How far the run has come.
pub fn draw_bar(frame: &mut Frame<'_>, area: Rect, pulse: &Pulse, look: Look) {
    let elapsed = pulse.now.since(bedload::time::Instant::ZERO).as_secs_f64();
    let share = elapsed / pulse.duration.as_secs_f64();
    let text = if share.is_finite() {
        bar(area.width, share)
    } else {
        bar(area.width, 1.0)
    };
    frame.render_widget(Line::styled(text, look.paint(Color::Cyan)), area);
}

/// On stub and simulator nothing is paid; the list price is what Bedrock would have asked.
fn cost(pulse: &Pulse) -> String {
    let list = if pulse.target == "bedrock" {
        ""
    } else {
        " by list price"
    };
    if pulse.priced {
        format!("{}{list}", pulse.spent)
    } else {
        format!("{}{list}, not all prices known", pulse.spent)
    }
}
