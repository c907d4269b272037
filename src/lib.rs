//! `bedload`: what fits into an Amazon Bedrock quota, measured.
//!
//! One scenario file runs on one engine under two clocks against three targets: a simulation in
//! virtual time, a local stub, and Amazon Bedrock itself. The crate is layered, and every import
//! points down (`tests/tidy.rs` checks it):
//!
//! | layer | modules | what they are |
//! |---|---|---|
//! | 5 | [`clock`], [`exchange`], [`target`], [`client`], [`account`], [`drive::real`] | sockets, clocks, async (features `aws`, `stub`) |
//! | 4 | [`sustained`], [`forecast`], [`plan`], [`tune`], [`sweep`], [`compare`], [`report`] | judgement: pure functions of scenarios and runs |
//! | 3 | [`scenario`], [`results`], [`wire`], [`drive::simulated`], [`import`] | bytes ↔ values; the event loop |
//! | 2 | [`engine`], [`recorder`], [`service`] | state machines; `now` is an argument |
//! | 1 | [`quota`], [`limiter`], [`arrivals`], [`mix`], [`distribution`], [`retry`], [`outcome`], [`expect`], [`gate`], [`goal`], [`price`], [`catalogue`], [`text`], [`statistics`], [`chart`] | rules: small, pure |
//! | 0 | [`units`], [`time`], [`rng`], [`parallel`] | words, and work on several threads |
//!
//! With `default-features = false` layers 0 to 4 build without an async runtime or a network stack.

pub mod parallel;
pub mod rng;
pub mod time;
pub mod units;

pub mod arrivals;
pub mod catalogue;
pub mod chart;
pub mod distribution;
pub mod expect;
pub mod gate;
pub mod goal;
pub mod limiter;
pub mod mix;
pub mod outcome;
pub mod price;
pub mod quota;
pub mod retry;
pub mod statistics;
pub mod text;

pub mod engine;
pub mod recorder;
pub mod service;

pub mod drive;
pub mod import;
pub mod results;
pub mod scenario;
pub mod wire;

pub mod compare;
pub mod forecast;
pub mod plan;
pub mod report;
pub mod sustained;
pub mod sweep;
pub mod tune;

#[cfg(feature = "aws")]
pub mod account;
#[cfg(feature = "aws")]
pub mod client;
#[cfg(feature = "real")]
pub mod clock;
#[cfg(feature = "aws")]
pub mod exchange;
#[cfg(feature = "aws")]
pub mod target;
