//! An answer that comes piece by piece, and one that is given up: `cargo run --example stream`.
//!
//! It talks to the embedded stub. With `account_config` in the place of the stub's `sdk_config` it
//! talks to Amazon Bedrock.

use std::error::Error;
use std::io::Write;
use std::path::Path;

use bedload::client::{BedrockClient, Prompt, QuotaAwareClient};
use bedload::clock::Clock;
use bedload::scenario::{Api, Scenario};
use bedload::target::stub::{StubServer, StubTarget};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let checked =
        Scenario::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/stub.toml"))?;
    let stub = StubTarget::start_on(
        StubServer::Hyper, // wiremock sends an answer whole
        &checked.scenario,
        Clock::start(),
    )
    .await?;
    let bedrock = BedrockClient::builder("us.anthropic.claude-haiku-4-5-20251001-v1:0")
        .api(Api::ConverseStream)
        .build(&stub.sdk_config())?;
    let client = QuotaAwareClient::builder(bedrock)
        .max_tpm(100_000)
        .build()?;
    let prompt = Prompt::new("Why do rivers meander?").max_tokens(300);

    let mut answer = client.stream(&prompt).await?;
    for _ in 0..10 {
        if let Some(piece) = answer.next().await {
            print!("{}", piece?);
            std::io::stdout().flush()?;
        }
    }
    let answer = answer.finish().await?;
    println!("{}", answer.text);
    println!(
        "{} output tokens, the first after {:.0?}, all after {:.0?}",
        answer.usage.output.0,
        answer.first_token.unwrap_or_default(),
        answer.latency,
    );

    let mut answer = client.stream(&prompt).await?;
    answer.next().await.transpose()?;
    let usage = answer.cancel();
    println!("given up after {} output token", usage.output.0);
    Ok(())
}
