//! The one place where subjects are written and read. Both ends import it, so they cannot disagree.
//!
//! A worker's endpoint is served at `{service}.{endpoint}-{id:x}`; a *static* worker, which has no id, at
//! `{service}.{endpoint}`. The service name comes from [`Layout::service_name`]; the endpoint goes in as it is
//! and may contain `-`; the id is lower-case hexadecimal without padding. Because a tail such as `my-add` could
//! be either, reading one takes the endpoint that is looked for: [`SubjectParts::read`].

mod aggregate;
mod events;
mod namespace;
mod patterns;
mod service_api;

use std::fmt;

use serde::Serialize;

use crate::token::is_subject_text;
use crate::{EndpointName, EndpointPath, Layout, ServiceName, ServiceNameError, WorkerId, WorkerIdError};

pub use aggregate::{aggregate, aggregates};
pub use events::EventSubject;
pub use namespace::event;
pub use patterns::{MAX_UNKNOWN_TOKENS, Wanted, event_patterns};
pub use service_api::{ServiceRequest, can_be_asked};

/// Where a frontend publishes one [`RequestTrace`](crate::events::RequestTrace) for each request, unless it is started
/// with another subject.
pub const REQUEST_TRACE: &str = "dynamo.request_trace.v1";

/// All events of Dynamo's workers and of this project's.
pub const EVENTS: &str = "namespace.>";

/// The queue group in which Dynamo's workers serve their endpoints.
pub const QUEUE_GROUP: &str = "q";

/// Whether this is the subject of single messages: not empty, and without wildcards, empty tokens, spaces and control
/// characters.
///
/// ```
/// assert!(protocol::subject::is_exact("dynamo.request_trace.v1"));
/// assert!(!protocol::subject::is_exact("dynamo.>") && !protocol::subject::is_exact("a..b"));
/// ```
pub fn is_exact(subject: &str) -> bool {
    is_subject_text(subject)
}

/// All subjects of a service's endpoints, for a process that serves many workers by one subscription.
///
/// ```
/// use protocol::{Layout, subject};
/// let service = Layout::Plain.service_name(&"dynamo".parse()?, &"backend".parse()?)?;
/// assert_eq!(subject::endpoints_of(&service), "dynamo_backend.>");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn endpoints_of(service: &ServiceName) -> String {
    format!("{service}.>")
}

/// The subject at which one worker serves one endpoint.
///
/// ```
/// use protocol::{EndpointPath, Layout, WorkerId, WorkerSubject};
/// let path: EndpointPath = "dynamo/my_component/my_endpoint".parse()?;
/// let subject = WorkerSubject::new(&path, Layout::Hashed, Some(WorkerId::new(4111120194158748168)))?;
/// assert_eq!(subject.to_string(), "dynamo_my_component_1854ce00.my_endpoint-390da208f1c46208");
/// assert_eq!(subject.micro_name(), "dynamo_my_component_1854ce00-my_endpoint-390da208f1c46208");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkerSubject {
    service: ServiceName,
    endpoint: EndpointName,
    instance: Instance,
}

/// Which of an endpoint's workers a subject belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Instance {
    /// The worker with this id.
    Worker(WorkerId),
    /// A worker without an id; several processes may share its subject.
    Static,
}

/// A subject split at its first dot: `service` and, behind it, the endpoint with or without an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectParts<'a> {
    /// What precedes the first dot.
    pub service: &'a str,
    /// All that follows it.
    pub tail: &'a str,
}

