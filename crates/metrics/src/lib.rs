//! The collector program: finds inference workers on NATS, reads their load, serves it to Prometheus and to people.
//!
//! The state machine is the crate `fleet`; here are the tasks around it. `engine` owns it and does what it asks for by
//! way of `asking`, `describing`, `listening` and `checking`; [`export`] and [`web`] present its snapshots. docs/ARCHITECTURE.md
//! has the picture.

#![warn(missing_docs)]

/// The version of the collector.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit of its source, or `unknown` where it was built outside of a repository.
pub(crate) const REVISION: &str = env!("GIT_REVISION");

pub mod api;
pub mod app;
pub mod args;
mod asking;
mod checking;
pub mod cli;
mod client;
pub mod config;
pub mod config_file;
mod describing;
mod engine;
pub mod etcd;
pub mod export;
pub mod external;
mod healthcheck;
pub mod history;
mod html;
mod listening;
pub mod live;
pub mod looking;
pub mod mapping;
pub mod page;
pub mod probe;
pub mod published;
pub mod ready;
pub mod reload;
mod say;
pub mod sinks;
mod table;
pub mod target;
mod tasks;
pub mod top;
mod usage;
pub mod view;
pub mod web;
