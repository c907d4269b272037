//! Files that are written whole or grow by whole lines.
//!
//! Promises: [`replace`] leaves the old file or the new one, never a part of one, also when the
//! machine loses power; an [`Appender`] never panics and never blocks the run on its errors: it
//! keeps the first and stops writing, so that what is on the disk stays readable.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::ResultsError;

/// Bytes that are kept in memory before they are written unasked.
const BUFFER: usize = 64 * 1024;

/// The whole content of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ResultsError> {
    fs::read(path).map_err(ResultsError::io("read", path))
}

/// Puts `content` in the place of the file at `path`: written beside it, synced, then renamed.
///
/// # Errors
///
/// What the file system said; the old file, if there was one, is as it was.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), ResultsError> {
    // One program writes a directory of results, so the temporary name needs no randomness; what a
    // killed run left under it is overwritten.
    let temporary = path.with_extension("tmp");
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = renamed {
        // The error that matters is the first; a leftover is overwritten by the next attempt.
        let _ = fs::remove_file(&temporary);
        return Err(ResultsError::io("write", path)(error));
    }
    sync_parent(path).map_err(ResultsError::io("sync", path))
}

/// Makes a rename or a new entry survive a power loss; other systems than Unix have no such call.
fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if cfg!(unix) => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

/// A file that grows while a run goes on.
#[derive(Debug)]
pub(super) struct Appender {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    failure: Option<ResultsError>,
}

impl Appender {
    /// A new file; it is an error if there is one already.
    pub(super) fn create(path: PathBuf) -> Result<Self, ResultsError> {
        let file = File::create_new(&path).map_err(ResultsError::io("create", &path))?;
        Ok(Self::over(path, file))
    }

    /// Appends to a file that is open already.
    pub(super) fn over(path: PathBuf, file: File) -> Self {
        Self {
            path,
            file,
            buffer: Vec::with_capacity(BUFFER + BUFFER / 8),
            failure: None,
        }
    }

    /// Appends what `line` writes. Writing to memory cannot fail; the disk's errors wait for
    /// [`flush`](Self::flush).
    #[inline]
    pub(super) fn append(&mut self, line: impl FnOnce(&mut Vec<u8>)) {
        if self.failure.is_some() {
            return;
        }
        line(&mut self.buffer);
        if self.buffer.len() >= BUFFER {
            self.write_out();
        }
    }

    /// Hands everything to the operating system; the first error that there has been, if any.
    pub(super) fn flush(&mut self) -> Result<(), ResultsError> {
        self.write_out();
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Flushes, and waits until the disk has it.
    pub(super) fn sync(&mut self) -> Result<(), ResultsError> {
        self.flush()?;
        self.file
            .sync_all()
            .map_err(ResultsError::io("sync", &self.path))
    }

    fn write_out(&mut self) {
        if self.failure.is_none()
            && let Err(error) = self.file.write_all(&self.buffer)
        {
            self.failure = Some(ResultsError::io("write", &self.path)(error));
        }
        self.buffer.clear();
    }
}

impl Drop for Appender {
    /// A run that is given up keeps what it had measured; nobody is left to tell of an error.
    fn drop(&mut self) {
        self.write_out();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_the_new_one_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_named_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        fs::create_dir(&path).unwrap();
        let error = replace(&path, b"new").unwrap_err();
        assert!(error.to_string().starts_with("cannot write `"), "{error}");
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn lines_reach_the_file_at_each_flush_and_when_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.csv");
        let mut appender = Appender::create(path.clone()).unwrap();
        appender.append(|out| out.extend_from_slice(b"one\n"));
        assert_eq!(fs::read(&path).unwrap(), b"");
        appender.flush().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\n");
        appender.append(|out| out.extend_from_slice(b"two\n"));
        drop(appender);
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
    }

    /// `/dev/full` refuses every write as a full disk does.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_at_every_flush_and_never_by_append() {
        let full = PathBuf::from("/dev/full");
        let file = File::options().write(true).open(&full).unwrap();
        let mut appender = Appender::over(full, file);
        for _ in 0..100_000 {
            appender.append(|out| out.extend_from_slice(b"a row\n"));
        }
        for _ in 0..2 {
            let error = appender.flush().unwrap_err().to_string();
            assert!(
                error.starts_with("cannot write `/dev/full`: No space left"),
                "{error}"
            );
        }
        assert!(appender.sync().is_err());
    }
}
