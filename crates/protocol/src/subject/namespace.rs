//! Events at the scope of a namespace, as this project's own workers publish them.

use super::events::encoded;
use crate::Namespace;
use crate::token::is_subject_text;

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
    let namespace = namespace.as_str();
    if is_subject_text(namespace) {
        format!("namespace.{namespace}.{name}")
    } else {
        format!("namespace.{}.{name}", encoded(namespace))
    }
}
