//! What inference workers and their collector say to each other over NATS: subjects, load and events.
//!
//! The grammar of a worker's subject, which [`WorkerSubject`] writes and [`subject::SubjectParts`] reads:
//!
//! ```text
//! subject   = service "." endpoint [ "-" id ]     without an id: a static worker
//! service   = slug                                of namespace and component, per Layout
//! endpoint  = the name as it is                   may contain "-"
//! id        = u64, lower-case hexadecimal, no leading zeros
//! ```
//!
//! A worker in any language writes its subject like this and puts its load into the `data` of its NATS micro
//! endpoint's statistics:
//!
//! ```
//! use protocol::{EndpointPath, Layout, StatsShape, WorkerId, WorkerStats, WorkerSubject};
//!
//! let path: EndpointPath = "dynamo/my_component/my_endpoint".parse()?;
//! let subject = WorkerSubject::new(&path, Layout::Hashed, Some(WorkerId::new(0x1f)))?;
//! assert_eq!(subject.to_string(), "dynamo_my_component_1854ce00.my_endpoint-1f");
//!
//! let stats = WorkerStats::builder().slots_active(3).slots_capacity(100).requests_waiting(0).kv_blocks_active(42).kv_blocks_capacity(100).build()?;
//! let data = stats.to_data(StatsShape::Nested);
//! assert_eq!(data["kv_stats"]["kv_active_blocks"], 42);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A reader matches exactly, against the path that it looks for:
//!
//! ```
//! use protocol::{EndpointPath, Layout, WorkerId, subject::{Instance, SubjectParts}};
//!
//! let path: EndpointPath = "dynamo/my_component/my_endpoint".parse()?;
//! let parts = SubjectParts::split("dynamo_my_component_1854ce00.my_endpoint-1f").expect("has a dot");
//! assert_eq!(parts.service, Layout::Hashed.service_name(&path.namespace, &path.component)?.as_str());
//! assert_eq!(parts.read(&path.endpoint), Ok(Instance::Worker(WorkerId::new(0x1f))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With the feature `service` the crate also carries the worker SDK, `service::Worker`.

#![warn(missing_docs)]
// docs.rs shows which feature each item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod aggregate;
pub mod codec;
pub mod description;
pub mod events;
mod info;
pub mod mapping;
pub mod model_card;
mod path;
mod pattern;
mod record;
mod reply;
mod scan;
#[cfg(feature = "service")]
pub mod service;
mod service_name;
mod stats;
pub mod subject;
pub mod text;
mod token;

pub use codec::{CodecError, Encoding, EncodingError, Envelope, Opened};
pub use description::Description;
pub use events::{EventError, KvHitRate, KvMetrics, LoadSource};
pub use info::{InfoEndpoint, InfoError, InfoReply};
pub use path::{EndpointPath, PathError};
pub use pattern::{BoundPattern, PatternError, PatternMismatch, SubjectPattern};
pub use reply::{
    DataError, EndpointData, EndpointError, EndpointLoad, EndpointStats, LoadError, LoadReply, ReplyError,
    ReplyLimits, StatsReply,
};
pub use service_name::{Layout, LayoutError, ServiceName, ServiceNameError};
pub use stats::{
    StatsError, StatsFault, StatsReading, StatsRefusal, StatsShape, StatsShapeError, WorkerStats,
    WorkerStatsBuilder,
};
pub use subject::WorkerSubject;
pub use token::{
    Component, EndpointName, MAX_NAME_BYTES, NameError, Namespace, ServicePrefix, WorkerId, WorkerIdError,
};

/// The examples of the README.
#[cfg(all(doctest, feature = "service"))]
#[doc = include_str!("../README.md")]
struct Readme;
