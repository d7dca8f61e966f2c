//! [`Violation`]: a permission that the server denied, with its remedy.

use std::fmt;
use std::sync::Arc;

use protocol::text::Shown;

use crate::Grants;

/// A denied permission. `Display` says what is denied, and which lines of the server's configuration grant it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    action: Action,
    subject: Option<String>,
    is_inbox: bool,
    text: String,
    needs: Arc<Needs>,
}

/// What a program needs from a server, for messages about what was denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The permissions.
    pub(crate) grants: Grants,
    /// Subjects that it also listens to, and can do without.
    pub(crate) optional: Vec<String>,
    /// What all reply subjects begin with.
    pub(crate) inbox_prefix: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Publish,
    Subscribe,
    Unknown,
}

impl Violation {
    /// Reads the text of a server error; `None` where it is about something else.
    pub(crate) fn read(text: &str, needs: &Arc<Needs>) -> Option<Self> {
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
        let subject = text.split('"').nth(1).map(str::to_owned);
        let in_inbox = |subject: &str| {
            subject
                .strip_prefix(&*needs.inbox_prefix)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        Some(Self {
            action,
            is_inbox: subject.as_deref().is_some_and(in_inbox),
            subject,
            text: text.to_owned(),
            needs: Arc::clone(needs),
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

    /// Whether it denies a subscription that the program can do without.
    pub(crate) fn is_about_any_of(&self, subjects: &[String]) -> bool {
        self.action == Action::Subscribe
            && self
                .subject
                .as_ref()
                .is_some_and(|subject| subjects.contains(subject))
    }

    /// Whether it denies a publish to `subject`.
    pub(crate) fn denies_publish(&self, subject: &str) -> bool {
        self.action != Action::Subscribe && self.subject.as_deref() == Some(subject)
    }

    /// Whether it denies the subscription to the replies.
    pub(crate) fn denies_inbox(&self) -> bool {
        self.action == Action::Subscribe && self.is_inbox
    }

    /// The permissions of the program, with the denied one among them. Publishes that the program did not plan are
    /// replies, each to a subject of its own, so a whole family of subjects is named for them, as for an inbox.
    pub(crate) fn grants(&self) -> Grants {
        let grants = self.needs.grants.clone();
        let subject = match (&self.subject, self.is_inbox) {
            (None, _) => return grants,
            (Some(_), true) => format!("{}.>", self.needs.inbox_prefix),
            (Some(subject), false) => subject.clone(),
        };
        match self.action {
            Action::Publish if grants.allow_publish(&subject) => grants,
            Action::Publish => grants.with_publish(&family(&subject)),
            Action::Subscribe => grants.with_subscribe(&subject),
            Action::Unknown => grants,
        }
    }

    /// What it has in common with those that the same remedy fixes.
    pub(crate) fn key(&self) -> String {
        format!("denied {:?} {}", self.action, self.grants())
    }
}

/// All subjects that begin as this one does.
fn family(subject: &str) -> String {
    match subject.split_once('.') {
        Some((first, _)) => format!("{first}.>"),
        None => subject.to_owned(),
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(subject) = &self.subject else {
            return write!(f, "permission denied: {}", Shown(&self.text));
        };
        let verb = match self.action {
            Action::Publish => "to publish to",
            Action::Subscribe => "to subscribe to",
            Action::Unknown => "to use",
        };
        match self.denies_inbox() {
            true => write!(
                f,
                "permission denied {verb} the inbox of replies, {}",
                Shown(subject)
            )?,
            false => write!(f, "permission denied {verb} {}", Shown(subject))?,
        }
        write!(
            f,
            "; permissions of this user in the server's configuration that suffice: {}",
            self.grants()
        )?;
        match self.denies_inbox() {
            true => f.write_str("; or receive replies elsewhere, by --inbox-prefix"),
            false => Ok(()),
        }
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Violation> {
        let needs = Needs {
            optional: Vec::new(),
            grants: Grants::new(["$SRV.STATS"], ["_INBOX_me.>"]),
            inbox_prefix: "_INBOX_me".to_owned(),
        };
        Violation::read(text, &Arc::new(needs))
    }

    #[test]
    fn a_denied_permission_is_explained_with_the_lines_that_grant_it() {
        fn check(text: &str, denied: &str, publish: &str, subscribe: &str) {
            let violation = read(text).expect(text);
            let expected = format!(
                "permission denied {denied}; permissions of this user in the server's configuration that suffice: \
                 publish: [{publish}], subscribe: [{subscribe}]"
            );
            let elsewhere = match denied.contains("inbox") {
                true => "; or receive replies elsewhere, by --inbox-prefix",
                false => "",
            };
            assert_eq!(violation.to_string(), expected + elsewhere);
        }
        let (publish, subscribe) = (r#""$SRV.STATS""#, r#""_INBOX_me.>""#);
        check(
            r#"Permissions Violation for Publish to "$SRV.STATS""#,
            "to publish to $SRV.STATS",
            publish,
            subscribe,
        );
        check(
            r#"Permissions Violation for Subscription to "_INBOX_me.abc.*""#,
            "to subscribe to the inbox of replies, _INBOX_me.abc.*",
            publish,
            subscribe,
        );
        check(
            r#"permissions violation for subscription to "orders.*" using queue "q""#,
            "to subscribe to orders.*",
            publish,
            r#""_INBOX_me.>", "orders.*""#,
        );
        check(
            r#"Permissions Violation for Publish to "_INBOX_me.x.7""#,
            "to publish to _INBOX_me.x.7",
            r#""$SRV.STATS", "_INBOX_me.>""#,
            subscribe,
        );
        check(
            r#"Permissions Violation for Publish to "_OTHERS.x.7""#,
            "to publish to _OTHERS.x.7",
            r#""$SRV.STATS", "_OTHERS.>""#,
            subscribe,
        );
        check(
            r#"Permissions Violation for Import of "a""#,
            "to use a",
            publish,
            subscribe,
        );
        let odd = read("Permissions Violation\u{1b}")
            .expect("a violation")
            .to_string();
        assert_eq!(odd, r"permission denied: Permissions Violation\u{1b}");
        assert_eq!(read("maximum subscriptions exceeded"), None);
    }

    #[test]
    fn violations_with_one_remedy_have_one_key() {
        let key = |text: &str| read(text).expect(text).key();
        assert_eq!(
            key(r#"Permissions Violation for Publish to "_INBOX_me.a.1""#),
            key(r#"Permissions Violation for Publish to "_INBOX_me.b.2""#)
        );
        assert_eq!(
            key(r#"Permissions Violation for Publish to "_OTHERS.a.1""#),
            key(r#"Permissions Violation for Publish to "_OTHERS.b.2""#)
        );
        assert_ne!(
            key(r#"Permissions Violation for Publish to "a""#),
            key(r#"Permissions Violation for Subscription to "a""#)
        );
    }
}
