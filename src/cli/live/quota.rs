//! A gauge for each quota: what our limiter has left of it, or without one, what was used of it.

use bedload::quota::{Dimension, Gauge};
use bedload::time::Instant;
use bedload::units::grouped;
use ratatui::style::Color;
use ratatui::text::{Line, Span};

use super::super::pulse::{ModelPulse, Pulse};
use super::super::words::{count, length};
use super::draw::{Look, bar};

/// The most columns that a model's name and a dimension take.
const LABEL_MAX: usize = 24;

/// What the gauges show.
pub fn title(pulse: &Pulse) -> &'static str {
    let limited = |model: &ModelPulse| !model.gauges.is_empty();
    if pulse.models.iter().all(limited) {
        "Quota: what our limiter has left"
    } else if pulse.models.iter().any(limited) {
        "Quota: what our limiter has left, or use in the last 60 s where there is none"
    } else {
        "Quota: use in the last 60 s and by calls under way (no limiter)"
    }
}

/// One line for each.
pub fn lines(pulse: &Pulse, look: Look, width: u16) -> Vec<Line<'static>> {
    let rows: Vec<Row> = pulse
        .models
        .iter()
        .flat_map(|model| rows(model, pulse.now))
        .collect();
    let widest = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max();
    let label = widest(|row| &row.label).unwrap_or(0).min(LABEL_MAX);
    let level = widest(|row| &row.level).unwrap_or(0);
    let tail = widest(|row| &row.tail).unwrap_or(0);
    let width = usize::from(width);
    // What says least goes first when it gets narrow: the tail, then the bar.
    let fixed = label + 1 + level + 1;
    let with_tail = width >= fixed + tail + 1 + 10;
    let taken = fixed + if with_tail { tail + 1 } else { 0 };
    let bar_width = width.saturating_sub(taken).min(60) as u16;
    let line = |row: &Row| {
        let name: String = row.label.chars().take(label).collect();
        let mut parts = vec![
            Span::raw(format!("{name:<label$} ")),
            Span::styled(bar(bar_width, row.filled), look.paint(row.color)),
            Span::raw(format!(" {:>level$}", row.level)),
        ];
        if with_tail {
            parts.push(Span::raw(format!(" {}", row.tail)));
        }
        Line::from(parts)
    };
    rows.iter().map(line).collect()
}

struct Row {
    label: String,
    filled: f64,
    color: Color,
    level: String,
    tail: String,
}

fn rows(model: &ModelPulse, now: Instant) -> Vec<Row> {
    if model.gauges.is_empty() {
        let limited = model.quota.limited();
        let known = limited.filter_map(|(dimension, limit)| used(model, dimension, limit));
        return known.collect();
    }
    let gauges = model.gauges.iter();
    gauges.map(|gauge| left(model, gauge, now)).collect()
}

/// What the limiter has left. It drains with what is admitted and fills with time.
fn left(model: &ModelPulse, gauge: &Gauge, now: Instant) -> Row {
    let capacity = gauge.capacity.max(1);
    let filled = gauge.level as f64 / capacity as f64;
    let held = match gauge.dimension {
        Dimension::Rpm => format!("{} under way", count(model.under_way)),
        _ => format!("{} reserved", count(model.reserved.0)),
    };
    let soon = |at: Instant| length(at.since(now).as_nanos() as u64);
    let next = match (gauge.level, gauge.free_at, gauge.full_at) {
        (level, Some(at), _) if level < 1 && at > now => format!(", free in {}", soon(at)),
        (level, None, _) if level < 1 => ", until calls end".to_owned(),
        (_, _, Some(at)) if at > now => format!(", full in {}", soon(at)),
        (_, _, None) => ", full when calls end".to_owned(),
        _ => ", full".to_owned(),
    };
    let debt = if gauge.level < 0 { ", in debt" } else { "" };
    Row {
        label: format!("{} {}", model.name, gauge.dimension.name()),
        filled,
        color: match filled {
            filled if filled <= 0.0 => Color::Red,
            filled if filled < 0.2 => Color::Yellow,
            _ => Color::Green,
        },
        level: format!("{} of {}", grouped(gauge.level), count(gauge.capacity)),
        tail: format!("{held}{debt}{next}"),
    }
}

/// What was used of a quota without a limiter; nothing for what one minute does not tell.
fn used(model: &ModelPulse, dimension: Dimension, limit: u64) -> Option<Row> {
    let used = match dimension {
        Dimension::Rpm => model.minute.requests() + model.under_way,
        Dimension::Tpm => model.minute.tokens().0 + model.reserved.0,
        Dimension::Tpd | Dimension::InputTpm | Dimension::OutputTpm => return None,
    };
    let held = match dimension {
        Dimension::Rpm => format!("used, {} of them under way", count(model.under_way)),
        _ => format!("used, {} of them reserved", count(model.reserved.0)),
    };
    let filled = used as f64 / limit.max(1) as f64;
    Some(Row {
        label: format!("{} {}", model.name, dimension.name()),
        filled,
        color: match filled {
            filled if filled > 1.0 => Color::Red,
            filled if filled > 0.8 => Color::Yellow,
            _ => Color::Green,
        },
        level: format!("{} of {}", count(used), count(limit)),
        tail: held,
    })
}
