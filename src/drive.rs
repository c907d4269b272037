//! The loops that drive an engine, and what every one of them needs: a scenario turned into an
//! engine, a service and a recorder, and somebody who watches.

pub mod simulated;

#[cfg(feature = "real")]
pub mod real;

use std::time::Duration;

use crate::engine::{Bounds, CallPlan, Engine, LoadPlan, ModelPlan};
use crate::mix::MixClass;
use crate::outcome::Event;
use crate::recorder::{ModelInfo, Recorder, RecorderSettings};
use crate::scenario::Scenario;
use crate::service::{ServedModel, Service};
use crate::time::Instant;

/// Whoever watches a run.
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: &Event);

    /// Called every now and then, with the time it is; the answer says whether to go on.
    fn tick(&mut self, now: Instant, engine: &Engine) -> Wish;

    /// Asked whenever all that has happened has been told; the answer comes of that alone, so that in
    /// virtual time the same run ends at the same instant.
    fn wish(&self) -> Wish {
        Wish::GoOn
    }
}

/// Tells the observer what happened, until it wishes for nothing more.
fn tell(engine: &mut Engine, observer: &mut impl Observer, now: Instant) {
    loop {
        while let Some(event) = engine.poll_event() {
            observer.event(&event);
        }
        let wish = observer.wish();
        if wish < Wish::Stop || engine.stopped().is_some() {
            return;
        }
        wish.grant(engine, now);
    }
}

/// What whoever watches wants of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// That it goes on.
    GoOn,
    /// Admit nothing for a while; requests go on becoming due.
    Pause,
    /// Send nothing more, and wait for what is under way.
    Stop,
    /// Give up what is under way, too.
    Abandon,
}

impl Wish {
    fn grant(self, engine: &mut Engine, now: Instant) {
        match self {
            Self::GoOn if engine.is_paused() => engine.handle_resume(now),
            Self::GoOn => {}
            Self::Pause => engine.handle_pause(now),
            Self::Stop => engine.handle_stop(now),
            Self::Abandon => engine.handle_abandon(now),
        }
    }
}

/// The engine that runs `scenario`.
#[must_use]
pub fn engine(scenario: &Scenario) -> Engine {
    let plan = LoadPlan {
        arrivals: scenario.arrivals.clone(),
        classes: scenario
            .prompts
            .iter()
            .map(|prompt| MixClass {
                weight: prompt.weight,
                model: prompt.model,
                input: prompt.input.clone(),
                output: prompt.output.clone(),
            })
            .collect(),
        calls: call_plans(scenario),
        models: scenario
            .models
            .iter()
            .map(|model| ModelPlan {
                limiter: model.limiter.clone(),
                counting: model.counting,
                price: model.facts.price,
            })
            .collect(),
        retry: scenario.retry.clone(),
        bounds: Bounds {
            duration: scenario.run.duration,
            drain: scenario.run.drain,
            max_requests: scenario.run.max_requests,
            max_in_flight: scenario.run.max_in_flight,
            max_queue: scenario.run.max_queue,
            max_cost: scenario.run.max_cost,
            max_total_tokens: scenario.run.max_total_tokens,
        },
    };
    Engine::new(plan, scenario.seed)
}

/// The simulated service that answers `scenario`, in the simulator and in the stub.
#[must_use]
pub fn service(scenario: &Scenario) -> Service {
    let models: Vec<ServedModel> = scenario
        .models
        .iter()
        .map(|model| ServedModel {
            quota: model.quota,
            counting: model.counting,
        })
        .collect();
    Service::new(&scenario.service, &models, scenario.seed)
}

/// The recorder that measures a run of `scenario` that begins `clock_offset` into a clock minute.
#[must_use]
pub fn recorder(scenario: &Scenario, clock_offset: Duration) -> Recorder {
    Recorder::new(RecorderSettings {
        classes: scenario
            .prompts
            .iter()
            .map(|prompt| (prompt.name.clone(), prompt.model))
            .collect(),
        models: scenario
            .models
            .iter()
            .map(|model| ModelInfo {
                name: model.name.clone(),
                quota: model.quota,
                price: model.facts.price,
            })
            .collect(),
        duration: scenario.run.duration,
        clock_offset,
        warm_up: scenario.run.warm_up,
        streaming: scenario.streams(),
        intervals: true,
    })
}

/// How requests are called, by prompt class.
fn call_plans(scenario: &Scenario) -> Vec<CallPlan> {
    scenario
        .prompts
        .iter()
        .map(|prompt| CallPlan {
            max_tokens: prompt.reserved_output,
            priority: prompt.priority,
        })
        .collect()
}
