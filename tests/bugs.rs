//! Thirteen bugs that other limiters have had, each as a property that this one keeps. The numbers and
//! names are those of the list in ARCHITECTURE.md.

use std::path::Path;
use std::time::Duration;

use bedload::limiter::{
    Admission, Ask, End, Limiter, LimiterSettings, Oversize, Permit, Reaction, Refusal, Turn,
};
use bedload::quota::{Counting, Demand, Dimension, Enforcement, MeterSettings, Quota};
use bedload::scenario::Scenario;
use bedload::time::Instant;
use bedload::units::{Share, TokenUsage, Tokens};
use proptest::prelude::*;

const MINUTE: u64 = 60_000_000_000;
const TPM: u64 = 6000;

fn limits(rpm: Option<u64>, tpm: Option<u64>) -> LimiterSettings {
    let quota = Quota {
        rpm,
        tpm,
        ..Quota::default()
    };
    LimiterSettings {
        quota_timeout: Duration::from_secs(1_000_000),
        ..LimiterSettings::new(quota, Counting::documented(1))
    }
}

fn counted_as(enforcement: Enforcement, burst: Duration) -> MeterSettings {
    MeterSettings {
        enforcement,
        burst,
        ..MeterSettings::default()
    }
}

fn ask(tokens: u64) -> Ask {
    Ask {
        demand: Demand {
            max_tokens: Tokens(tokens),
            ..Demand::default()
        },
        ..Ask::default()
    }
}

fn answered(output: u64) -> End {
    End::Answered(TokenUsage {
        output: Tokens(output),
        ..TokenUsage::default()
    })
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// Everything that is admitted by `until`, with its ticket.
fn admitted(limiter: &mut Limiter, until: Instant) -> Vec<(u32, Instant, Permit)> {
    std::iter::from_fn(|| limiter.poll_turn(until))
        .filter_map(|turn| match turn {
            Turn::Admitted { ticket, at, permit } => Some((ticket, at, permit)),
            Turn::TimedOut { .. } => None,
        })
        .collect()
}

/// Offers each after its gap, calls that end at once and cost what they reserved; returns when how
/// much was admitted.
fn schedule(settings: &LimiterSettings, offers: &[(u64, u64)], until: u64) -> Vec<(u64, u64)> {
    let mut limiter = Limiter::new(settings);
    let mut log = Vec::new();
    let mut now = 0;
    for (ticket, (gap, tokens)) in (0_u32..).zip(offers) {
        now += gap;
        for (ticket, at, permit) in admitted(&mut limiter, at(now)) {
            let tokens = offers[ticket as usize].1;
            log.push((at.as_nanos(), tokens));
            limiter.end(at, permit, answered(tokens));
        }
        if let Admission::Now(permit) = limiter.offer(at(now), ticket, ask(*tokens)) {
            log.push((now, *tokens));
            limiter.end(at(now), permit, answered(*tokens));
        }
    }
    for (ticket, at, permit) in admitted(&mut limiter, at(until)) {
        let tokens = offers[ticket as usize].1;
        log.push((at.as_nanos(), tokens));
        limiter.end(at, permit, answered(tokens));
    }
    log
}

/// The most that is admitted in any `span`, half open.
fn most_within(log: &[(u64, u64)], span: u64) -> u64 {
    let from = |first: usize| {
        let within = log[first..]
            .iter()
            .take_while(|(at, _)| at - log[first].0 < span);
        within.map(|(_, tokens)| tokens).sum()
    };
    (0..log.len()).map(from).max().unwrap_or(0)
}

fn enforcements() -> impl Strategy<Value = Enforcement> {
    (0..Enforcement::ALL.len()).prop_map(|place| Enforcement::ALL[place])
}

fn offers() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0_u64..3_000_000_000, 1_u64..900), 1..150)
}

