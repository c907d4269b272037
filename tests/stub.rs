//! The stub as others see it: through a client that knows nothing of `bedload`.
#![cfg(feature = "stub")]

use std::path::Path;

use aws_sdk_bedrockruntime::types::{
    ContentBlock, ConversationRole, ConverseTokensRequest, CountTokensInput,
    InferenceConfiguration, Message, TokenUsage,
};
use bedload::clock::Clock;
use bedload::exchange::sdk_client;
use bedload::scenario::Scenario;
use bedload::target::stub::{StubServer, StubTarget};

/// Somebody who asks the stub how long an input is gets what an answer to it then counts.
#[test]
fn the_stub_counts_tokens_as_it_bills_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/model-families.toml");
    let checked = Scenario::load(&folder).expect("a shipped scenario");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let stub = StubTarget::start_on(StubServer::Hyper, &checked.scenario, Clock::start())
            .await
            .expect("a stub");
        let sdk = sdk_client(&stub.sdk_config());
        for model in &checked.scenario.models {
            let message = Message::builder()
                .role(ConversationRole::User)
                .content(ContentBlock::Text("How long is this?".to_owned()))
                .build()
                .expect("a message");
            let asked = ConverseTokensRequest::builder().messages(message.clone());
            let counted = sdk
                .count_tokens()
                .model_id(&model.id)
                .input(CountTokensInput::Converse(asked.build()))
                .send();
            let counted = counted.await.expect("a count").input_tokens();
            let answer = sdk
                .converse()
                .model_id(&model.id)
                .messages(message)
                .inference_config(InferenceConfiguration::builder().max_tokens(20).build())
                .send();
            let answer = answer.await.expect("an answer");
            let billed = answer.usage().map(TokenUsage::input_tokens);
            assert_eq!(Some(counted), billed, "{}", model.id);
            assert!(counted > 0);
        }
    });
}
