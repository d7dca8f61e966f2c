//! What values of the flags of `run` may be, in words.

use clap::ValueEnum;
use protocol::{Encoding, Layout, StatsShape};

/// Whose names the engines' own metrics have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineArg {
    /// vLLM's
    Vllm,
    /// SGLang's
    Sglang,
    /// Metrics of a Dynamo worker, without its engine's
    Dynamo,
}

/// How the workers' clock advances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClockArg {
    /// In real time
    Real,
    /// Only by `mock-worker ctl advance`; nothing changes in between
    Stepped,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LayoutArg {
    /// namespace_component_hash: Dynamo 0.1.1 and 0.2.0, and workers built on this project
    Hashed,
    /// The same with another hash: Dynamo 0.1.0
    HashedPipe,
    /// namespace_component: Dynamo 0.2.1 and later
    Plain,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ShapeArg {
    /// All fields side by side: Dynamo up to 0.3.1
    Flat,
    /// worker_stats and kv_stats: Dynamo 0.3.2 and later
    Nested,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum EncodingArg {
    Json,
    Msgpack,
}

impl From<LayoutArg> for Layout {
    fn from(arg: LayoutArg) -> Self {
        match arg {
            LayoutArg::Hashed => Self::Hashed,
            LayoutArg::HashedPipe => Self::HashedPipe,
            LayoutArg::Plain => Self::Plain,
        }
    }
}

impl From<ShapeArg> for StatsShape {
    fn from(arg: ShapeArg) -> Self {
        match arg {
            ShapeArg::Flat => Self::Flat,
            ShapeArg::Nested => Self::Nested,
        }
    }
}

impl From<EncodingArg> for Encoding {
    fn from(arg: EncodingArg) -> Self {
        match arg {
            EncodingArg::Json => Self::Json,
            EncodingArg::Msgpack => Self::MessagePack,
        }
    }
}
