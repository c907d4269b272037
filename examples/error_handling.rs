//! What can go wrong, and what to do about it: `cargo run --example error_handling`.

use std::error::Error;
use std::path::Path;

use bedload::client::{BedrockClient, BuildError, InvokeError, Prompt, Throttle};
use bedload::clock::Clock;
use bedload::retry::RetryPolicy;
use bedload::scenario::Scenario;
use bedload::target::stub::StubTarget;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let checked =
        Scenario::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/stub.toml"))?;
    let stub = StubTarget::start(&checked.scenario, Clock::start()).await?;
    let config = stub.sdk_config();
    let client = |id: &str| {
        // Errors are what this is about, so none is hidden by a retry.
        let never = RetryPolicy::default();
        BedrockClient::builder(id).retry(never).build(&config)
    };
    let haiku = client("us.anthropic.claude-haiku-4-5-20251001-v1:0")?;
    let nova = client("us.amazon.nova-lite-v1:0")?;
    let elsewhere = client("us.meta.llama3-3-70b-instruct-v1:0")?;
    let question = || Prompt::new("Why do rivers meander?").max_tokens(300);

    match client("anthropic.claude-haiku-9") {
        Err(error @ BuildError::UnknownModel { .. }) => println!("no client: {error}"),
        other => println!("unexpected: {other:?}"),
    }
    report("no max_tokens", &haiku, &Prompt::new("Hello")).await;
    report("too many tokens", &haiku, &question().max_tokens(1_000_000)).await;
    let book = "The river carries what it can. ".repeat(40_000);
    report("a whole book", &haiku, &Prompt::new(book).max_tokens(300)).await;
    report("a model that is not here", &elsewhere, &question()).await;
    report("the first call", &nova, &question()).await;
    report("one call too many", &nova, &question()).await;
    Ok(())
}

async fn report(what: &str, client: &BedrockClient, prompt: &Prompt) {
    let error = match client.invoke(prompt).await {
        Ok(answer) => {
            println!("{what}: answered, {} tokens", answer.usage.total().0);
            return;
        }
        Err(error) => error,
    };
    let advice = match &error {
        InvokeError::Throttled(Throttle::TokensPerDay, _) => "come back tomorrow",
        InvokeError::Throttled(..) => "put a QuotaAwareClient before it",
        InvokeError::InputTooLong(_) => "split the input",
        InvokeError::MaxTokensTooLarge(_) | InvokeError::MaxTokensUnset(_) => {
            "set `max_tokens` to what answers need"
        }
        InvokeError::AccessDenied(_) | InvokeError::NotFound(_) => "check the account",
        error if error.retry_may_help() => "try again",
        _ => "mend the request",
    };
    println!("{what}: {error}");
    println!(
        "  retry may help: {}; request id: {}; {advice}",
        error.retry_may_help(),
        error.request_id().unwrap_or("none"),
    );
}
