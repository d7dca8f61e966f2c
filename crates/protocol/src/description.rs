//! The description of a service, which says in original case whose it is.
//!
//! Plain service names fold case and punctuation, and even hashed ones join namespace and component with `_`; the
//! `description` that every Dynamo runtime puts into its INFO reply tells apart what they do not.

use std::fmt;

use serde::Deserialize;

use crate::{Component, Namespace};

/// `Dynamo component {component} in namespace {namespace}`, read and written.
///
/// # Errors
/// Parsing fails with [`NotADescription`] where the text has another form or a name in it is not valid.
///
/// ```
/// use protocol::Description;
/// let description: Description = "Dynamo component MyComponent in namespace dynamo".parse()?;
/// assert_eq!(description.component.as_str(), "MyComponent");
/// assert_eq!(description.to_string(), "Dynamo component MyComponent in namespace dynamo");
/// # Ok::<(), protocol::description::NotADescription>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Description {
    /// The component, in its original case.
    pub component: Component,
    /// The namespace, in its original case.
    pub namespace: Namespace,
}

/// A description that is not in Dynamo's form: it says nothing about namespace and component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the description is not \"Dynamo component … in namespace …\"")]
pub struct NotADescription;

impl Description {
    /// Reads the description out of a NATS micro INFO reply.
    ///
    /// # Errors
    /// [`NotADescription`] where the reply is no JSON, has no description, or one of another form.
    ///
    /// ```
    /// use protocol::Description;
    /// let reply = br#"{"name": "a_b", "id": "x", "description": "Dynamo component b in namespace a"}"#;
    /// assert_eq!(Description::from_info_reply(reply)?.namespace.as_str(), "a");
    /// # Ok::<(), protocol::description::NotADescription>(())
    /// ```
    pub fn from_info_reply(payload: &[u8]) -> Result<Self, NotADescription> {
        #[derive(Deserialize)]
        struct Info {
            description: String,
        }
        serde_json::from_slice::<Info>(payload)
            .map_err(|_| NotADescription)?
            .description
            .parse()
    }
}

impl std::str::FromStr for Description {
    type Err = NotADescription;

    fn from_str(text: &str) -> Result<Self, NotADescription> {
        let names = text.strip_prefix("Dynamo component ").ok_or(NotADescription)?;
        let (component, namespace) = names.split_once(" in namespace ").ok_or(NotADescription)?;
        Ok(Self {
            component: component.parse().map_err(|_| NotADescription)?,
            namespace: namespace.parse().map_err(|_| NotADescription)?,
        })
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Dynamo component {} in namespace {}",
            self.component, self.namespace
        )
    }
}
