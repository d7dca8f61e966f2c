//! The promises of the workspace, each kept on a real NATS server with the real programs.
//!
//! `cargo xtask e2e` runs them. Every test has a server of its own and short poll intervals; what a test says will
//! *not* happen, it says by the collector's own clock, its rounds.

mod harness;