/// Why a subject's tail is not that of the endpoint looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TailMismatch {
    /// The subject's endpoint begins with the name looked for and goes on.
    #[error("the endpoint {found:?} is longer than the one asked for")]
    LongerEndpoint {
        /// The endpoint in the subject.
        found: String,
    },
    /// The endpoint differs in letter case or punctuation only.
    #[error("the endpoint {found:?} differs in letter case or punctuation")]
    Spelling {
        /// The endpoint in the subject.
        found: String,
    },
    /// It is another endpoint.
    #[error("the endpoint is {found:?}")]
    OtherEndpoint {
        /// The endpoint in the subject.
        found: String,
    },
    /// The endpoint is right, and a `-` without an id follows.
    #[error("no worker id follows the endpoint")]
    NoId,
    /// The endpoint is right, and what follows the `-` is no id.
    #[error("{found:?} is not a worker id: {source}")]
    BadId {
        /// What is in the id's place.
        found: String,
        /// What is wrong with it.
        source: WorkerIdError,
    },
}

impl WorkerSubject {
    /// Builds the subject of a worker, or of a static one where `id` is `None`.
    ///
    /// # Errors
    /// [`ServiceNameError`] where the layout has no service name for the path; never for [`Layout::Hashed`].
    pub fn new(path: &EndpointPath, layout: Layout, id: Option<WorkerId>) -> Result<Self, ServiceNameError> {
        Ok(Self {
            service: layout.service_name(&path.namespace, &path.component)?,
            endpoint: path.endpoint.clone(),
            instance: id.map_or(Instance::Static, Instance::Worker),
        })
    }

    /// The service name, which a NATS micro service registers under.
    pub fn service(&self) -> &ServiceName {
        &self.service
    }

    /// The name of the micro endpoint: the subject with every `.` as `-`, and `_` for what NATS allows in
    /// subjects but not in the names of micro endpoints.
    pub fn micro_name(&self) -> String {
        micro_name_of(&self.to_string())
    }
}

/// The name that Dynamo and the SDK give to the micro endpoint of a subject.
///
/// ```
/// assert_eq!(protocol::subject::micro_name_of("a_b.gen-ff"), "a_b-gen-ff");
/// ```
pub fn micro_name_of(subject: &str) -> String {
    let fold = |c: char| match c {
        '.' => '-',
        c if c.is_ascii_alphanumeric() || c == '-' => c,
        _ => '_',
    };
    subject.chars().map(fold).collect()
}

impl fmt::Display for WorkerSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            service,
            endpoint,
            instance,
        } = self;
        match instance {
            Instance::Worker(id) => write!(f, "{service}.{endpoint}-{id:x}"),
            Instance::Static => write!(f, "{service}.{endpoint}"),
        }
    }
}

impl<'a> SubjectParts<'a> {
    /// Splits a subject, or returns `None` where it has no dot with something on either side.
    ///
    /// ```
    /// use protocol::{subject::SubjectParts, WorkerId};
    /// let parts = SubjectParts::split("svc.gen-erate-1f").expect("has a dot");
    /// assert_eq!((parts.service, parts.tail), ("svc", "gen-erate-1f"));
    /// assert_eq!(parts.guess(), ("gen-erate", Some(WorkerId::new(0x1f))));
    /// assert_eq!(SubjectParts::split("svc"), None);
    /// ```
    pub fn split(subject: &'a str) -> Option<Self> {
        let (service, tail) = subject.split_once('.')?;
        (!service.is_empty() && !tail.is_empty()).then_some(Self { service, tail })
    }

