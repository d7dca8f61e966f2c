//! The promises of the workspace, each kept on a real NATS server with the real programs.
//!
//! `cargo xtask e2e` runs them. Every test has a server of its own and short poll intervals; what a test says will
//! *not* happen, it says by the collector's own clock, its rounds.

mod alerts;
mod api;
mod browser;
mod command_line;
mod configuration;
mod conform;
mod control;
mod dashboards;
mod deploy;
mod diagnosis;
mod discovery;
mod doctor;
mod documents;
mod engines;
mod etcd;
mod events;
mod exit_codes;
mod explain_services;
mod files;
mod floods;
mod generations;
mod harness;
mod healthcheck;
mod hostile;
mod http;
mod lifecycle;
mod link;
mod logging;
mod mappings;
mod messages;
mod operators;
mod otlp;
mod outage;
mod page;
mod promises;
mod publish;
mod python;
mod readme;
mod receivers;
mod record;
mod recordings;
mod refused;
mod rounds;
mod scenarios;
mod security;
mod selectors;
mod senders;
mod services;
mod shutdown;
mod simulator;
mod sinks;
mod stdout;
mod terminal;
mod top;
mod trouble;
mod vectors;

/// What most tests watch.
const TARGET: &str = "dynamo/my_component/my_endpoint";
