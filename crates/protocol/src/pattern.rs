//! [`SubjectPattern`]: subjects in a format of the user's own.
//!
//! A template is literal text with placeholders: `{namespace}`, `{component}`, `{hash}`, `{endpoint}` and
//! `{worker_id}`. It is matched against the path that is looked for: every placeholder but the id is filled in
//! first, so a match is exact, and what is left between the literals must be the id and nothing else.

mod guess;
mod template;

use std::fmt;
use std::str::FromStr;

use crate::service_name::{hash8, slug};
use crate::token::is_subject_text;
use crate::{EndpointPath, WorkerId, WorkerIdError};
use guess::Guess;
use template::{Base, Segment};

pub use template::PatternError;

/// A subject format written by the user, as in `--subject-pattern`.
///
/// * `{worker_id}` is hexadecimal; `{worker_id:dec}` is decimal, `{worker_id:hex}` says the default.
/// * `{hash}` is the last 8 hex digits of BLAKE3(`{namespace}_{component}`). In a template with it, namespace and
///   component are written as the hashed layout does (lower case, `_` for all but `a-z 0-9`). Without it, they are tried
///   as they are, if a subject can carry both, and as the plain layout writes them (`-` kept).
/// * `{endpoint}` is written as it is.
///
/// # Errors
/// Parsing fails with [`PatternError`] where a template is ambiguous (nothing separates two placeholders, or
/// the text next to the id could be read as part of it) or incomplete (two workers would have one subject).
///
/// ```
/// use protocol::{SubjectPattern, WorkerId};
/// let pattern: SubjectPattern = "workers.{namespace}.{component}.{endpoint}.{worker_id:dec}".parse()?;
/// let bound = pattern.bind(&"dynamo/backend/generate".parse()?);
/// assert_eq!(bound.read("workers.dynamo.backend.generate.42"), Ok(WorkerId::new(42)));
/// assert!(bound.read("workers.dynamo.backend.generate_v2.42").is_err());
///
/// let error = "{namespace}{component}.{endpoint}-{worker_id}".parse::<SubjectPattern>().unwrap_err();
/// assert!(error.to_string().contains("nothing separates {namespace} and {component}"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SubjectPattern {
    template: String,
    segments: Vec<Segment>,
}

/// A [`SubjectPattern`] with all but the worker id filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundPattern {
    /// The text before and after the id, in each spelling of the names.
    spellings: Vec<(String, String)>,
    base: Base,
}

/// Why a subject is not one of a [`BoundPattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternMismatch {
    /// The text around the id differs.
    #[error("the subject is not written like the pattern")]
    Differs,
    /// All is right but the id.
    #[error("{found:?} is not a worker id: {source}")]
    BadId {
        /// What is in the id's place.
        found: String,
        /// What is wrong with it.
        source: WorkerIdError,
    },
}

/// How names are written into a subject.
#[derive(Clone, Copy, PartialEq)]
enum Spelling {
    Raw,
    Slug { keep_dash: bool },
}

