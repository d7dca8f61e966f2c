//! What can be wrong with load: [`StatsError`], [`StatsFault`] and [`StatsRefusal`].

/// One field that is wrong, and how.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{field} {fault}")]
pub struct StatsError {
    /// The field's name on the wire.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: StatsFault,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsFault {
    /// It is no number at all.
    #[error("is {0}, not a number")]
    NotANumber(&'static str),
    /// One of the sections `worker_stats` and `kv_stats` is no object.
    #[error("is {0}, not an object")]
    NotAnObject(&'static str),
    /// A count has a fractional part.
    #[error("is {0}, not a whole number")]
    NotWhole(f64),
    /// It is NaN, infinite, or a literal too large for a float.
    #[error("is not finite")]
    NotFinite,
    /// It is below zero.
    #[error("is negative")]
    Negative,
    /// A count does not fit 64 bits.
    #[error("does not fit 64 bits")]
    TooLarge,
    /// It is larger than any real value.
    #[error("is above the limit of {0}")]
    AboveLimit(f64),
    /// It is smaller than any real value.
    #[error("is below the limit of {0}")]
    BelowLimit(f64),
    /// A ratio is above one.
    #[error("is {0}, above 1")]
    AboveOne(f64),
    /// An active count is above its capacity; both are refused, for either may be wrong.
    #[error("is {active}, above its capacity of {capacity}")]
    AboveCapacity {
        /// What is said to be in use.
        active: u64,
        /// What is said to exist.
        capacity: u64,
    },
}

impl StatsFault {
    /// Whether the field has the right type and only its value is wrong.
    pub fn is_out_of_range(&self) -> bool {
        !matches!(
            self,
            Self::NotANumber(_) | Self::NotAnObject(_) | Self::NotWhole(_)
        )
    }
}

/// Data of which nothing can be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsRefusal {
    /// The data is JSON, but no object.
    #[error("the load data is {0}, not an object")]
    NotAnObject(&'static str),
    /// Every load field in it is wrong.
    #[error("no load field is usable: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NothingUsable(Vec<StatsError>),
}
