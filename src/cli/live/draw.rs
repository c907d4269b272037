//! The whole picture: which panels fit, and where.
//!
//! Promises: a pure function of what goes on and of the size; every size shows something, the most
//! important first: how far the run is, what became of requests, then quota, trends and mishaps.
//! Colour never carries what the words do not.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::pulse::Pulse;
use super::{header, help, mishaps, quota, stages, trends};

/// How the picture is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Whether it may have colours.
    pub color: bool,
    /// Whether keys and words are explained.
    pub help: bool,
    /// Whether it can be paused.
    pub pauses: bool,
    /// Whether the run is being stopped, and waits for what is under way.
    pub stopping: bool,
}

/// Quota, in lines, before the trends get theirs.
const QUOTA_LINES_MAX: u16 = 12;

/// Trends are this high, with their titles.
const TREND_LINES: u16 = 5;

/// Less than this is left for the header and the stages alone.
const SMALL: u16 = 8;

/// From this height on there are blank lines between panels.
const AIRY: u16 = 20;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, pulse: &Pulse, look: Look) {
    let area = frame.area();
    let stages = stages::lines(pulse, look, area.width);
    let mut rest = area;
    header::draw(frame, cut(&mut rest, 1), pulse, look);
    if area.height >= 14 {
        header::draw_bar(frame, cut(&mut rest, 1), pulse, look);
    }
    if area.height >= 6 {
        let footer = Rect {
            y: rest.bottom().saturating_sub(1),
            height: 1,
            ..rest
        };
        rest.height = rest.height.saturating_sub(1);
        help::draw_footer(frame, footer, look);
    }
    let height = stages.len().min(usize::from(rest.height)) as u16;
    frame.render_widget(Paragraph::new(stages), cut(&mut rest, height));
    if look.help {
        help::draw(frame, rest);
        return;
    }
    if area.height < SMALL {
        return;
    }
    let lines = quota::lines(pulse, look, area.width);
    let roomy = rest.height >= 12;
    let wanted = (lines.len() as u16).min(if roomy {
        QUOTA_LINES_MAX
    } else {
        rest.height / 2
    });
    let title = if area.width < 60 {
        "Quota"
    } else {
        quota::title(pulse)
    };
    panel(frame, &mut rest, title, lines, wanted);
    if rest.height > TREND_LINES + 2 {
        let height = if rest.height > 4 * TREND_LINES {
            2 * TREND_LINES
        } else {
            TREND_LINES
        };
        blank(&mut rest);
        trends::draw(frame, cut(&mut rest, height), pulse, look);
    }
    let lines = mishaps::lines(pulse, look, area.width);
    let wanted = rest.height;
    panel(frame, &mut rest, "Went wrong last", lines, wanted);
}

/// A title and as many lines as fit.
fn panel(frame: &mut Frame<'_>, rest: &mut Rect, title: &str, lines: Vec<Line<'_>>, wanted: u16) {
    if lines.is_empty() || rest.height < 2 {
        return;
    }
    let wanted = wanted.min(lines.len() as u16);
    if frame.area().height >= AIRY && rest.height >= wanted + 2 {
        blank(rest);
    }
    frame.render_widget(heading(title), cut(rest, 1));
    let area = cut(rest, wanted.min(rest.height));
    frame.render_widget(Paragraph::new(lines), area);
}

/// The first lines of what is left.
pub fn cut(rest: &mut Rect, height: u16) -> Rect {
    let height = height.min(rest.height);
    let [top, bottom] =
        Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(*rest);
    *rest = bottom;
    top
}

fn blank(rest: &mut Rect) {
    let _empty = cut(rest, 1);
}

/// A panel's title.
pub fn heading(title: &str) -> Line<'_> {
    Line::from(Span::styled(
        title,
        Style::new().add_modifier(Modifier::BOLD),
    ))
}

impl Look {
    /// A colour, where colours are wanted.
    pub fn paint(self, color: Color) -> Style {
        if self.color {
            Style::new().fg(color)
        } else {
            Style::new()
        }
    }
}

/// A bar of `width` columns of which the share `filled` is full, to an eighth of a column.
pub fn bar(width: u16, filled: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (filled.clamp(0.0, 1.0) * f64::from(width) * 8.0).round() as usize;
    let (whole, part) = (eighths / 8, EIGHTHS[eighths % 8]);
    let empty = usize::from(width) - whole - usize::from(!part.is_empty());
    format!("{}{part}{}", "█".repeat(whole), "░".repeat(empty))
}
