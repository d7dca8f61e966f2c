//! What both programs do at their edge: read the environment and the flags of a connection, write a log, print to stdout,
//! refuse a wrong command line or file, describe themselves to shells and `man`, and end with an exit code.

#![warn(missing_docs)]

pub mod environment;
pub mod exit;
pub mod log;
pub mod manual;
pub mod nats;
pub mod output;
mod settling;
pub mod source;
pub mod terminal;
pub mod time;
pub mod usage;

pub use exit::Exit;
pub use log::{Log, LogFilter, LogFormat};
pub use settling::Settling;
