//! Staying within a quota: `cargo run --example quota_aware`.
//!
//! Two clients before one model: the first waits its turn, the second is told at once what is short.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use bedload::client::{BedrockClient, InvokeError, Prompt, QuotaAwareClient};
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
    let prompt = Prompt::new("Why do rivers meander?").max_tokens(300);

    // 600 requests a minute with a burst of one: one each 100 ms. A burst has to hold the largest call,
    // and 100 ms of 300,000 tokens a minute are 500.
    let patient = QuotaAwareClient::builder(bedrock.clone())
        .max_rpm(600)
        .max_tpm(300_000)
        .burst(Duration::from_millis(100))
        .quota_timeout(Duration::from_secs(5))
        .build()?;
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let (client, prompt) = (patient.clone(), prompt.clone());
            tokio::spawn(async move { client.invoke(&prompt).await })
        })
        .collect();
    for call in calls {
        let answer = call.await??;
        println!(
            "answered: {} tokens, waited {:.0?} for quota",
            answer.usage.total().0,
            answer.quota_wait
        );
    }
    let metrics = patient.metrics();
    println!(
        "reserved {} tokens, settled {}, wasted {}",
        metrics.counts.reserved.0, metrics.counts.settled.0, metrics.counts.wasted.0
    );

    let hasty = QuotaAwareClient::builder(bedrock)
        .max_tpm(6_000)
        .wait_for_quota(false)
        .build()?;
    for max_tokens in [900, 900, 2_000] {
        match hasty.invoke(&prompt.clone().max_tokens(max_tokens)).await {
            Ok(answer) => println!("answered: {} tokens", answer.usage.total().0),
            Err(InvokeError::QuotaExceeded(short)) => println!("{short}"),
            Err(InvokeError::NeverFits(misfit)) => println!(
                "never fits: it takes {} {}, the limiter holds {}",
                misfit.needs,
                misfit.dimension.words(),
                misfit.holds
            ),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}
