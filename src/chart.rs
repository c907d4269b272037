//! Charts as inline SVG, drawn by the project: axes, lines, bands, bars, percentiles, intervals.
//!
//! Promises: the same numbers draw the same bytes; text is escaped and the result is well-formed XML; no
//! number in it is infinite or undefined; marks stay within the plot; nothing is told by colour alone
//! (dashes, markers, hatches and labels say it too); whoever points at a mark, or has it read out, is told
//! its numbers; and nothing is referred to outside the drawing, so that it can stand in any page.
//!
//! Colours are the page's: [`CSS`] has them as variables, for light and dark.
//!
//! Deliberately not: a choice of what to draw, units, or scripts.

mod bars;
mod columns;
mod forest;
mod frame;
mod look;
mod plot;
mod scale;
mod svg;
mod ticks;

pub use bars::{Bar, Bars};
pub use columns::{Column, Columns};
pub use forest::{Forest, Interval};
pub use look::{CSS, Look};
pub use plot::{Band, Hover, Line, Plot, Rule, Scatter, Spot};
pub use scale::Scale;
pub use svg::escape;

/// An axis: what it shows, where from and to, and how its numbers are said.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows, with the unit.
    pub label: String,
    /// From numbers to places.
    pub scale: Scale,
    /// A number, said in few characters.
    pub show: fn(f64) -> String,
}

#[cfg(test)]
mod tests;
