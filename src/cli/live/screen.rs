//! The terminal, taken and given back.
//!
//! Promises: it is given back once, by whoever comes first (the run's end, an error on the way, or a
//! panic on any thread, before the panic's message is printed), and nothing is drawn after that.

use std::io::{self, BufWriter, Stderr, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::{Frame, Terminal};

/// A picture is written in one piece, if it fits.
const PICTURE_BYTES: usize = 1 << 16;

/// A terminal that has been taken.
pub struct Screen {
    taken: AtomicBool,
    drawing: Mutex<Drawing>,
    /// Who holds `drawing`, so that a panic while drawing does not wait for itself.
    drawer: Mutex<Option<ThreadId>>,
}

struct Drawing {
    terminal: Terminal<CrosstermBackend<BufWriter<Stderr>>>,
}

impl Screen {
    /// Takes the terminal: keys come one by one, and what was on it is put aside.
    ///
    /// # Errors
    /// If there is none, or it cannot be taken.
    pub fn enter() -> io::Result<Arc<Self>> {
        enable_raw_mode()?;
        let out = BufWriter::with_capacity(PICTURE_BYTES, io::stderr());
        let entered = execute!(io::stderr(), EnterAlternateScreen, Hide)
            .and_then(|()| Terminal::new(CrosstermBackend::new(out)));
        let terminal = entered.inspect_err(|_| give_back())?;
        let screen = Arc::new(Self {
            taken: AtomicBool::new(true),
            drawing: Mutex::new(Drawing { terminal }),
            drawer: Mutex::new(None),
        });
        let of_panic = Arc::clone(&screen);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            of_panic.leave();
            before(panic);
        }));
        Ok(screen)
    }

    /// Draws a picture, unless the terminal was given back.
    ///
    /// # Errors
    /// If the terminal has gone away.
    pub fn draw(&self, picture: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let mut drawing = self.drawing.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.taken.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.set_drawer(Some(thread::current().id()));
        let drawn = drawing.terminal.draw(picture).map(drop);
        self.set_drawer(None);
        drawn
    }

    /// Gives the terminal back, if that has not been done.
    pub fn leave(&self) {
        if !self.taken.swap(false, Ordering::SeqCst) {
            return;
        }
        let drawer = *self.drawer.lock().unwrap_or_else(PoisonError::into_inner);
        if drawer == Some(thread::current().id()) {
            // A panic in the middle of a picture: the rest of it is never written.
            give_back();
            return;
        }
        // A picture that is being written is waited for.
        let _drawn = self.drawing.lock().unwrap_or_else(PoisonError::into_inner);
        give_back();
    }

    fn set_drawer(&self, drawer: Option<ThreadId>) {
        *self.drawer.lock().unwrap_or_else(PoisonError::into_inner) = drawer;
    }
}

/// Nobody is left to tell if this fails.
fn give_back() {
    let _shown = execute!(io::stderr(), LeaveAlternateScreen, Show);
    let _cooked = disable_raw_mode();
    let _flushed = io::stderr().flush();
}

#[cfg(test)]
mod tests;
