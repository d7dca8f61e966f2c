//! [`OneByOne`]: why requests bring fewer replies than there are instances, and what fixes that.

use std::fmt;

use fleet::Inspection;
use serde::Serialize;

/// Instances answer in turn, so that some may be missing.
#[derive(Debug, Clone, Serialize)]
pub(super) struct OneByOne {
    cause: &'static str,
    pub(super) text: String,
    pub(super) remedy: String,
}

impl OneByOne {
    /// What an inspection shows; `None` where nothing is wrong.
    pub(super) fn of(seen: &Inspection) -> Option<Self> {
        let (cause, prefix) = (seen.in_turn?, &seen.service_prefix);
        Some(Self {
            cause: cause.as_str(),
            text: format!("instances may be missing here: {}", cause.text(prefix)),
            remedy: cause.remedy(prefix),
        })
    }
}

impl fmt::Display for OneByOne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. To fix it, {}", self.text, self.remedy)
    }
}
