//! One NATS connection, as both programs need it: made patiently, watched closely, restored without a herd.
//!
//! [`Link`] connects and knows the state of the connection, also before there is one. [`Inbox`] receives the replies
//! to numbered rounds. [`Limiter`] keeps a repeated message from flooding the log.
//!
//! [`Servers`], the addresses with their credentials, is part of the worker SDK in `protocol` and re-exported here: a
//! worker needs nothing but `protocol`, and async-nats takes no credentials from an address. This crate and the SDK
//! are the only places where connection options are built.

#![warn(missing_docs)]

mod advice;
mod check;
mod connect;
mod connection;
mod denials;
mod failures;
mod grants;
mod inbox;
mod limiter;
mod monitor;
mod server_error;
mod violation;

pub use protocol::ServicePrefix;
pub use protocol::service::{Cause, CauseKind, Login, Secret, Servers, ServersError, reconnect_delay};

pub use connect::{ConnectError, Options};
pub use connection::{Link, LinkState};
pub use denials::Denials;
pub use grants::Grants;
pub use inbox::{Inbox, Reply, ReplyKind};
pub use limiter::Limiter;
pub use violation::Violation;
