//! `--events`: what happens, as lines of JSON, to a file or a FIFO.
//!
//! Promises: the run's thread never waits for a slow reader: lines that have nowhere to go are left
//! out, counted, and their number stands in the file. In virtual time it waits instead, since nothing
//! is late there. What cannot be written is said once, and the run goes on.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use anyhow::Context;
use bedload::drive::Wish;
use bedload::outcome::Event;
use bedload::recorder::interval::Interval;
use bedload::recorder::measured::Counts;
use bedload::results::events::{EVENTS_VERSION, EventLine, Names};
use bedload::results::{RunState, Target};
use bedload::scenario::Scenario;
use bedload::time::{Instant, nanos};

use super::super::output;
use super::super::signals::Signals;

/// Bytes that are handed over unasked.
const CHUNK: usize = 64 * 1024;

/// Chunks that may wait for the disk or a reader: 4 MiB.
const CHUNKS_AHEAD: usize = 64;

/// How long the end waits for a reader.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// A pause between two looks at a reader that is full, in virtual time.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// The file that is being written.
pub struct EventLog {
    path: PathBuf,
    names: Names,
    buffer: Vec<u8>,
    buffered: u64,
    /// Lines that had nowhere to go since the last that had.
    lost: u64,
    /// How many of them the buffer tells of that is not yet handed over.
    told: u64,
    lost_in_all: u64,
    last: Instant,
    chunks: SyncSender<Vec<u8>>,
    /// What became of the file, when it is closed or broken.
    ended: Receiver<io::Result<()>>,
    is_broken: bool,
    /// Who can end the waiting, in virtual time.
    waits: Option<Signals>,
}

