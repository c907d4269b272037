//! Lines of files, plain or gzip, and what is wrong with them.
//!
//! Promises: one buffer for all lines; a line's number is that in the unpacked file; of what is wrong, the
//! first few have their place and all are counted.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::{ImportError, cannot_read};

/// Problems that are told with their place.
const PLACES_MAX: usize = 5;

/// What a gzip file begins with (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

const BUFFER: usize = 256 << 10;

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1, in bytes.
    pub column: u64,
    /// What is wrong.
    pub what: String,
}

/// Lines that cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub first: Vec<Problem>,
}

impl Problems {
    pub(super) fn push(&mut self, path: &Path, line: u64, column: u64, what: impl Into<String>) {
        self.count += 1;
        if self.first.len() < PLACES_MAX {
            self.first.push(Problem {
                path: path.to_owned(),
                line,
                column,
                what: what.into(),
            });
        }
    }
}

/// The files that `paths` name, folders gone through in order of name. Hidden files are not looked at.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ImportError> {
    let mut files = Vec::new();
    for path in paths {
        if fs::metadata(path).map_err(cannot_read(path))?.is_dir() {
            let before = files.len();
            walk(path, &mut files)?;
            if files.len() == before {
                return Err(ImportError::NoFiles(path.clone()));
            }
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// The folder into which Bedrock's logs put bodies of more than 100 KB, and the object by which Bedrock
/// tries whether it may write there.
const NOT_LOGS: [&str; 2] = ["data", "amazon-bedrock-logs-permission-check"];

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ImportError> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(cannot_read(folder))?;
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_none_or(|name| name.starts_with('.') || NOT_LOGS.contains(&name)) {
            continue;
        }
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// A file's bytes, unpacked if they are packed.
pub(super) fn open(path: &Path) -> Result<Box<dyn BufRead>, ImportError> {
    let file = File::open(path).map_err(cannot_read(path))?;
    let mut file = BufReader::with_capacity(BUFFER, file);
    let packed = file
        .fill_buf()
        .map_err(cannot_read(path))?
        .starts_with(&GZIP_MAGIC);
    Ok(if packed {
        Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file)))
    } else {
        Box::new(file)
    })
}

/// A line that is longer than this is none: 64 MiB.
const LINE_MAX: u64 = 64 << 20;

/// Hands every line that is not blank to `take`, with its number.
///
/// A file whose packed data breaks off ends with a problem at that line.
pub(super) fn each_line(
    path: &Path,
    problems: &mut Problems,
    mut take: impl FnMut(u64, &[u8], &mut Problems),
) -> Result<(), ImportError> {
    let mut reader = open(path)?;
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        match (&mut reader).take(LINE_MAX).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {
                let bytes = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
                let bytes = bytes.trim_ascii_end();
                if !bytes.is_empty() {
                    take(number, bytes, problems);
                }
            }
            Err(error) if is_broken_data(&error) => {
                let what = format!("the packed data breaks off: {error}");
                problems.push(path, number, 1, what);
                break;
            }
            Err(error) => return Err(cannot_read(path)(error)),
        }
    }
    Ok(())
}

fn is_broken_data(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
    )
}
