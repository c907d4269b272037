//! Before a run that can cost money: what it would send, whether it may, and whether it can.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

use aws_sdk_bedrockruntime::Client;
use bedload::account::preflight::{self, MAX_TOKENS, preflight};
use bedload::distribution::Distribution;
use bedload::exchange::Endpoint;
use bedload::forecast::Forecast;
use bedload::scenario::{Api, Prompt, Scenario, TargetSettings};
use bedload::text::made_up;
use bedload::units::{Tokens, grouped, significant};

use super::exit::{BadInput, Exit};
use super::output;

/// Says what a run would send, and sends nothing.
pub fn dry_run(scenario: &Scenario) -> anyhow::Result<Exit> {
    let forecast = Forecast::of(scenario);
    let mut text = format!("{}: a dry run, nothing is sent\n{forecast}", scenario.name);
    let usage = forecast.expected_usage();
    if let Some(usage) = usage {
        let cost = forecast.expected_cost(scenario);
        let cost = cost.map_or("a price is not known".to_owned(), |cost| cost.to_string());
        let _ = writeln!(
            text,
            "  on average {} input and {} output tokens, {cost}",
            grouped(usage.input.0 as i64),
            grouped(usage.output.0 as i64),
        );
    }
    let _ = writeln!(text, "  stops {}", caps(scenario));
    let minutes = (scenario.run.duration + scenario.run.drain).as_secs_f64() / 60.0;
    let _ = writeln!(
        text,
        "  lasts {} min, of which up to {} s are for what is under way at the end\n",
        significant(minutes),
        significant(scenario.run.drain.as_secs_f64())
    );
    let total: f64 = scenario.prompts.iter().map(|prompt| prompt.weight).sum();
    for prompt in &scenario.prompts {
        text.push_str(&example(scenario, prompt, prompt.weight / total));
    }
    output::print(&text)
}

/// Where a run ends before its time.
fn caps(scenario: &Scenario) -> String {
    let run = &scenario.run;
    let mut caps = Vec::new();
    if let Some(requests) = run.max_requests {
        caps.push(format!(
            "after {} requests (`run.max_requests`)",
            grouped(requests as i64)
        ));
    }
    if let Some(Tokens(tokens)) = run.max_total_tokens {
        caps.push(format!(
            "before it has used {} tokens (`run.max_total_tokens`)",
            grouped(tokens as i64)
        ));
    }
    if let Some(budget) = run.max_cost {
        caps.push(format!("before it has spent {budget} (`run.max_cost`)"));
    }
    if caps.is_empty() {
        "at its end: no cap is set (`run.max_requests`, `run.max_total_tokens`, `run.max_cost`)"
            .to_owned()
    } else {
        caps.join(", ")
    }
}

/// The most of a prompt's words that is shown.
const WORDS_SHOWN: usize = 60;

fn example(scenario: &Scenario, prompt: &Prompt, share: f64) -> String {
    let model = &scenario.models[usize::from(prompt.model.0)];
    let where_to = match &scenario.target {
        TargetSettings::Bedrock {
            endpoint_url: Some(url),
            ..
        } => format!("at {url}"),
        TargetSettings::Bedrock {
            region: Some(region),
            ..
        } => format!("in {region}"),
        TargetSettings::Bedrock { .. } => "in the account's own Region".to_owned(),
        TargetSettings::Stub => "on the stub".to_owned(),
        TargetSettings::Sim => "in the simulator".to_owned(),
    };
    let input = prompt.input.as_ref().map(Distribution::mean);
    let words = prompt.text.clone();
    let words = words.unwrap_or_else(|| made_up(Tokens(input.unwrap_or(40.0).min(40.0) as u64)));
    let mut shown: String = words.chars().take(WORDS_SHOWN).collect();
    if words.chars().count() > WORDS_SHOWN {
        shown.push('…');
    }
    let length = input.map_or(
        "as many input tokens as the trace says".to_owned(),
        |input| format!("about {} input tokens", significant(input)),
    );
    let cap = prompt.max_tokens.map_or_else(
        || {
            format!(
                "no max_tokens, which reserves {}",
                grouped(prompt.reserved_output.0 as i64)
            )
        },
        |cap| format!("max_tokens {}", grouped(cap.0 as i64)),
    );
    format!(
        "  {} ({} % of requests): {} of {} {where_to}, {length}, {cap}\n    {shown:?}\n",
        prompt.name,
        significant(share * 100.0),
        operation(model.api),
        model.id
    )
}

const fn operation(api: Api) -> &'static str {
    match api {
        Api::InvokeModel => "InvokeModel",
        Api::InvokeModelStream => "InvokeModelWithResponseStream",
        Api::Converse => "Converse",
        Api::ConverseStream => "ConverseStream",
    }
}

/// A run that can cost money says how much, and wants to be told to go on.
pub fn may_spend(scenario: &Scenario, yes: bool) -> anyhow::Result<()> {
    let forecast = Forecast::of(scenario);
    output::hint(&format!(
        "{}\n{forecast}  stops {}",
        scenario.name,
        caps(scenario)
    ));
    if yes {
        return Ok(());
    }
    match (scenario.run.max_cost, forecast.worst_cost) {
        (Some(_), Some(_)) => Ok(()),
        (Some(_), None)
            if scenario
                .models
                .iter()
                .all(|model| model.facts.price.is_some()) =>
        {
            Ok(())
        }
        (Some(_), None) => Err(BadInput(
            "`run.max_cost` cannot be kept: no price is known for every model; \
             give `--yes` to run without a budget"
                .to_owned(),
        )
        .into()),
        (None, _) => {
            if agreed()? {
                return Ok(());
            }
            Err(BadInput(
                "this run costs money: give `--yes` to spend up to the worst case above, or set \
                 `max_cost` in `[run]`"
                    .to_owned(),
            )
            .into())
        }
    }
}

/// Asks whoever sits there; nobody says no.
fn agreed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !output::is_watched() {
        return Ok(false);
    }
    let mut stderr = anstream::stderr();
    write!(stderr, "Spend up to the worst case above? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Why a run was not begun.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Blocked(String);

/// Makes one small call to each model, and says what stands in the way.
pub async fn can_call(scenario: &Scenario, client: &Client, region: &str) -> anyhow::Result<()> {
    let mut obstacles = Vec::new();
    for model in &scenario.models {
        let endpoint = Endpoint {
            model_id: model.id.clone(),
            api: model.api,
            family: model.facts.family,
        };
        let called = preflight(client, &endpoint, region).await;
        if let Err(obstacle) = called {
            let hopeless = is_of_account(&obstacle);
            obstacles.push(format!("{}: {obstacle}", model.name));
            if hopeless {
                break;
            }
        }
    }
    if obstacles.is_empty() {
        let calls = scenario.models.len();
        output::hint(&format!(
            "preflight: {calls} of {calls} models answered a call of at most {MAX_TOKENS} output tokens"
        ));
        return Ok(());
    }
    obstacles.push("nothing was measured; `--no-preflight` runs all the same".to_owned());
    Err(Blocked(obstacles.join("\n")).into())
}

/// Whether every other model would say the same.
const fn is_of_account(obstacle: &preflight::Obstacle) -> bool {
    use preflight::Obstacle;
    matches!(
        obstacle,
        Obstacle::Credentials(_) | Obstacle::Unreachable(_)
    )
}
