//! [`Grants`]: the permissions that a program needs, as they are written in a server's configuration.

use std::fmt;

/// The permissions that a program needs. `Display` writes them as the two lines of a server's configuration.
///
/// ```
/// let grants = link::Grants::new(["a", "b.>"], ["_INBOX.>"]);
/// assert_eq!(grants.to_string(), r#"publish: ["a", "b.>"], subscribe: ["_INBOX.>"]"#);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    publish: Vec<String>,
    subscribe: Vec<String>,
}

impl Grants {
    /// Permission to publish to some subjects, and to subscribe to others.
    pub fn new<T: Into<String>, U: Into<String>>(
        publish: impl IntoIterator<Item = T>,
        subscribe: impl IntoIterator<Item = U>,
    ) -> Self {
        Self {
            publish: publish.into_iter().map(Into::into).collect(),
            subscribe: subscribe.into_iter().map(Into::into).collect(),
        }
    }

    /// The permissions as two lines of a server's configuration, to copy.
    pub fn lines(&self) -> [String; 2] {
        [
            format!("publish: [{}]", list(&self.publish)),
            format!("subscribe: [{}]", list(&self.subscribe)),
        ]
    }

    /// Whether they allow to publish to `subject`.
    pub(crate) fn allow_publish(&self, subject: &str) -> bool {
        self.publish.iter().any(|pattern| covers(pattern, subject))
    }

    /// The same with permission to publish to `subject`.
    pub(crate) fn with_publish(mut self, subject: &str) -> Self {
        include(&mut self.publish, subject);
        self
    }

    /// The same with permission to subscribe to `subject`.
    pub(crate) fn with_subscribe(mut self, subject: &str) -> Self {
        include(&mut self.subscribe, subject);
        self
    }
}

fn include(subjects: &mut Vec<String>, subject: &str) {
    if !subjects.iter().any(|pattern| covers(pattern, subject)) {
        subjects.push(subject.to_owned());
    }
}

/// Whether everything that `subject`, which may have wildcards, matches is matched by `pattern`.
fn covers(pattern: &str, subject: &str) -> bool {
    let mut wanted = subject.split('.');
    for token in pattern.split('.') {
        match (token, wanted.next()) {
            (">", Some(_)) => return true,
            (_, Some(">")) | (_, None) => return false,
            ("*", Some(_)) => {}
            (token, Some(other)) if token == other => {}
            _ => return false,
        }
    }
    wanted.next().is_none()
}

fn list(subjects: &[String]) -> String {
    let quoted = subjects
        .iter()
        .map(|subject| format!("\"{}\"", subject.escape_debug()));
    quoted.collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_matches() {
        let check = |pattern, subject, expected| {
            assert_eq!(covers(pattern, subject), expected, "{pattern} {subject}");
        };
        check("a.b", "a.b", true);
        check("a.b", "a", false);
        check("a", "a.b", false);
        check("a.>", "a.b.c", true);
        check("a.>", "a", false);
        check("a.*", "a.b", true);
        check("a.*", "a.b.c", false);
        check("a.*", "a.>", false);
        check("a.>", "a.*.>", true);
        check("a.b", "a.*", false);
    }

    #[test]
    fn a_denied_subject_that_is_not_covered_is_added() {
        let grants = Grants::new(["a.>"], ["_INBOX.>"])
            .with_publish("a.b")
            .with_subscribe("c");
        assert_eq!(
            grants.to_string(),
            r#"publish: ["a.>"], subscribe: ["_INBOX.>", "c"]"#
        );
    }
}
