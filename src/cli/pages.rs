//! Pages for browsers: written, or opened.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use bedload::report;
use bedload::results::{REPORT_FILE, Run, Series, write_page};

use super::exit::BadInput;
use super::output;

/// Writes a page into a file; `-` is stdout.
pub fn write(path: &Path, page: &str) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        output::print(page)?;
        return Ok(());
    }
    // A device or a pipe is written to; a file is put in the place of the one before.
    if path.exists() && !path.is_file() {
        if path.is_dir() {
            let help = format!("`{}` is a folder: give the name of a file", path.display());
            return Err(BadInput(help).into());
        }
        return std::fs::write(path, page)
            .with_context(|| format!("cannot write `{}`", path.display()));
    }
    write_page(path, page)?;
    output::hint(&format!("{} is written", path.display()));
    Ok(())
}

/// The series of a run, as far as they are on disk.
pub fn series(run: &Run) -> anyhow::Result<Series> {
    let Some(dir) = &run.dir else {
        return Ok(Series::default());
    };
    Ok(Series::read(dir, report::SPANS_MAX)?)
}

/// Puts the page of a run into its folder.
pub fn keep(run: &Run) -> anyhow::Result<()> {
    if let Some(dir) = &run.dir {
        let page = report::run_page(run, &series(run)?);
        write_page(&dir.join(REPORT_FILE), &page)?;
    }
    Ok(())
}

/// The program of a desktop that opens whatever it is given.
const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else if cfg!(windows) {
    "explorer"
} else {
    "xdg-open"
};

/// Shows a page in the desktop's browser, and does not wait for it.
pub fn open(path: &Path) -> anyhow::Result<()> {
    let started = Command::new(OPENER)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(_) => Ok(()),
        Err(error) => {
            let help = format!(
                "cannot start `{OPENER}`, which opens pages on a desktop ({error}): open {} in a browser",
                path.display()
            );
            Err(anyhow::anyhow!(help))
        }
    }
}
