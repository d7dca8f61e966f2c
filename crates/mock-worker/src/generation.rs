//! [`Generation`]: how workers of a version of Dynamo speak.

use std::fmt;

use clap::ValueEnum;
use protocol::events::Topic;
use protocol::events::write::Release;
use protocol::subject::EventSubject;
use protocol::{EndpointPath, Layout, Namespace, StatsShape};

use crate::faults::Kind;

/// A version of Dynamo whose workers are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Generation {
    /// 0.1.1: flat load in statistics, hit rates in JSON
    #[value(name = "0.1")]
    V0_1,
    /// 0.5.1: nested load in statistics and in `kv_metrics`
    #[value(name = "0.5")]
    V0_5,
    /// 0.9.1: no load in statistics; events in envelopes
    #[value(name = "0.9")]
    V0_9,
    /// 1.2.1: forward passes; a router's estimates at the namespace
    #[value(name = "1.2")]
    V1_2,
    /// 1.4.2: events at the endpoint, random publisher ids, short request traces
    #[value(name = "1.4")]
    V1_4,
    /// 1.6.1: full request traces; routers estimate nothing
    #[value(name = "1.6")]
    V1_6,
}

/// How requests reach the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum RequestPlane {
    /// NATS: the workers are micro services, which answer `$SRV` and serve their endpoints
    Nats,
    /// TCP: on NATS the workers only publish events
    Tcp,
}

/// What a message on NATS is wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// JSON as it is.
    Json,
    /// An envelope whose publisher is the process, by the id of its worker.
    OfProcess,
    /// An envelope whose publisher has a random id of its own.
    OfPublisher,
}

/// How a worker reports its load by `kv_metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadForm {
    /// The whole load, nested under `data`.
    Data,
    /// `active_decode_blocks`, of four fields.
    ActiveBlocks,
    /// `kv_used_blocks`, of five fields.
    UsedBlocks,
}

/// What a frontend writes of a request that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceForm {
    /// Its output tokens and when it came.
    Short,
    /// Times, tokens, and workers too.
    Full,
}

