//! What the catalogue must say, and what every row of it must satisfy.

use std::collections::BTreeSet;

use super::*;
use crate::quota::Dimension;

const SONNET_4_5: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";

fn known(id: &str) -> Model {
    find(id).unwrap_or_else(|| panic!("{id} is in the catalogue"))
}

/// Input and output price, in dollars for a million tokens.
fn dollars(id: &str) -> Option<(f64, f64)> {
    let price = known(id).price?;
    Some((price.input as f64 / 1e6, price.output as f64 / 1e6))
}

#[test]
fn burndown_is_that_of_the_aws_documentation() {
    for (id, burndown) in [
        ("anthropic.claude-opus-4-8", 15),
        ("anthropic.claude-opus-5", 10),
        ("anthropic.claude-opus-5-5", 10),
        ("anthropic.claude-sonnet-5", 10),
        ("anthropic.claude-fable-5-1", 10),
        ("openai.gpt-5.6-sol", 10),
        ("openai.gpt-5.6-terra", 10),
        ("openai.gpt-5.6-luna", 10),
    ] {
        assert_eq!(known(id).burndown, burndown, "{id}");
    }
    for Entry { model, .. } in all() {
        let expected = match model.burndown {
            10 | 15 => continue,
            _ if model.family == Family::Claude => 5,
            _ => 1,
        };
        assert_eq!(model.burndown, expected, "{}", model.id);
    }
}

#[test]
fn every_form_of_an_id_leads_to_the_same_facts() {
    let plain = known(SONNET_4_5);
    assert_eq!(plain.name, "Claude Sonnet 4.5");
    assert_eq!(
        (plain.context, plain.max_output),
        (Tokens(200_000), Tokens(64_000))
    );
    assert!(plain.profile_only);

    let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.";
    let model_arn = "arn:aws:bedrock:us-east-1::foundation-model/";
    for prefix in [
        "us.", "eu.", "apac.", "jp.", "au.", "ca.", "us-gov.", "global.", arn, model_arn,
    ] {
        let found = known(&format!("{prefix}{SONNET_4_5}"));
        assert_eq!(
            Model {
                price: None,
                ..found
            },
            Model {
                price: None,
                ..plain.clone()
            },
            "{prefix}"
        );
    }
}

#[test]
fn what_is_not_known_is_none() {
    for id in [
        "",
        "us.",
        "anthropic.claude-sonnet-4-5",
        "mars.anthropic.claude-opus-5",
        "anthropic.claude-opus-9",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-9",
    ] {
        assert_eq!(find(id), None, "{id}");
    }
}

#[test]
fn each_scope_has_its_own_price_or_none() {
    assert_eq!(dollars(&format!("us.{SONNET_4_5}")), Some((3.3, 16.5)));
    assert_eq!(dollars(&format!("global.{SONNET_4_5}")), Some((3.0, 15.0)));
    let arn = format!("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{SONNET_4_5}");
    assert_eq!(dollars(&arn), Some((3.3, 16.5)));

    assert_eq!(
        dollars(SONNET_4_5),
        None,
        "the plain id cannot be called, so it has no price"
    );
    assert_eq!(
        dollars(&format!("ca.{SONNET_4_5}")),
        None,
        "no price is known for Canada"
    );

    assert_eq!(dollars("amazon.nova-lite-v1:0"), Some((0.06, 0.24)));
    assert_eq!(dollars("eu.amazon.nova-lite-v1:0"), Some((0.078, 0.312)));
}

#[test]
fn cached_tokens_have_their_own_price_where_there_is_one() {
    let sonnet = known(&format!("us.{SONNET_4_5}")).price.expect("a price");
    assert_eq!(
        (sonnet.cache_read, sonnet.cache_write),
        (330_000, 4_125_000)
    );
    let micro = known("amazon.nova-micro-v1:0").price.expect("a price");
    assert_eq!(
        (micro.input, micro.cache_read, micro.cache_write),
        (35_000, 8_750, 35_000)
    );
}

#[test]
fn older_families_are_there_and_marked() {
    for (id, family) in [
        ("anthropic.claude-3-sonnet-20240229-v1:0", Family::Claude),
        ("anthropic.claude-v2", Family::Claude),
        ("anthropic.claude-instant-v1", Family::Claude),
        ("meta.llama2-13b-chat-v1", Family::Llama),
        ("meta.llama2-70b-chat-v1", Family::Llama),
        ("cohere.command-text-v14", Family::Command),
        ("cohere.command-r-v1:0", Family::CommandR),
        ("cohere.command-r-plus-v1:0", Family::CommandR),
        ("ai21.j2-ultra-v1", Family::Jurassic),
        ("ai21.j2-mid-v1", Family::Jurassic),
        ("ai21.jamba-1-5-mini-v1:0", Family::Jamba),
        ("ai21.jamba-1-5-large-v1:0", Family::Jamba),
        ("amazon.titan-text-lite-v1", Family::Titan),
        ("amazon.titan-text-express-v1", Family::Titan),
        ("amazon.titan-text-premier-v1:0", Family::Titan),
    ] {
        let model = known(id);
        assert_eq!((model.family, model.retired), (family, true), "{id}");
    }
    assert_eq!(
        known("cohere.command-r-v1:0").end_of_life.as_deref(),
        Some("2026-08-19")
    );
}

