//! `report`: the summary of a run that is on disk.

use bedload::report::{self, Style};
use bedload::results::Run;

use super::args::Report;
use super::exit::Exit;
use super::output;

/// `bedload report`.
pub fn report(args: &Report) -> anyhow::Result<Exit> {
    let run = Run::open(&args.run)?;
    output::print(&report::summary(&run, Style::new(output::color())))
}
