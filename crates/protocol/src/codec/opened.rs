//! [`Opened`]: a message without its envelope, and who published it.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::pack::Pack;
use super::{CodecError, Encoding, MAX_PAYLOAD_BYTES, from_message_pack};
use crate::record::Id;

/// A message of any generation, opened: the event that it holds, still encoded, and the envelope's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened<'a> {
    /// Who published it and when; `None` without an envelope, as up to 0.8 and in this project's own events.
    pub publisher: Option<Publisher>,
    /// How [`payload`](Self::payload) is encoded.
    pub encoding: Encoding,
    /// The event: a map in the encoding, or a MessagePack array.
    pub payload: &'a [u8],
}

/// What an envelope says about the message in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Publisher {
    /// Up to Dynamo 1.2.1 the process' instance id, which is the id of its worker. From 1.3 on a random number of each
    /// publisher, of which a process has several: never the id of a worker.
    pub id: u64,
    /// Counts the publisher's messages from 0, so a gap is a loss.
    pub sequence: u64,
    /// When it was published, in milliseconds since the Unix epoch, by the publisher's clock.
    pub published_at_ms: u64,
}

/// Opens a message of any generation: takes it out of its envelope if it has one. The event itself is not looked at;
/// its reader is what refuses it.
///
/// An envelope is a MessagePack map with the five fields of [`Envelope`](super::Envelope), in any order, or an array of
/// the five in this order. The event in it is binary or text.
///
/// # Errors
/// [`CodecError::Empty`] and [`CodecError::TooLarge`].
///
/// ```
/// use protocol::codec::{Encoding, Envelope, open};
/// let payload = Encoding::MessagePack.encode(&[1, 2])?;
/// let envelope = Envelope { publisher_id: 7, sequence: 0, published_at: 3, topic: "kv_metrics".into(), payload };
/// let bytes = Encoding::MessagePack.encode(&envelope)?;
/// let opened = open(None, &bytes)?;
/// assert_eq!(opened.payload, [0x92, 1, 2]);
/// assert_eq!(opened.publisher.map(|publisher| publisher.id), Some(7));
/// assert_eq!(open(None, b"{}")?.publisher, None);
/// # Ok::<(), protocol::CodecError>(())
/// ```
pub fn open<'a>(content_type: Option<&str>, bytes: &'a [u8]) -> Result<Opened<'a>, CodecError> {
    match bytes.len() {
        0 => return Err(CodecError::Empty),
        length if length > MAX_PAYLOAD_BYTES => return Err(CodecError::TooLarge(length)),
        _ => {}
    }
    let encoding = Encoding::of(content_type, bytes);
    let opened = match encoding {
        Encoding::Json => None,
        Encoding::MessagePack => usual(bytes).or_else(|| unusual(bytes)),
    };
    Ok(opened.unwrap_or(Opened {
        publisher: None,
        encoding,
        payload: bytes,
    }))
}

impl Opened<'_> {
    /// The event as a generic value.
    pub(crate) fn value(&self) -> Result<Value, CodecError> {
        match self.encoding {
            Encoding::Json => {
                serde_json::from_slice(self.payload).map_err(|error| CodecError::Json(error.to_string()))
            }
            Encoding::MessagePack => from_message_pack(self.payload),
        }
    }
}

/// Opens the envelope that every publisher of Dynamo writes.
fn usual(bytes: &[u8]) -> Option<Opened<'_>> {
    let mut pack = Pack(bytes);
    pack.literal(b"\x85\xacpublisher_id")?;
    let id = pack.whole()?;
    pack.literal(b"\xa8sequence")?;
    let sequence = pack.whole()?;
    pack.literal(b"\xacpublished_at")?;
    let published_at_ms = pack.whole()?;
    pack.literal(b"\xa5topic")?;
    pack.text()?;
    pack.literal(b"\xa7payload")?;
    let payload = pack.binary()?;
    Some(Opened {
        publisher: Some(Publisher {
            id,
            sequence,
            published_at_ms,
        }),
        encoding: Encoding::MessagePack,
        payload,
    })
}

