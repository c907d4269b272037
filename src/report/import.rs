//! What was imported, as a table, with what is not in it.

use std::fmt::Write as _;

use super::style::{Paint, Style};
use super::table::Table;
use super::words::{count, length, percent};
use crate::import::{Arrivals, Draft};
use crate::units::significant;

/// Says what a draft holds.
#[must_use]
pub fn import(draft: &Draft, style: Style) -> String {
    let seconds = |seconds: f64| length((seconds * 1e9) as u64);
    let began = draft
        .began
        .as_deref()
        .map(|began| format!(", since {began}"));
    let mut text = format!(
        "{} requests in {} ({}/min){}\n\n",
        count(draft.requests),
        seconds(draft.seconds),
        significant(draft.requests as f64 * 60.0 / draft.seconds.max(1.0)),
        began.unwrap_or_default(),
    );
    let heading = [
        "Class",
        "Model",
        "requests",
        "share",
        "input",
        "output",
        "max_tokens",
    ];
    let mut table = Table::new(2, heading);
    for class in &draft.classes {
        let share = class.requests as f64 / draft.requests.max(1) as f64;
        table.row([
            class.name.clone(),
            draft.models[class.model].name.clone(),
            count(class.requests),
            percent(share),
            significant(class.means.0),
            significant(class.means.1),
            class
                .max_tokens
                .map_or("unset".to_owned(), |cap| count(u64::from(cap))),
        ]);
    }
    text.push_str(&table.render(style));
    let arrivals = match &draft.arrivals {
        Arrivals::Trace(file) => format!("each request at its time, in {file}"),
        Arrivals::Fitted(profile) => format!(
            "{} steps of {}, gaps with a coefficient of variation of {}",
            profile.rates.len(),
            seconds(profile.step_s),
            profile.cv
        ),
    };
    let _ = writeln!(
        text,
        "{}",
        style.paint(Paint::Quiet, "Input and output tokens are means.")
    );
    let _ = writeln!(text, "\nArrivals: {arrivals}.");
    for (title, lines) in [
        ("Not to be seen in it:", &draft.unseen),
        ("To know:", &draft.notes),
    ] {
        if !lines.is_empty() {
            let _ = writeln!(text, "\n{}", style.paint(Paint::Strong, title));
            for line in lines {
                let _ = writeln!(text, "- {line}");
            }
        }
    }
    text
}
