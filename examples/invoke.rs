//! One question, one answer: `cargo run --example invoke`.
//!
//! It talks to the embedded stub. With `account_config` in the place of the stub's `sdk_config` it
//! talks to Amazon Bedrock.

use std::error::Error;
use std::path::Path;

use bedload::client::{BedrockClient, Prompt};
use bedload::clock::Clock;
use bedload::scenario::{Api, Scenario};
use bedload::target::stub::StubTarget;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let checked =
        Scenario::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/stub.toml"))?;
    let stub = StubTarget::start(&checked.scenario, Clock::start()).await?;

    for api in [Api::InvokeModel, Api::Converse] {
        let client = BedrockClient::builder("us.anthropic.claude-haiku-4-5-20251001-v1:0")
            .api(api)
            .build(&stub.sdk_config())?;
        let prompt = Prompt::new("Why do rivers meander?")
            .system("Answer in two sentences.")
            .max_tokens(300)
            .temperature(0.2)
            .stop("END");
        let answer = client.invoke(&prompt).await?;
        println!("{}: {:.60}…", api.name(), answer.text);
        println!(
            "  {} input + {} output = {} tokens, {:?}, {} attempt, {:.0?} ({:.0?} by the service)",
            answer.usage.input.0,
            answer.usage.output.0,
            answer.usage.total().0,
            answer.stop,
            answer.attempts,
            answer.latency,
            answer.service_latency.unwrap_or_default(),
        );
    }
    Ok(())
}