/// Opens an envelope that is written in another way.
fn unusual(bytes: &[u8]) -> Option<Opened<'_>> {
    #[derive(Deserialize)]
    struct Borrowed<'a> {
        #[serde(deserialize_with = "id")]
        publisher_id: u64,
        #[serde(deserialize_with = "id")]
        sequence: u64,
        #[serde(deserialize_with = "id")]
        published_at: u64,
        #[serde(rename = "topic")]
        _topic: &'a str,
        #[serde(borrow, with = "serde_bytes")]
        payload: &'a [u8],
    }
    let envelope: Borrowed<'_> = from_message_pack(bytes).ok()?;
    Some(Opened {
        publisher: Some(Publisher {
            id: envelope.publisher_id,
            sequence: envelope.sequence,
            published_at_ms: envelope.published_at,
        }),
        encoding: Encoding::MessagePack,
        payload: envelope.payload,
    })
}

/// A number, or the decimal text of one.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let missing = || serde::de::Error::custom("no whole number");
    Id::deserialize(deserializer)?.0.whole().ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bin(payload: &[u8]) -> serde_bytes::ByteBuf {
        serde_bytes::ByteBuf::from(payload.to_vec())
    }

    const PUBLISHER: Publisher = Publisher {
        id: u64::MAX,
        sequence: 5,
        published_at_ms: 1_795_447_959_357,
    };

    /// Opens a message and compares what is found in it.
    fn check(message: &[u8], publisher: Option<Publisher>, payload: &[u8]) {
        let opened = open(None, message).expect("opens");
        let expected = Opened {
            publisher,
            encoding: Encoding::MessagePack,
            payload,
        };
        assert_eq!(opened, expected, "{message:?}");
    }

    #[test]
    fn an_envelope_is_opened_however_it_is_written() {
        let Publisher {
            id,
            sequence,
            published_at_ms: at,
        } = PUBLISHER;
        for payload in [
            vec![0x80],
            vec![0x91, 0x80],
            vec![0xdc, 0, 1, 0x80],
            vec![0x80; 300],
        ] {
            let array = rmp_serde::to_vec(&(id, sequence, at, "kv-events", bin(&payload)));
            check(&array.expect("encodes"), Some(PUBLISHER), &payload);
            let ids_as_text = rmp_serde::to_vec(&(id.to_string(), sequence, at, "t", bin(&payload)));
            check(&ids_as_text.expect("encodes"), Some(PUBLISHER), &payload);
        }
        let text = rmp_serde::to_vec(&(id, sequence, at, "t", "{}")).expect("encodes");
        check(&text, Some(PUBLISHER), b"{}");
        // A generic value has its fields in the order of their names.
        let fields = json!({"publisher_id": id, "sequence": sequence, "published_at": at, "topic": "t",
            "payload": "{}", "later": [1, {"a": null}]});
        let map = rmp_serde::to_vec(&fields).expect("encodes");
        check(&map, Some(PUBLISHER), b"{}");
    }

    #[test]
    fn what_is_no_envelope_is_the_event_itself() {
        for message in [
            json!({"worker_id": 7, "payload": "{}"}),
            json!({"publisher_id": 1, "sequence": -1, "published_at": 3, "topic": "t", "payload": "{}"}),
            json!({"publisher_id": 1, "sequence": 2, "published_at": 3, "topic": "t", "payload": {}}),
            json!([1, 2, 3, 4, "x"]),
            json!([7, 0, null, null, 42]),
            json!([{}, {}, {}, {}, {}]),
        ] {
            let message = rmp_serde::to_vec(&message).expect("encodes");
            check(&message, None, &message);
        }
        check(&[0x85], None, &[0x85]);
    }

    #[test]
    fn only_the_size_of_a_message_is_refused() {
        assert_eq!(open(None, b""), Err(CodecError::Empty));
        let large = vec![b' '; MAX_PAYLOAD_BYTES + 1];
        assert_eq!(open(None, &large), Err(CodecError::TooLarge(large.len())));
        let opened = open(None, b"anything").expect("opens");
        assert_eq!(
            (opened.encoding, opened.payload),
            (Encoding::Json, &b"anything"[..])
        );
    }
}
