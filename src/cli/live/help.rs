//! Keys, and what the words mean.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use super::draw::Look;

/// The last line.
pub fn draw_footer(frame: &mut Frame<'_>, area: Rect, look: Look) {
    let text = if look.stopping {
        "q gives up what is under way   ? help"
    } else if look.pauses {
        "q stop   p pause or go on   ? help"
    } else {
        "q stop   ? help"
    };
    let line = Line::styled(text, Style::new().add_modifier(Modifier::DIM));
    frame.render_widget(line, area);
}

/// What takes the place of the panels while it is asked for.
pub fn draw(frame: &mut Frame<'_>, area: Rect) {
    let text = [
        "",
        "q or Ctrl-C  send nothing more and wait for what is under way; once more gives that up too",
        "p            admit nothing, or go on: requests go on becoming due and wait, their latency grows, \
         and the results say for how long the run was paused",
        "?            back",
        "",
        "Requests are due when the scenario says so, wait for quota, are under way, perhaps retried, and \
         end as answered, failed, dropped (never sent) or cancelled. Throttles are attempts. Quota with a \
         limiter is what is left of it; without one it is what the last 60 s used.",
    ];
    let lines: Vec<Line<'_>> = text.into_iter().map(Line::from).collect();
    let shown = Paragraph::new(lines).wrap(Wrap { trim: false });
    frame.render_widget(shown, area);
}