impl EventLog {
    /// Opens the file, or hands a FIFO to the thread that writes: it opens when somebody reads.
    pub fn open(
        path: &Path,
        scenario: &Scenario,
        target: Target,
        started: Option<&str>,
        signals: &Signals,
    ) -> anyhow::Result<Self> {
        let cannot = || format!("cannot write events to {}", path.display());
        let file = if is_fifo(path) {
            None
        } else {
            Some(File::create(path).with_context(cannot)?)
        };
        let (chunks, receiver) = sync_channel(CHUNKS_AHEAD);
        let (end, ended) = sync_channel(1);
        let of_thread = path.to_owned();
        std::thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || {
                let written = write(&of_thread, file, &receiver);
                // The run may have ended without waiting.
                let _unheard = end.send(written);
            })
            .with_context(cannot)?;
        let mut log = Self {
            path: path.to_owned(),
            names: Names {
                classes: scenario
                    .prompts
                    .iter()
                    .map(|prompt| prompt.name.clone())
                    .collect(),
                models: scenario
                    .models
                    .iter()
                    .map(|model| model.name.clone())
                    .collect(),
            },
            buffer: Vec::with_capacity(CHUNK + CHUNK / 8),
            buffered: 0,
            lost: 0,
            told: 0,
            lost_in_all: 0,
            last: Instant::ZERO,
            chunks,
            ended,
            is_broken: false,
            waits: (target == Target::Sim).then(|| signals.clone()),
        };
        log.begin(scenario, target, started);
        Ok(log)
    }

    fn begin(&mut self, scenario: &Scenario, target: Target, started: Option<&str>) {
        let all = |names: &[String]| names.iter().cloned().map(Cow::Owned).collect();
        let first = EventLine::Run {
            at_ns: 0,
            events_version: EVENTS_VERSION,
            scenario: Cow::Borrowed(&scenario.name),
            target,
            seed: scenario.seed.0,
            started: started.map(Cow::Borrowed),
            duration_ns: nanos(scenario.run.duration),
            classes: all(&self.names.classes),
            models: all(&self.names.models),
        };
        first.push(&mut self.buffer);
        self.buffered += 1;
    }

    /// Something happened.
    pub fn event(&mut self, event: &Event) {
        self.last = self.last.max(at(event));
        self.names.line(event).push(&mut self.buffer);
        self.pushed();
    }

    /// Five seconds are over.
    pub fn interval(&mut self, interval: &Interval) {
        EventLine::from(interval).push(&mut self.buffer);
        self.pushed();
    }

    /// Hands over what there is; says what went wrong, once.
    pub fn flush(&mut self) -> Option<String> {
        self.hand_over();
        if self.is_broken {
            return None;
        }
        let Ok(Err(error)) = self.ended.try_recv() else {
            return None;
        };
        self.is_broken = true;
        Some(self.complaint(&format!("{error}; the run goes on without them")))
    }

    /// Writes the last line and waits for the file, but not for ever.
    pub fn finish(mut self, now: Instant, state: RunState, counts: Counts) -> Option<String> {
        if !self.buffer.is_empty() {
            self.hand_over();
        }
        self.report_lost();
        EventLine::End {
            at_ns: now.as_nanos(),
            state,
            counts,
        }
        .push(&mut self.buffer);
        self.pushed();
        self.hand_over();
        let lost = self.lost_in_all;
        let complaint = |log: &Self, what: &str| Some(log.complaint(what));
        if self.is_broken {
            return None;
        }
        // The thread ends when there is nothing more to come.
        let (closed, _) = sync_channel(1);
        drop(std::mem::replace(&mut self.chunks, closed));
        match self.ended.recv_timeout(LAST_WAIT) {
            Ok(Err(error)) => complaint(&self, &error.to_string()),
            Ok(Ok(())) if lost > 0 => complaint(
                &self,
                &format!("{lost} lines are missing: whoever reads was too slow"),
            ),
            Ok(Ok(())) => None,
            Err(RecvTimeoutError::Timeout) => {
                complaint(&self, "the end is missing: nobody reads it")
            }
            Err(RecvTimeoutError::Disconnected) => complaint(&self, "its thread has gone"),
        }
    }

    fn complaint(&self, what: &str) -> String {
        output::complaint(&format!("events in {}: {what}", self.path.display()))
    }

    fn pushed(&mut self) {
        self.buffered += 1;
        if self.buffer.len() >= CHUNK {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        if self.buffered == 0 {
            return;
        }
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK + CHUNK / 8));
        let lines = std::mem::take(&mut self.buffered);
        let told = std::mem::take(&mut self.told);
        if self.send(chunk) {
            self.report_lost();
        } else {
            // A line that told of lost ones is lost itself, and what it told with it.
            let lines = lines - u64::from(told > 0);
            self.lost += lines + told;
            self.lost_in_all += lines;
        }
    }

    /// Says in the file that lines are missing, once there is room again.
    fn report_lost(&mut self) {
        if self.lost > 0 {
            self.told = std::mem::take(&mut self.lost);
            let line = EventLine::Lost {
                at_ns: self.last.as_nanos(),
                lines: self.told,
            };
            line.push(&mut self.buffer);
            self.buffered += 1;
        }
    }

    /// Whether there was room.
    fn send(&self, mut chunk: Vec<u8>) -> bool {
        loop {
            match self.chunks.try_send(chunk) {
                Ok(()) => return true,
                // The file is broken; that is said elsewhere.
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) => chunk = back,
            }
            match &self.waits {
                Some(signals) if signals.wish() == Wish::GoOn => {
                    std::thread::park_timeout(LOOK_AGAIN);
                }
                _ => return false,
            }
        }
    }
}

/// The other thread: writes each chunk as it comes.
fn write(path: &Path, file: Option<File>, chunks: &Receiver<Vec<u8>>) -> io::Result<()> {
    let mut file = match file {
        Some(file) => file,
        None => File::options().write(true).open(path)?,
    };
    for chunk in chunks {
        file.write_all(&chunk)?;
    }
    Ok(())
}

fn is_fifo(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo())
    }
    #[cfg(not(unix))]
    {
        let _no_fifos_there = path;
        false
    }
}

const fn at(event: &Event) -> Instant {
    match event {
        Event::Due { at, .. }
        | Event::Sent { at, .. }
        | Event::Ended { at, .. }
        | Event::Paused { at }
        | Event::Resumed { at } => *at,
        Event::Finished(record) => record.finished,
    }
}