proptest! {
    /// Whoever is let through has paid: at one instant no more is admitted than there is.
    #[test]
    fn bug_01_check_then_charge(enforcement in enforcements(), costs in prop::collection::vec(1_u64..800, 1..60)) {
        let settings = LimiterSettings {
            meters: counted_as(enforcement, Duration::from_secs(60)),
            ..limits(None, Some(TPM))
        };
        let mut limiter = Limiter::new(&settings);
        let mut sum = 0;
        for (ticket, cost) in (0_u32..).zip(&costs) {
            if let Admission::Now(permit) = limiter.offer(at(0), ticket, ask(*cost)) {
                sum += permit.held().tokens.0;
            }
        }
        prop_assert!(sum <= TPM);
    }

    /// No sixty seconds, wherever they begin, are let twice the rate.
    #[test]
    fn bug_02_twice_the_rate_across_a_minute_boundary(offers in offers()) {
        let bucket = schedule(&limits(None, Some(TPM)), &offers, 100 * MINUTE);
        prop_assert!(most_within(&bucket, MINUTE) <= TPM + TPM / 6);
        let settings = LimiterSettings {
            meters: counted_as(Enforcement::Rolling, Duration::from_secs(60)),
            ..limits(None, Some(TPM))
        };
        let rolling = schedule(&settings, &offers, 100 * MINUTE);
        prop_assert!(most_within(&rolling, MINUTE) <= TPM);
    }

    /// What never fits is told so at once, and nobody waits behind it.
    #[test]
    fn bug_03_a_request_larger_than_the_bucket_waits_for_ever(enforcement in enforcements(), extra in 1_u64..1_000_000) {
        let settings = LimiterSettings {
            meters: counted_as(enforcement, Duration::from_secs(10)),
            ..limits(None, Some(TPM))
        };
        let mut limiter = Limiter::new(&settings);
        let refused = limiter.offer(at(0), 0, ask(TPM / 6 + extra));
        prop_assert!(matches!(refused, Admission::Never(misfit) if misfit.holds == TPM / 6));
        prop_assert_eq!(limiter.waiting(), 0);
        // Unless it is to go all the same: then it goes when nothing is used.
        let mut limiter = Limiter::new(&LimiterSettings { oversize: Oversize::Overdraw, ..settings });
        let admission = limiter.offer(at(0), 0, ask(TPM / 6 + extra));
        prop_assert!(matches!(admission, Admission::Now(_)));
    }

    /// First come, first served, whatever the sizes.
    #[test]
    fn bug_04_large_requests_starve_behind_small_ones(enforcement in enforcements(), offers in offers()) {
        let settings = LimiterSettings {
            meters: counted_as(enforcement, Duration::from_secs(10)),
            ..limits(None, Some(TPM))
        };
        let mut limiter = Limiter::new(&settings);
        let mut order = Vec::new();
        let mut now = 0;
        for (ticket, (gap, tokens)) in (0_u32..).zip(&offers) {
            now += gap;
            for (ticket, at, permit) in admitted(&mut limiter, at(now)) {
                order.push(ticket);
                limiter.end(at, permit, answered(1));
            }
            if let Admission::Now(permit) = limiter.offer(at(now), ticket, ask(*tokens)) {
                order.push(ticket);
                limiter.end(at(now), permit, answered(1));
            }
        }
        let mut turns = admitted(&mut limiter, at(now));
        while let Some(next) = limiter.poll_timeout() {
            turns.extend(admitted(&mut limiter, next));
            for (ticket, at, permit) in turns.drain(..) {
                order.push(ticket);
                limiter.end(at, permit, answered(1));
            }
        }
        prop_assert_eq!(order, (0..offers.len() as u32).collect::<Vec<_>>());
    }

    /// A refusal leaves no trace: not in the balance, and not in fractions of refill.
    #[test]
    fn bug_05_a_refusal_destroys_the_balance(enforcement in enforcements(), gaps in prop::collection::vec(1_u64..200_000_000, 1..200)) {
        let settings = LimiterSettings {
            wait_for_quota: false,
            meters: counted_as(enforcement, Duration::from_secs(10)),
            ..limits(Some(600), Some(TPM))
        };
        let mut asked = Limiter::new(&settings);
        let mut left_alone = Limiter::new(&settings);
        let mut permits = Vec::new();
        for limiter in [&mut asked, &mut left_alone] {
            permits.push(limiter.offer(at(0), 0, ask(TPM / 6)));
        }
        let mut now = 0;
        for gap in gaps {
            now += gap;
            // More than a bucket of a tenth of a minute is ever left of the second.
            let again = asked.offer(at(now), 1, ask(TPM / 6));
            if !matches!(again, Admission::Refused(Refusal::Quota(_))) {
                break;
            }
            for dimension in [Dimension::Rpm, Dimension::Tpm] {
                prop_assert_eq!(asked.remaining(at(now), dimension), left_alone.remaining(at(now), dimension));
            }
        }
    }

    /// However calls end, each is settled exactly once, and then nothing is out. That it cannot be
    /// twice is in the type: a permit is used up, see its documentation.
    #[test]
    fn bug_06_settled_twice_or_never(enforcement in enforcements(), ends in prop::collection::vec((0_u8..6, 1_u64..300), 1..30)) {
        let settings = LimiterSettings {
            meters: counted_as(enforcement, Duration::from_secs(60)),
            ..limits(None, Some(1_000_000))
        };
        let mut limiter = Limiter::new(&settings);
        let mut spent = 0;
        for (kind, tokens) in ends {
            let Admission::Now(permit) = limiter.offer(at(0), 0, ask(1000)) else {
                panic!("there is enough");
            };
            let usage = TokenUsage { output: Tokens(tokens), ..TokenUsage::default() };
            let (end, cost) = match kind {
                0 => (End::Answered(usage), tokens),
                1 => (End::Failed(usage), tokens),
                2 => (End::Throttled, 0),
                3 => (End::Unknown, 1000),
                4 => (End::Abandoned, 1000),
                _ => (End::Unsent, 0),
            };
            limiter.end(at(0), permit, end);
            spent += cost as i64;
        }
        prop_assert_eq!(limiter.in_flight(), 0);
        prop_assert_eq!(limiter.meters().level(Dimension::Tpm), Some(1_000_000 - spent));
    }

    /// All dimensions or none.
    #[test]
    fn bug_07_the_request_is_taken_and_the_tokens_refused(enforcement in enforcements(), costs in prop::collection::vec(1_u64..6000, 1..40)) {
        let settings = LimiterSettings {
            wait_for_quota: false,
            meters: counted_as(enforcement, Duration::from_secs(60)),
            ..limits(Some(1000), Some(TPM))
        };
        let mut limiter = Limiter::new(&settings);
        let mut through = 0;
        for cost in costs {
            if let Admission::Now(_permit) = limiter.offer(at(0), 0, ask(cost)) {
                through += 1;
            }
            prop_assert_eq!(limiter.meters().level(Dimension::Rpm), Some(1000 - through));
        }
    }

    /// A full start does not double the first minute: a burst is ten seconds unless somebody says
    /// otherwise, and an empty start admits what the minute refills.
    #[test]
    fn bug_09_a_full_bucket_at_start_doubles_the_first_minute(cost in 1_u64..1000) {
        let offers: Vec<(u64, u64)> = std::iter::repeat_n((0, cost), 20_000 / cost as usize + 1).collect();
        let first_minute = |settings: &LimiterSettings| {
            let log = schedule(settings, &offers, MINUTE - 1);
            log.iter().map(|(_, tokens)| tokens).sum::<u64>()
        };
        let usual = limits(None, Some(TPM));
        prop_assert!(first_minute(&usual) <= TPM + TPM / 6);
        let empty = LimiterSettings {
            meters: MeterSettings { initial_fill: Share::ZERO, ..usual.meters },
            ..usual
        };
        prop_assert!(first_minute(&empty) <= TPM);
    }

    /// Cache reads cost nothing, and output costs its burndown.
    #[test]
    fn bug_10_cache_reads_charged_and_burndown_forgotten(
        input in 0_u64..100_000, read in 0_u64..1_000_000, write in 0_u64..100_000,
        output in 0_u64..64_000, burndown in 1_u32..16,
    ) {
        let usage = TokenUsage {
            input: Tokens(input),
            output: Tokens(output),
            cache_read: Tokens(read),
            cache_write: Tokens(write),
        };
        let cost = Counting::documented(burndown).settle(usage).tokens;
        prop_assert_eq!(cost, Tokens(input + write + output * u64::from(burndown)));
    }

    /// A call that costs more than it reserved leaves debt, and in the long run no more is spent than
    /// the quota gives.
    #[test]
    fn bug_11_settlement_above_reservation_ignored(enforcement in enforcements(), reserved in 50_u64..400, factor in 2_u64..6) {
        let settings = LimiterSettings {
            meters: counted_as(enforcement, Duration::from_secs(60)),
            ..limits(None, Some(TPM))
        };
        let mut limiter = Limiter::new(&settings);
        let (mut now, mut spent) = (Instant::ZERO, 0_u64);
        let end = at(30 * MINUTE);
        let mut ticket = 0;
        while now < end {
            let permit = match limiter.offer(now, ticket, ask(reserved)) {
                Admission::Now(permit) => permit,
                Admission::Queued(_) => {
                    let Some(next) = limiter.poll_timeout() else { break };
                    now = next;
                    match limiter.poll_turn(now) {
                        Some(Turn::Admitted { permit, .. }) => permit,
                        other => panic!("its turn has come: {other:?}"),
                    }
                }
                other => panic!("it fits: {other:?}"),
            };
            if now > end {
                break;
            }
            ticket += 1;
            spent += reserved * factor;
            limiter.end(now, permit, answered(reserved * factor));
        }
        // One capacity at the start, the refill, and the last call's surprise. A window does not carry
        // debt over: each may end with a surprise.
        let windows = matches!(enforcement, Enforcement::Rolling | Enforcement::Fixed);
        let surprises = if windows { 31 } else { 1 };
        prop_assert!(spent <= TPM * 31 + surprises * reserved * factor, "{}", spent);
    }

    /// After waits that timed out the limit still holds, and a cut limit comes back to the full.
    #[test]
    fn bug_12_a_timed_out_wait_bypasses_the_limit_and_a_cut_never_recovers(
        offers in offers(), throttles in 1_u32..20,
    ) {
        let impatient = LimiterSettings {
            quota_timeout: Duration::from_secs(1),
            ..limits(None, Some(TPM))
        };
        let log = schedule(&impatient, &offers, 100 * MINUTE);
        prop_assert!(most_within(&log, MINUTE) <= TPM + TPM / 6);

        let reacting = LimiterSettings {
            reaction: Some(Reaction::default()),
            ..limits(None, Some(1_000_000))
        };
        let mut limiter = Limiter::new(&reacting);
        for second in 0..u64::from(throttles) {
            let now = Instant::from_secs(second * 2);
            let Admission::Now(permit) = limiter.offer(now, 0, ask(10)) else {
                panic!("there is enough");
            };
            limiter.end(now, permit, End::Throttled);
            prop_assert!(limiter.share() < Share::percent(100));
            prop_assert!(limiter.share() >= Share::percent(10));
        }
        // From 10 % at 5 % a second it takes 18 s.
        let later = Instant::from_secs(u64::from(throttles) * 2 + 18);
        limiter.remaining(later, Dimension::Tpm);
        prop_assert_eq!(limiter.share(), Share::percent(100));
    }

    /// A clock that steps back gives nothing, takes nothing and stops nothing; a sleep fills the
    /// bucket, and no more.
    #[test]
    fn bug_13_the_clock_steps_back_or_the_machine_sleeps(
        enforcement in enforcements(),
        steps in prop::collection::vec((any::<bool>(), 0_u64..20_000_000_000, 1_u64..900), 1..100),
    ) {
        let settings = LimiterSettings {
            wait_for_quota: false,
            meters: counted_as(enforcement, Duration::from_secs(10)),
            ..limits(None, Some(TPM))
        };
        let mut limiter = Limiter::new(&settings);
        let (mut now, mut latest) = (0_u64, 0_u64);
        let mut log = Vec::new();
        for (back, step, tokens) in steps {
            now = if back { now.saturating_sub(step) } else { now + step };
            latest = latest.max(now);
            if let Admission::Now(permit) = limiter.offer(at(now), 0, ask(tokens)) {
                log.push((latest, tokens));
                limiter.end(at(now), permit, answered(tokens));
            }
        }
        // As seen by a clock that only goes forward; a fixed window may be spent at its end and the
        // next at its start.
        let most = if enforcement == Enforcement::Fixed { 2 * TPM / 6 } else { TPM / 6 + TPM / 6 };
        prop_assert!(most_within(&log, MINUTE / 6) <= most);
        let night = at(latest + 480 * MINUTE);
        prop_assert_eq!(limiter.remaining(night, Dimension::Tpm), Some((TPM / 6) as i64));
    }
}