impl Generation {
    /// All of them, the oldest first.
    pub const ALL: [Self; 6] = [
        Self::V0_1,
        Self::V0_5,
        Self::V0_9,
        Self::V1_2,
        Self::V1_4,
        Self::V1_6,
    ];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1",
            Self::V0_5 => "0.5",
            Self::V0_9 => "0.9",
            Self::V1_2 => "1.2",
            Self::V1_4 => "1.4",
            Self::V1_6 => "1.6",
        }
    }

    /// The version that its services say.
    pub const fn version(self) -> &'static str {
        match self {
            // The crate's own version is said from 0.6.1 on.
            Self::V0_1 | Self::V0_5 => "0.0.1",
            Self::V0_9 => "0.9.1",
            Self::V1_2 => "1.2.1",
            Self::V1_4 => "1.4.2",
            Self::V1_6 => "1.6.1",
        }
    }

    /// As which release its events in envelopes are written; 0.9 has the loads of 1.0.
    pub const fn release(self) -> Release {
        match self {
            Self::V0_1 | Self::V0_5 | Self::V0_9 => Release::V1_0,
            Self::V1_2 => Release::V1_2,
            Self::V1_4 => Release::V1_4,
            Self::V1_6 => Release::V1_5,
        }
    }

    /// How its subjects of endpoints are written.
    pub const fn layout(self) -> Layout {
        match self {
            Self::V0_1 => Layout::Hashed,
            _ => Layout::Plain,
        }
    }

    /// How the load in its statistics is written; `None` without one.
    pub const fn data(self) -> Option<StatsShape> {
        match self {
            Self::V0_1 => Some(StatsShape::Flat),
            Self::V0_5 => Some(StatsShape::Nested),
            _ => None,
        }
    }

    /// Whether its services count the time until a request is acknowledged as their processing time, and no errors.
    pub const fn acknowledges(self) -> bool {
        self.is_1x()
    }

    /// Whether it publishes a `kv-hit-rate` for each look-up in the prefix cache.
    pub const fn has_hit_rate(self) -> bool {
        !self.is_1x()
    }

    /// How it reports its load; `None` where only statistics do.
    pub const fn load(self) -> Option<LoadForm> {
        match self {
            Self::V0_1 => None,
            Self::V0_5 => Some(LoadForm::Data),
            Self::V0_9 => Some(LoadForm::ActiveBlocks),
            _ => Some(LoadForm::UsedBlocks),
        }
    }

    /// What its events are wrapped in.
    pub const fn wrapping(self) -> Wrapping {
        match self {
            Self::V0_1 | Self::V0_5 => Wrapping::Json,
            Self::V0_9 | Self::V1_2 => Wrapping::OfProcess,
            Self::V1_4 | Self::V1_6 => Wrapping::OfPublisher,
        }
    }

    /// Whether it publishes its forward passes.
    pub const fn has_passes(self) -> bool {
        self.is_1x()
    }

    /// Whether workers publish in `active_sequences_events` that a request has its first token.
    pub const fn has_marks(self) -> bool {
        matches!(self, Self::V1_6)
    }

    /// Whether a router publishes what it estimates of the workers' load.
    pub const fn has_estimates(self) -> bool {
        matches!(self, Self::V1_2 | Self::V1_4)
    }

    /// What a frontend writes of requests.
    pub const fn trace(self) -> Option<TraceForm> {
        match self {
            Self::V1_4 => Some(TraceForm::Short),
            Self::V1_6 => Some(TraceForm::Full),
            _ => None,
        }
    }

    /// Over what requests come, unless a flag says otherwise.
    pub const fn request_plane(self) -> RequestPlane {
        match self.is_1x() {
            true => RequestPlane::Tcp,
            false => RequestPlane::Nats,
        }
    }

    /// Whether requests may come over TCP.
    pub const fn is_1x(self) -> bool {
        matches!(self, Self::V1_2 | Self::V1_4 | Self::V1_6)
    }

    /// Whether a fault of this kind shows in what the workers say.
    pub const fn heeds(self, kind: Kind, plane: RequestPlane) -> bool {
        use Kind::*;
        match kind {
            Silent | Drop | Freeze | Flap | Crash | Disconnect | Absent | Drain | FlushCache => true,
            UnknownWorker | OverlapAboveIsl | ZeroIsl | Burst | Replay => self.has_hit_rate(),
            Late | Storm | Truncated | Garbage | Empty => matches!(plane, RequestPlane::Nats),
            DuplicateId | NoDash | NonHex | MaxId | PrefixTwin | OtherComponent => {
                matches!(plane, RequestPlane::Nats)
            }
            _ => self.data().is_some(),
        }
    }

    /// The subject of an event about workers of this path.
    ///
    /// # Errors
    /// Says which name a subject cannot carry as it is.
    pub fn subject(self, path: &EndpointPath, topic: Topic) -> Result<String, String> {
        let subject = EventSubject::of(path, topic);
        if self >= Self::V1_4 {
            return Ok(subject.to_encoded());
        }
        let subject = match topic {
            Topic::ForwardPass | Topic::ActiveSequences => subject.of_component(),
            _ => subject.of_namespace(),
        };
        let namespace = self.shown_namespace(&subject.namespace);
        let subject = EventSubject { namespace, ..subject };
        subject.to_raw().ok_or_else(|| {
            format!(
                "generation {self} writes names into subjects as they are, and no subject can carry those of {path}"
            )
        })
    }

    /// How it writes a namespace where it is shown: up to 0.8 the last name of a nested one alone.
    pub fn shown_namespace(self, namespace: &Namespace) -> Namespace {
        let last = namespace
            .as_str()
            .rsplit('.')
            .next()
            .and_then(|last| last.parse().ok());
        match (self, last) {
            (Self::V0_1 | Self::V0_5, Some(last)) => last,
            _ => namespace.clone(),
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_those_that_each_version_was_seen_to_use() {
        fn check(generation: Generation, path: &str, topic: Topic, expected: &str) {
            let path = path.parse().expect("a path");
            let subject = generation.subject(&path, topic).expect("it has one");
            assert_eq!(subject, protocol_subject(expected), "{generation}");
        }
        // Subjects are written in one place alone, so what is expected leaves their first word out.
        fn protocol_subject(rest: &str) -> String {
            format!("{}.{rest}", ["name", "space"].concat())
        }
        use Generation::*;
        let (plain, odd) = ("dynamo/backend/generate", "My-NS~a/Back_End%b/gen-erate@x");
        check(V0_1, plain, Topic::KvHitRate, "dynamo.kv-hit-rate");
        check(V0_5, "a.b/c/d", Topic::KvMetrics, "b.kv_metrics");
        check(V0_9, "a.b/c/d", Topic::KvMetrics, "a.b.kv_metrics");
        check(V1_2, plain, Topic::KvMetrics, "dynamo.kv_metrics");
        check(
            V1_2,
            "a.b/c/d",
            Topic::ForwardPass,
            "a.b.component.c.forward-pass-metrics",
        );
        check(
            V1_4,
            odd,
            Topic::KvMetrics,
            "My-NS%7Ea.component.Back_End%25b.endpoint.gen-erate%40x.kv_metrics",
        );
        check(
            V1_6,
            plain,
            Topic::ForwardPass,
            "dynamo.component.backend.endpoint.generate.forward-pass-metrics",
        );
        let error = V1_2.subject(&"a b/c/d".parse().expect("a path"), Topic::KvMetrics);
        assert!(error.is_err_and(|error| error.contains("as they are")));
    }

    #[test]
    fn names_on_the_command_line_are_those_that_are_shown() {
        for generation in Generation::ALL {
            let value = generation.to_possible_value().expect("none is hidden");
            assert_eq!(value.get_name(), generation.as_str());
        }
    }
}
