//! [`LoadReply`]: a STATS reply with the load of its endpoints, borrowed from the message.
//!
//! A collector reads many thousands of these a second. Replies as well-behaved workers write them are read without
//! an allocation; all others go through [`StatsReply`], so both readers always agree.

mod fast;
mod started;

use std::borrow::Cow;

use serde_json::Value;
use smallvec::SmallVec;
use time::OffsetDateTime;

use super::{DataError, EndpointError, EndpointStats, ReplyError, ReplyLimits, StatsReply};
use crate::{StatsError, StatsReading, StatsRefusal, WorkerStats};

/// One service instance, its endpoints and their load.
///
/// ```
/// use protocol::LoadReply;
/// let reply = LoadReply::read(br#"{"name": "svc", "id": "a1", "endpoints": [
///     {"name": "svc-gen-ff", "subject": "svc.gen-ff", "num_requests": 5, "data": {"kv_active_blocks": 42}}
/// ]}"#)?;
/// let endpoint = &reply.endpoints[0];
/// assert_eq!((endpoint.subject.as_ref(), endpoint.requests), ("svc.gen-ff", Some(5)));
/// let load = endpoint.load.as_ref().expect("usable");
/// assert_eq!(load.stats.as_ref().and_then(|stats| stats.kv_blocks_active()), Some(42));
/// # Ok::<(), protocol::ReplyError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LoadReply<'a> {
    /// The service's name; see [`StatsReply::service`].
    pub service: Cow<'a, str>,
    /// The id of this instance of the service, new with every start.
    pub id: Cow<'a, str>,
    /// The service's version.
    pub version: Cow<'a, str>,
    /// When the instance started, if the reply has a readable time.
    pub started: Option<OffsetDateTime>,
    /// Its endpoints, in the reply's order. Empty for a process that serves none.
    pub endpoints: SmallVec<[EndpointLoad<'a>; 1]>,
    /// Endpoints that could not be read, and why.
    pub refused: Vec<EndpointError>,
}

/// The counters and load of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointLoad<'a> {
    /// The micro endpoint's name, which is not the worker's endpoint name.
    pub name: Cow<'a, str>,
    /// The subject that it serves.
    pub subject: Cow<'a, str>,
    /// Requests received since the start; `None` where the client leaves it out, as some do for 0.
    pub requests: Option<u64>,
    /// Requests answered with an error; `None` where the client leaves it out, as some do for 0.
    pub errors: Option<u64>,
    /// Time spent on requests since the start, in seconds, if the client reports it; finite and not negative. A worker of
    /// Dynamo 1.x reports the time to acknowledge them, which is no latency.
    pub processing_seconds: Option<f64>,
    /// Counters that were refused; they count as left out.
    pub refused: Vec<StatsError>,
    /// The load in the endpoint's `data`, or why it cannot be used.
    pub load: Result<StatsReading, LoadError>,
    /// The whole of its `data`.
    pub data: EndpointData<'a>,
}

/// The `data` of an endpoint. Most collectors need no more of it than its load, so it is read when it is asked for.
#[derive(Debug, Clone)]
pub struct EndpointData<'a>(Raw<'a>);

#[derive(Debug, Clone)]
enum Raw<'a> {
    Text(&'a str),
    Read(Box<Result<Value, DataError>>),
}

impl EndpointData<'_> {
    /// The data as JSON; `null` where there is none.
    ///
    /// # Errors
    /// [`DataError`] where it cannot be read.
    ///
    /// ```
    /// use protocol::LoadReply;
    /// let reply = LoadReply::read(br#"{"id": "a1", "endpoints": [{"subject": "orders", "data": {"depth": 3}}]}"#)?;
    /// assert_eq!(reply.endpoints[0].data.read()?["depth"], 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(&self) -> Result<Cow<'_, Value>, DataError> {
        match &self.0 {
            Raw::Text("") => Ok(Cow::Owned(Value::Null)),
            Raw::Text(text) => serde_json::from_str(text)
                .map(Cow::Owned)
                .map_err(|error| DataError::NotJson(error.to_string())),
            Raw::Read(read) => read.as_ref().as_ref().map(Cow::Borrowed).map_err(Clone::clone),
        }
    }
}

impl PartialEq for EndpointData<'_> {
    /// Whether the same JSON can be read from both.
    fn eq(&self, other: &Self) -> bool {
        self.read() == other.read()
    }
}

/// Why the load data of an endpoint cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// It is no load.
    #[error(transparent)]
    Stats(#[from] StatsRefusal),
}

impl<'a> LoadReply<'a> {
    /// Reads a reply within the default [`ReplyLimits`].
    ///
    /// # Errors
    /// As [`StatsReply::decode`].
    pub fn read(payload: &'a [u8]) -> Result<Self, ReplyError> {
        Self::read_within(payload, ReplyLimits::default())
    }

    /// Reads a reply within limits of the caller's. It says what [`StatsReply::decode_within`] says.
    ///
    /// # Errors
    /// As [`StatsReply::decode_within`].
    pub fn read_within(payload: &'a [u8], limits: ReplyLimits) -> Result<Self, ReplyError> {
        match fast::read(payload, limits) {
            Some(reply) => Ok(reply),
            None => StatsReply::decode_within(payload, limits).map(Self::from),
        }
    }
}

impl From<StatsReply> for LoadReply<'_> {
    fn from(reply: StatsReply) -> Self {
        Self {
            service: reply.service.into(),
            id: reply.id.into(),
            version: reply.version.into(),
            started: reply.started,
            endpoints: reply.endpoints.into_iter().map(EndpointLoad::from).collect(),
            refused: reply.refused,
        }
    }
}

impl From<EndpointStats> for EndpointLoad<'_> {
    fn from(endpoint: EndpointStats) -> Self {
        let load = match &endpoint.data {
            Ok(data) => WorkerStats::read(data).map_err(LoadError::from),
            Err(error) => Err(error.clone().into()),
        };
        Self {
            name: endpoint.name.into(),
            subject: endpoint.subject.into(),
            requests: endpoint.requests,
            errors: endpoint.errors,
            processing_seconds: endpoint.processing_seconds,
            refused: endpoint.refused,
            load,
            data: EndpointData(Raw::Read(Box::new(endpoint.data))),
        }
    }
}
