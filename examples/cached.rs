//! The same question is not paid for twice: `cargo run --example cached`.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use bedload::client::{BedrockClient, CachedClient, Prompt, QuotaAwareClient};
use bedload::clock::Clock;
use bedload::scenario::Scenario;
use bedload::target::stub::StubTarget;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let checked =
        Scenario::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/stub.toml"))?;
    let stub = StubTarget::start(&checked.scenario, Clock::start()).await?;
    let bedrock = BedrockClient::builder("us.anthropic.claude-haiku-4-5-20251001-v1:0")
        .build(&stub.sdk_config())?;
    let quota_aware = QuotaAwareClient::builder(bedrock).max_rpm(600).build()?;
    let client = CachedClient::builder(quota_aware.clone())
        .max_bytes(1 << 20)
        .time_to_live(Duration::from_secs(600))
        .build();

    let prompt = Prompt::new("Why do rivers meander?").max_tokens(300);
    let first = client.invoke(&prompt).await?;
    let second = client.invoke(&prompt).await?;
    println!("the same answer: {}", first == second);
    // Another parameter is another question.
    client.invoke(&prompt.clone().temperature(0.9)).await?;

    let metrics = client.metrics().await;
    println!("{} hit, {} misses", metrics.hits, metrics.misses);
    let admitted = quota_aware.metrics().counts.admitted;
    println!("{admitted} calls took quota");
    Ok(())
}
