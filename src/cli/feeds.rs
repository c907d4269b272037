//! What other programs get of a run: events while it goes on, metrics when they ask, and a file of
//! metrics at its end.
//!
//! Promises: a slow or broken reader never stops the run; what a reader missed is said.

mod event_log;
mod exposition;
mod metrics_server;

use std::net::SocketAddr;

use anyhow::Context;
use bedload::outcome::Event;
use bedload::recorder::interval::Interval;
use bedload::recorder::measured::Counts;
use bedload::report::openmetrics;
use bedload::results::{RunFile, RunState, Target, replace_file};
use bedload::scenario::Scenario;
use bedload::time::Instant;

use self::event_log::EventLog;
use self::metrics_server::MetricsServer;
use super::args::watch::WatchArgs;
use super::exit::BadInput;
use super::output;
use super::pulse::Pulse;
use super::signals::Signals;

/// The feeds of one run; none of them unless asked for.
pub struct Feeds {
    events: Option<EventLog>,
    server: Option<MetricsServer>,
}

impl Feeds {
    /// Opens what was asked for, before anything is run.
    pub fn open(
        watch: &WatchArgs,
        scenario: &Scenario,
        target: Target,
        started: Option<&str>,
        signals: &Signals,
    ) -> anyhow::Result<Self> {
        let files = [
            ("--events", &watch.events),
            ("--openmetrics", &watch.openmetrics),
        ];
        for (option, file) in files {
            if file.as_ref().is_some_and(|file| file.as_os_str() == "-") {
                let help = format!("`{option} -`: stdout has the summary; give a file");
                return Err(BadInput(help).into());
            }
        }
        let events = watch.events.as_deref();
        let events = events.map(|file| EventLog::open(file, scenario, target, started, signals));
        Ok(Self {
            events: events.transpose()?,
            server: None,
        })
    }

    /// Serves metrics from now on.
    pub fn serve(&mut self, address: SocketAddr, pulse: &Pulse) -> anyhow::Result<()> {
        if !address.ip().is_loopback() {
            let help = format!(
                "`--metrics-addr {address}` is no loopback address: give 127.0.0.1:{0} or [::1]:{0}; what \
                 others are to see goes through a proxy of yours",
                address.port()
            );
            return Err(BadInput(help).into());
        }
        let server = MetricsServer::start(address, pulse.clone())
            .with_context(|| format!("cannot serve metrics on {address}"))?;
        output::hint(&format!("metrics: http://{}/metrics", server.address()));
        self.server = Some(server);
        Ok(())
    }

    /// Whether what goes on is served to anybody.
    pub const fn is_serving(&self) -> bool {
        self.server.is_some()
    }

    /// Something happened.
    pub fn event(&mut self, event: &Event) {
        if let Some(events) = &mut self.events {
            events.event(event);
        }
    }

    /// Five seconds are over.
    pub fn interval(&mut self, interval: &Interval) {
        if let Some(events) = &mut self.events {
            events.interval(interval);
        }
    }

    /// Hands over what there is, about once a second; says what went wrong, once.
    pub fn flush(&mut self, pulse: &Pulse) -> Option<String> {
        if let Some(server) = &self.server {
            server.update(pulse);
        }
        self.events.as_mut().and_then(EventLog::flush)
    }

    /// Ends the feeds; says what went wrong and was not said.
    pub fn finish(&mut self, now: Instant, state: RunState, counts: Counts) -> Option<String> {
        drop(self.server.take());
        let events = self.events.take()?;
        events.finish(now, state, counts)
    }
}

/// Writes the finished run where `--openmetrics` says.
pub fn write_openmetrics(watch: &WatchArgs, file: &RunFile) -> anyhow::Result<()> {
    let Some(path) = &watch.openmetrics else {
        return Ok(());
    };
    let text = openmetrics(file);
    // Whoever collects such files reads a whole one; a device or a pipe is written to.
    if path.exists() && !path.is_file() {
        return std::fs::write(path, text)
            .with_context(|| format!("cannot write {}", path.display()));
    }
    Ok(replace_file(path, text.as_bytes())?)
}
