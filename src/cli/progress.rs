//! What is shown on stderr while a run goes on: nothing, a bar, plain lines or the live view.

use std::time::Duration;

use bedload::time::Instant;
use bedload::units::significant;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::watch::ProgressName;
#[cfg(feature = "live")]
use super::live::Live;
use super::output;
use super::pulse::Pulse;
use super::signals::Signals;
use super::words::{clock, count, length};

/// How often a plain line is printed, in the run's own time.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// A smaller terminal gets the bar, unless the view is asked for.
#[cfg(feature = "live")]
const ROOMY: (u16, u16) = (60, 14);

/// What is shown.
pub enum Progress {
    /// Nothing.
    None,
    /// One line that is drawn again and again, at a terminal.
    Bar(ProgressBar),
    /// A line every ten seconds, wherever stderr goes.
    Plain {
        /// When the next one is due.
        next: Instant,
    },
    /// The whole terminal.
    #[cfg(feature = "live")]
    Live(Live, Vec<String>),
}

impl Progress {
    /// What was asked for, or what fits: a run on the real clock gets the live view at a terminal with
    /// room, one in virtual time the bar; where nobody watches there is nothing.
    pub fn start(
        wanted: ProgressName,
        quiet: bool,
        real_clock: bool,
        duration: Duration,
        signals: &Signals,
    ) -> Self {
        if quiet {
            return Self::None;
        }
        match wanted {
            ProgressName::None => Self::None,
            ProgressName::Plain => Self::Plain {
                next: Instant::ZERO + PLAIN_EVERY,
            },
            ProgressName::Live => Self::live(signals, real_clock).unwrap_or_else(|why| {
                output::hint(&format!("no live view: {why}"));
                Self::bar(duration)
            }),
            ProgressName::Auto if real_clock && may_take_terminal() => {
                Self::live(signals, real_clock).unwrap_or_else(|_| Self::bar(duration))
            }
            ProgressName::Auto => Self::bar(duration),
        }
    }

    #[cfg(feature = "live")]
    fn live(signals: &Signals, pauses: bool) -> Result<Self, String> {
        if !output::is_watched() {
            return Err("stderr is no terminal".to_owned());
        }
        let live = Live::start(signals.clone(), pauses).map_err(|error| error.to_string())?;
        Ok(Self::Live(live, Vec::new()))
    }

    #[cfg(not(feature = "live"))]
    fn live(_: &Signals, _: bool) -> Result<Self, String> {
        Err("this program was built without the feature `live`".to_owned())
    }

    fn bar(duration: Duration) -> Self {
        if !output::is_watched() {
            return Self::None;
        }
        let bar = ProgressBar::with_draw_target(
            Some(duration.as_millis().try_into().unwrap_or(u64::MAX)),
            ProgressDrawTarget::stderr(),
        );
        if let Ok(style) =
            ProgressStyle::with_template("{wide_bar:.cyan/dim} {percent:>3} %  {msg}")
        {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self::Bar(bar)
    }

    /// Shows what goes on, if it is time to.
    pub fn show(&mut self, pulse: &Pulse) {
        match self {
            Self::None => {}
            Self::Bar(bar) => {
                bar.set_position(pulse.now.as_nanos() / 1_000_000);
                bar.set_message(counts(pulse));
            }
            Self::Plain { next } => {
                if pulse.now >= *next {
                    *next = pulse.now + PLAIN_EVERY;
                    output::hint(&plain_line(pulse));
                }
            }
            #[cfg(feature = "live")]
            Self::Live(live, _) => live.show(pulse),
        }
    }

    /// Whether anything is shown at all.
    pub const fn is_shown(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether somebody wants admission to pause.
    pub fn wants_pause(&self) -> bool {
        match self {
            #[cfg(feature = "live")]
            Self::Live(live, _) => live.wants_pause(),
            _ => false,
        }
    }

    /// Says something that is no result; under the live view when it is gone.
    pub fn say(&mut self, text: &str) {
        match self {
            #[cfg(feature = "live")]
            Self::Live(_, later) => later.push(text.to_owned()),
            Self::Bar(bar) => bar.suspend(|| output::hint(text)),
            _ => output::hint(text),
        }
    }

    /// Says something that the live view shows by itself.
    pub fn remark(&mut self, text: &str) {
        #[cfg(feature = "live")]
        if matches!(self, Self::Live(..)) {
            return;
        }
        self.say(text);
    }

    /// Takes away what is shown.
    pub fn clear(&mut self) {
        match std::mem::replace(self, Self::None) {
            Self::Bar(bar) => bar.finish_and_clear(),
            #[cfg(feature = "live")]
            Self::Live(mut live, later) => {
                live.close();
                for text in later {
                    output::hint(&text);
                }
            }
            Self::None | Self::Plain { .. } => {}
        }
    }
}

/// Whether the live view may take the terminal without being asked to: it is there, has room, obeys
/// escape sequences, and is ours and not that of another job.
#[cfg(feature = "live")]
fn may_take_terminal() -> bool {
    use ratatui::crossterm::terminal::size;
    let stderr = std::io::stderr();
    let in_front = rustix::termios::tcgetpgrp(&stderr)
        .is_ok_and(|in_front| in_front == rustix::process::getpgrp());
    let room = size().is_ok_and(|(width, height)| width >= ROOMY.0 && height >= ROOMY.1);
    output::is_watched() && in_front && room && !output::is_dumb()
}

#[cfg(not(feature = "live"))]
const fn may_take_terminal() -> bool {
    false
}

fn counts(pulse: &Pulse) -> String {
    format!(
        "{} done, {} throttled, {} failed, {} dropped, {} waiting, {} under way",
        count(pulse.sum(|class| class.completed)),
        count(pulse.throttled()),
        count(pulse.sum(|class| class.failed)),
        count(pulse.sum(|class| class.dropped)),
        count(pulse.waiting),
        count(pulse.under_way)
    )
}

fn plain_line(pulse: &Pulse) -> String {
    let elapsed = pulse.now.since(Instant::ZERO);
    let mut line = format!(
        "{} of {}: {}; {} answers/s",
        clock(elapsed),
        clock(pulse.duration),
        counts(pulse),
        significant(pulse.seconds.rate())
    );
    if let Some((p50, p99)) = pulse.latency {
        line.push_str(&format!(
            "; latency p50 {}, p99 {}",
            length(p50),
            length(p99)
        ));
    }
    line
}
