//! Many prompts, a few at a time, within a quota: `cargo run --example batch_queue`.

use std::error::Error;
use std::path::Path;

use bedload::client::{BedrockClient, Order, Prompt, QuotaAwareClient, queue};
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
    let client = QuotaAwareClient::builder(bedrock)
        .max_rpm(600)
        .max_tpm(300_000)
        .build()?;

    for order in [Order::Submitted, Order::Finished] {
        // At most eight prompts are out at a time: submitting the ninth waits for an answer to be
        // taken.
        let (submitter, mut results) = queue(client.clone(), 8, order);
        tokio::spawn(async move {
            for chapter in 1..=20 {
                let prompt = Prompt::new(format!("Sum up chapter {chapter}.")).max_tokens(300);
                if submitter.submit(prompt).await.is_none() {
                    break;
                }
            }
        });
        let (mut tokens, mut numbers) = (0, Vec::new());
        while let Some((number, answer)) = results.next().await {
            tokens += answer?.usage.total().0;
            numbers.push(number);
        }
        let sorted = numbers.is_sorted();
        println!(
            "{order:?}: {} answers, {tokens} tokens, in order: {sorted}",
            numbers.len()
        );
    }
    Ok(())
}
