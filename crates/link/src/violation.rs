//! [`Violation`]: a permission that the server denied, with its remedy.

use std::fmt;

use protocol::subject::SERVICE_API;
use protocol::text::Shown;

/// What all reply subjects of async-nats begin with.
const INBOX: &str = "_INBOX";

/// A denied permission. `Display` says what is denied and what to allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    action: Action,
    subject: Option<String>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Publish,
    Subscribe,
    Unknown,
}

impl Violation {
    /// Reads the text of a server error; `None` where it is about something else.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        if !lower.contains("permissions violation") {
            return None;
        }
        let action = if lower.contains("for publish") {
            Action::Publish
        } else if lower.contains("for subscription") {
            Action::Subscribe
        } else {
            Action::Unknown
        };
        Some(Self {
            action,
            subject: text.split('"').nth(1).map(str::to_owned),
            text: text.to_owned(),
        })
    }

    /// What the server said.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The subject that is denied, if the server names it.
    pub(crate) fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Whether it is a publish that is denied.
    pub(crate) fn is_of_publish(&self) -> bool {
        self.action == Action::Publish
    }

    /// Whether it denies a publish to `subject`.
    pub(crate) fn denies_publish(&self, subject: &str) -> bool {
        self.action != Action::Subscribe && self.subject.as_deref() == Some(subject)
    }

    /// Whether it denies the subscription to the replies.
    pub(crate) fn denies_inbox(&self) -> bool {
        self.action == Action::Subscribe && self.is_inbox()
    }

    fn is_inbox(&self) -> bool {
        self.subject
            .as_deref()
            .is_some_and(|subject| subject.starts_with(INBOX))
    }

    /// The subject to allow: a whole family where single subjects would not do.
    fn allowed(&self) -> String {
        let Some(subject) = self.subject.as_deref() else {
            return String::new();
        };
        let service_api = SERVICE_API.trim_end_matches('>');
        if self.is_inbox() {
            format!("{INBOX}.>")
        } else if subject.starts_with(service_api) {
            SERVICE_API.to_owned()
        } else {
            Shown(subject).to_string()
        }
    }

    /// What it has in common with those that the same remedy mends.
    pub(crate) fn key(&self) -> String {
        format!("denied {:?} {}", self.action, self.allowed())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(subject) = &self.subject else {
            return write!(f, "permission denied: {}", Shown(&self.text));
        };
        match self.denies_inbox() {
            true => f.write_str("permission denied for the inbox of replies: ")?,
            false => write!(f, "permission denied for {}: ", Shown(subject))?,
        }
        let verb = match self.action {
            Action::Publish => "publish",
            Action::Subscribe => "subscribe",
            Action::Unknown => "use",
        };
        let to = if self.action == Action::Unknown { "" } else { " to" };
        write!(f, "allow this user to {verb}{to} {}", self.allowed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_permission_is_explained_with_its_remedy() {
        fn check(text: &str, expected: &str) {
            let violation = Violation::read(text).expect(text);
            assert_eq!(violation.to_string(), expected);
        }
        check(
            r#"Permissions Violation for Publish to "$SRV.STATS""#,
            "permission denied for $SRV.STATS: allow this user to publish to $SRV.>",
        );
        check(
            r#"Permissions Violation for Subscription to "_INBOX.abc.*""#,
            "permission denied for the inbox of replies: allow this user to subscribe to _INBOX.>",
        );
        check(
            r#"permissions violation for subscription to "orders.*" using queue "q""#,
            "permission denied for orders.*: allow this user to subscribe to orders.*",
        );
        check(
            r#"Permissions Violation for Publish to "_INBOX.x.7""#,
            "permission denied for _INBOX.x.7: allow this user to publish to _INBOX.>",
        );
        check(
            "Permissions Violation\u{1b}",
            r"permission denied: Permissions Violation\u{1b}",
        );
        check(
            r#"Permissions Violation for Import of "a""#,
            "permission denied for a: allow this user to use a",
        );
        assert_eq!(Violation::read("maximum subscriptions exceeded"), None);
    }

    #[test]
    fn violations_with_one_remedy_have_one_key() {
        let key = |text: &str| Violation::read(text).expect(text).key();
        assert_eq!(
            key(r#"Permissions Violation for Publish to "_INBOX.a.1""#),
            key(r#"Permissions Violation for Publish to "_INBOX.b.2""#)
        );
        assert_ne!(
            key(r#"Permissions Violation for Publish to "a""#),
            key(r#"Permissions Violation for Subscription to "a""#)
        );
    }
}
