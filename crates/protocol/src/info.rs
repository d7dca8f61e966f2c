//! [`InfoReply`]: what a NATS micro service answers to an INFO request.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::Description;

/// One service instance's description of itself.
///
/// ```
/// use protocol::InfoReply;
/// let reply = InfoReply::read(br#"{"name": "a_b", "id": "x", "description": "Dynamo component b in namespace a",
///     "metadata": {"pod": "b-7f"}, "endpoints": [{"name": "gen", "subject": "a_b.gen-1", "queue_group": "q"}]}"#)?;
/// assert_eq!((reply.service.as_str(), reply.id.as_str()), ("a_b", "x"));
/// assert_eq!(reply.worker().expect("Dynamo's form").namespace.as_str(), "a");
/// assert_eq!(reply.metadata["pod"], "b-7f");
/// assert_eq!(reply.endpoints[0].queue_group, "q");
/// # Ok::<(), protocol::InfoError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InfoReply {
    /// The service's name; empty if the reply has none.
    pub service: String,
    /// The id of the instance; empty if the reply has none.
    pub id: String,
    /// What the service does, in words; empty if the reply does not say.
    pub description: String,
    /// What its operator or its author adds. Values that are no text are left out.
    pub metadata: BTreeMap<String, String>,
    /// Its endpoints. Those without a subject are left out.
    pub endpoints: Vec<InfoEndpoint>,
}

/// How one endpoint is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfoEndpoint {
    /// Its subject.
    pub subject: String,
    /// The queue group of its subscription; empty if the reply does not say, or there is none.
    pub queue_group: String,
}

/// A message that is no INFO reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the INFO reply is not a JSON object of texts: {0}")]
pub struct InfoError(String);

impl InfoReply {
    /// Reads a reply. Metadata and endpoints of another form than ADR-32's cost only themselves.
    ///
    /// # Errors
    /// [`InfoError`] where it is not a JSON object, or name, id or description is no text.
    pub fn read(payload: &[u8]) -> Result<Self, InfoError> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default)]
            name: String,
            #[serde(default)]
            id: String,
            #[serde(default)]
            description: Option<String>,
            #[serde(default)]
            metadata: Value,
            #[serde(default)]
            endpoints: Value,
        }
        let wire: Wire = serde_json::from_slice(payload).map_err(|error| InfoError(error.to_string()))?;
        Ok(Self {
            service: wire.name,
            id: wire.id,
            description: wire.description.unwrap_or_default(),
            metadata: match wire.metadata {
                Value::Object(entries) => entries.into_iter().filter_map(text_entry).collect(),
                _ => BTreeMap::new(),
            },
            endpoints: match wire.endpoints {
                Value::Array(endpoints) => endpoints.iter().filter_map(InfoEndpoint::read).collect(),
                _ => Vec::new(),
            },
        })
    }

    /// Whose worker the instance is; `None` where the description is not in Dynamo's form.
    pub fn worker(&self) -> Option<Description> {
        self.description.parse().ok()
    }
}

impl InfoEndpoint {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            subject: value.get("subject")?.as_str()?.to_owned(),
            queue_group: value
                .get("queue_group")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        })
    }
}

fn text_entry((key, value): (String, Value)) -> Option<(String, String)> {
    match value {
        Value::String(text) => Some((key, text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_in_metadata_and_endpoints_costs_only_itself() {
        let reply = |rest: &str| {
            let text = format!(r#"{{"name": "s", "id": "1", "description": "d", {rest}}}"#);
            InfoReply::read(text.as_bytes()).expect(rest)
        };
        for rest in [
            r#""metadata": null, "endpoints": null"#,
            r#""metadata": [1], "endpoints": {"a": 1}"#,
            r#""metadata": {"a": 1, "b": null}, "endpoints": [1, {}, {"subject": 2}]"#,
        ] {
            let read = reply(rest);
            assert_eq!((read.service.as_str(), read.description.as_str()), ("s", "d"));
            assert_eq!((read.metadata.len(), read.endpoints.len()), (0, 0), "{rest}");
        }
        let read = reply(r#""metadata": {"a": "x", "b": 1}, "endpoints": [{"subject": "s.e"}, 1]"#);
        assert_eq!(read.metadata, BTreeMap::from([("a".to_owned(), "x".to_owned())]));
        assert_eq!(read.endpoints[0].subject, "s.e");
        assert_eq!(read.endpoints[0].queue_group, "");
    }
}
