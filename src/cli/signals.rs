//! Ctrl-C: the first stops, the second gives up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bedload::drive::Wish;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals as Stream;

/// Counts the times that somebody asked the run to end.
#[derive(Clone, Debug)]
pub struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// Listens from now on, instead of ending at once.
    pub fn listen() -> anyhow::Result<Self> {
        let count = Arc::new(AtomicUsize::new(0));
        let mut stream = Stream::new([SIGINT, SIGTERM])?;
        let counted = Arc::clone(&count);
        std::thread::spawn(move || {
            for _signal in stream.forever() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(Self(count))
    }

    /// Somebody asked by a key.
    #[cfg(feature = "live")]
    pub fn ask(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// What has been asked for so far.
    pub fn wish(&self) -> Wish {
        match self.0.load(Ordering::Relaxed) {
            0 => Wish::GoOn,
            1 => Wish::Stop,
            _ => Wish::Abandon,
        }
    }
}
