//! `[model.NAME]`: which model is meant, what is known about it, what the account has of it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::diagnostic::Diagnostic;
use super::super::problems::Problems;
use super::super::raw::{RawModel, RawQuota};
use super::super::suggest::listed;
use super::super::value::{Placed, shortened};
use super::super::{Api, ScenarioModel, TargetSettings};
use super::limiter::Limiter;
use super::limits::limits;
use super::service::Service;
use crate::catalogue::{Catalogue, Family, Model};
use crate::quota::Quota;
use crate::units::Tokens;

/// A model of the file; its facts are none where something is wrong with them.
pub(super) struct Candidate {
    /// The name that prompts refer to.
    pub name: String,
    /// Its table.
    pub span: Range<usize>,
    /// What a run needs to know of it.
    pub model: Option<ScenarioModel>,
}

/// What limits calls to models, on either side.
pub(super) struct Limiting<'a> {
    /// The client's limiter.
    pub limiter: Option<&'a Limiter>,
    /// The service, or what is supposed of it.
    pub service: &'a Service,
    /// Where requests go.
    pub target: &'a TargetSettings,
    /// What is known about models.
    pub catalogue: &'a Catalogue,
}

/// Reads all models, in order of their names.
pub(super) fn models(
    raw: BTreeMap<String, Placed<RawModel>>,
    limiting: &Limiting<'_>,
    problems: &mut Problems,
) -> Vec<Candidate> {
    raw.into_iter()
        .map(|(name, raw)| {
            let span = raw.span.clone();
            problems.name(&Placed::new(span.clone(), name.clone()));
            let model = model(&name, raw, limiting, problems);
            Candidate { name, span, model }
        })
        .collect()
}

fn model(
    name: &str,
    raw: Placed<RawModel>,
    limiting: &Limiting<'_>,
    problems: &mut Problems,
) -> Option<ScenarioModel> {
    let Placed { span, mut value } = raw;
    let api = api(&mut value, problems);
    // A quota that could not be read is a problem of its own, and no missing one.
    let without_quota = value.quota.as_ref().is_none_or(|raw| raw.value.is_empty());
    let quota = quota(value.quota.take(), problems);
    if let Some(limiter) = limiting.limiter {
        limiter.compare(name, quota, problems);
        let settings = limiter.for_model(quota, limiting.service.counting(1));
        if settings.quota == Quota::default() && settings.max_in_flight.is_none() {
            let title = format!("the limiter has nothing to keep `{name}` to");
            let help = format!("give `[model.{name}.quota]` or `[limiter]` an `rpm` or a `tpm`");
            let problem = Diagnostic::warning("limiter-without-limits", title);
            problems.push(problem.at(limiter.span.clone(), "").help(help));
        }
    }
    if without_quota
        && !problems.excuses("quota")
        && !matches!(limiting.target, TargetSettings::Bedrock { .. })
    {
        let title = format!("`{name}` has no quota: nothing will be throttled");
        let help = format!("add `[model.{name}.quota]` with `rpm` and `tpm`");
        problems.push(
            Diagnostic::warning("no-quota", title)
                .at(span.clone(), "")
                .help(help),
        );
    }
    let id = problems.require(value.id.take(), "id", &span, "`id`, the model's id or ARN");
    let facts = facts(
        name,
        &span,
        id.as_ref(),
        value,
        limiting.catalogue,
        problems,
    );
    let (api, id, facts) = (api?, id?, facts?);
    streams(&api, &facts, problems);
    let counting = limiting.service.counting(facts.burndown);
    Some(ScenarioModel {
        name: name.to_owned(),
        id: id.value,
        facts,
        api: api.value,
        quota,
        counting,
        limiter: limiting
            .limiter
            .map(|limiter| limiter.for_model(quota, counting)),
    })
}

fn api(raw: &mut RawModel, problems: &mut Problems) -> Option<Placed<Api>> {
    match raw.api.take() {
        Some(field) => problems.read(Some(field)),
        None => Some(Placed::new(0..0, Api::InvokeModel)),
    }
}

/// Says that a model has no streams where it is asked for one.
fn streams(api: &Placed<Api>, facts: &Model, problems: &mut Problems) {
    if api.value == Api::InvokeModelStream && facts.family == Family::Jurassic {
        let title = format!("`{}` cannot stream", facts.name);
        let problem = Diagnostic::error("no-stream", title).at(api.span.clone(), "");
        problems.push(problem.help("write `\"invoke-model\"`"));
    }
}

