//! What became of each round, reply and event: closed lists, each of whose values is a label on the page.

use serde::Serialize;

macro_rules! outcomes {
    ($(#[$docs:meta])* $name:ident { $($(#[$variant_docs:meta])* $variant:ident = $label:literal,)* }) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum $name {
            $($(#[$variant_docs])* #[serde(rename = $label)] $variant,)*
        }

        impl $name {
            /// All values, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The label value.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }
        }
    };
}

outcomes! {
    /// Why a round ended.
    Finish {
        /// Every expected worker answered.
        Complete = "complete",
        /// Replies ceased to come.
        Stall = "stall",
        /// The time was up.
        Deadline = "deadline",
        /// The server reported that no service is subscribed.
        NoResponders = "no_responders",
        /// The request could not be made, was refused, or the link did not carry it.
        Error = "error",
    }
}

outcomes! {
    /// What became of a reply, the gravest last. Every reply has exactly one result for each pool.
    ReplyResult {
        /// Its workers were taken in.
        Ok = "ok",
        /// It has nothing to do with the pool.
        Foreign = "foreign",
        /// Its subject is the pool's except for the worker id.
        InvalidSubject = "invalid_subject",
        /// It came after its round had ended without it.
        Late = "late",
        /// The same instance, or another one with the same worker id, had answered already.
        Duplicate = "duplicate",
        /// A value in it is impossible; the others were taken.
        OutOfRange = "out_of_range",
        /// It, or a part of it, cannot be read.
        Malformed = "malformed",
        /// It was not read, because a limit on replies, bytes or instances was reached.
        OverLimit = "over_limit",
    }
}

outcomes! {
    /// What became of an event. Every event has exactly one result for each pool that it may concern.
    EventResult {
        /// It was taken in.
        Ok = "ok",
        /// It cannot be read.
        Malformed = "malformed",
        /// A value in it is impossible.
        OutOfRange = "out_of_range",
        /// No worker of a watched pool has its id.
        UnknownWorker = "unknown_worker",
        /// It is another watched pool's.
        Foreign = "foreign",
    }
}

outcomes! {
    /// Whether a worker answers.
    WorkerState {
        /// It answered recently, in time.
        Fresh = "fresh",
        /// It missed several rounds.
        Stale = "stale",
        /// It answers, but only after its round has ended; its load is too old to be shown.
        Late = "late",
    }
}

outcomes! {
    /// What changes in the life of a pool's worker.
    Change {
        /// A worker that was not there.
        Joined = "joined",
        /// It is gone, or belongs elsewhere.
        Left = "left",
        /// It was fresh and is not any more: it is silent, or answers too late.
        Stale = "stale",
        /// It is fresh again.
        Recovered = "recovered",
        /// Its instance began anew.
        Restarted = "restarted",
        /// Another instance speaks for its id.
        Replaced = "replaced",
        /// It reports what cannot be used, after it did not.
        Refused = "refused",
    }
}

/// A count for each value of one of the lists above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts<const N: usize>([u64; N]);

macro_rules! indexed {
    ($($name:ident: $alias:ident, $len:literal;)*) => {
        $(
            #[doc = concat!("A count for each [`", stringify!($name), "`].")]
            pub type $alias = Counts<$len>;

            impl std::ops::Index<$name> for $alias {
                type Output = u64;

                fn index(&self, value: $name) -> &u64 {
                    &self.0[value as usize]
                }
            }

            impl std::ops::IndexMut<$name> for $alias {
                fn index_mut(&mut self, value: $name) -> &mut u64 {
                    &mut self.0[value as usize]
                }
            }

            const _: () = assert!($name::ALL.len() == $len);
        )*
    };
}

indexed! {
    Finish: FinishCounts, 5;
    ReplyResult: ReplyCounts, 8;
    EventResult: EventCounts, 5;
    Change: ChangeCounts, 7;
}

impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Counts<N> {
    /// The sum over all values.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
