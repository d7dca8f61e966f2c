//! How both programs serve HTTP: where they listen, what a client may cost, TLS, and who may read.
//!
//! A [`Server`] serves a router of the program's own on [`Listeners`]. No client can hold a connection, a file descriptor
//! or a page for longer than [`Limits`] allow. [`Security`] is what a web configuration file of Prometheus'
//! exporter-toolkit says, read again while the program runs.

#![warn(missing_docs)]

pub mod address;
pub mod args;
mod body;
mod counts;
mod gate;
mod guarded;
pub mod health;
pub mod limits;
mod line;
pub mod listen;
pub mod security;
pub mod server;

pub use address::Address;
pub use args::WebArgs;
pub use body::{Cut, Endless, pieces, shared_body};
pub use counts::{Closed, Counts};
pub use health::{Answer, AskError, ask};
pub use limits::Limits;
pub use listen::{BindError, Listeners};
pub use security::{Policy, Security};
pub use server::Server;