/// A prompt without `max_tokens` is told what it will reserve, or refused; it never gets a silent
/// default.
#[test]
fn bug_08_max_tokens_missing() {
    let text = |api: &str| {
        format!(
            "name = \"unset\"\n[target.sim]\n[run]\nduration = \"10s\"\n[arrivals.constant]\nrate = \"1/s\"\n\
             [model.haiku]\nid = \"us.anthropic.claude-haiku-4-5-20251001-v1:0\"\napi = \"{api}\"\n\
             [model.haiku.quota]\ntpm = 1_000_000\n[[prompt]]\nname = \"chat\"\ninput_tokens = 100\n"
        )
    };
    let checked = Scenario::parse(&text("converse"), Path::new("")).expect("a scenario");
    let prompt = &checked.scenario.prompts[0];
    let most = checked.scenario.models[0].facts.max_output;
    assert_eq!(prompt.reserved_output, most);
    let codes: Vec<_> = checked
        .warnings
        .iter()
        .map(|warning| warning.code)
        .collect();
    assert!(codes.contains(&"max-tokens-unset"), "{codes:?}");
    let refused =
        Scenario::parse(&text("invoke-model"), Path::new("")).expect_err("Claude needs it");
    assert!(
        refused
            .iter()
            .any(|problem| problem.code == "max-tokens-required")
    );
}
