//! `quotas`: what the account has, as Service Quotas says it.

use std::path::Path;

use anyhow::Context;
use bedload::account::AccountError;
use bedload::account::quotas::quotas as ask;
use bedload::catalogue::{self, AccountQuota, ListedQuota, Model, match_quotas};
use bedload::clock::Clock;
use bedload::exchange::account_config;
use bedload::scenario::{TargetSettings, read_text};
use serde_json::json;
use toml_edit::{DocumentMut, Item, Table, value};

use super::args::account::AccountArgs;
use super::args::quotas::Quotas;
use super::args::{Format, ScenarioArgs, TargetName};
use super::exit::{BadInput, Exit};
use super::{output, overrides};

/// A model whose quotas are wanted.
struct Wanted {
    name: String,
    id: String,
    model: Model,
}

/// `bedload quotas`.
pub fn quotas(args: &Quotas) -> anyhow::Result<Exit> {
    let file = args.of.iter().find(|of| of.ends_with(".toml"));
    if file.is_some() && args.of.len() > 1 {
        let help = "`bedload quotas` needs one scenario file, or ids of models";
        return Err(BadInput(help.to_owned()).into());
    }
    if args.write && file.is_none() {
        return Err(BadInput("`--write` needs a scenario file to write to".to_owned()).into());
    }
    let mut account = args.account.clone();
    let wanted = match file {
        Some(path) => {
            let Some((wanted, region, profile)) = of_scenario(Path::new(path))? else {
                return Ok(Exit::BadInput);
            };
            account.region = account.region.or(region);
            account.profile = account.profile.or(profile);
            wanted
        }
        None => args
            .of
            .iter()
            .map(|id| of_id(id))
            .collect::<Result<_, _>>()?,
    };
    let (listed, region) = listed(account)?;
    let found: Vec<(Wanted, AccountQuota)> = wanted
        .into_iter()
        .map(|wanted| {
            let scope = catalogue::scope(&wanted.id).map(catalogue::Scope::quota_scope);
            let quota = scope.map(|scope| match_quotas(&wanted.model, scope, &listed));
            (wanted, quota.unwrap_or_default())
        })
        .collect();
    let notes: Vec<String> = found
        .iter()
        .flat_map(|(wanted, quota)| notes(wanted, quota))
        .collect();
    for note in notes.iter().chain(&all_models_note(&listed)) {
        output::hint(note);
    }
    if args.format == Format::Json {
        let rows: Vec<_> = found
            .iter()
            .map(|(wanted, quota)| as_json(wanted, quota))
            .collect();
        output::print(&format!(
            "{:#}\n",
            json!({ "region": region, "models": rows })
        ))?;
    } else {
        output::print(&block(&found, &region))?;
    }
    if let (true, Some(path)) = (args.write, file) {
        write(Path::new(path), &found)?;
        output::hint(&format!("written to {path}"));
    }
    Ok(if found.iter().any(|(_, quota)| quota.matched.is_empty()) {
        Exit::No
    } else {
        Exit::Done
    })
}

/// The account's quotas, and the Region that they are of.
fn listed(account: AccountArgs) -> anyhow::Result<(Vec<ListedQuota>, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let asked = runtime.block_on(async {
        let config = account_config(account.region, account.profile, account.endpoint_url).await;
        let region = config.region().map(ToString::to_string);
        ask(&config).await.map(|listed| (listed, region))
    });
    match asked {
        Ok((listed, region)) => Ok((listed, region.unwrap_or_default())),
        Err(error @ AccountError::Region) => Err(BadInput(error.to_string()).into()),
        Err(error) => Err(error.into()),
    }
}

type OfScenario = (Vec<Wanted>, Option<String>, Option<String>);

/// A scenario's models, Region and profile; none if it has problems, which have then been printed.
fn of_scenario(path: &Path) -> anyhow::Result<Option<OfScenario>> {
    let args = ScenarioArgs {
        scenario: path.to_owned(),
        seed: None,
        duration: None,
        set: Vec::new(),
    };
    let Some(scenario) = overrides::load(&args, None::<TargetName>)? else {
        return Ok(None);
    };
    let (region, profile) = match scenario.target {
        TargetSettings::Bedrock {
            region, profile, ..
        } => (region, profile),
        _ => (None, None),
    };
    let wanted = scenario.models.into_iter().map(|model| Wanted {
        name: model.name,
        id: model.id,
        model: model.facts,
    });
    Ok(Some((wanted.collect(), region, profile)))
}

fn of_id(id: &str) -> Result<Wanted, BadInput> {
    let Some(model) = catalogue::find(id) else {
        let near = catalogue::closest(id).map(|near| format!("; did you mean `{near}`?"));
        let near = near.unwrap_or_else(|| "; `bedload models` lists all".to_owned());
        return Err(BadInput(format!("no model is known as `{id}`{near}")));
    };
    let name = model.name.to_lowercase().replace([' ', '.'], "-");
    Ok(Wanted {
        name,
        id: id.to_owned(),
        model,
    })
}

