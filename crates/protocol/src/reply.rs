//! [`StatsReply`]: what a NATS micro service answers to a STATS request, read leniently.
//!
//! Clients of seven languages fill the reply differently: zero counters are left out (Java), times come as
//! nanoseconds, floats or texts such as `8µs` (old Go and C clients), `data` as `null` (Python), and Python writes
//! the literals `NaN` and `Infinity`. None of that hides a worker. What cannot be read is named, and one bad
//! endpoint never takes its neighbours with it. Source of the format: NATS ADR-32.

mod lenient;
mod load;

use serde_json::Value;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::StatsError;
use lenient::Object;

pub use load::{EndpointData, EndpointLoad, LoadError, LoadReply};

/// The longest id of a service instance; NATS clients make 22 characters.
const MAX_ID_BYTES: usize = 255;

/// One service instance and its endpoints.
#[derive(Debug, Clone, PartialEq)]
pub struct StatsReply {
    /// The service's name; for workers, the service part of their subjects. Empty if the reply has none.
    pub service: String,
    /// The id of this instance of the service, new with every start.
    pub id: String,
    /// The service's version; Dynamo says `0.0.1` up to 0.6.0 and its own version from then on.
    pub version: String,
    /// When the instance started, if the reply has a readable time.
    pub started: Option<OffsetDateTime>,
    /// Its endpoints, in the reply's order. Empty for a process that serves none.
    pub endpoints: Vec<EndpointStats>,
    /// Endpoints that could not be read, and why.
    pub refused: Vec<EndpointError>,
}

/// The counters and load of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointStats {
    /// The micro endpoint's name, which is not the worker's endpoint name.
    pub name: String,
    /// The subject that it serves.
    pub subject: String,
    /// Requests received since the start; `None` where the client leaves it out, as some do for 0.
    pub requests: Option<u64>,
    /// Requests answered with an error; `None` where the client leaves it out, as some do for 0.
    pub errors: Option<u64>,
    /// Time spent on requests since the start, in seconds, if the client reports it; finite and not negative. A worker of
    /// Dynamo 1.x reports the time to acknowledge them, which is no latency.
    pub processing_seconds: Option<f64>,
    /// What the worker adds: `Ok(Value::Null)` where it adds nothing, an error where it cannot be read.
    pub data: Result<Value, DataError>,
    /// Counters that were refused; they count as left out.
    pub refused: Vec<StatsError>,
}

/// How much of a reply is read at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyLimits {
    /// Size of the reply in bytes.
    pub bytes: usize,
    /// Endpoints in it.
    pub endpoints: usize,
    /// Nesting of an endpoint's `data`, in levels of brackets.
    pub depth: usize,
}

impl Default for ReplyLimits {
    /// 8 MiB, 1,024 endpoints, 32 levels: each far above what a real service sends.
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            endpoints: 1024,
            depth: 32,
        }
    }
}

/// Why a whole reply cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The message has no payload.
    #[error("the reply is empty")]
    Empty,
    /// The message is larger than [`ReplyLimits::bytes`].
    #[error("the reply has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The message is not a JSON object.
    #[error("the reply is not a JSON object: {0}")]
    NotAnObject(String),
    /// It is the answer to another question.
    #[error("the reply is of type {0:?}, not a STATS reply")]
    OtherType(String),
    /// It does not say which instance it comes from, or in more than 255 bytes.
    #[error("the reply has no service instance id of 1 to {MAX_ID_BYTES} bytes")]
    NoId,
    /// Its endpoints are not a list.
    #[error("the reply's endpoints are not a list")]
    NoEndpointList,
}

/// Why one endpoint of a reply cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// It is not a JSON object.
    #[error("endpoint {index} is not an object")]
    NotAnObject {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// It has no subject.
    #[error("endpoint {index} has no subject")]
    NoSubject {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// There are more than [`ReplyLimits::endpoints`]; the rest was not read.
    #[error("{left_out} endpoints beyond the limit of {limit} were not read")]
    TooMany {
        /// How many were not read.
        left_out: usize,
        /// The limit.
        limit: usize,
    },
}

/// Why the `data` of an endpoint cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// It is nested deeper than [`ReplyLimits::depth`].
    #[error("the load data is nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// It is not JSON.
    #[error("the load data is not JSON: {0}")]
    NotJson(String),
}

impl StatsReply {
    /// Reads a reply within the default [`ReplyLimits`].
    ///
    /// # Errors
    /// [`ReplyError`] where not even the instance and its list of endpoints can be read.
    ///
    /// ```
    /// use protocol::StatsReply;
    /// let reply = StatsReply::decode(br#"{"name": "svc", "id": "a1", "endpoints": [
    ///     {"name": "svc-gen-ff", "subject": "svc.gen-ff", "data": {"kv_active_blocks": NaN}},
    ///     {"broken": true}
    /// ]}"#)?;
    /// assert_eq!(reply.endpoints[0].subject, "svc.gen-ff");
    /// assert_eq!(reply.refused[0].to_string(), "endpoint 1 has no subject");
    /// # Ok::<(), protocol::ReplyError>(())
    /// ```
    pub fn decode(payload: &[u8]) -> Result<Self, ReplyError> {
        Self::decode_within(payload, ReplyLimits::default())
    }