fn quota(raw: Option<Placed<RawQuota>>, problems: &mut Problems) -> Quota {
    let RawQuota {
        rpm,
        tpm,
        tpd,
        input_tpm,
        output_tpm,
    } = raw.map(|raw| raw.value).unwrap_or_default();
    limits([rpm, tpm, tpd, input_tpm, output_tpm], problems).or(Quota::default())
}

/// What the file says about a model itself.
struct Stated {
    family: Option<Family>,
    burndown: Option<u32>,
    context: Option<u64>,
    max_output: Option<u64>,
}

/// What the catalogue knows, with the file's own values where it gives any.
fn facts(
    name: &str,
    table: &Range<usize>,
    id: Option<&Placed<String>>,
    raw: RawModel,
    catalogue: &Catalogue,
    problems: &mut Problems,
) -> Option<Model> {
    let given = [
        raw.family.is_some(),
        raw.burndown.is_some(),
        raw.context.is_some(),
        raw.max_output.is_some(),
    ];
    let family = problems.get(raw.family);
    let burndown = problems.read(raw.burndown);
    problems.above_zero("burndown", burndown.as_ref());
    let context = problems.read(raw.context);
    problems.above_zero("context", context.as_ref());
    let max_output = problems.read(raw.max_output);
    problems.above_zero("max_output", max_output.as_ref());
    let stated = Stated {
        family,
        burndown: burndown.map(|value| value.value),
        context: context.map(|value| value.value),
        max_output: max_output.map(|value| value.value),
    };
    let id = id?;
    if id.value.trim().is_empty() {
        let problem = Diagnostic::error("empty-text", "`id` is empty").at(id.span.clone(), "");
        problems.push(problem.help("write the model's id or ARN"));
        return None;
    }
    match catalogue.find(&id.value) {
        Some(known) => {
            remark(id, &known, problems);
            Some(Model {
                family: stated.family.unwrap_or(known.family),
                burndown: stated.burndown.unwrap_or(known.burndown),
                context: stated.context.map_or(known.context, Tokens),
                max_output: stated.max_output.map_or(known.max_output, Tokens),
                ..known
            })
        }
        None if given == [true; 4] => stated.alone(&id.value),
        None => {
            problems.push(unknown(name, table, id, given, catalogue));
            None
        }
    }
}

impl Stated {
    /// The facts of a model that only the scenario knows; none where a value could not be read.
    fn alone(self, id: &str) -> Option<Model> {
        Some(Model::stated(
            id,
            self.family?,
            self.burndown?,
            Tokens(self.context?),
            Tokens(self.max_output?),
        ))
    }
}

fn unknown(
    name: &str,
    table: &Range<usize>,
    id: &Placed<String>,
    given: [bool; 4],
    catalogue: &Catalogue,
) -> Diagnostic {
    let title = format!("unknown model `{}`", shortened(&id.value));
    let facts = ["family", "burndown", "context", "max_output"];
    let missing = facts
        .into_iter()
        .zip(given)
        .filter(|(_, given)| !given)
        .map(|(key, _)| key);
    let state = format!("state its {} in `[model.{name}]`", listed(missing));
    Diagnostic::error("unknown-model", title)
        .at(id.span.clone(), "not in the catalogue")
        .context(table.clone(), "")
        .help(match catalogue.closest(&id.value) {
            Some(near) => format!("did you mean `{near}`? If not, {state}"),
            None => state,
        })
}

fn remark(id: &Placed<String>, known: &Model, problems: &mut Problems) {
    if known.retired {
        let since = known
            .end_of_life
            .as_ref()
            .map(|day| format!(", end of life {day}"));
        let title = format!("`{}` is retired{}", known.name, since.unwrap_or_default());
        let problem = Diagnostic::warning("retired-model", title).at(id.span.clone(), "");
        problems.push(problem.help("Bedrock may no longer answer; stub and simulator still do"));
    }
    if known.profile_only && id.value == known.id {
        let title = format!(
            "`{}` can be called only through an inference profile",
            known.id
        );
        let help = format!("write `us.{}` or another profile's id", known.id);
        let problem = Diagnostic::warning("profile-only", title).at(id.span.clone(), "");
        problems.push(problem.help(help));
    }
}
