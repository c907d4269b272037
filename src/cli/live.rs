//! The view of a run while it goes on, on the terminal that stderr is.
//!
//! ```text
//! the run's thread ── a copy of the pulse, five times a second, if there is room ──► a thread that draws
//!                 ◄── what keys ask for: stop, pause ─────────────────────────────── and reads keys
//! ```
//!
//! Promises: the run never waits for the terminal, however slow it is; the terminal is left as it was,
//! after the run's end, an error or a panic; nothing is drawn more than five times a second, but for
//! keys and changes of size.
//!
//! Deliberately not: results. They go to stdout when the view is gone.

mod draw;
mod header;
mod help;
mod mishaps;
mod quota;
mod screen;
mod stages;
mod trends;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use bedload::drive::Wish;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use self::draw::{Look, draw};
use self::screen::Screen;
use super::output;
use super::pulse::Pulse;
use super::signals::Signals;

/// How often a picture is drawn.
const FRAME: Duration = Duration::from_millis(200);

/// How long a key waits at most.
const KEYS: Duration = Duration::from_millis(50);

/// More keys than this wait for the next look: a terminal that is gone may have them without end.
const KEYS_AT_ONCE: u32 = 64;

/// The view, while it is there.
pub struct Live {
    pulses: Option<SyncSender<Pulse>>,
    thread: Option<JoinHandle<()>>,
    screen: Arc<Screen>,
    pause: Arc<AtomicBool>,
    /// The run's time at the last picture.
    shown: bedload::time::Instant,
}

impl Live {
    /// Takes the terminal. What `q` and Ctrl-C ask for is told to `signals`; `p` is for runs on the real
    /// clock, since in virtual time no one could end a pause.
    ///
    /// # Errors
    /// If there is no terminal that can be had.
    pub fn start(signals: Signals, pauses: bool) -> io::Result<Self> {
        let screen = Screen::enter()?;
        // One is being drawn, one waits: an older picture is of no use.
        let (pulses, receiver) = sync_channel(1);
        let pause = Arc::new(AtomicBool::new(false));
        let drawer = Drawer {
            screen: Arc::clone(&screen),
            signals,
            pause: Arc::clone(&pause),
            look: Look {
                color: output::color_on_stderr(),
                pauses,
                ..Look::default()
            },
            pulse: None,
        };
        let thread = std::thread::Builder::new()
            .name("live".to_owned())
            .spawn(move || drawer.run(&receiver));
        let thread = thread.inspect_err(|_| screen.leave())?;
        Ok(Self {
            pulses: Some(pulses),
            thread: Some(thread),
            screen,
            pause,
            shown: bedload::time::Instant::ZERO,
        })
    }

    /// Shows what goes on, if it is time to.
    pub fn show(&mut self, pulse: &Pulse) {
        let Some(pulses) = &self.pulses else { return };
        if pulse.now.since(self.shown) >= FRAME {
            self.shown = pulse.now;
            // A terminal that is slow misses a picture.
            let _missed = pulses.try_send(pulse.clone());
        }
    }

    /// Whether somebody wants admission to pause.
    pub fn wants_pause(&self) -> bool {
        self.pause.load(Ordering::Relaxed)
    }

    /// Gives the terminal back.
    pub fn close(&mut self) {
        drop(self.pulses.take());
        self.screen.leave();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed there.
            let _panicked = thread.join();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.close();
    }
}

/// The other thread: draws, and reads keys.
struct Drawer {
    screen: Arc<Screen>,
    signals: Signals,
    pause: Arc<AtomicBool>,
    look: Look,
    pulse: Option<Pulse>,
}

impl Drawer {
    fn run(mut self, pulses: &Receiver<Pulse>) {
        loop {
            let mut stale = self.keys();
            match pulses.recv_timeout(KEYS) {
                Ok(pulse) => {
                    self.pulse = Some(pulse);
                    stale = true;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.look.stopping = self.signals.wish() >= Wish::Stop;
            if let (true, Some(pulse)) = (stale, &self.pulse) {
                let look = self.look;
                let drawn = self.screen.draw(|frame| draw(frame, pulse, look));
                // A terminal that has gone away ends the view, not the run.
                if drawn.is_err() {
                    return;
                }
            }
        }
    }

    /// Reads the keys that were pressed; says whether the picture changes by them.
    fn keys(&mut self) -> bool {
        let mut changed = false;
        for _ in 0..KEYS_AT_ONCE {
            if !event::poll(Duration::ZERO).unwrap_or(false) {
                break;
            }
            match event::read() {
                Ok(Event::Key(key)) if key.kind == KeyEventKind::Press => self.key(key),
                Ok(Event::Resize(..)) => {}
                _ => continue,
            }
            changed = true;
        }
        changed
    }

    fn key(&mut self, key: KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            // In raw mode Ctrl-C is a key like any other.
            KeyCode::Char('c') if control => self.signals.ask(),
            KeyCode::Char('q') if !control => self.signals.ask(),
            KeyCode::Char('p') if !control && self.look.pauses => {
                self.pause.fetch_xor(true, Ordering::Relaxed);
            }
            KeyCode::Char('?') => self.look.help = !self.look.help,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