impl SubjectPattern {
    /// The template as the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.template
    }

    /// Fills in the path that is looked for; see [`BoundPattern::read`].
    pub fn bind(&self, path: &EndpointPath) -> BoundPattern {
        let mut spellings: Vec<(String, String)> = self
            .spellings(path)
            .iter()
            .map(|&spelling| self.around_id(path, spelling))
            .collect();
        spellings.dedup();
        BoundPattern {
            spellings,
            base: self.base(),
        }
    }

    /// The subject of one worker of `path`. If the names have two spellings, it has the names as they are.
    ///
    /// ```
    /// use protocol::{SubjectPattern, WorkerId};
    /// let pattern: SubjectPattern = "{namespace}_{component}_{hash}.{endpoint}-{worker_id}".parse()?;
    /// let subject = pattern.subject(&"dynamo/backend/generate".parse()?, WorkerId::new(42));
    /// assert_eq!(subject, "dynamo_backend_9ce3f3b7.generate-2a");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn subject(&self, path: &EndpointPath, id: WorkerId) -> String {
        let (before, behind) = self.around_id(path, self.spellings(path)[0]);
        match self.base() {
            Base::Hex => format!("{before}{id:x}{behind}"),
            Base::Dec => format!("{before}{id}{behind}"),
        }
    }

    /// Reads a subject without knowing whose it is; good for showing what is there, [`bind`](Self::bind) decides.
    ///
    /// Names are read without dots, and where a separator may belong to a name, the namespace is the shorter and
    /// the endpoint the longer one. `None` where the subject is written otherwise, where `{hash}` shows that
    /// the names were spelled differently before they were folded, and where there are too many ways to read it.
    ///
    /// ```
    /// let pattern: protocol::SubjectPattern = "w.{namespace}.{component}.{endpoint}-{worker_id}".parse()?;
    /// let (path, id) = pattern.guess("w.dynamo.backend.gen-erate-1f").expect("written like it");
    /// assert_eq!((path.to_string().as_str(), id.get()), ("dynamo/backend/gen-erate", 31));
    /// # Ok::<(), protocol::PatternError>(())
    /// ```
    pub fn guess(&self, subject: &str) -> Option<(EndpointPath, WorkerId)> {
        let found = Guess::read(&self.segments, subject)?;
        let path = EndpointPath::new(
            found.namespace?.parse().ok()?,
            found.component?.parse().ok()?,
            found.endpoint?.parse().ok()?,
        );
        let id = self.bind(&path).read(subject).ok()?;
        Some((path, id))
    }

    fn spellings(&self, path: &EndpointPath) -> &'static [Spelling] {
        let names = [path.namespace.as_str(), path.component.as_str()];
        if self.segments.contains(&Segment::Hash) {
            &[Spelling::Slug { keep_dash: false }]
        } else if names.into_iter().all(is_subject_text) {
            &[Spelling::Raw, Spelling::Slug { keep_dash: true }]
        } else {
            &[Spelling::Slug { keep_dash: true }]
        }
    }

    fn base(&self) -> Base {
        let base = |segment: &Segment| {
            if let Segment::WorkerId(base) = segment {
                Some(*base)
            } else {
                None
            }
        };
        self.segments
            .iter()
            .find_map(base)
            .expect("a parsed template has {worker_id}")
    }

    fn around_id(&self, path: &EndpointPath, spelling: Spelling) -> (String, String) {
        let write = |name: &str| match spelling {
            Spelling::Raw => name.to_owned(),
            Spelling::Slug { keep_dash } => slug(name, keep_dash),
        };
        let (mut before, mut behind) = (String::new(), None);
        for segment in &self.segments {
            let text = match segment {
                Segment::Literal(text) => text.clone(),
                Segment::Namespace => write(path.namespace.as_str()),
                Segment::Component => write(path.component.as_str()),
                Segment::Hash => hash8(&format!("{}_{}", path.namespace, path.component)),
                Segment::Endpoint => path.endpoint.to_string(),
                Segment::WorkerId(_) => {
                    behind = Some(String::new());
                    continue;
                }
            };
            behind.as_mut().unwrap_or(&mut before).push_str(&text);
        }
        // As in the built-in layouts, a slug at the subject's beginning has no leading `_`, unless nothing else
        // precedes the first dot.
        let first_is_name = matches!(self.segments[0], Segment::Namespace | Segment::Component);
        if spelling != Spelling::Raw && first_is_name {
            let trimmed = before.trim_start_matches('_');
            if !trimmed.starts_with('.') {
                before = trimmed.to_owned();
            }
        }
        (before, behind.unwrap_or_default())
    }
}

impl BoundPattern {
    /// Reads the worker id out of a subject.
    ///
    /// # Errors
    /// [`PatternMismatch`] where the subject differs in anything, the id included.
    pub fn read(&self, subject: &str) -> Result<WorkerId, PatternMismatch> {
        let id = self
            .spellings
            .iter()
            .find_map(|(before, behind)| {
                subject
                    .strip_prefix(before.as_str())?
                    .strip_suffix(behind.as_str())
            })
            .ok_or(PatternMismatch::Differs)?;
        let read = match self.base {
            Base::Hex => WorkerId::from_hex(id),
            Base::Dec => id.parse(),
        };
        read.map_err(|source| PatternMismatch::BadId {
            found: id.to_owned(),
            source,
        })
    }

    /// The subjects it takes, with `{worker_id}` in the id's place; for explanations.
    ///
    /// ```
    /// let pattern: protocol::SubjectPattern = "{namespace}.{component}.{endpoint}.{worker_id}".parse()?;
    /// let bound = pattern.bind(&"Dyn/b-c/gen".parse()?);
    /// let candidates: Vec<String> = bound.candidates().collect();
    /// assert_eq!(candidates, ["Dyn.b-c.gen.{worker_id}", "dyn.b-c.gen.{worker_id}"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn candidates(&self) -> impl Iterator<Item = String> + '_ {
        let id = match self.base {
            Base::Hex => "{worker_id}",
            Base::Dec => "{worker_id:dec}",
        };
        self.spellings
            .iter()
            .map(move |(before, behind)| format!("{before}{id}{behind}"))
    }
}

impl FromStr for SubjectPattern {
    type Err = PatternError;

    fn from_str(template: &str) -> Result<Self, PatternError> {
        Ok(Self {
            template: template.to_owned(),
            segments: template::parse(template)?,
        })
    }
}

impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.template)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANONICAL: &str = "{namespace}_{component}_{hash}.{endpoint}-{worker_id}";

    #[test]
    fn the_canonical_template_reads_the_subject_of_a_real_worker() {
        let pattern: SubjectPattern = CANONICAL.parse().expect("complete");
        let bound = pattern.bind(&"My-NS.x/back-end/gen-erate".parse().expect("a path"));
        assert_eq!(
            bound.read("my_ns_x_back_end_5d80fdd8.gen-erate-390da208f1c46206"),
            Ok(WorkerId::new(0x390d_a208_f1c4_6206))
        );
    }

    #[test]
    fn a_pattern_is_matched_from_end_to_end() {
        fn check(template: &str, subject: &str, expected: Option<u64>) {
            let pattern: SubjectPattern = template.parse().expect(template);
            let bound = pattern.bind(&"Dyn/Back-End/gen".parse().expect("a path"));
            assert_eq!(
                bound.read(subject).ok().map(WorkerId::get),
                expected,
                "{template} on {subject}"
            );
        }
        let template = "v1.{namespace}.{component}.{worker_id:dec}.{endpoint}.load";
        check(
            template,
            "v1.Dyn.Back-End.18446744073709551615.gen.load",
            Some(u64::MAX),
        );
        check(template, "v1.dyn.back-end.7.gen.load", Some(7));
        check(template, "v1.dyn.Back-End.7.gen.load", None);
        check(template, "v1.Dyn.Back-End.7.gen.load.more", None);
        check(template, "v1.Dyn.Back-End.7f.gen.load", None);
        check(template, "v1.Dyn.Back-End.07.gen.load", None);
        check("{hash}.{endpoint}-{worker_id:hex}", "v1.gen-7f", None);
    }

    #[test]
    fn names_that_no_subject_carries_are_only_written_as_slugs() {
        fn check(path: &str, expected: &[&str]) {
            let pattern: SubjectPattern = "w.{namespace}.{component}.{endpoint}-{worker_id}"
                .parse()
                .expect("complete");
            let path = path.parse().expect("a path");
            let candidates: Vec<String> = pattern.bind(&path).candidates().collect();
            assert_eq!(candidates, expected);
            let subject = pattern.subject(&path, WorkerId::new(42));
            assert_eq!(subject, expected[0].replace("{worker_id}", "2a"));
            assert_eq!(pattern.guess(&subject).map(|(_, id)| id.get()), Some(42));
        }
        check("_a.b/c d/e", &["w._a_b.c_d.e-{worker_id}"]);
        check("a..b/C/e", &["w.a__b.c.e-{worker_id}"]);
        check("*/>/e", &["w._._.e-{worker_id}"]);
        let pattern: SubjectPattern = "w.{namespace}.{component}.{endpoint}-{worker_id}"
            .parse()
            .expect("complete");
        for stranger in ["w.a.c d.e-2a", "w.*.c.e-2a", "w.a.>.e-2a"] {
            assert_eq!(pattern.guess(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn a_subject_with_too_many_readings_is_given_up() {
        let pattern: SubjectPattern = "{namespace}-{component}-{endpoint}-{worker_id}.load"
            .parse()
            .expect("complete");
        assert!(pattern.guess("a-b-c-1f.load").is_some());
        assert_eq!(pattern.guess(&"-".repeat(4000)), None);
    }

    #[test]
    fn a_subject_never_begins_with_a_dot_whatever_the_names_are_folded_to() {
        fn check(template: &str, path: &str, expected: &str) {
            let pattern: SubjectPattern = template.parse().expect(template);
            let path = path.parse().expect("a path");
            assert_eq!(pattern.subject(&path, WorkerId::new(42)), expected);
            assert_eq!(pattern.bind(&path).read(expected), Ok(WorkerId::new(42)));
        }
        check(CANONICAL, "_x/_/gen", "x___9eeb77e5.gen-2a");
        check(CANONICAL, "日/本/gen", "57e615fe.gen-2a");
        check(
            "{namespace}.{component}.{hash}.{endpoint}.{worker_id}",
            "日/本/gen",
            "_._.57e615fe.gen.2a",
        );
    }

    #[test]
    fn a_template_that_cannot_be_read_one_way_is_refused_with_the_reason() {
        fn check(template: &str, expected: &str) {
            let error = template
                .parse::<SubjectPattern>()
                .expect_err(template)
                .to_string();
            assert!(error.contains(expected), "{template}: {error}");
        }
        check("", "incomplete: without {worker_id}");
        check(
            "{namespace}.{component}.{worker_id}",
            "incomplete: without {endpoint}",
        );
        check(
            "{namespace}.{endpoint}.{worker_id}",
            "incomplete: without {component} or {hash}",
        );
        check(
            "{component}.{endpoint}.{worker_id}",
            "incomplete: without {namespace} or {hash}",
        );
        check(
            "{namespace}.{component}.{endpoint}{worker_id}",
            "ambiguous: nothing separates",
        );
        check(
            "{namespace}.{component}.{endpoint}.a{worker_id}",
            "ambiguous: 'a' next to",
        );
        check(
            "{namespace}.{component}.{endpoint}.{worker_id:dec}0",
            "ambiguous: '0' next to",
        );
        check("{namespace}.{namespace}", "occurs twice");
        check("{namespace}.{componnent}", "did you mean {component}?");
        check("{namespace}.{component", "has an unmatched brace at byte 12");
        check("namespace}", "has an unmatched brace at byte 9");
        check(
            "a b.{namespace}.{component}.{endpoint}.{worker_id}",
            "white space",
        );
        check("x..{namespace}.{component}.{endpoint}.{worker_id}", "empty part");
    }
}
