//! Why a service that is not a worker of the target nearly is one.

use std::fmt;

use protocol::subject::{SubjectParts, TailMismatch, same_letters};
use protocol::{Description, EndpointPath, WorkerIdError};
use serde::Serialize;

use super::{Target, full_namespace};

/// A service that differs from the target in few things, and what they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NearMiss {
    /// What differs.
    pub reason: Reason,
    /// Which part it is in, where it is in one.
    pub part: Option<Part>,
    /// The path under which the worker would be found, if the reply has it.
    pub found: Option<EndpointPath>,
}

impl NearMiss {
    /// Whether all is right but the worker id.
    pub fn is_about_the_id(&self) -> bool {
        matches!(self.reason, Reason::NoId | Reason::BadId { .. })
    }
}

/// What differs; the closest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// It is a worker of the target, but its load data cannot be used.
    DataUndecodable {
        /// What is wrong with it.
        why: String,
    },
    /// A name differs in the case of its letters.
    LetterCase,
    /// A name differs in punctuation.
    Punctuation,
    /// A name differs in both.
    LetterCaseAndPunctuation,
    /// A name differs in one of them; the service name does not show which.
    Spelling,
    /// Namespace and component are the same text when joined by `_`, and divided at another place.
    DividedElsewhere,
    /// The service name is right but for its hash.
    HashDiffers,
    /// The description is right, and the service name is in none of the known layouts.
    UnknownLayout,
    /// The service is the target's component, and serves no endpoint.
    NoEndpoint,
    /// The endpoint is followed by `-` and nothing.
    NoId,
    /// The endpoint is followed by something that is no id.
    BadId {
        /// What is there.
        found: String,
        /// What is wrong with it.
        why: String,
    },
    /// The endpoint begins with the one asked for and goes on.
    LongerEndpoint,
    /// All is right but the endpoint.
    OtherEndpoint,
    /// All is right but the component.
    OtherComponent,
    /// All is right but the namespace.
    OtherNamespace,
    /// Several names differ in spelling.
    SeveralNames,
}

impl Reason {
    /// The reason as one word, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DataUndecodable { .. } => "data_undecodable",
            Self::LetterCase => "letter_case",
            Self::Punctuation => "punctuation",
            Self::LetterCaseAndPunctuation => "letter_case_and_punctuation",
            Self::Spelling => "spelling",
            Self::DividedElsewhere => "divided_elsewhere",
            Self::HashDiffers => "hash_differs",
            Self::UnknownLayout => "unknown_layout",
            Self::NoEndpoint => "no_endpoint",
            Self::NoId => "no_id",
            Self::BadId { .. } => "bad_id",
            Self::LongerEndpoint => "longer_endpoint",
            Self::OtherEndpoint => "other_endpoint",
            Self::OtherComponent => "other_component",
            Self::OtherNamespace => "other_namespace",
            Self::SeveralNames => "several_names",
        }
    }
}

/// One name of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The namespace.
    Namespace,
    /// The component.
    Component,
    /// The endpoint.
    Endpoint,
}

/// How the rest of a subject with the right service name misses.
#[derive(Debug)]
pub(super) enum Tail {
    Endpoint { found: String, reason: Reason },
    NoId,
    BadId { found: String, why: String },
}

/// Characters of a bad id that are shown; a good one has at most 20.
const SHOWN_CHARACTERS: usize = 40;

impl Tail {
    /// What is in the id's place may be as long as a message, and goes into the log.
    pub(super) fn bad_id(found: &str, why: WorkerIdError) -> Self {
        let found = match found.char_indices().nth(SHOWN_CHARACTERS) {
            Some((end, _)) => format!("{}…", &found[..end]),
            None => found.to_owned(),
        };
        Self::BadId {
            found,
            why: why.to_string(),
        }
    }
}

impl From<TailMismatch> for Tail {
    fn from(mismatch: TailMismatch) -> Self {
        match mismatch {
            TailMismatch::NoId => Self::NoId,
            TailMismatch::BadId { found, source } => Self::bad_id(&found, source),
            TailMismatch::LongerEndpoint { found } => Self::Endpoint {
                found,
                reason: Reason::LongerEndpoint,
            },
            TailMismatch::Spelling { found } => Self::Endpoint {
                found,
                reason: Reason::Spelling,
            },
            TailMismatch::OtherEndpoint { found } => Self::Endpoint {
                found,
                reason: Reason::OtherEndpoint,
            },
        }
    }
}

