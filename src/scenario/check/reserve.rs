//! What a prompt reserves from the quota, and whether that fits anywhere.

use std::ops::Range;

use super::super::ScenarioModel;
use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use super::super::value::Placed;
use super::fit::{self, Container, Owner, Reservation};
use super::lengths::Lengths;
use super::surroundings::Surroundings;
use crate::distribution::Distribution;
use crate::limiter::Oversize;
use crate::quota::{Cost, Demand};
use crate::units::{Tokens, grouped};

/// The output tokens that Bedrock reserves for a request.
pub(super) fn reserve(
    model: &ScenarioModel,
    max_tokens: Option<&Placed<u64>>,
    span: &Range<usize>,
    lengths: &Lengths,
    problems: &mut Problems,
) -> Option<Tokens> {
    let facts = &model.facts;
    if let Some(max_tokens) = max_tokens {
        if max_tokens.value > facts.max_output.0 {
            let most = grouped(facts.max_output.0.cast_signed());
            let title = format!(
                "`max_tokens` is above the {most} that `{}` can write",
                facts.name
            );
            let problem = Diagnostic::error("max-tokens-too-large", title);
            problems.push(
                problem
                    .at(max_tokens.span.clone(), "")
                    .help(format!("write at most `{}`", facts.max_output.0)),
            );
            return None;
        }
        return Some(Tokens(max_tokens.value));
    }
    if model.api.is_native() && facts.family.requires_max_tokens() {
        if problems.excuses("max_tokens") {
            return None;
        }
        let title = format!(
            "`{}` needs `max_tokens`: InvokeModel refuses to go without",
            facts.name
        );
        let problem = Diagnostic::error("max-tokens-required", title).at(span.clone(), "");
        problems.push(problem.help("add `max_tokens`, or call it with `api = \"converse\"`"));
        return None;
    }
    let default = model.api.default_max_tokens(facts.family);
    if default.is_none() && !problems.excuses("max_tokens") {
        let most = facts.max_output.0;
        let title = format!(
            "`max_tokens` is unset: each request reserves the model's maximum of {} tokens",
            grouped(most.cast_signed())
        );
        let input = lengths
            .input
            .as_ref()
            .and_then(|input| input.as_ref())
            .map_or(0, |input| input.quantile(0.5));
        let room = model.quota.tpm.map_or_else(String::new, |tpm| {
            let fit = tpm / most.saturating_add(input).max(1);
            format!(
                "; {} fit into {} tpm",
                grouped(fit.cast_signed()),
                grouped(tpm.cast_signed())
            )
        });
        let problem = Diagnostic::warning("max-tokens-unset", format!("{title}{room}"));
        problems.push(
            problem
                .at(span.clone(), "")
                .help("set `max_tokens` to what answers need"),
        );
    }
    Some(default.unwrap_or(facts.max_output))
}

/// Reports an input that is too long for its model, and a reservation too large for a bucket.
pub(super) fn fits(
    name: &str,
    span: &Range<usize>,
    model: &ScenarioModel,
    reserved: Tokens,
    lengths: &Lengths,
    around: &Surroundings<'_>,
    problems: &mut Problems,
) {
    if let (Some(Some(Distribution::Constant(input))), context) =
        (&lengths.input, model.facts.context)
        && *input > context.0
    {
        let title = format!(
            "the input is longer than the {} tokens that `{}` can read",
            grouped(context.0.cast_signed()),
            model.facts.name
        );
        let place = lengths.span.clone().unwrap_or_else(|| span.clone());
        let problem = Diagnostic::error("input-too-long", title).at(place, "");
        problems.push(problem.help("shorten it"));
    }
    let Some((least, most)) = lengths.range(around) else {
        return;
    };
    let demand = |input| Demand {
        input: Tokens(input),
        max_tokens: reserved,
        ..Demand::default()
    };
    let reservation = |cost: &dyn Fn(Demand) -> Cost| Reservation {
        prompt: name,
        span,
        least: cost(demand(least)),
        most: cost(demand(most)),
    };
    if let Some(settings) = &model.limiter
        && settings.oversize == Oversize::Refuse
    {
        let in_force = settings.in_force();
        let container = Container {
            owner: Owner::Limiter(settings.strategy),
            quota: in_force.quota,
            meters: in_force.meters,
            table: around.limiter.map(|limiter| &limiter.span),
        };
        let asked = reservation(&|demand| settings.asks(demand));
        fit::check(&asked, &container, problems);
    }
    if let Some(service) = around.service {
        let container = Container {
            owner: Owner::Service,
            quota: model.quota,
            meters: service.meters,
            table: None,
        };
        let reserved = reservation(&|demand| model.counting.reserve(demand));
        fit::check(&reserved, &container, problems);
    }
}
