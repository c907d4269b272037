//! A calibration, for a terminal or a page.

use super::Form;
use super::page::Page;
use super::table::Table;
use crate::compare::Noise;
use crate::expect::Kind;
use crate::gate::Gauge;
use crate::units::significant;

/// The numbers of pairs for which floors are told.
const PAIRS: [usize; 4] = [1, 3, 10, 30];

/// How small a change can be told, by metric and number of pairs.
#[must_use]
pub fn noise(noise: &Noise, form: Form) -> String {
    let mut page = Page::default();
    page.title(format!(
        "Noise of {} on the {}: {} pairs of runs of the same thing",
        noise.scenario,
        noise.target.name(),
        noise.pairs
    ));
    page.text(format!(
        "{}, {} processors. Below its floor a change cannot be told from noise, and a margin is refused.",
        noise.machine.system, noise.machine.processors
    ));
    let mut heading = vec!["Metric".to_owned(), "one pair scatters by".to_owned()];
    heading.extend(PAIRS.map(|pairs| format!("floor of {pairs}")));
    let mut table = Table::with_heading(1, heading);
    for gauge in Gauge::all() {
        let Some(scatter) = noise.metrics.get(&gauge.to_string()) else {
            continue;
        };
        let told = |change: f64| {
            if scatter.relative {
                format!("{:.2} %", change.exp_m1() * 100.0)
            } else if gauge.kind() == Kind::Share {
                format!("{:.3} points", change * 100.0)
            } else {
                significant(change)
            }
        };
        let mut row = vec![gauge.to_string(), told(scatter.sd)];
        row.extend(PAIRS.map(|pairs| {
            let floor = noise.floor(gauge, scatter.relative, pairs);
            floor.map_or_else(|| "–".to_owned(), told)
        }));
        table.push(row);
    }
    page.table(table);
    page.note(
        "Scatter is the standard deviation of changes from pair to pair; the floor of n pairs is Student's \
         half interval at 95 % with it.",
    );
    match form {
        Form::Text(style) => page.to_text(style),
        Form::Markdown => page.to_markdown(),
    }
}
