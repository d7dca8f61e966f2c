//! [`EventSubject`]: where events are published, in all the ways in which Dynamo has written it.

use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::events::Topic;
use crate::events::write::Release;
use crate::token::is_subject_text;
use crate::{Component, EndpointName, EndpointPath, Namespace};

/// What Dynamo leaves as it is in an encoded name.
const UNENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The token before each name.
pub(super) const NAMESPACE: &str = "namespace";
pub(super) const COMPONENT: &str = "component";
pub(super) const ENDPOINT: &str = "endpoint";

/// Which workers an event is about, as its subject says it, and which topic it has.
///
/// | scope | subject | names |
/// |---|---|---|
/// | endpoint | `namespace.{namespace}.component.{component}.endpoint.{endpoint}.{topic}` | encoded, from 1.4 on |
/// | component | `namespace.{namespace}.component.{component}.{topic}` | raw up to 1.3, encoded from 1.4 on |
/// | namespace | `namespace.{namespace}.{topic}` | raw up to 1.3, encoded from 1.4 on |
///
/// An encoded name is one token: all of its UTF-8 but `A-Z a-z 0-9 - _` is `%XX`, in upper case. A raw name is the name
/// as it is, so its dots are those of the subject.
///
/// ```
/// use protocol::{events::Topic, subject::EventSubject};
/// let readings = EventSubject::read("namespace.My-NS%7Ea.component.Back_End.endpoint.gen%40x.kv_metrics");
/// let first = &readings[0];
/// assert_eq!(first.namespace.as_str(), "My-NS~a");
/// assert_eq!(first.component.as_ref().map(|name| name.as_str()), Some("Back_End"));
/// assert_eq!(first.endpoint.as_ref().map(|name| name.as_str()), Some("gen@x"));
/// assert_eq!(first.topic, Topic::KvMetrics);
/// assert_eq!(EventSubject::read("namespace.dynamo.something-else"), []);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventSubject {
    /// The workers' namespace.
    pub namespace: Namespace,
    /// Their component; `None` where the subject says the namespace alone.
    pub component: Option<Component>,
    /// Their endpoint; only ever together with a component.
    pub endpoint: Option<EndpointName>,
    /// The event's topic.
    pub topic: Topic,
}

impl EventSubject {
    /// Every reading of a subject, the most specific first; none where it is no subject of a [`Topic`].
    ///
    /// There may be several, because a raw namespace may itself be called `a.component.b`. So the one that is meant is
    /// the one that is looked for. Where nothing is looked for, the first is the best guess. A name is decoded only
    /// where it is written as Dynamo encodes it; otherwise it is taken as raw, where the scope has raw names.
    ///
    /// ```
    /// use protocol::subject::EventSubject;
    /// let readings = EventSubject::read("namespace.a.component.b.kv-events");
    /// let names = readings.iter().map(|found| (found.namespace.as_str(), found.component.as_ref().map(|c| c.as_str())));
    /// assert!(names.eq([("a", Some("b")), ("a.component.b", None)]));
    /// ```
    pub fn read(subject: &str) -> Vec<Self> {
        let Some(parts) = Parts::of(subject) else {
            return Vec::new();
        };
        let mut readings: Vec<Self> = Vec::new();
        let components = (0..parts.names.len()).filter(|at| parts.names[*at] == COMPONENT);
        let found = [parts.endpoint()]
            .into_iter()
            .chain(components.flat_map(|at| [parts.component_encoded(at), parts.component_raw(at)]))
            .chain([parts.namespace_encoded(), parts.namespace_raw()]);
        for reading in found.flatten() {
            if !readings.contains(&reading) {
                readings.push(reading);
            }
        }
        readings
    }

    /// The subject with raw names; `None` where a subject cannot carry one of them, and at the scope of an endpoint,
    /// which has no raw names.
    pub fn to_raw(&self) -> Option<String> {
        let namespace = self.namespace.as_str();
        let component = self.component.as_ref().map_or("", Component::as_str);
        let is_carried = |name: &str| name.is_empty() || is_subject_text(name);
        if self.endpoint.is_some() || !is_carried(namespace) || !is_carried(component) {
            return None;
        }
        Some(self.written(str::to_owned))
    }

    /// The subject with encoded names, as Dynamo writes it from 1.4 on.
    ///
    /// ```
    /// use protocol::{events::Topic, subject::EventSubject};
    /// let path = "a.b/c d/e".parse()?;
    /// let subject = EventSubject::of(&path, Topic::ForwardPass);
    /// assert_eq!(subject.to_encoded(), "namespace.a%2Eb.component.c%20d.endpoint.e.forward-pass-metrics");
    /// # Ok::<(), protocol::PathError>(())
    /// ```
    pub fn to_encoded(&self) -> String {
        self.written(encoded)
    }

