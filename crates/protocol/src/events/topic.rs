//! [`Topic`]: the events that are read.

use std::fmt;

/// What an event is about; the last token of its subject.
///
/// ```
/// use protocol::events::Topic;
/// assert_eq!(Topic::ForwardPass.as_str(), "forward-pass-metrics");
/// assert_eq!(Topic::read("kv_metrics"), Some(Topic::KvMetrics));
/// assert_eq!(Topic::read("kv-metrics"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// `kv-hit-rate`, a [`KvHitRate`](super::KvHitRate): Dynamo up to 0.9.
    KvHitRate,
    /// `kv_metrics`, a [`KvMetrics`](super::KvMetrics): Dynamo from 0.4.1 on.
    KvMetrics,
    /// `forward-pass-metrics`, a [`ForwardPass`](super::ForwardPass): Dynamo from 1.1 on.
    ForwardPass,
    /// `kv-events`, some [`KvEvent`](super::KvEvent)s: Dynamo from 1.0 on, where it is asked for.
    KvEvents,
    /// `active_sequences_events`, a [`SequenceEvent`](super::SequenceEvent): Dynamo from 1.0 on; routers where they are
    /// asked for it, workers always from 1.5 on.
    ActiveSequences,
}

impl Topic {
    /// All topics.
    pub const ALL: [Self; 5] = [
        Self::KvHitRate,
        Self::KvMetrics,
        Self::ForwardPass,
        Self::KvEvents,
        Self::ActiveSequences,
    ];

    /// The topic as subjects and envelopes have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KvHitRate => "kv-hit-rate",
            Self::KvMetrics => "kv_metrics",
            Self::ForwardPass => "forward-pass-metrics",
            Self::KvEvents => "kv-events",
            Self::ActiveSequences => "active_sequences_events",
        }
    }

    /// The topic that is written like this, if it is one that is read.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == text)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
