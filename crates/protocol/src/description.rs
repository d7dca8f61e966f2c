//! The description of a service, which says in original case whose it is.
//!
//! Plain service names fold case and punctuation, and even hashed ones join namespace and component with `_`; the
//! `description` that every Dynamo runtime puts into its INFO reply keeps them distinct.

use std::fmt;

use serde::Deserialize;

use crate::{Component, Namespace};

/// `Dynamo component {component} in namespace {namespace}`, read and written.
///
/// # Errors
/// Parsing fails with [`NotADescription`] if the text has another form, if a name in it is not valid, or if a name has
/// the words ` in namespace ` itself: such a text could be read in two ways, and one would be another worker's.
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

/// What separates the two names.
const BETWEEN: &str = " in namespace ";

impl Description {
    /// Reads the description out of a NATS micro INFO reply.
    ///
    /// # Errors
    /// [`NotADescription`] where the reply is not JSON, has no description, or one of another form.
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
        let (component, namespace) = names.split_once(BETWEEN).ok_or(NotADescription)?;
        if names.rfind(BETWEEN) != Some(component.len()) {
            return Err(NotADescription);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read_only_where_it_has_one_reading() {
        fn check(text: &str, expected: Option<(&str, &str)>) {
            let read = text.parse::<Description>().ok();
            let names = read
                .as_ref()
                .map(|read| (read.component.as_str(), read.namespace.as_str()));
            assert_eq!(names, expected, "{text}");
        }
        check("Dynamo component c d in namespace _a.b", Some(("c d", "_a.b")));
        check(
            "Dynamo component in namespace in namespace x",
            Some(("in namespace", "x")),
        );
        check("Dynamo component  x  in namespace  ", Some((" x ", " ")));
        check("Dynamo component a in namespace b in namespace c", None);
        check("Dynamo component a in namespace in namespace b", None);
        check("Dynamo component a in namespace ", None);
        check("Dynamo component a/b in namespace c", None);
        check("Component a in namespace b", None);
    }
}
