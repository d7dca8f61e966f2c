//! The collector: finds inference workers on NATS, reads their load, serves it to Prometheus and to people.
//!
//! Three stages, each pure but for its ends: [`gather`] collects replies, [`intake`] and [`matching`] decide whose
//! they are, [`fleet`] keeps what is known; [`export`] and [`web`] present it. docs/ARCHITECTURE.md has the picture.

#![warn(missing_docs)]

pub mod app;
pub mod args;
pub mod cli;
pub mod config;
pub mod connect;
pub mod descriptions;
pub mod events;
pub mod export;
pub mod fleet;
pub mod gather;
pub mod intake;
pub mod matching;
pub mod probe;
pub mod status;
pub mod web;
