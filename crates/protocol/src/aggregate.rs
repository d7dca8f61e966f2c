//! The load of a whole pool as a collector publishes it, once in each round, at
//! [`subject::aggregate`](crate::subject::aggregate).
//!
//! There are two forms. [`upstream`] is the JSON of Dynamo's `metrics` component, which its readers expect byte for byte.
//! [`Aggregate`] is a MessagePack map with all that the collector knows, which a collector splits where a message would be
//! too large for the server. The first byte shows which of them it is: `{` begins the JSON.

mod native;
pub mod upstream;

pub use native::{Aggregate, AggregateError, Load, Pool, SCHEMA, Split, Worker};
