//! [`event_patterns`]: the subscriptions that together hear the events of some workers, each message once.

use std::collections::BTreeSet;

use super::events::{COMPONENT, ENDPOINT, NAMESPACE, encoded, last_name};
use crate::events::Topic;
use crate::token::is_subject_text;
use crate::{Component, EndpointName, EndpointPath, Namespace};

/// The most tokens that an unknown raw name may have to be heard.
pub const MAX_UNKNOWN_TOKENS: usize = 4;

/// Matches one token, whatever it is.
const ANY: &str = "*";

/// Workers whose events are listened to; what is `None` may be anything.
///
/// ```
/// use protocol::subject::Wanted;
/// let path = "dynamo/backend/generate".parse()?;
/// assert_eq!(Wanted::from(&path).namespace, Some(&path.namespace));
/// assert_eq!(Wanted::default().namespace, None);
/// # Ok::<(), protocol::PathError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The workers' namespace.
    pub namespace: Option<&'a Namespace>,
    /// Their component.
    pub component: Option<&'a Component>,
    /// Their endpoint.
    pub endpoint: Option<&'a EndpointName>,
}

impl<'a> From<&'a EndpointPath> for Wanted<'a> {
    fn from(path: &'a EndpointPath) -> Self {
        Self {
            namespace: Some(&path.namespace),
            component: Some(&path.component),
            endpoint: Some(&path.endpoint),
        }
    }
}

/// The subscriptions that together hear every event about the wanted workers, at all scopes of
/// [`EventSubject`](super::EventSubject) and with raw and encoded names, in order.
///
/// No two of them match the same subject, so every message comes once. For that some are wider than what is wanted: a
/// message has to be looked at with [`EventSubject::read`](super::EventSubject::read). A raw name that is not known is
/// heard if it has at most [`MAX_UNKNOWN_TOKENS`] tokens, that is three dots; from Dynamo 1.4 on every name is one
/// token.
///
/// ```
/// use protocol::{events::Topic, subject::{Wanted, event_patterns}};
/// let path = "a.b/c/d".parse()?;
/// assert_eq!(event_patterns(&[Wanted::from(&path)], &[Topic::KvMetrics]), [
///     "namespace.a%2Eb.component.c.endpoint.d.kv_metrics",
///     "namespace.a%2Eb.component.c.kv_metrics",
///     "namespace.a%2Eb.kv_metrics",
///     "namespace.a.b.component.c.kv_metrics",
///     "namespace.a.b.kv_metrics",
///     "namespace.b.kv_metrics",
/// ]);
/// # Ok::<(), protocol::PathError>(())
/// ```
pub fn event_patterns(wanted: &[Wanted<'_>], topics: &[Topic]) -> Vec<String> {
    let mut exact = BTreeSet::new();
    let mut wild = BTreeSet::new();
    for pattern in wanted.iter().flat_map(patterns_of) {
        match pattern.iter().any(|token| token == ANY) {
            true => wild.insert(pattern),
            false => exact.insert(pattern),
        };
    }
    let wild = apart(wild);
    exact.retain(|pattern| !wild.iter().any(|wider| covers(wider, pattern)));
    let topics: BTreeSet<Topic> = topics.iter().copied().collect();
    let mut patterns = Vec::new();
    for names in exact.into_iter().chain(wild) {
        let names = names.join(".");
        patterns.extend(topics.iter().map(|topic| format!("{NAMESPACE}.{names}.{topic}")));
    }
    patterns.sort_unstable();
    patterns
}

/// The tokens between `namespace.` and the topic.
type Pattern = Vec<String>;

/// Every way in which the subject of an event about these workers may be written.
fn patterns_of(wanted: &Wanted<'_>) -> Vec<Pattern> {
    let namespace = wanted.namespace.map(Namespace::as_str);
    let component = wanted.component.map(Component::as_str);
    let one = |name: Option<&str>| vec![name.map_or_else(|| ANY.to_owned(), encoded)];
    let (raw_namespaces, raw_components) = (raw(namespace), raw(component));
    let (namespaces, components) = (one(namespace), one(component));
    let endpoints = one(wanted.endpoint.map(EndpointName::as_str));

    let mut patterns = raw_namespaces.clone();
    patterns.push(namespaces.clone());
    if let Some(last) = wanted.namespace.and_then(last_name) {
        patterns.extend(raw(Some(last)));
        patterns.push(one(Some(last)));
    }
    let keyword = |keyword: &str| vec![keyword.to_owned()];
    for namespace in &raw_namespaces {
        for component in &raw_components {
            patterns.push([namespace.clone(), keyword(COMPONENT), component.clone()].concat());
        }
    }
    let of_component = [namespaces, keyword(COMPONENT), components].concat();
    patterns.push([of_component.clone(), keyword(ENDPOINT), endpoints].concat());
    patterns.push(of_component);
    patterns
}

/// The tokens of a raw name: none if a subject cannot carry it, and of an unknown one any number up to the limit.
fn raw(name: Option<&str>) -> Vec<Pattern> {
    match name {
        Some(name) if is_subject_text(name) => vec![name.split('.').map(str::to_owned).collect()],
        Some(_) => Vec::new(),
        None => (1..=MAX_UNKNOWN_TOKENS)
            .map(|tokens| vec![ANY.to_owned(); tokens])
            .collect(),
    }
}

/// Patterns that match all that these do, and no subject twice. Two that overlap are replaced by one that covers both.
fn apart(patterns: BTreeSet<Pattern>) -> Vec<Pattern> {
    let mut found: Vec<Pattern> = Vec::new();
    for mut pattern in patterns {
        while let Some(at) = found.iter().position(|other| overlap(other, &pattern)) {
            pattern = joined(&found.swap_remove(at), &pattern);
        }
        found.push(pattern);
    }
    found
}

/// Whether some subject matches both.
fn overlap(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || a == ANY || b == ANY)
}

/// Whether every subject that the second pattern matches, the first one matches too.
fn covers(wider: &[String], pattern: &[String]) -> bool {
    wider.len() == pattern.len() && wider.iter().zip(pattern).all(|(a, b)| a == ANY || a == b)
}

/// The narrowest pattern that covers both.
fn joined(a: &[String], b: &[String]) -> Pattern {
    let join = |(a, b): (&String, &String)| if a == b { a.clone() } else { ANY.to_owned() };
    a.iter().zip(b).map(join).collect()
}
