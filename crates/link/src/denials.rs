//! [`Denials`]: which permissions this user lacks, as far as the server has said.

use std::collections::BTreeSet;

use crate::violation::Violation;

/// Denied subjects of each kind that are remembered.
const REMEMBERED: usize = 64;

/// Subjects that the server denied to this user, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denials {
    /// Subjects to which it may not publish.
    pub publish: BTreeSet<String>,
    /// Subjects to which it may not subscribe, apart from the inbox.
    pub subscribe: BTreeSet<String>,
    /// Whether it may not subscribe to the inbox of replies.
    pub inbox: bool,
}

impl Denials {
    pub(crate) fn note(&mut self, violation: &Violation) {
        let Some(subject) = violation.subject() else {
            return;
        };
        if violation.denies_inbox() {
            self.inbox = true;
            return;
        }
        let known = if violation.is_of_publish() {
            &mut self.publish
        } else {
            &mut self.subscribe
        };
        if known.len() < REMEMBERED {
            known.insert(subject.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::violation::Needs;

    #[test]
    fn each_denied_subject_is_remembered_once_and_no_flood_of_them() {
        let mut denials = Denials::default();
        let needs = Arc::new(Needs {
            optional: Vec::new(),
            inbox_prefix: "_INBOX".to_owned(),
            ..Needs::default()
        });
        let mut deny = |text: &str| denials.note(&Violation::read(text, &needs).expect(text));
        deny(r#"Permissions Violation for Publish to "$SRV.STATS""#);
        deny(r#"Permissions Violation for Publish to "$SRV.STATS""#);
        deny(r#"Permissions Violation for Subscription to "_INBOX.abc.*""#);
        for id in 0..1000 {
            deny(&format!(
                r#"Permissions Violation for Subscription to "events.{id}""#
            ));
        }
        assert_eq!(denials.publish, BTreeSet::from(["$SRV.STATS".to_owned()]));
        assert_eq!(denials.subscribe.len(), REMEMBERED);
        assert!(denials.inbox);
    }
}