#[test]
fn every_row_is_whole() {
    assert!(all().len() >= 40);
    let ids: BTreeSet<&str> = all().iter().map(|entry| entry.model.id.as_str()).collect();
    assert_eq!(ids.len(), all().len(), "ids are distinct");
    for Entry { model, prices } in all() {
        let id = &model.id;
        assert_eq!(
            find(id).as_ref(),
            Some(model),
            "{id} is found by its own id"
        );
        assert!(
            model.max_output.0 > 0 && model.max_output <= model.context,
            "{id}: lengths"
        );
        assert!(
            model.family.default_max_tokens() <= Some(model.max_output),
            "{id}: default"
        );
        assert!(model.profile_only || !prices.is_empty(), "{id}: a price");
        assert!(
            !(model.profile_only && prices.contains_key(&Scope::Base)),
            "{id}: base price"
        );
        assert!(!model.source.is_empty(), "{id}: source");
        let dates = [Some(&model.as_of), model.end_of_life.as_ref()];
        for date in dates.into_iter().flatten() {
            assert!(date.parse::<jiff::civil::Date>().is_ok(), "{id}: {date}");
        }
        let ended = model
            .end_of_life
            .as_ref()
            .is_some_and(|end| *end <= model.as_of);
        assert!(
            model.retired || !ended,
            "{id} has ended without being marked"
        );
    }
}

#[test]
fn near_misses_get_a_suggestion_and_nonsense_gets_none() {
    for (typed, meant) in [
        ("anthropic.claude-sonnet-4-5", SONNET_4_5),
        ("us.anthropic.claude-sonnet-4-5", SONNET_4_5),
        ("claude-sonnet-4-5-20250929", SONNET_4_5),
        ("anthropic.claude-sonnet-4-5-20250929-v2:0", SONNET_4_5),
        ("amazon.nova-light-v1:0", "amazon.nova-lite-v1:0"),
        ("Amazon.Nova-Pro-v1:0", "amazon.nova-pro-v1:0"),
        (
            "anthropic.claude-haiku-5",
            "anthropic.claude-haiku-4-5-20251001-v1:0",
        ),
        (
            "meta.llama3-3-70b-instruct",
            "meta.llama3-3-70b-instruct-v1:0",
        ),
    ] {
        assert_eq!(closest(typed), Some(meant), "{typed}");
    }
    for typed in [
        "",
        "a",
        "zebra",
        "arn:aws:bedrock:us-east-1:1:application-inference-profile/x",
    ] {
        assert_eq!(closest(typed), None, "{typed}");
    }
}

#[test]
fn quotas_are_those_of_service_quotas() {
    let line = |id: &str, scope, dimension| {
        let lines = known(id).quotas;
        let mut found = lines
            .into_iter()
            .filter(|line| line.scope == scope && line.dimension == dimension);
        let line = found.next();
        assert!(found.next().is_none(), "{id}: one line for each");
        line.map(|line| (line.code.unwrap_or_default(), line.default))
    };
    let tpm = line(SONNET_4_5, QuotaScope::CrossRegion, Dimension::Tpm);
    assert_eq!(tpm, Some(("L-F4DDD3EB".to_owned(), Some(5_000_000))));
    let rpm = line(SONNET_4_5, QuotaScope::Global, Dimension::Rpm);
    assert_eq!(rpm, Some(("L-DB84CE56".to_owned(), Some(10_000))));
    let none = line(
        "anthropic.claude-opus-5",
        QuotaScope::Global,
        Dimension::Rpm,
    );
    assert_eq!(none, None, "the newest models have no RPM quota");
    let tpd = line("amazon.nova-pro-v1:0", QuotaScope::OnDemand, Dimension::Tpd);
    assert_eq!(tpd, Some(("L-D690997B".to_owned(), Some(1_440_000_000))));
}

#[test]
fn every_quota_line_is_whole() {
    let lines = || all().iter().flat_map(|entry| &entry.model.quotas);
    let with_default = all().iter().filter(|entry| {
        let mut quotas = entry.model.quotas.iter();
        quotas.any(|line| line.default.is_some())
    });
    assert!(with_default.count() >= 40);
    for line in lines() {
        assert!(!line.name.is_empty() && !line.source.is_empty(), "{line:?}");
        assert!(line.as_of.parse::<jiff::civil::Date>().is_ok(), "{line:?}");
        let good = |code: &String| code.len() == 10 && code.starts_with("L-");
        assert!(line.code.as_ref().is_none_or(good), "{line:?}");
        assert!(line.default != Some(0), "{line:?}");
    }
}

#[test]
fn a_file_of_the_users_corrects_and_adds() {
    let text = r#"
        [[model]]
        id = "amazon.nova-lite-v1:0"
        burndown = 2
        price.us = { input = 1.0, output = 2.0 }

        [[model]]
        id = "acme.oracle-v1:0"
        name = "Oracle"
        family = "openai"
        burndown = 3
        context = 10_000
        max_output = 1_000
        quota = [{ scope = "on-demand", dimension = "tpm", name = "Oracle TPM", default = 5 }]
    "#;
    let mine = Catalogue::shipped().with(text).expect("a good file");
    let nova = mine.find("us.amazon.nova-lite-v1:0").expect("known");
    let shipped = known("us.amazon.nova-lite-v1:0");
    assert_eq!((nova.burndown, shipped.burndown), (2, 1));
    assert_eq!(nova.price.map(|price| price.input), Some(1_000_000));
    assert_eq!(nova.context, shipped.context);
    let oracle = mine.find("acme.oracle-v1:0").expect("new");
    assert_eq!(oracle.quotas[0].default, Some(5));
    let wrong = Catalogue::shipped().with("[[model]]\nid = \"acme.x\"\nburndown = 1");
    assert_eq!(
        wrong.map_err(|error| error.to_string()).err().as_deref(),
        Some(
            "`acme.x` is not among the shipped models, so its row needs `name`, `family`, `context`, \
             `max_output` as well"
        )
    );
    let wrong = Catalogue::shipped().with("[[model]]\nid = \"acme.x\"\nburnup = 1");
    assert!(wrong.is_err_and(|error| error.to_string().contains("line 3")));
}