    /// Reads the tail as that of `endpoint`: the inverse of [`WorkerSubject`]'s `Display`.
    ///
    /// A tail equal to the endpoint is a static worker, whatever its own end looks like.
    ///
    /// # Errors
    /// [`TailMismatch`] says in what it differs.
    ///
    /// ```
    /// use protocol::{subject::{Instance, SubjectParts}, WorkerId};
    /// let parts = SubjectParts::split("svc.my-add").expect("has a dot");
    /// assert_eq!(parts.read(&"my-add".parse()?), Ok(Instance::Static));
    /// assert_eq!(parts.read(&"my".parse()?), Ok(Instance::Worker(WorkerId::new(0xadd))));
    /// # Ok::<(), protocol::NameError>(())
    /// ```
    pub fn read(&self, endpoint: &EndpointName) -> Result<Instance, TailMismatch> {
        let wanted = endpoint.as_str();
        let Some(rest) = self.tail.strip_prefix(wanted) else {
            let found = self.guess().0.to_owned();
            return Err(
                if same_letters(&found, wanted) || same_letters(self.tail, wanted) {
                    TailMismatch::Spelling { found }
                } else {
                    TailMismatch::OtherEndpoint { found }
                },
            );
        };
        if rest.is_empty() {
            return Ok(Instance::Static);
        }
        let Some(id) = rest.strip_prefix('-') else {
            return Err(TailMismatch::LongerEndpoint {
                found: self.guess().0.to_owned(),
            });
        };
        match WorkerId::from_hex(id) {
            Ok(id) => Ok(Instance::Worker(id)),
            Err(WorkerIdError::Empty) => Err(TailMismatch::NoId),
            Err(source) => match self.guess() {
                (longer, Some(_)) => Err(TailMismatch::LongerEndpoint {
                    found: longer.to_owned(),
                }),
                (_, None) => Err(TailMismatch::BadId {
                    found: id.to_owned(),
                    source,
                }),
            },
        }
    }

    /// Reads the tail without knowing the endpoint: an id where the text behind the last `-` is one.
    ///
    /// This is a guess, good for showing what is there; [`read`](Self::read) decides.
    pub fn guess(&self) -> (&'a str, Option<WorkerId>) {
        if let Some((endpoint, id)) = self.tail.rsplit_once('-')
            && !endpoint.is_empty()
            && let Ok(id) = WorkerId::from_hex(id)
        {
            return (endpoint, Some(id));
        }
        (self.tail, None)
    }
}

/// Whether two texts are the same but for letter case and punctuation.
///
/// ```
/// assert!(protocol::subject::same_letters("MyComponent", "my_component"));
/// assert!(!protocol::subject::same_letters("backend", "backend2"));
/// ```
pub fn same_letters(a: &str, b: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    letters(a) == letters(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_matched_exactly_and_a_miss_says_why() {
        fn check(tail: &str, endpoint: &str, expected: &str) {
            let subject = format!("svc.{tail}");
            let parts = SubjectParts::split(&subject).expect("has a dot");
            let read = parts.read(&endpoint.parse().expect("a name"));
            assert_eq!(format!("{read:?}"), expected, "{tail} as {endpoint}");
        }
        check("generate-ff", "generate", "Ok(Worker(WorkerId(255)))");
        check(
            "generate_long-ff",
            "generate",
            r#"Err(LongerEndpoint { found: "generate_long" })"#,
        );
        check(
            "generate-long-ff",
            "generate",
            r#"Err(LongerEndpoint { found: "generate-long" })"#,
        );
        check(
            "generate2",
            "generate",
            r#"Err(LongerEndpoint { found: "generate2" })"#,
        );
        check(
            "Generate-ff",
            "generate",
            r#"Err(Spelling { found: "Generate" })"#,
        );
        check(
            "encode-ff",
            "generate",
            r#"Err(OtherEndpoint { found: "encode" })"#,
        );
        check("generate-", "generate", "Err(NoId)");
        check(
            "generate-xyz",
            "generate",
            r#"Err(BadId { found: "xyz", source: NotADigit })"#,
        );
        check(
            "generate-0ff",
            "generate",
            r#"Err(BadId { found: "0ff", source: Padded })"#,
        );
        check(
            "generate-10000000000000000",
            "generate",
            r#"Err(BadId { found: "10000000000000000", source: TooLarge })"#,
        );
    }

    #[test]
    fn a_subject_without_two_parts_is_none_of_ours() {
        for subject in ["", "svc", ".tail", "svc."] {
            assert_eq!(SubjectParts::split(subject), None, "{subject:?}");
        }
    }
}
