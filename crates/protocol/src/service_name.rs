//! Service names: what namespace and component become on NATS, in each generation of Dynamo's runtime.
//!
//! `slug(raw)` lower-cases (Unicode), turns every character outside the kept set into `_`, appends the
//! layout's suffix and strips leading `_`. Source: `Slug` in the `dynamo-runtime` crate, 0.1.0 to 1.6.1.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Component, Namespace};

/// One way in which namespace and component are written as a service name.
///
/// | layout | runtime | raw | kept characters | suffix |
/// |---|---|---|---|---|
/// | `hashed` | 0.1.1, 0.2.0 | `{namespace}_{component}` | `a-z 0-9 _` | `_` and the last 8 hex digits of BLAKE3(raw) |
/// | `hashed-pipe` | 0.1.0 | `{namespace}\|{component}` | `a-z 0-9 _` | the same, of this raw |
/// | `plain` | 0.2.1 to 1.6.1 | `{namespace}_{component}` | `a-z 0-9 _ -` | none |
///
/// `Hashed` is canonical: it is what workers built on this crate use, and the hash, taken before the letters
/// are folded, keeps names apart that differ only in case or punctuation.
///
/// ```
/// use protocol::Layout;
/// let (ns, component) = ("dynamo".parse()?, "MyComponent".parse()?);
/// assert_eq!(Layout::Hashed.service_name(&ns, &component)?.as_str(), "dynamo_mycomponent_593024f1");
/// assert_eq!(Layout::Plain.service_name(&ns, &component)?.as_str(), "dynamo_mycomponent");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `{namespace}_{component}` with its hash; canonical.
    #[default]
    Hashed,
    /// `{namespace}|{component}` with its hash; Dynamo 0.1.0.
    HashedPipe,
    /// `{namespace}_{component}` without a hash; Dynamo 0.2.1 and later. Lossy: `a.b` and `a_b` collide.
    Plain,
}

/// A service name as NATS sees it: the first dot-separated part of a worker's subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ServiceName(String);

/// Why namespace and component have no service name in a layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "namespace {namespace} and component {component} have no service name in the {layout} layout: no letter a-z, digit or dash is left of them; use the hashed layout"
)]
pub struct ServiceNameError {
    layout: Layout,
    namespace: Namespace,
    component: Component,
}

/// A text that names no [`Layout`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a layout; write hashed, hashed-pipe or plain")]
pub struct LayoutError(String);

impl Layout {
    /// Every layout, the canonical one first.
    pub const ALL: [Self; 3] = [Self::Hashed, Self::HashedPipe, Self::Plain];

    /// The layout's name in flags and labels: `hashed`, `hashed-pipe` or `plain`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hashed => "hashed",
            Self::HashedPipe => "hashed-pipe",
            Self::Plain => "plain",
        }
    }

    /// The service name of a component in this layout.
    ///
    /// # Errors
    /// [`ServiceNameError`] where the plain layout leaves nothing, e.g. for two names without any Latin letter.
    /// The hashed layouts always have a name.
    pub fn service_name(
        self,
        namespace: &Namespace,
        component: &Component,
    ) -> Result<ServiceName, ServiceNameError> {
        let name = match self {
            Self::Hashed => with_hash(&format!("{namespace}_{component}")),
            Self::HashedPipe => with_hash(&format!("{namespace}|{component}")),
            Self::Plain => strip(&slug(&format!("{namespace}_{component}"), true)),
        };
        if name.is_empty() {
            return Err(ServiceNameError {
                layout: self,
                namespace: namespace.clone(),
                component: component.clone(),
            });
        }
        Ok(ServiceName(name))
    }
}

impl ServiceName {
    /// The name as it is in subjects and in the `name` of a NATS micro reply.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-cases `raw` and writes `_` for each character that service names do not keep.
pub(crate) fn slug(raw: &str, keep_dash: bool) -> String {
    let kept = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || (keep_dash && c == '-');
    raw.to_lowercase()
        .chars()
        .map(|c| if kept(c) { c } else { '_' })
        .collect()
}

/// The last 8 hex digits of BLAKE3 over the names in their original case.
pub(crate) fn hash8(raw: &str) -> String {
    let hex = blake3::hash(raw.as_bytes()).to_hex();
    hex[hex.len() - 8..].to_owned()
}

fn with_hash(raw: &str) -> String {
    strip(&format!("{}_{}", slug(raw, false), hash8(raw)))
}

fn strip(name: &str) -> String {
    name.trim_start_matches('_').to_owned()
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Layout {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, LayoutError> {
        Self::ALL
            .into_iter()
            .find(|layout| layout.as_str() == text)
            .ok_or_else(|| LayoutError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_names_are_those_of_real_workers() {
        fn check(layout: Layout, namespace: &str, component: &str, expected: &str) {
            let name = layout.service_name(
                &namespace.parse().expect("valid"),
                &component.parse().expect("valid"),
            );
            assert_eq!(name.expect("has a name").as_str(), expected);
        }
        check(Layout::HashedPipe, "dynamo", "backend", "dynamo_backend_020af9f2");
        check(Layout::Hashed, "dynamo", "backend", "dynamo_backend_9ce3f3b7");
        check(
            Layout::Hashed,
            "dynamo",
            "my_component",
            "dynamo_my_component_1854ce00",
        );
        check(
            Layout::Hashed,
            "dynamo",
            "MyComponent",
            "dynamo_mycomponent_593024f1",
        );
        check(Layout::Hashed, "My-NS.x", "back-end", "my_ns_x_back_end_5d80fdd8");
        check(Layout::Plain, "dynamo", "MyComponent", "dynamo_mycomponent");
        check(Layout::Plain, "My-NS.x", "back-end", "my-ns_x_back-end");
        check(Layout::Plain, "_x", "y", "x_y");
        check(Layout::Plain, "_a.b", "c d", "a_b_c_d");
    }

    #[test]
    fn names_without_latin_letters_have_a_hashed_name_but_no_plain_one() {
        for (namespace, component) in [("日", "本"), (" ", "*"), (".", ">")] {
            let (namespace, component) = (
                namespace.parse().expect("valid"),
                component.parse().expect("valid"),
            );
            let hashed = Layout::Hashed
                .service_name(&namespace, &component)
                .expect("hashed");
            assert_eq!(hashed.as_str().len(), 8, "{hashed}");
            let error = Layout::Plain
                .service_name(&namespace, &component)
                .expect_err("nothing is left");
            assert!(error.to_string().contains("use the hashed layout"), "{error}");
        }
    }
}
