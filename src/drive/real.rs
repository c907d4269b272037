//! Drives an engine on the real clock: the same loop as `drive::simulated`, with waiting.
//!
//! Promises: calls start when the engine says, to within the timer's and the machine's lateness,
//! which is recorded for every call and never hidden; nothing is waited for without a bound.

use std::time::Duration;

use tokio::task::JoinSet;

use super::{Observer, Wish};
use crate::clock::Clock;
use crate::clock::timer::Timer;
use crate::engine::Engine;
use crate::outcome::{AttemptId, AttemptOutcome};
use crate::target::Target;

/// How often [`Observer::tick`] is called.
const TICK: Duration = Duration::from_millis(100);

/// Runs until the engine is done. Must be called inside a tokio runtime with I/O and time enabled;
/// a runtime of the current thread costs the least CPU per request.
///
/// # Errors
/// If the operating system gives no timer.
pub async fn drive(
    engine: &mut Engine,
    target: &impl Target,
    clock: &Clock,
    observer: &mut impl Observer,
) -> std::io::Result<()> {
    let mut timer = Timer::new()?;
    let mut calls: JoinSet<(AttemptId, AttemptOutcome)> = JoinSet::new();
    let mut next_tick = clock.now() + TICK;
    loop {
        let now = clock.now();
        engine.handle_timeout(now);
        while let Some(dispatch) = engine.poll_send() {
            let outcome = target.send(dispatch);
            calls.spawn(async move { (dispatch.id, outcome.await) });
        }
        super::tell(engine, observer, now);
        if now >= next_tick {
            next_tick = now + TICK;
            let wish = observer.tick(now, engine);
            wish.grant(engine, now);
            if wish == Wish::Abandon {
                calls.abort_all();
            }
        }
        let wake = engine
            .poll_timeout()
            .map_or(next_tick, |wake| wake.min(next_tick));
        if engine.is_done() {
            super::tell(engine, observer, now);
            return Ok(());
        }
        tokio::select! {
            biased;
            waited = timer.until(clock, wake) => waited?,
            Some(ended) = calls.join_next() => {
                let mut ended = Some(ended);
                while let Some(call) = ended {
                    hand_over(engine, clock, call);
                    ended = calls.try_join_next();
                }
            }
        }
    }
}

fn hand_over(
    engine: &mut Engine,
    clock: &Clock,
    ended: Result<(AttemptId, AttemptOutcome), tokio::task::JoinError>,
) {
    match ended {
        Ok((id, outcome)) => engine.handle_outcome(clock.now(), id, outcome),
        // A call that panicked is a bug of ours: it must not look like the service's failure.
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // Aborted, after the run was abandoned; the engine has ended it already.
        Err(_) => {}
    }
}
