//! What both programs do at their edge: read the environment and write a log.

#![warn(missing_docs)]

pub mod environment;
pub mod log;

pub use log::{Log, LogFormat};
