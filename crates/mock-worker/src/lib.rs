//! A stand-in for inference workers: many NATS services in one process, with load that hangs together.
//!
//! [`sim`] is the load, pure and repeatable; a [`scenario`] says what is asked of the workers and what goes wrong with
//! them ([`faults`]); a [`stage`] is both as time goes on. What the workers say of themselves is a [`reply`].
//! [`simulate`] plays a scenario offline, [`app`] puts it on NATS, where [`control`] reaches into it. [`truth`] is what
//! the workers really did, and [`verify`] holds a collector's [`page`] against it and against what a scenario promises
//! ([`expect`]).

#![warn(missing_docs)]

pub mod app;
pub mod args;
pub mod commands;
pub mod control;
pub mod expect;
pub mod faults;
pub mod generation;
pub mod ids;
pub mod logging;
pub mod page;
pub mod publish;
pub mod record;
pub mod reply;
pub mod scenario;
pub mod simulate;
pub mod stage;
pub mod truth;
pub mod verify;
