//! [`InfoReply`]: what a NATS micro service answers to an INFO request, as far as it says whose workers it serves.

use serde::Deserialize;

use crate::Description;

/// One service instance's description.
///
/// ```
/// use protocol::InfoReply;
/// let reply = InfoReply::read(br#"{"name": "a_b", "id": "x", "description": "Dynamo component b in namespace a"}"#)?;
/// assert_eq!((reply.service.as_str(), reply.id.as_str()), ("a_b", "x"));
/// assert_eq!(reply.description.expect("Dynamo's form").namespace.as_str(), "a");
/// # Ok::<(), protocol::InfoError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfoReply {
    /// The service's name; empty if the reply has none.
    pub service: String,
    /// The id of the instance; empty if the reply has none.
    pub id: String,
    /// The description, or `None` where it is not in Dynamo's form.
    pub description: Option<Description>,
}

/// A message that is no INFO reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the INFO reply is no JSON object with texts in it: {0}")]
pub struct InfoError(String);

impl InfoReply {
    /// Reads a reply.
    ///
    /// # Errors
    /// [`InfoError`] where it is no JSON object, or name, id or description is no text.
    pub fn read(payload: &[u8]) -> Result<Self, InfoError> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default)]
            name: String,
            #[serde(default)]
            id: String,
            #[serde(default)]
            description: Option<String>,
        }
        let wire: Wire = serde_json::from_slice(payload).map_err(|error| InfoError(error.to_string()))?;
        Ok(Self {
            service: wire.name,
            id: wire.id,
            description: wire.description.and_then(|text| text.parse().ok()),
        })
    }
}