/// A quota of less than this part of what AWS publishes is one of a new account.
const NEAR_ZERO: f64 = 0.1;

fn notes(wanted: &Wanted, found: &AccountQuota) -> Vec<String> {
    let mut notes = Vec::new();
    if found.matched.is_empty() {
        notes.push(format!(
            "{}: Service Quotas lists no quota of {} for this kind of id; look in the console under \"Amazon \
             Bedrock\", and write what you find into the scenario",
            wanted.name, wanted.id
        ));
    }
    let scope = catalogue::scope(&wanted.id).map(catalogue::Scope::quota_scope);
    for matched in &found.matched {
        let same = |line: &&catalogue::QuotaLine| {
            Some(line.scope) == scope && line.dimension == matched.dimension
        };
        let published = wanted
            .model
            .quotas
            .iter()
            .find(same)
            .and_then(|line| line.default);
        let limit = matched.limit as f64;
        if published.is_some_and(|published| limit < published as f64 * NEAR_ZERO) {
            notes.push(format!(
                "{}: {} is {}, which is under a tenth of the {} that AWS publishes, as new accounts' often is: \
                 ask AWS Support to raise {}",
                wanted.name,
                matched.dimension.name(),
                matched.limit,
                published.unwrap_or_default(),
                matched.listed.code
            ));
        }
    }
    notes
}

/// What all models together may use in a day counts for each of them.
fn all_models_note(listed: &[ListedQuota]) -> Option<String> {
    let account = listed.iter().find(|quota| {
        let name = quota.name.to_lowercase();
        name.contains("cross-model") && name.contains("tokens per day")
    })?;
    Some(format!(
        "all models together: {:.0} tokens per day ({}); no scenario counts this, keep it in mind",
        account.value, account.code
    ))
}

/// As part of a scenario.
fn block(found: &[(Wanted, AccountQuota)], region: &str) -> String {
    let now = Clock::start().started().to_string();
    let mut text = format!(
        "# The account's quotas in {region}, by Service Quotas on {}\n",
        now.get(..10).unwrap_or_default()
    );
    for (wanted, quota) in found {
        text.push_str(&format!(
            "\n[model.{}.quota]  # {}\n",
            wanted.name, wanted.id
        ));
        for matched in &quota.matched {
            text.push_str(&format!(
                "{} = {}  # {}\n",
                matched.dimension.name(),
                matched.limit,
                said(matched)
            ));
        }
    }
    text
}

fn said(matched: &catalogue::Matched) -> String {
    let ListedQuota {
        code,
        name,
        applied,
        ..
    } = &matched.listed;
    let whose = if *applied { "applied" } else { "default" };
    let how = if matched.by_code {
        ""
    } else {
        ", found by its name"
    };
    format!("{code}, {whose}{how}: {name}")
}

fn as_json(wanted: &Wanted, found: &AccountQuota) -> serde_json::Value {
    let rows: Vec<_> = found
        .matched
        .iter()
        .map(|matched| {
            json!({
                "dimension": matched.dimension.name(),
                "limit": matched.limit,
                "code": matched.listed.code,
                "name": matched.listed.name,
                "value": matched.listed.value,
                "applied": matched.listed.applied,
                "matched_by": if matched.by_code { "code" } else { "name" },
                "doubled_for_profile": matched.doubled,
            })
        })
        .collect();
    json!({ "name": wanted.name, "id": wanted.id, "quotas": rows })
}

/// Puts the quotas into the file; all else in it stays as it is.
fn write(path: &Path, found: &[(Wanted, AccountQuota)]) -> anyhow::Result<()> {
    let text = read_text(path)?;
    let mut document: DocumentMut = text
        .parse()
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    for (wanted, quota) in found {
        let model = document
            .get_mut("model")
            .and_then(|models| models.get_mut(&wanted.name));
        let Some(model) = model.and_then(Item::as_table_like_mut) else {
            continue;
        };
        if quota.matched.is_empty() {
            continue;
        }
        let mut table = Table::new();
        for matched in &quota.matched {
            let limit = i64::try_from(matched.limit).unwrap_or(i64::MAX);
            let mut item = value(limit);
            if let Some(value) = item.as_value_mut() {
                value
                    .decor_mut()
                    .set_suffix(format!("  # {}", said(matched)));
            }
            table.insert(matched.dimension.name(), item);
        }
        if model.get("quota").is_some_and(Item::is_inline_table) {
            model.remove("quota");
        }
        model.insert("quota", Item::Table(table));
    }
    output::rewrite(path, &document.to_string())
}
