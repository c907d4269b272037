//! A timer finer than tokio's wheel of one millisecond.
//!
//! On Linux it is a timerfd that the runtime waits for like a socket: starts are then late by tens of
//! microseconds, not by a millisecond and more. Elsewhere it is tokio's own timer, and
//! `dispatch_lag` says what that costs.

use crate::clock::Clock;
use crate::time::Instant;

#[cfg(target_os = "linux")]
pub(crate) use self::linux::Timer;
#[cfg(not(target_os = "linux"))]
pub(crate) use self::portable::Timer;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::OwnedFd;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::{Clock, Instant};

    /// See the module's documentation.
    pub struct Timer {
        fd: AsyncFd<OwnedFd>,
        /// What the timer is set to; setting it again to the same costs nothing.
        set_to: Option<Instant>,
    }

    /// Has the runtime watch a descriptor.
    #[expect(
        deprecated,
        reason = "what takes its place is `unsafe`, which is forbidden here; the descriptor is an \
                  `OwnedFd`, which stays the same and open until it is dropped with the `AsyncFd`"
    )]
    fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
        AsyncFd::with_interest(fd, Interest::READABLE)
    }

    impl Timer {
        pub fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Ok(Self {
                fd: watched(fd)?,
                set_to: None,
            })
        }

        /// Returns at `at` or soon after it; at once if it is past.
        pub async fn until(&mut self, clock: &Clock, at: Instant) -> io::Result<()> {
            if self.set_to != Some(at) {
                let wait = at.since(clock.now());
                if wait.is_zero() {
                    return Ok(());
                }
                let wait = Timespec {
                    tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                    tv_nsec: i64::from(wait.subsec_nanos()),
                };
                let once = Itimerspec {
                    it_interval: Timespec::default(),
                    it_value: wait,
                };
                timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &once)?;
                self.set_to = Some(at);
            }
            loop {
                let mut ready = self.fd.readable().await?;
                let mut expirations = [0_u8; 8];
                let read = ready.try_io(|fd| Ok(rustix::io::read(fd, &mut expirations)?));
                match read {
                    // The time has come: it says how often the timer went off.
                    Ok(Ok(_)) => {
                        self.set_to = None;
                        return Ok(());
                    }
                    Ok(Err(error)) => return Err(error),
                    // A wake-up left over from an earlier setting.
                    Err(_) => {}
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::io;

    use super::{Clock, Instant};

    /// See the module's documentation.
    pub struct Timer;

    impl Timer {
        pub fn new() -> io::Result<Self> {
            Ok(Self)
        }

        /// Returns at `at` or soon after it; at once if it is past.
        #[expect(
            clippy::disallowed_methods,
            reason = "there is no finer timer to be had here"
        )]
        pub async fn until(&mut self, clock: &Clock, at: Instant) -> io::Result<()> {
            tokio::time::sleep(at.since(clock.now())).await;
            Ok(())
        }
    }
}
