//! JSON and MessagePack, told apart by the header `Content-Type` or, for those who send none, by the first byte.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How an event's payload is encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// JSON text; what Dynamo sent up to 0.8.
    #[default]
    Json,
    /// MessagePack with named fields; what Dynamo sends from 0.9 on, in an envelope.
    MessagePack,
}

/// The header that names the encoding of our own events.
pub const CONTENT_TYPE: &str = "Content-Type";

/// The largest payload that is decoded, in bytes: the default `max_payload` of a NATS server.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// The deepest nesting that is decoded.
const MAX_DEPTH: usize = 32;

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
    #[error("the payload is no JSON: {0}")]
    Json(String),
    /// The bytes are no MessagePack map.
    #[error("the payload is no MessagePack map: {0}")]
    MessagePack(String),
    /// The value has no such encoding.
    #[error("the value cannot be encoded: {0}")]
    Encode(String),
}

/// A text that names no [`Encoding`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no encoding; write json or msgpack")]
pub struct EncodingError(String);

/// Dynamo's wrapper around events from 0.9 on; all fields as on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The id of the process that publishes.
    pub publisher_id: u64,
    /// Counts the publisher's messages.
    pub sequence: u64,
    /// When it was published, in milliseconds since the Unix epoch.
    pub published_at: u64,
    /// The event's name, e.g. `kv-hit-rate`.
    pub topic: String,
    /// The event itself, as MessagePack.
    #[serde(with = "serde_bytes")]
    pub payload: Vec<u8>,
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
        match media_type.to_ascii_lowercase().as_str() {
            "application/json" => Self::Json,
            "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => Self::MessagePack,
            // A MessagePack map begins with 0x80..=0x8f, 0xde or 0xdf; no JSON text does.
            _ => match payload.first() {
                Some(0x80..=0x8f | 0xde | 0xdf) => Self::MessagePack,
                _ => Self::Json,
            },
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

/// Decodes a payload of any generation; an [`Envelope`] is opened, and what it holds is returned.
///
/// # Errors
/// [`CodecError`] where the payload is empty, too large, or not what header or first byte say.
///
/// ```
/// use protocol::codec::{Encoding, decode};
/// let event = serde_json::json!({"worker_id": 7});
/// for encoding in [Encoding::Json, Encoding::MessagePack] {
///     let payload = encoding.encode(&event)?;
///     assert_eq!(decode(Some(encoding.content_type()), &payload)?, event);
///     assert_eq!(decode(None, &payload)?, event);
/// }
/// # Ok::<(), protocol::CodecError>(())
/// ```
pub fn decode(content_type: Option<&str>, payload: &[u8]) -> Result<Value, CodecError> {
    match payload.len() {
        0 => return Err(CodecError::Empty),
        bytes if bytes > MAX_PAYLOAD_BYTES => return Err(CodecError::TooLarge(bytes)),
        _ => {}
    }
    match Encoding::of(content_type, payload) {
        Encoding::Json => {
            serde_json::from_slice(payload).map_err(|error| CodecError::Json(error.to_string()))
        }
        Encoding::MessagePack => match from_message_pack::<Envelope>(payload) {
            Ok(envelope) => from_message_pack(&envelope.payload),
            Err(_) => from_message_pack(payload),
        },
    }
}

fn from_message_pack<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, CodecError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(payload);
    deserializer.set_max_depth(MAX_DEPTH);
    T::deserialize(&mut deserializer).map_err(|error| CodecError::MessagePack(error.to_string()))
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
        assert_eq!(decode(None, &payload), Ok(event));
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
            assert!(decode(None, payload).is_err(), "{payload:?}");
        }
    }
}
