//! [`Selector`]: what the user asked to watch. An exact path yields one pool; a glob yields a pool for each path found.

use std::fmt;
use std::str::FromStr;

use protocol::{Component, EndpointName, EndpointPath, Namespace, PathError};
use wildmatch::WildMatchPattern;

use crate::PoolName;

/// One thing to watch.
#[derive(Debug, Clone, PartialEq)]
pub enum Selector {
    /// Exactly this pool, which is reported even while it has no workers.
    Path(EndpointPath),
    /// Every pool whose path matches; a pool is there as long as it has workers.
    Glob(PathGlob),
    /// Every endpoint of the NATS services whose names match, unless a path selects it as a worker's. One with an exact name
    /// is reported even while it has no instances.
    Services(NameGlob),
}

/// A path in which each name may hold `*`, which matches any text within that name.
///
/// ```
/// use fleet::PathGlob;
/// let glob: PathGlob = "dynamo-*/*/generate".parse()?;
/// assert!(glob.matches(&"dynamo-7f/backend/generate".parse()?));
/// assert!(!glob.matches(&"dynamo/backend/generate".parse()?));
/// # Ok::<(), protocol::PathError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PathGlob {
    namespace: NameGlob,
    component: NameGlob,
    endpoint: NameGlob,
}

/// A name that may hold `*`.
#[derive(Debug, Clone, PartialEq)]
pub struct NameGlob(WildMatchPattern<'*', '\0'>);

/// Why a text is no name of a service, nor a glob of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoServiceName {
    /// It is empty.
    #[error("a service's name has at least one character; `*` matches every service")]
    Empty,
    /// It is a path.
    #[error("{0:?} is a path of workers, not the name of a service; use --target")]
    Path(String),
    /// It has a character that a service's name cannot have.
    #[error("{text:?} has {character:?}, which the name of a service cannot have")]
    Character {
        /// The text.
        text: String,
        /// The character.
        character: char,
    },
}

/// Replaces each `*` while a glob's form is checked; it is allowed in every name.
const ANY: &str = "x";

impl PathGlob {
    /// A glob of three names.
    pub fn new([namespace, component, endpoint]: [&str; 3]) -> Self {
        Self {
            namespace: NameGlob::new(namespace),
            component: NameGlob::new(component),
            endpoint: NameGlob::new(endpoint),
        }
    }

    /// Whether the glob matches this path.
    pub fn matches(&self, path: &EndpointPath) -> bool {
        self.reaches(&path.namespace, Some(&path.component)) && self.endpoint.matches(path.endpoint.as_str())
    }

    /// Whether some path in this namespace, and of this component, can match.
    pub fn reaches(&self, namespace: &Namespace, component: Option<&Component>) -> bool {
        self.namespace.matches(namespace.as_str())
            && component.is_none_or(|component| self.component.matches(component.as_str()))
    }

    /// The namespace, component and endpoint, each where the glob names exactly one.
    pub fn names(&self) -> (Option<Namespace>, Option<Component>, Option<EndpointName>) {
        (
            self.namespace.name().and_then(|name| name.parse().ok()),
            self.component.name().and_then(|name| name.parse().ok()),
            self.endpoint.name().and_then(|name| name.parse().ok()),
        )
    }
}

impl NameGlob {
    /// A glob of one name.
    pub fn new(glob: &str) -> Self {
        Self(WildMatchPattern::new(glob))
    }

    /// A glob of the names of services.
    ///
    /// # Errors
    /// [`NoServiceName`] where no service can have such a name.
    ///
    /// ```
    /// use fleet::NameGlob;
    /// assert!(NameGlob::of_services("orders-*")?.matches("orders-eu"));
    /// assert!(NameGlob::of_services("dynamo/backend/generate").is_err());
    /// # Ok::<(), fleet::NoServiceName>(())
    /// ```
    pub fn of_services(text: &str) -> Result<Self, NoServiceName> {
        let text = text.trim();
        let refused = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '.' | '/' | '>' | ',');
        match text.chars().find(|c| refused(*c)) {
            _ if text.is_empty() => Err(NoServiceName::Empty),
            Some('/') => Err(NoServiceName::Path(text.to_owned())),
            Some(character) => Err(NoServiceName::Character {
                text: text.to_owned(),
                character,
            }),
            None => Ok(Self::new(text)),
        }
    }

    /// Whether the glob matches this name.
    pub fn matches(&self, name: &str) -> bool {
        self.0.matches(name)
    }

    /// The one name that it matches; `None` for one with `*`.
    pub fn name(&self) -> Option<String> {
        Some(self.to_string()).filter(|glob| !glob.contains('*'))
    }
}

