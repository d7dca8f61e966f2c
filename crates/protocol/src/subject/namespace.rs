//! Events at the scope of a namespace, as this project's own workers publish them.

use super::events::{encoded, last_name};
use crate::token::is_subject_text;
use crate::{EndpointPath, Namespace};

/// The subject of a namespace's event, e.g. `namespace.dynamo.kv-hit-rate`. The namespace is written as it is, or
/// percent-encoded if a subject cannot carry it.
///
/// ```
/// use protocol::subject::event;
/// assert_eq!(event(&"My-NS.x".parse()?, "kv-hit-rate"), "namespace.My-NS.x.kv-hit-rate");
/// assert_eq!(event(&"a b".parse()?, "kv-hit-rate"), "namespace.a%20b.kv-hit-rate");
/// # Ok::<(), protocol::NameError>(())
/// ```
pub fn event(namespace: &Namespace, name: &str) -> String {
    in_namespace(namespace.as_str(), name)
}

fn in_namespace(namespace: &str, name: &str) -> String {
    if is_subject_text(namespace) {
        format!("namespace.{namespace}.{name}")
    } else {
        format!("namespace.{}.{name}", encoded(namespace))
    }
}

/// Every subject at which a namespace's event about a path's workers may be published, and the endpoint's own subject,
/// where runtimes from 1.4 on publish instead.
///
/// In a nested namespace, runtimes up to 0.8 use its last name alone. From 1.4 on names are percent-encoded (all but
/// `A-Z a-z 0-9 - _`); at the scope of the namespace that is done only with a name that a subject cannot carry.
///
/// ```
/// let path = "a.b/c/d".parse().expect("a path");
/// assert_eq!(protocol::subject::events_of(&path, "kv_metrics"), [
///     "namespace.a.b.kv_metrics",
///     "namespace.b.kv_metrics",
///     "namespace.a%2Eb.component.c.endpoint.d.kv_metrics",
/// ]);
/// ```
pub fn events_of(path: &EndpointPath, name: &str) -> Vec<String> {
    let EndpointPath {
        namespace,
        component,
        endpoint,
    } = path;
    let (namespace, component, endpoint) = (namespace.as_str(), component.as_str(), endpoint.as_str());
    let mut subjects = vec![event(&path.namespace, name)];
    if let Some(last) = last_name(&path.namespace) {
        subjects.push(in_namespace(last, name));
    }
    subjects.push(format!(
        "namespace.{}.component.{}.endpoint.{}.{name}",
        encoded(namespace),
        encoded(component),
        encoded(endpoint)
    ));
    subjects
}