    /// Where a release of Dynamo publishes an event about an endpoint's workers; `None` where it has no such event, and
    /// where a subject cannot carry the names.
    ///
    /// ```
    /// use protocol::{events::{Topic, write::Release}, subject::EventSubject};
    /// let path = "my.ns/backend/generate".parse()?;
    /// let published = |topic, release| EventSubject::published(&path, topic, release);
    /// assert_eq!(
    ///     published(Topic::ForwardPass, Release::V1_1).as_deref(),
    ///     Some("namespace.my.ns.component.backend.forward-pass-metrics")
    /// );
    /// assert_eq!(
    ///     published(Topic::KvMetrics, Release::V1_4).as_deref(),
    ///     Some("namespace.my%2Ens.component.backend.endpoint.generate.kv_metrics")
    /// );
    /// assert_eq!(published(Topic::ForwardPass, Release::V1_0), None);
    /// # Ok::<(), protocol::PathError>(())
    /// ```
    pub fn published(path: &EndpointPath, topic: Topic, release: Release) -> Option<String> {
        let subject = Self::of(path, topic);
        match topic {
            Topic::KvHitRate => None,
            Topic::ForwardPass if release < Release::V1_1 => None,
            _ if release >= Release::V1_4 => Some(subject.to_encoded()),
            Topic::KvMetrics => subject.of_namespace().to_raw(),
            _ => subject.of_component().to_raw(),
        }
    }

    /// The subject of one endpoint's workers.
    pub fn of(path: &EndpointPath, topic: Topic) -> Self {
        Self {
            namespace: path.namespace.clone(),
            component: Some(path.component.clone()),
            endpoint: Some(path.endpoint.clone()),
            topic,
        }
    }

    /// The same without the endpoint, as Dynamo 1.1 to 1.3 has it for most topics.
    pub fn of_component(self) -> Self {
        Self {
            endpoint: None,
            ..self
        }
    }

    /// The same with the namespace alone, as Dynamo up to 1.3 has it for `kv_metrics`.
    pub fn of_namespace(self) -> Self {
        Self {
            component: None,
            endpoint: None,
            ..self
        }
    }

    /// Whether the event may be about workers of this path. At the scope of a namespace, Dynamo up to 0.8 writes the last
    /// name of a nested namespace alone.
    pub fn is_for(&self, path: &EndpointPath) -> bool {
        let Self {
            namespace,
            component,
            endpoint,
            ..
        } = self;
        let is_last = || component.is_none() && last_name(&path.namespace) == Some(namespace.as_str());
        (*namespace == path.namespace || is_last())
            && component.as_ref().is_none_or(|name| *name == path.component)
            && endpoint.as_ref().is_none_or(|name| *name == path.endpoint)
    }

    fn written(&self, spell: impl Fn(&str) -> String) -> String {
        let mut subject = format!("{NAMESPACE}.{}", spell(self.namespace.as_str()));
        if let Some(component) = &self.component {
            subject.push_str(&format!(".{COMPONENT}.{}", spell(component.as_str())));
            if let Some(endpoint) = &self.endpoint {
                subject.push_str(&format!(".{ENDPOINT}.{}", spell(endpoint.as_str())));
            }
        }
        format!("{subject}.{}", self.topic)
    }
}

/// A subject between `namespace.` and the topic.
struct Parts<'a> {
    names: Vec<&'a str>,
    topic: Topic,
}

impl<'a> Parts<'a> {
    fn of(subject: &'a str) -> Option<Self> {
        let (names, topic) = Some(subject)
            .filter(|subject| is_subject_text(subject))?
            .rsplit_once('.')?;
        let topic = Topic::read(topic)?;
        let names: Vec<&str> = names.split('.').collect();
        match names.split_first()? {
            (&NAMESPACE, names) if !names.is_empty() => Some(Self {
                names: names.to_vec(),
                topic,
            }),
            _ => None,
        }
    }

    fn endpoint(&self) -> Option<EventSubject> {
        let [namespace, COMPONENT, component, ENDPOINT, endpoint] = self.names[..] else {
            return None;
        };
        Some(EventSubject {
            namespace: decoded(namespace)?,
            component: Some(decoded(component)?),
            endpoint: Some(decoded(endpoint)?),
            topic: self.topic,
        })
    }

    /// The reading in which the word before the component is the token at `at`.
    fn component_encoded(&self, at: usize) -> Option<EventSubject> {
        let [namespace, COMPONENT, component] = self.names[..] else {
            return None;
        };
        (at == 1).then_some(EventSubject {
            namespace: decoded(namespace)?,
            component: Some(decoded(component)?),
            endpoint: None,
            topic: self.topic,
        })
    }

    fn component_raw(&self, at: usize) -> Option<EventSubject> {
        Some(EventSubject {
            namespace: self.names[..at].join(".").parse().ok()?,
            component: Some(self.names[at + 1..].join(".").parse().ok()?),
            endpoint: None,
            topic: self.topic,
        })
    }

    fn namespace_encoded(&self) -> Option<EventSubject> {
        let [namespace] = self.names[..] else {
            return None;
        };
        Some(EventSubject {
            namespace: decoded(namespace)?,
            component: None,
            endpoint: None,
            topic: self.topic,
        })
    }

    fn namespace_raw(&self) -> Option<EventSubject> {
        Some(EventSubject {
            namespace: self.names.join(".").parse().ok()?,
            component: None,
            endpoint: None,
            topic: self.topic,
        })
    }
}

/// The last name of a nested namespace.
pub(super) fn last_name(namespace: &Namespace) -> Option<&str> {
    let (_, last) = namespace.as_str().rsplit_once('.')?;
    (!last.is_empty()).then_some(last)
}

pub(super) fn encoded(name: &str) -> String {
    utf8_percent_encode(name, UNENCODED).to_string()
}

/// The name that is encoded like this; `None` where none is.
fn decoded<T: FromStr>(token: &str) -> Option<T> {
    let name = percent_decode_str(token).decode_utf8().ok()?;
    (encoded(&name) == token).then(|| name.parse().ok())?
}
