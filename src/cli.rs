//! What was typed → what is done → how it ends.

mod args;
mod baseline;
mod calibration;
mod check;
mod compare;
mod drawing;
mod exit;
mod feeds;
mod import;
#[cfg(feature = "live")]
mod live;
mod models;
mod output;
mod overrides;
mod pages;
mod pairs;
mod past_run;
mod plan;
mod progress;
mod pulse;
mod quotas;
mod report;
mod run;
mod signals;
mod spend;
mod stub;
mod sweep;
mod tune;
mod vary;
mod watcher;
mod words;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use self::args::{Args, Command};
use self::exit::Exit;

/// Runs the command that was typed.
pub fn main() -> ExitCode {
    let args = match Args::try_parse_from(args::sweep::with_keys(std::env::args_os())) {
        Ok(args) => args,
        Err(error) => {
            // clap prints help and version to stdout, mistakes to stderr.
            let _printed = error.print();
            return if error.use_stderr() {
                Exit::BadInput
            } else {
                Exit::Done
            }
            .into();
        }
    };
    let done = match args.command {
        Command::Run(run) => run::run(&run),
        Command::Sim(sim) => run::sim(&sim),
        Command::Stub(stub) => stub::stub(&stub),
        Command::Check(check) => check::check(&check),
        Command::Plan(plan) => plan::plan(&plan),
        Command::Compare(compare) => compare::compare(&compare),
        Command::Tune(tune) => tune::tune(&tune),
        Command::Sweep(sweep) => sweep::sweep(&sweep),
        Command::Models(models) => models::models(&models),
        Command::Quotas(quotas) => quotas::quotas(&quotas),
        Command::Import(import) => import::import(&import),
        Command::Report(report) => report::report(&report),
        Command::Schema(schema) => output::print(&schema.text()),
        Command::Completions(completions) => {
            let mut script = Vec::new();
            let name = env!("CARGO_PKG_NAME");
            clap_complete::generate(completions.shell, &mut Args::command(), name, &mut script);
            output::print(&String::from_utf8_lossy(&script))
        }
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::complain(&format!("{error:#}"));
            Exit::of_error(&error).into()
        }
    }
}