    /// Reads a reply within limits of the caller's.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    ///
    /// ```
    /// use protocol::{ReplyLimits, StatsReply};
    /// let limits = ReplyLimits { bytes: 10, ..ReplyLimits::default() };
    /// let error = StatsReply::decode_within(br#"{"id": "a", "endpoints": []}"#, limits).unwrap_err();
    /// assert_eq!(error.to_string(), "the reply has 28 bytes, more than the limit of 10");
    /// ```
    pub fn decode_within(payload: &[u8], limits: ReplyLimits) -> Result<Self, ReplyError> {
        if payload.is_empty() {
            return Err(ReplyError::Empty);
        }
        if payload.len() > limits.bytes {
            return Err(ReplyError::TooLarge {
                bytes: payload.len(),
                limit: limits.bytes,
            });
        }
        // The strict reading is the fast path; only a reply that fails it is repaired and read again.
        match serde_json::from_slice::<Object<'_>>(payload) {
            Ok(object) => Self::from_object(&object, limits),
            Err(strict) => {
                let repaired = lenient::repair(payload);
                let object = serde_json::from_str::<Object<'_>>(&repaired)
                    .map_err(|_| ReplyError::NotAnObject(strict.to_string()))?;
                Self::from_object(&object, limits)
            }
        }
    }

    fn from_object(object: &Object<'_>, limits: ReplyLimits) -> Result<Self, ReplyError> {
        let kind = object.text("type").unwrap_or_default();
        if !kind.is_empty() && !kind.ends_with(".stats_response") {
            return Err(ReplyError::OtherType(kind));
        }
        let id = object
            .text("id")
            .filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()))
            .ok_or(ReplyError::NoId)?;
        let raw_endpoints: Vec<&RawValue> = match object.raw("endpoints") {
            None => Vec::new(),
            Some(raw) => serde_json::from_str(raw.get()).map_err(|_| ReplyError::NoEndpointList)?,
        };
        let (mut endpoints, mut refused) = (Vec::new(), Vec::new());
        for (index, raw) in raw_endpoints.iter().take(limits.endpoints).enumerate() {
            match read_endpoint(index, raw, limits.depth) {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(error) => refused.push(error),
            }
        }
        if raw_endpoints.len() > limits.endpoints {
            let left_out = raw_endpoints.len() - limits.endpoints;
            refused.push(EndpointError::TooMany {
                left_out,
                limit: limits.endpoints,
            });
        }
        Ok(Self {
            service: object.text("name").map(shortened).unwrap_or_default(),
            id,
            version: object.text("version").map(shortened).unwrap_or_default(),
            started: object
                .text("started")
                .and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok()),
            endpoints,
            refused,
        })
    }
}

