//! [`Notice`]: something worth a line in the log, and [`Limiter`], which keeps the same line from being repeated.

use std::collections::HashMap;
use std::time::Duration;

/// How grave a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Of interest to a developer.
    Debug,
    /// News.
    Info,
    /// Something an operator should fix.
    Warn,
    /// The collector cannot do its work until it is fixed.
    Error,
}

/// One line for the log. Text from outside in it is not escaped yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How grave it is.
    pub level: Level,
    /// The sentence.
    pub text: String,
    /// Named values.
    pub fields: Vec<(&'static str, String)>,
}

impl Notice {
    /// A notice without fields.
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Self {
            level,
            text: text.into(),
            fields: Vec::new(),
        }
    }

    /// The same with one more field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }
}

/// How often the same notice may be repeated.
pub(crate) const REPEAT_AFTER: Duration = Duration::from_secs(60);

/// Subjects of notices that are remembered; what comes on top waits until some are forgotten.
const MAX_REMEMBERED: usize = 256;

/// What a notice is about. There may be very many workers, and pools that a glob finds; notices about them leave room for
/// others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    Collector,
    Pool,
    Worker,
}

impl About {
    fn room(self) -> usize {
        match self {
            Self::Collector => MAX_REMEMBERED,
            Self::Pool => MAX_REMEMBERED * 3 / 4,
            Self::Worker => MAX_REMEMBERED / 2,
        }
    }
}

/// Lets each notice pass once a minute.
#[derive(Debug, Default)]
pub(crate) struct Limiter(HashMap<String, Duration>);

impl Limiter {
    /// Whether a notice about `subject` is due. The subject must not contain what changes from reply to reply.
    pub(crate) fn is_due(&mut self, about: About, subject: &str, now: Duration) -> bool {
        let is_recent = |at: &Duration| now.saturating_sub(*at) < REPEAT_AFTER;
        if self.0.get(subject).is_some_and(is_recent) {
            return false;
        }
        if self.0.len() >= about.room() {
            self.0.retain(|_, at| is_recent(at));
        }
        let has_room = self.0.len() < about.room();
        if has_room {
            self.0.insert(subject.to_owned(), now);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_due_once_a_minute_and_no_more_are_made_than_are_remembered() {
        let mut limiter = Limiter::default();
        let mut due =
            |subject: &str, seconds| limiter.is_due(About::Collector, subject, Duration::from_secs(seconds));
        assert_eq!(
            [due("a", 0), due("a", 59), due("b", 59), due("a", 60)],
            [true, false, true, true]
        );
        let made = (0..1000).filter(|n| due(&n.to_string(), 61)).count();
        assert_eq!(made, MAX_REMEMBERED - 2);
        assert!(due("later", 200));
    }

    #[test]
    fn notices_about_workers_leave_room_for_others() {
        let mut limiter = Limiter::default();
        let mut made = |about| {
            let due = |n: &u32| limiter.is_due(about, &format!("{about:?} {n}"), Duration::ZERO);
            (0..1000).filter(due).count()
        };
        let made = [About::Worker, About::Pool, About::Collector].map(&mut made);
        assert_eq!(made, [128, 64, 64]);
    }
}