impl FromStr for PathGlob {
    type Err = PathError;

    /// # Errors
    /// [`PathError`] where the text, with a name in place of each `*`, is no path.
    fn from_str(text: &str) -> Result<Self, PathError> {
        let named = |error: PathError| match error {
            PathError::TooFewParts { found, missing, .. } => PathError::TooFewParts {
                text: text.to_owned(),
                found,
                missing,
            },
            PathError::TooManyParts { found, .. } => PathError::TooManyParts {
                text: text.to_owned(),
                found,
            },
            PathError::Name { source, .. } => PathError::Name {
                text: text.to_owned(),
                source,
            },
            other => other,
        };
        text.replace('*', ANY).parse::<EndpointPath>().map_err(named)?;
        let rest = text.strip_prefix("dyn://").unwrap_or(text);
        let separator = if rest.contains('/') { '/' } else { '.' };
        let parts: Vec<&str> = rest.split(separator).collect();
        let (first, last) = (parts[0], parts[parts.len() - 1]);
        Ok(Self::new([first, parts[1], last]))
    }
}

impl Selector {
    /// Whether this pool is one of those that were asked for.
    pub fn selects(&self, pool: &PoolName) -> bool {
        match (self, pool) {
            (Self::Path(path), PoolName::Workers(of)) => path == of,
            (Self::Glob(glob), PoolName::Workers(of)) => glob.matches(of),
            (Self::Services(glob), PoolName::Service { service, .. }) => glob.matches(service),
            _ => false,
        }
    }
}

impl FromStr for Selector {
    type Err = PathError;

    /// # Errors
    /// [`PathError`] where the text is neither a path nor a glob of one.
    fn from_str(text: &str) -> Result<Self, PathError> {
        match text.contains('*') {
            true => text.parse().map(Self::Glob),
            false => text.parse().map(Self::Path),
        }
    }
}

impl fmt::Display for NameGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for PathGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.component, self.endpoint)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.fmt(f),
            Self::Glob(glob) => glob.fmt(f),
            Self::Services(glob) => glob.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_text_within_one_name() {
        fn check(glob: &str, path: &str, expected: bool) {
            let parsed: PathGlob = glob.parse().expect(glob);
            let path: EndpointPath = path.parse().expect(path);
            assert_eq!(parsed.matches(&path), expected, "{glob} {path}");
        }
        check("dynamo/*/*", "dynamo/backend/generate", true);
        check("dynamo/*/generate", "dynamo/backend/generate_v2", false);
        check("*/*/*", "a.b/c/d", true);
        check("*.*.*", "a/c/d", true);
        check("dynamo/*/gen*", "dynamo/backend/generate", true);
        check("dynamo/back*end/x", "dynamo/backend/x", true);
        check("dynamo/*/_endpoint_/gen", "dynamo/c/gen", true);
        check("dyn://dynamo/*/gen", "dynamo/c/gen", true);
        check("dynamo/?/gen", "dynamo/c/gen", false);
        check("dynamo/*/*", "prod/backend/generate", false);
    }

    #[test]
    fn a_selector_is_a_path_unless_it_has_a_star() {
        assert!(matches!("a/b/c".parse(), Ok(Selector::Path(_))));
        assert!(matches!("a/*/c".parse(), Ok(Selector::Glob(_))));
        let error = "a/*".parse::<Selector>().expect_err("two parts").to_string();
        assert!(error.contains("\"a/*\" has 2 parts"), "{error}");
    }
}