/// Names and versions become labels: what is longer than a real one is cut.
fn shortened(text: String) -> String {
    match text.char_indices().nth(MAX_ID_BYTES) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

fn read_endpoint(index: usize, raw: &RawValue, depth: usize) -> Result<EndpointStats, EndpointError> {
    let object: Object<'_> =
        serde_json::from_str(raw.get()).map_err(|_| EndpointError::NotAnObject { index })?;
    let subject = object
        .text("subject")
        .filter(|text| !text.is_empty())
        .ok_or(EndpointError::NoSubject { index })?;
    let mut refused = Vec::new();
    Ok(EndpointStats {
        name: object.text("name").unwrap_or_default(),
        subject,
        requests: object.count("num_requests", &mut refused),
        errors: object.count("num_errors", &mut refused),
        processing_seconds: object.seconds("processing_time"),
        data: object
            .raw("data")
            .map_or(Ok(Value::Null), |raw| read_data(raw.get(), depth)),
        refused,
    })
}

fn read_data(json: &str, limit: usize) -> Result<Value, DataError> {
    if lenient::depth(json) > limit {
        return Err(DataError::TooDeep { limit });
    }
    // A number beyond a float is valid JSON that no reader takes; repaired, it costs its field alone.
    serde_json::from_str(json)
        .or_else(|strict| serde_json::from_str(&lenient::repair(json.as_bytes())).map_err(|_| strict))
        .map_err(|error| DataError::NotJson(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(fields: &str) -> EndpointStats {
        let reply = format!(r#"{{"id": "a", "endpoints": [{{"subject": "s.e-1"{fields}}}]}}"#);
        StatsReply::decode(reply.as_bytes())
            .expect(&reply)
            .endpoints
            .remove(0)
    }

    #[test]
    fn counters_of_seven_languages_are_read() {
        fn check(fields: &str, requests: impl Into<Option<u64>>, seconds: Option<f64>) {
            let endpoint = endpoint(fields);
            assert_eq!(
                (endpoint.requests, endpoint.processing_seconds),
                (requests.into(), seconds),
                "{fields}"
            );
        }
        check(
            r#", "num_requests": 5, "processing_time": 2500000000"#,
            5,
            Some(2.5),
        );
        check(r#", "num_requests": 0, "processing_time": 0"#, 0, Some(0.0));
        check("", None, None);
        check(r#", "num_requests": null, "processing_time": null"#, None, None);
        check(
            r#", "num_requests": 5.0, "processing_time": "1m2.5s""#,
            5,
            Some(62.5),
        );
        check(
            r#", "num_requests": "5", "processing_time": "8µs""#,
            5,
            Some(8e-6),
        );
        check(r#", "num_requests": 1, "processing_time": 0.25"#, 1, Some(0.25));
        check(r#", "num_requests": -1, "processing_time": -1"#, None, None);
    }

    #[test]
    fn a_processing_time_is_read_by_how_it_is_written_and_not_by_its_value() {
        fn check(written: &str, seconds: f64) {
            let endpoint = endpoint(&format!(r#", "processing_time": {written}"#));
            assert_eq!(endpoint.processing_seconds, Some(seconds), "{written}");
        }
        check("2.0", 2.0);
        check("0.0", 0.0);
        check("1.5e3", 1500.0);
        check("1E2", 100.0);
        check("2", 2e-9);
        check("2000000000", 2.0);
        check(r#""2.0""#, 2.0);
        check(r#""2000000000""#, 2.0);
    }

    #[test]
    fn a_counter_that_cannot_be_is_refused_by_name() {
        fn check(written: &str, expected: &str) {
            let refused = endpoint(&format!(r#", "num_requests": {written}"#)).refused;
            let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
            assert_eq!(refused, [expected], "{written}");
        }
        check("-5", "num_requests is negative");
        check("{}", "num_requests is an object, not a number");
        check(r#""x""#, "num_requests is a string, not a number");
        check("Infinity", "num_requests is not finite");
        check("true", "num_requests is a boolean, not a number");
    }

    #[test]
    fn a_bad_neighbour_costs_an_endpoint_nothing() {
        fn check(neighbour: &str, refused: usize) {
            let text = format!(
                r#"{{"id": "a", "endpoints": [{neighbour}, {{"subject": "s.e-1", "data": {{"x": 1}}}}]}}"#
            );
            let reply = StatsReply::decode(text.as_bytes()).expect(neighbour);
            let good = reply.endpoints.last().expect("the good one");
            assert_eq!(
                (good.subject.as_str(), &good.data),
                ("s.e-1", &Ok(serde_json::json!({"x": 1})))
            );
            assert_eq!(reply.refused.len(), refused, "{neighbour}");
        }
        check("null", 1);
        check("[]", 1);
        check(r#"{"subject": 3}"#, 1);
        check(r#"{"subject": "s.e-2", "data": NaN}"#, 0);
        check(
            r#"{"subject": "s.e-2", "data": {"x": 1e400, "y": [-Infinity]}}"#,
            0,
        );
        check(r#"{"subject": "s.e-2", "subject": "s.e-3"}"#, 0);
        check(
            &format!(
                r#"{{"subject": "s.e-2", "data": {}{}}}"#,
                "[".repeat(500),
                "]".repeat(500)
            ),
            0,
        );
    }

    #[test]
    fn a_reply_that_says_nothing_is_refused_with_the_reason() {
        fn check(payload: &[u8], expected: &str) {
            let error = StatsReply::decode(payload).expect_err("refused").to_string();
            assert!(error.contains(expected), "{error}");
        }
        check(b"", "empty");
        check(b"garbage", "not a JSON object");
        check(br#"{"id": "a", "endpo"#, "not a JSON object");
        check(b"[]", "not a JSON object");
        check(br#"{"name": "svc"}"#, "no service instance id");
        check(
            format!(r#"{{"id": "{}"}}"#, "x".repeat(256)).as_bytes(),
            "1 to 255 bytes",
        );
        check(
            br#"{"id": "a", "type": "io.nats.micro.v1.info_response"}"#,
            "not a STATS reply",
        );
        check(br#"{"id": "a", "endpoints": {}}"#, "not a list");
        check(&vec![b' '; (8 << 20) + 1], "more than the limit");
    }

    #[test]
    fn a_reply_is_bounded_in_endpoints_and_depth() {
        let limits = ReplyLimits {
            endpoints: 2,
            depth: 3,
            ..ReplyLimits::default()
        };
        let text = format!(
            r#"{{"id": "a", "endpoints": [{}]}}"#,
            [r#"{"subject": "s.e-1", "data": [[[[0]]]]}"#; 5].join(",")
        );
        let reply = StatsReply::decode_within(text.as_bytes(), limits).expect("readable");
        assert_eq!(reply.endpoints.len(), 2);
        assert_eq!(
            reply.refused,
            [EndpointError::TooMany {
                left_out: 3,
                limit: 2
            }]
        );
        assert_eq!(reply.endpoints[0].data, Err(DataError::TooDeep { limit: 3 }));
    }
}
