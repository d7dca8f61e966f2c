//! JSON and MessagePack, distinguished by the header `Content-Type` or, without one, by the first byte.

mod opened;
pub(crate) mod pack;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::events::Topic;
use crate::record::{self, Record};

pub use opened::{Opened, Publisher, open};

/// How an event's payload is encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// JSON text; what Dynamo sent up to 0.8.
    #[default]
    Json,
    /// MessagePack with named fields; what Dynamo sends from 0.9 on, in an [`Envelope`].
    MessagePack,
}

/// The header that names the encoding of our own events.
pub const CONTENT_TYPE: &str = "Content-Type";

/// The largest payload that is decoded, in bytes: the default `max_payload` of a NATS server.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// The deepest nesting that is decoded.
pub(crate) const MAX_DEPTH: usize = 32;

/// What a header may say for MessagePack.
const MESSAGE_PACK_TYPES: [&str; 3] = [
    "application/msgpack",
    "application/x-msgpack",
    "application/vnd.msgpack",
];

/// Why a payload cannot be decoded, or a value not encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The payload has no bytes.
    #[error("the payload is empty")]
    Empty,
    /// The payload is larger than [`MAX_PAYLOAD_BYTES`].
    #[error("the payload has {0} bytes, more than the limit of {MAX_PAYLOAD_BYTES}")]
    TooLarge(usize),
    /// The bytes are no JSON.
    #[error("the payload is not JSON: {0}")]
    Json(String),
    /// The bytes are no MessagePack.
    #[error("the payload is not MessagePack: {0}")]
    MessagePack(String),
    /// The value has no such encoding.
    #[error("the value cannot be encoded: {0}")]
    Encode(String),
}

/// A text that names no [`Encoding`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an encoding; write json or msgpack")]
pub struct EncodingError(String);

/// Dynamo's wrapper around events from 0.9 on; all fields as on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Up to 1.2.1 the instance id of the process that publishes; from 1.3 on a random number of each publisher.
    pub publisher_id: u64,
    /// Counts the publisher's messages from 0.
    pub sequence: u64,
    /// When it was published, in milliseconds since the Unix epoch.
    pub published_at: u64,
    /// The event's name, e.g. `kv-hit-rate`.
    pub topic: String,
    /// The event itself, as MessagePack.
    #[serde(with = "serde_bytes")]
    pub payload: Vec<u8>,
}

impl Envelope {
    /// Puts an event into an envelope.
    ///
    /// # Errors
    /// [`CodecError::Encode`] where the event has no MessagePack.
    pub fn around(publisher: Publisher, topic: Topic, event: &impl Serialize) -> Result<Self, CodecError> {
        Ok(Self {
            publisher_id: publisher.id,
            sequence: publisher.sequence,
            published_at: publisher.published_at_ms,
            topic: topic.as_str().to_owned(),
            payload: Encoding::MessagePack.encode(event)?,
        })
    }
}

impl Encoding {
    /// What the header `Content-Type` says.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MessagePack => "application/msgpack",
        }
    }

    /// The encoding of a payload: what the header says if it is known, else what the first byte shows.
    ///
    /// ```
    /// use protocol::Encoding;
    /// assert_eq!(Encoding::of(None, b" {}"), Encoding::Json);
    /// assert_eq!(Encoding::of(None, &[0x85]), Encoding::MessagePack);
    /// assert_eq!(Encoding::of(Some("application/msgpack"), b"{"), Encoding::MessagePack);
    /// ```
    pub fn of(content_type: Option<&str>, payload: &[u8]) -> Self {
        let media_type = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        if media_type.eq_ignore_ascii_case(Self::Json.content_type()) {
            return Self::Json;
        }
        let is_message_pack = |known: &&str| media_type.eq_ignore_ascii_case(known);
        if MESSAGE_PACK_TYPES.iter().any(is_message_pack) {
            return Self::MessagePack;
        }
        // A MessagePack map or array begins like this; no JSON text does.
        match payload.first() {
            Some(0x80..=0x9f | 0xdc..=0xdf) => Self::MessagePack,
            _ => Self::Json,
        }
    }

    /// Encodes a value.
    ///
    /// # Errors
    /// [`CodecError::Encode`] where the value has no form in the encoding, e.g. a map with keys that are no text.
    pub fn encode(self, value: &impl Serialize) -> Result<Vec<u8>, CodecError> {
        match self {
            Self::Json => serde_json::to_vec(value).map_err(|error| CodecError::Encode(error.to_string())),
            Self::MessagePack => {
                rmp_serde::to_vec_named(value).map_err(|error| CodecError::Encode(error.to_string()))
            }
        }
    }
}

/// Reads an event into a record without an allocation; `None` where the general reader has to look at it.
pub(crate) fn read_into<'a>(opened: &Opened<'a>, record: &mut impl Record<'a>) -> Option<()> {
    match opened.encoding {
        Encoding::Json => {
            let mut deserializer = serde_json::Deserializer::from_slice(opened.payload);
            record::read(record, &mut deserializer).ok()?;
            deserializer.end().ok()
        }
        Encoding::MessagePack => record::read(record, &mut message_pack(opened.payload)).ok(),
    }
}

pub(crate) fn message_pack(
    payload: &[u8],
) -> rmp_serde::Deserializer<rmp_serde::decode::ReadRefReader<'_, [u8]>> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(payload);
    deserializer.set_max_depth(MAX_DEPTH);
    deserializer
}

fn from_message_pack<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, CodecError> {
    T::deserialize(&mut message_pack(payload)).map_err(|error| CodecError::MessagePack(error.to_string()))
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::MessagePack => "msgpack",
        })
    }
}

impl FromStr for Encoding {
    type Err = EncodingError;

    fn from_str(text: &str) -> Result<Self, EncodingError> {
        match text {
            "json" => Ok(Self::Json),
            "msgpack" => Ok(Self::MessagePack),
            _ => Err(EncodingError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_gives_what_it_holds() {
        let event = serde_json::json!({"worker_id": u64::MAX, "isl_blocks": 10});
        let envelope = Envelope {
            publisher_id: 1,
            sequence: 2,
            published_at: 3,
            topic: "kv-hit-rate".to_owned(),
            payload: Encoding::MessagePack.encode(&event).expect("encodes"),
        };
        let payload = Encoding::MessagePack.encode(&envelope).expect("encodes");
        assert_eq!(
            payload[0], 0x85,
            "the first byte by which Dynamo's consumers know it"
        );
        assert_eq!(open(None, &payload).and_then(|opened| opened.value()), Ok(event));
    }

    #[test]
    fn bytes_that_are_neither_are_refused_and_do_no_harm() {
        let deep = [[0x81, 0xa1, b'a'].repeat(5000), vec![0xc0]].concat();
        for payload in [
            b"".as_slice(),
            b"garbage",
            b"{\"worker_id\": ",
            &[0x85],
            &[0xdf, 0xff, 0xff, 0xff, 0xff],
            &deep,
        ] {
            let value = open(None, payload).and_then(|opened| opened.value());
            assert!(value.is_err(), "{payload:?}");
        }
    }
}