/// How one name compares with the one asked for.
#[derive(Clone, PartialEq)]
enum Difference {
    None,
    Alike(Reason),
    Other,
}

/// `tail` says how the rest misses where the service name is right; `None` where it is not, or where only the
/// description contradicts.
pub(super) fn explain(
    target: &Target,
    subject: &str,
    tail: Option<Tail>,
    description: Option<&Description>,
) -> Option<NearMiss> {
    if tail.is_none()
        && let Some(path) = target
            .patterns
            .iter()
            .find_map(|(pattern, _)| Some(pattern.guess(subject)?.0))
    {
        return custom(target, &path, description);
    }
    let parts = SubjectParts::split(subject)?;
    let (endpoint, endpoint_difference) = match tail.or_else(|| endpoint_tail(target, &parts)) {
        Some(Tail::NoId) => return Some(id_miss(Reason::NoId)),
        Some(Tail::BadId { found, why }) => return Some(id_miss(Reason::BadId { found, why })),
        Some(Tail::Endpoint { found, reason }) => {
            let difference = match reason {
                Reason::OtherEndpoint => Difference::Other,
                Reason::Spelling => compare(&found, target.path.endpoint.as_str()),
                alike => Difference::Alike(alike),
            };
            (found, difference)
        }
        None => (target.path.endpoint.to_string(), Difference::None),
    };
    match description {
        Some(description) => {
            let namespace = full_namespace(description, parts.service);
            described(
                target,
                &Description {
                    namespace,
                    component: description.component.clone(),
                },
                &endpoint,
                endpoint_difference,
            )
        }
        None => undescribed(target, parts.service, endpoint_difference),
    }
}

/// A subject in the user's own format, of which the names can be read.
fn custom(target: &Target, found: &EndpointPath, description: Option<&Description>) -> Option<NearMiss> {
    let (found_endpoint, wanted) = (found.endpoint.as_str(), target.path.endpoint.as_str());
    let endpoint = match compare(found_endpoint, wanted) {
        Difference::Other if found_endpoint.starts_with(wanted) => Difference::Alike(Reason::LongerEndpoint),
        difference => difference,
    };
    let names = Description {
        namespace: found.namespace.clone(),
        component: found.component.clone(),
    };
    described(target, description.unwrap_or(&names), found_endpoint, endpoint)
}

fn endpoint_tail(target: &Target, parts: &SubjectParts<'_>) -> Option<Tail> {
    let mismatch = parts.read(&target.path.endpoint).err()?;
    match Tail::from(mismatch) {
        // Under another service name, a bad id says nothing: the endpoint may be a longer one.
        Tail::NoId | Tail::BadId { .. } => Some(Tail::Endpoint {
            found: parts.tail.to_owned(),
            reason: Reason::OtherEndpoint,
        }),
        tail => Some(tail),
    }
}

fn id_miss(reason: Reason) -> NearMiss {
    NearMiss {
        reason,
        part: None,
        found: None,
    }
}

fn described(
    target: &Target,
    description: &Description,
    endpoint: &str,
    endpoint_difference: Difference,
) -> Option<NearMiss> {
    let wanted = &target.path;
    let found = endpoint.parse().ok().map(|endpoint| {
        EndpointPath::new(
            description.namespace.clone(),
            description.component.clone(),
            endpoint,
        )
    });
    let differences = [
        (
            Part::Namespace,
            compare(description.namespace.as_str(), wanted.namespace.as_str()),
        ),
        (
            Part::Component,
            compare(description.component.as_str(), wanted.component.as_str()),
        ),
        (Part::Endpoint, endpoint_difference),
    ];
    let joined = |namespace: &str, component: &str| format!("{namespace}_{component}");
    let divided = differences[0].1 != Difference::None
        && differences[1].1 != Difference::None
        && joined(description.namespace.as_str(), description.component.as_str())
            == joined(wanted.namespace.as_str(), wanted.component.as_str());
    if divided && differences[2].1 == Difference::None {
        return Some(NearMiss {
            reason: Reason::DividedElsewhere,
            part: None,
            found,
        });
    }
    let differing: Vec<_> = differences
        .into_iter()
        .filter(|(_, d)| *d != Difference::None)
        .collect();
    match differing.as_slice() {
        // Described as asked for, under a service name that none of the layouts gives.
        [] => Some(NearMiss {
            reason: Reason::UnknownLayout,
            part: None,
            found,
        }),
        [(part, Difference::Alike(reason))] => Some(NearMiss {
            reason: reason.clone(),
            part: Some(*part),
            found,
        }),
        [(part, _)] => {
            let reason = match part {
                Part::Namespace => Reason::OtherNamespace,
                Part::Component => Reason::OtherComponent,
                Part::Endpoint => Reason::OtherEndpoint,
            };
            Some(NearMiss {
                reason,
                part: Some(*part),
                found,
            })
        }
        several if several.iter().all(|(_, d)| *d != Difference::Other) => Some(NearMiss {
            reason: Reason::SeveralNames,
            part: None,
            found,
        }),
        _ => None,
    }
}

