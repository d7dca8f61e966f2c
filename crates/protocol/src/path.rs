//! [`EndpointPath`]: namespace, component and endpoint, in every form people type.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::token::ENDPOINT_KEYWORD;
use crate::{Component, EndpointName, NameError, Namespace};

/// Names one pool of workers: all that serve one endpoint of one component.
///
/// It reads every form that Dynamo's tools print or take, and writes `namespace/component/endpoint`:
///
/// | form | read as |
/// |---|---|
/// | `dynamo/backend/generate` | the canonical form |
/// | `dynamo.backend.generate` | dots split only where there is no `/` |
/// | `my.dotted.ns/back end/generate` | with a `/`, dots belong to the names, as white space always does |
/// | `dyn://dynamo.backend.generate` | the scheme is dropped |
/// | `dynamo/backend/_endpoint_/generate` | the form that Dynamo displays |
///
/// # Errors
/// Parsing fails with [`PathError`], which names the part that is missing or wrong.
///
/// ```
/// use protocol::EndpointPath;
/// let path: EndpointPath = "dyn://dynamo.backend.generate".parse()?;
/// assert_eq!(path.to_string(), "dynamo/backend/generate");
///
/// let error = "dynamo/backend".parse::<EndpointPath>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "\"dynamo/backend\" has 2 parts, the endpoint is missing; write namespace/component/endpoint"
/// );
/// # Ok::<(), protocol::PathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EndpointPath {
    /// The outermost name.
    pub namespace: Namespace,
    /// The service within the namespace.
    pub component: Component,
    /// What the component offers.
    pub endpoint: EndpointName,
}

/// Why a text is not an [`EndpointPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Fewer than three parts.
    #[error("{text:?} has {found} part{}, {missing} missing; write namespace/component/endpoint", if *.found == 1 { "" } else { "s" })]
    TooFewParts {
        /// The text that was given.
        text: String,
        /// How many parts it has.
        found: usize,
        /// Which are missing, as a phrase.
        missing: &'static str,
    },
    /// More than three parts.
    #[error(
        "{text:?} has {found} parts; write namespace/component/endpoint (with `/`, dots belong to the names)"
    )]
    TooManyParts {
        /// The text that was given.
        text: String,
        /// How many parts it has.
        found: usize,
    },
    /// One of the parts is no valid name.
    #[error("{text:?} is not an endpoint path: {source}")]
    Name {
        /// The text that was given.
        text: String,
        /// What is wrong with which part.
        source: NameError,
    },
}

impl EndpointPath {
    /// Puts three valid names together.
    pub fn new(namespace: Namespace, component: Component, endpoint: EndpointName) -> Self {
        Self {
            namespace,
            component,
            endpoint,
        }
    }
}

impl FromStr for EndpointPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let rest = text.strip_prefix("dyn://").unwrap_or(text);
        let separator = if rest.contains('/') { '/' } else { '.' };
        let mut parts: Vec<&str> = rest.split(separator).collect();
        if parts.len() == 4 && parts[2] == ENDPOINT_KEYWORD {
            parts.remove(2);
        }
        let missing = match parts.as_slice() {
            [""] => "namespace, component and endpoint are",
            [_] => "component and endpoint are",
            [_, _] => "the endpoint is",
            [namespace, component, endpoint] => {
                let named = |source| PathError::Name {
                    text: text.to_owned(),
                    source,
                };
                return Ok(Self {
                    namespace: namespace.parse().map_err(named)?,
                    component: component.parse().map_err(named)?,
                    endpoint: endpoint.parse().map_err(named)?,
                });
            }
            more => {
                return Err(PathError::TooManyParts {
                    text: text.to_owned(),
                    found: more.len(),
                });
            }
        };
        Err(PathError::TooFewParts {
            text: text.to_owned(),
            found: parts.len(),
            missing,
        })
    }
}

impl TryFrom<String> for EndpointPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl From<EndpointPath> for String {
    fn from(path: EndpointPath) -> Self {
        path.to_string()
    }
}

impl fmt::Display for EndpointPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.component, self.endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_people_type_is_read() {
        fn check(text: &str, expected: &str) {
            assert_eq!(text.parse::<EndpointPath>().expect(text).to_string(), expected);
        }
        check("dynamo/backend/generate", "dynamo/backend/generate");
        check("dynamo.backend.generate", "dynamo/backend/generate");
        check("dyn://dynamo/backend/generate", "dynamo/backend/generate");
        check("dyn://dynamo.backend.generate", "dynamo/backend/generate");
        check("My-NS.x/back-end/gen-erate", "My-NS.x/back-end/gen-erate");
        check("a/c d/e", "a/c d/e");
        check("_a.b/c d/e", "_a.b/c d/e");
        check("a.c d.e", "a/c d/e");
        check("dyn://.a./*/e", ".a./*/e");
        check("a../_endpoint_b/_endpoint_/e", "a../_endpoint_b/e");
        check("dynamo/backend/_endpoint_/generate", "dynamo/backend/generate");
        check("dynamo.backend._endpoint_.generate", "dynamo/backend/generate");
    }

    #[test]
    fn an_error_names_the_part_and_the_reason() {
        fn check(text: &str, expected: &str) {
            let error = text.parse::<EndpointPath>().expect_err(text).to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
        check("", "namespace, component and endpoint are missing");
        check("dynamo", "1 part, component and endpoint are missing");
        check("a.b.c.d", "4 parts");
        check("a.b/c", "the endpoint is missing");
        check("//x", "the namespace is empty");
        check("a//x", "the component is empty");
        check("a/b/", "the endpoint is empty");
        check(
            "a/b/c d",
            "the endpoint \"c d\" has the character ' ' at byte 1: white space",
        );
        check("a..b", "the component is empty");
        check(".a.b", "the namespace is empty");
        check("a/b\n/c", "control characters");
        check("a/_endpoint_/b", "the component cannot be \"_endpoint_\"");
    }
}
