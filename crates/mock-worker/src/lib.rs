//! A stand-in for inference workers: many NATS services in one process, with load that hangs together.
//!
//! [`sim`] is the load, pure and repeatable; [`app`] puts it on NATS.

#![warn(missing_docs)]

pub mod app;
pub mod args;
pub mod ids;
pub mod logging;
pub mod sim;
