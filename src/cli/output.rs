//! The one place that decides what goes to stdout and what to stderr.
//!
//! stdout carries only what could be piped. Colours follow the terminal and `NO_COLOR`. A reader that
//! has gone away is no error.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;

use anyhow::Context;

use super::exit::Exit;

/// Prints to stdout.
pub fn print(text: &str) -> anyhow::Result<Exit> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(Exit::Done),
    }
}

/// Says something on stderr that is no result.
pub fn hint(text: &str) {
    // Nobody left to tell.
    let _unheard = writeln!(anstream::stderr(), "{text}");
}

/// Says on stderr what went wrong.
pub fn complain(text: &str) {
    hint(&complaint(text));
}

/// How it is said that something went wrong.
pub fn complaint(text: &str) -> String {
    format!("\x1b[1m\x1b[31merror\x1b[0m\x1b[1m:\x1b[0m {text}")
}

/// Whether colours are wanted on stdout.
pub fn color() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// Whether colours are wanted on stderr.
#[cfg(feature = "live")]
pub fn color_on_stderr() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// Whether the terminal says that it obeys no escape sequences.
#[cfg(feature = "live")]
#[expect(
    clippy::disallowed_methods,
    reason = "the terminal's kind is in the environment, and nowhere else"
)]
pub fn is_dumb() -> bool {
    std::env::var("TERM").is_ok_and(|terminal| terminal == "dumb")
}

/// Whether a person is watching stderr.
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Puts `text` in the place of a file that somebody wrote: whole or not at all, with its permissions kept.
pub fn rewrite(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    let kept = std::fs::metadata(path)?.permissions();
    file.as_file().set_permissions(kept)?;
    file.persist(path)
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(())
}
