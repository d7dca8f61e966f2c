//! What both programs do at their edge: read the environment, write a log, print to stdout, refuse a wrong command line.

#![warn(missing_docs)]

pub mod colour;
pub mod environment;
pub mod log;
pub mod output;
pub mod usage;

pub use log::{Log, LogFormat};
