//! What etcd's JSON gateway sends: byte strings in base64, whole numbers as text.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fleet::Registrant;
use protocol::model_card::{self, Limits};
use serde::Deserialize;

/// The largest value that is read. Real ones have some kilobytes.
const MAX_VALUE: usize = 1 << 20;

/// An answer to a request for a range of keys.
#[derive(Debug, Deserialize)]
pub(super) struct RangeReply<'a> {
    #[serde(borrow)]
    pub(super) header: Header<'a>,
    #[serde(borrow, default)]
    pub(super) kvs: Vec<Entry<'a>>,
    #[serde(default)]
    pub(super) more: bool,
}

/// The state of the store that an answer is about.
#[derive(Debug, Deserialize)]
pub(super) struct Header<'a> {
    #[serde(borrow)]
    revision: Cow<'a, str>,
}

/// One line of a watch.
#[derive(Debug, Deserialize)]
pub(super) struct WatchLine<'a> {
    #[serde(borrow)]
    pub(super) result: Option<WatchResult<'a>>,
    #[serde(borrow)]
    pub(super) error: Option<ErrorReply<'a>>,
}

/// What a watch has seen.
#[derive(Debug, Deserialize)]
pub(super) struct WatchResult<'a> {
    #[serde(default)]
    pub(super) canceled: bool,
    #[serde(borrow, default)]
    pub(super) events: Vec<Event<'a>>,
}

/// A change of one key.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    kv: Entry<'a>,
}

/// A key and its value.
#[derive(Debug, Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Cow<'a, str>,
}

/// Why a request failed.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorReply<'a> {
    #[serde(borrow, default)]
    pub(super) message: Cow<'a, str>,
}

/// What a login is answered with.
#[derive(Debug, Deserialize)]
pub(super) struct LoginReply<'a> {
    #[serde(borrow)]
    pub(super) token: Cow<'a, str>,
}

/// Reads model cards, and counts what is none.
#[derive(Debug, Default)]
pub(super) struct Cards {
    pub(super) unreadable: u64,
}

impl Header<'_> {
    pub(super) fn revision(&self) -> Option<u64> {
        self.revision.parse().ok()
    }
}

impl Entry<'_> {
    pub(super) fn key(&self) -> Option<Vec<u8>> {
        BASE64_STANDARD.decode(&*self.key).ok()
    }
}

impl Cards {
    /// Whose card an entry is, and how much the worker can hold. Of a card that cannot be read that is unknown.
    pub(super) fn read(&mut self, entry: &Entry<'_>) -> Option<(Registrant, Option<Limits>)> {
        let registrant = self.registrant(entry)?;
        let limits = value(entry).and_then(|value| model_card::read_limits(&value).ok());
        self.unreadable += u64::from(limits.is_none());
        Some((registrant, limits.filter(|limits| !limits.is_empty())))
    }

    /// The same for a change.
    pub(super) fn changed(&mut self, event: &Event<'_>) -> Option<(Registrant, Option<Limits>)> {
        match &*event.kind {
            "DELETE" => Some((self.registrant(&event.kv)?, None)),
            _ => self.read(&event.kv),
        }
    }

    fn registrant(&mut self, entry: &Entry<'_>) -> Option<Registrant> {
        let key = entry.key().and_then(|key| String::from_utf8(key).ok());
        match key.map(|key| model_card::read_key(&key)) {
            Some(Ok(registrant)) => registrant,
            Some(Err(_)) | None => {
                self.unreadable += 1;
                None
            }
        }
    }
}

fn value(entry: &Entry<'_>) -> Option<Vec<u8>> {
    let is_small = entry.value.len() <= MAX_VALUE.div_ceil(3) * 4;
    let value = is_small.then(|| BASE64_STANDARD.decode(&*entry.value).ok())??;
    (value.len() <= MAX_VALUE).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "v1/mdc/dynamo/backend/generate/1f";
    const CARD: &str = r#"{"card_json": {"runtime_config": {"max_num_seqs": 8}}}"#;

    fn entry(key: &[u8], value: &[u8]) -> Entry<'static> {
        Entry {
            key: BASE64_STANDARD.encode(key).into(),
            value: BASE64_STANDARD.encode(value).into(),
        }
    }

    #[test]
    fn cards_that_cannot_be_read_are_counted_and_leave_the_worker_without_a_capacity() {
        let mut cards = Cards::default();
        let mut limits = |entry: &Entry<'_>| cards.read(entry).map(|(_, limits)| limits);
        let eight = Limits {
            slots: Some(8),
            kv_blocks: None,
        };
        assert_eq!(limits(&entry(KEY.as_bytes(), CARD.as_bytes())), Some(Some(eight)));
        assert_eq!(
            limits(&entry(format!("{KEY}/adapter").as_bytes(), CARD.as_bytes())),
            None
        );
        assert_eq!(limits(&entry(KEY.as_bytes(), b"{}")), Some(None));
        let large = format!("{CARD}{}", " ".repeat(MAX_VALUE));
        assert_eq!(limits(&entry(KEY.as_bytes(), large.as_bytes())), Some(None));
        let broken = Entry {
            value: "%".into(),
            ..entry(KEY.as_bytes(), b"")
        };
        assert_eq!(limits(&broken), Some(None));
        for key in [&b"v1/mdc/dynamo"[..], &[0xff]] {
            assert_eq!(limits(&entry(key, CARD.as_bytes())), None);
        }
        assert_eq!(cards.unreadable, 5);
    }

    #[test]
    fn a_worker_whose_key_is_deleted_has_no_capacity() {
        let line = format!(
            r#"{{"result":{{"header":{{"revision":"9"}},"events":[{{"type":"DELETE","kv":{{"key":"{}","mod_revision":"9"}}}}]}}}}"#,
            BASE64_STANDARD.encode(KEY)
        );
        let line: WatchLine<'_> = serde_json::from_str(&line).expect("a line");
        let mut cards = Cards::default();
        let changed = cards.changed(&line.result.expect("a result").events[0]);
        assert_eq!(changed.map(|(_, limits)| limits), Some(None));
        assert_eq!(cards.unreadable, 0);
    }
}
