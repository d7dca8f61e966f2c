//! Numbers in the `data` of a service: where they are, and what they may be.
//!
//! Dynamo's load is read this way, see [`LOAD_FIELDS`], and so is what any other service puts
//! into its `data`.

mod pointer;
mod range;

pub use pointer::{Absent, Pointer, PointerError, Visitor};
pub use range::Range;

pub use crate::stats::{LOAD_FIELDS, LoadField};
