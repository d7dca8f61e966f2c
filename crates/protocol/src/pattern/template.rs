//! Cutting a template into literals and placeholders, and refusing what could be read in two ways.

/// Why a template is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// A brace has no partner.
    #[error("the template {template:?} has an unmatched brace at byte {at}")]
    Brace {
        /// The template.
        template: String,
        /// The position of the brace, in bytes.
        at: usize,
    },
    /// No placeholder has this name or format.
    #[error(
        "{{{found}}} is not a placeholder{}; the placeholders are {{namespace}}, {{component}}, {{hash}}, {{endpoint}}, {{worker_id}} and {{worker_id:dec}}",
        .nearest.map(|name| format!(" (did you mean {{{name}}}?)")).unwrap_or_default()
    )]
    UnknownPlaceholder {
        /// What is between the braces.
        found: String,
        /// The name that it is closest to, if any is close.
        nearest: Option<&'static str>,
    },
    /// A placeholder occurs twice.
    #[error("{{{0}}} occurs twice; write each name once")]
    Repeated(&'static str),
    /// Two placeholders touch.
    #[error(
        "ambiguous: nothing separates {{{0}}} and {{{1}}}; put a literal such as `.` or `-` between them"
    )]
    Adjacent(&'static str, &'static str),
    /// A literal next to the id could be read as part of it.
    #[error(
        "ambiguous: {0:?} next to {{worker_id}} could be a digit of the id; put a literal such as `.` or `-` there"
    )]
    DigitNextToId(char),
    /// A placeholder is missing.
    #[error("incomplete: without {missing}, {consequence}")]
    Incomplete {
        /// The placeholder, or the choice of them.
        missing: &'static str,
        /// What would have one subject.
        consequence: &'static str,
    },
    /// A literal has a character that no subject carries.
    #[error("no NATS subject has {0:?} (white space, control character, `*` or `>`)")]
    BadLiteral(char),
    /// Two dots meet, or a dot begins or ends the template.
    #[error("the template {0:?} has an empty part between dots, which a NATS subject cannot carry")]
    EmptyPart(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Base {
    Hex,
    Dec,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    Literal(String),
    Namespace,
    Component,
    Hash,
    Endpoint,
    WorkerId(Base),
}

const PLACEHOLDERS: [(&str, Segment); 8] = [
    ("namespace", Segment::Namespace),
    ("component", Segment::Component),
    ("hash", Segment::Hash),
    ("endpoint", Segment::Endpoint),
    ("worker_id", Segment::WorkerId(Base::Hex)),
    ("worker_id:hex", Segment::WorkerId(Base::Hex)),
    ("worker_id:dec", Segment::WorkerId(Base::Dec)),
    ("worker_id:decimal", Segment::WorkerId(Base::Dec)),
];

impl Segment {
    fn name(&self) -> &'static str {
        match self {
            Self::Literal(_) => "literal",
            Self::Namespace => "namespace",
            Self::Component => "component",
            Self::Hash => "hash",
            Self::Endpoint => "endpoint",
            Self::WorkerId(_) => "worker_id",
        }
    }
}

/// Cuts a template into its segments and checks them.
pub(super) fn parse(template: &str) -> Result<Vec<Segment>, PatternError> {
    let segments = split(template)?;
    check(template, &segments)?;
    Ok(segments)
}

fn split(template: &str) -> Result<Vec<Segment>, PatternError> {
    let brace = |at| PatternError::Brace {
        template: template.to_owned(),
        at,
    };
    let mut segments = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let here = template.len() - rest.len();
        let literal_end = rest.find(['{', '}']).unwrap_or(rest.len());
        if literal_end > 0 {
            segments.push(Segment::Literal(rest[..literal_end].to_owned()));
            rest = &rest[literal_end..];
            continue;
        }
        let inner = rest.strip_prefix('{').ok_or_else(|| brace(here))?;
        let close = inner.find(['{', '}']).ok_or_else(|| brace(here))?;
        if inner[close..].starts_with('{') {
            return Err(brace(here));
        }
        let found = &inner[..close];
        let (_, segment) = PLACEHOLDERS
            .iter()
            .find(|(name, _)| *name == found)
            .ok_or_else(|| PatternError::UnknownPlaceholder {
                found: found.to_owned(),
                nearest: nearest(found),
            })?;
        segments.push(segment.clone());
        rest = &inner[close + 1..];
    }
    Ok(segments)
}

fn nearest(found: &str) -> Option<&'static str> {
    PLACEHOLDERS
        .iter()
        .map(|(name, _)| (strsim::jaro_winkler(found, name), *name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

fn check(template: &str, segments: &[Segment]) -> Result<(), PatternError> {
    for (at, segment) in segments.iter().enumerate() {
        if let Segment::Literal(text) = segment {
            if let Some(c) = text
                .chars()
                .find(|c| c.is_whitespace() || c.is_control() || matches!(c, '*' | '>'))
            {
                return Err(PatternError::BadLiteral(c));
            }
            continue;
        }
        if segments[..at]
            .iter()
            .any(|earlier| earlier.name() == segment.name())
        {
            return Err(PatternError::Repeated(segment.name()));
        }
        match segments.get(at + 1) {
            None | Some(Segment::Literal(_)) => {}
            Some(next) => return Err(PatternError::Adjacent(segment.name(), next.name())),
        }
        if let Segment::WorkerId(base) = segment {
            let literal = |at: Option<usize>| match at.and_then(|at| segments.get(at)) {
                Some(Segment::Literal(text)) => text.as_str(),
                _ => "",
            };
            let neighbours = [
                literal(at.checked_sub(1)).chars().next_back(),
                literal(Some(at + 1)).chars().next(),
            ];
            let radix = if *base == Base::Hex { 16 } else { 10 };
            if let Some(digit) = neighbours.into_iter().flatten().find(|c| c.is_digit(radix)) {
                return Err(PatternError::DigitNextToId(digit));
            }
        }
    }
    let has = |name| segments.iter().any(|segment| segment.name() == name);
    let needs = |there, missing, consequence| {
        if there {
            Ok(())
        } else {
            Err(PatternError::Incomplete { missing, consequence })
        }
    };
    needs(
        has("worker_id"),
        "{worker_id}",
        "two workers of an endpoint would share a subject",
    )?;
    needs(
        has("endpoint"),
        "{endpoint}",
        "two endpoints of a component would share a subject",
    )?;
    needs(
        has("component") || has("hash"),
        "{component} or {hash}",
        "two components would share a subject",
    )?;
    needs(
        has("namespace") || has("hash"),
        "{namespace} or {hash}",
        "two namespaces would share a subject",
    )?;

    let shape: String = segments
        .iter()
        .map(|s| {
            if let Segment::Literal(text) = s {
                text.as_str()
            } else {
                "x"
            }
        })
        .collect();
    if shape.split('.').any(str::is_empty) {
        return Err(PatternError::EmptyPart(template.to_owned()));
    }
    Ok(())
}
