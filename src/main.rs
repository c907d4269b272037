//! The command line of `bedload`. It uses the library as a stranger would.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
