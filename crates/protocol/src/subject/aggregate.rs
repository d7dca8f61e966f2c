//! Where a collector publishes the load of a whole pool.

use super::events::encoded;
use super::namespace::event;
use crate::token::is_subject_text;
use crate::{Component, EndpointName, EndpointPath, Namespace};

/// The token before the component.
const TOPIC: &str = "l2c";

/// The subject of a pool's aggregate: `namespace.{namespace}.l2c.{component}.{endpoint}`, as Dynamo's `metrics` component
/// wrote it. A name is written as it is, or percent-encoded if a subject cannot carry it.
///
/// ```
/// use protocol::subject::aggregate;
/// assert_eq!(aggregate(&"dynamo/My_Component/generate".parse()?), "namespace.dynamo.l2c.My_Component.generate");
/// assert_eq!(aggregate(&"a.b/c d/e".parse()?), "namespace.a.b.l2c.c%20d.e");
/// # Ok::<(), protocol::PathError>(())
/// ```
pub fn aggregate(path: &EndpointPath) -> String {
    let (component, endpoint) = (path.component.as_str(), path.endpoint.as_str());
    let name = format!("{TOPIC}.{}.{}", carried(component), carried(endpoint));
    event(&path.namespace, &name)
}

/// A pattern of the subjects of all aggregates in a namespace, or of a component's, or anywhere, as far as names are known.
/// It is as narrow as a pattern can be; a namespace that is not known may have any number of dots.
///
/// ```
/// use protocol::subject::aggregates;
/// assert_eq!(aggregates(Some(&"a.b".parse()?), None, None), "namespace.a.b.l2c.>");
/// assert_eq!(aggregates(Some(&"a".parse()?), Some(&"c".parse()?), None), "namespace.a.l2c.c.>");
/// assert_eq!(aggregates(None, None, None), "namespace.>");
/// # Ok::<(), protocol::NameError>(())
/// ```
pub fn aggregates(
    namespace: Option<&Namespace>,
    component: Option<&Component>,
    endpoint: Option<&EndpointName>,
) -> String {
    let Some(namespace) = namespace else {
        return super::EVENTS.to_owned();
    };
    let name = match (component, endpoint) {
        (None, _) => format!("{TOPIC}.>"),
        (Some(component), None) => format!("{TOPIC}.{}.>", carried(component.as_str())),
        (Some(component), Some(endpoint)) => {
            format!(
                "{TOPIC}.{}.{}",
                carried(component.as_str()),
                carried(endpoint.as_str())
            )
        }
    };
    event(namespace, &name)
}

fn carried(name: &str) -> String {
    match is_subject_text(name) {
        true => name.to_owned(),
        false => encoded(name),
    }
}