/// Without a description only the service name can be compared.
fn undescribed(target: &Target, service: &str, endpoint: Difference) -> Option<NearMiss> {
    let miss = |reason, part| {
        Some(NearMiss {
            reason,
            part,
            found: None,
        })
    };
    if target.services.iter().any(|(_, candidate)| candidate == service) {
        return match endpoint {
            Difference::None => None,
            Difference::Alike(reason) => miss(reason, Some(Part::Endpoint)),
            Difference::Other => miss(Reason::OtherEndpoint, Some(Part::Endpoint)),
        };
    }
    if endpoint != Difference::None {
        return None;
    }
    let plain = |name: &str| without_hash(name).to_owned();
    if target
        .services
        .iter()
        .any(|(_, candidate)| plain(candidate) == plain(service))
    {
        return miss(Reason::HashDiffers, None);
    }
    if target
        .services
        .iter()
        .any(|(_, candidate)| same_letters(&plain(candidate), &plain(service)))
    {
        return miss(Reason::Spelling, Some(Part::Component));
    }
    None
}

fn without_hash(service: &str) -> &str {
    match service.rsplit_once('_') {
        Some((name, hash)) if hash.len() == 8 && hash.chars().all(|c| c.is_ascii_hexdigit()) => name,
        _ => service,
    }
}

fn compare(found: &str, wanted: &str) -> Difference {
    let lower = |text: &str| text.to_lowercase();
    let letters = |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).collect() };
    if found == wanted {
        Difference::None
    } else if lower(found) == lower(wanted) {
        Difference::Alike(Reason::LetterCase)
    } else if letters(found) == letters(wanted) {
        Difference::Alike(Reason::Punctuation)
    } else if same_letters(found, wanted) {
        Difference::Alike(Reason::LetterCaseAndPunctuation)
    } else {
        Difference::Other
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespace => "namespace",
            Self::Component => "component",
            Self::Endpoint => "endpoint",
        })
    }
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.part.unwrap_or(Part::Component);
        match &self.reason {
            Reason::DataUndecodable { why } => write!(f, "data undecodable: {why}"),
            Reason::LetterCase => write!(f, "{part} differs in letter case"),
            Reason::Punctuation => write!(f, "{part} differs in punctuation"),
            Reason::LetterCaseAndPunctuation => write!(f, "{part} differs in letter case and punctuation"),
            Reason::Spelling => write!(f, "{part} differs in letter case or punctuation"),
            Reason::DividedElsewhere => f.write_str("namespace and component are split at a different place"),
            Reason::HashDiffers => f.write_str("hash differs"),
            Reason::UnknownLayout => f.write_str("service name in none of the known layouts"),
            Reason::NoEndpoint => f.write_str("serves no endpoint"),
            Reason::NoId => f.write_str("no worker id after the endpoint"),
            Reason::BadId { found, why } => write!(f, "the worker id {found:?} is not one: {why}"),
            Reason::LongerEndpoint => f.write_str("longer endpoint name"),
            Reason::OtherEndpoint => f.write_str("other endpoint"),
            Reason::OtherComponent => f.write_str("other component"),
            Reason::OtherNamespace => f.write_str("other namespace"),
            Reason::SeveralNames => f.write_str("several names differ in spelling"),
        }
    }
}
