//! What is on the page: a choice of the user's, made once.

use std::fmt;
use std::str::FromStr;

/// Which of the families are on the page, and how many series at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportOptions {
    /// Whether upstream's metric names are on the page.
    pub compat: Compat,
    /// Which series each worker has.
    pub worker_series: WorkerSeries,
    /// Which series each instance of a plain service has.
    pub instance_series: InstanceSeries,
    /// The most series that a page has, with those of mappings; workers and instances that do not fit are left out. Pools are
    /// always shown.
    pub max_series: u64,
}

impl ExportOptions {
    /// The default of [`max_series`](Self::max_series).
    pub const MAX_SERIES: u64 = 1_000_000;
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            compat: Compat::Upstream,
            worker_series: WorkerSeries::Full,
            instance_series: InstanceSeries::On,
            max_series: Self::MAX_SERIES,
        }
    }
}

/// A text that is none of the words that an option takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write one of {}", words.join(", "))]
pub struct UnknownWord {
    words: &'static [&'static str],
}

macro_rules! words {
    ($(#[$docs:meta])* $name:ident { $($(#[$variant_docs:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_docs])* $variant,)*
        }

        impl $name {
            /// The words for all values, in the order of `--help`.
            pub const WORDS: &'static [&'static str] = &[$($word),*];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)* })
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(UnknownWord { words: Self::WORDS }),
                }
            }
        }
    };
}

words! {
    /// Whether upstream's metric names are on the page.
    Compat {
        /// Next to our own.
        Upstream = "upstream",
        /// Not at all.
        Off = "off",
    }
}

words! {
    /// Which series each worker has.
    WorkerSeries {
        /// All.
        Full = "full",
        /// Load, saturation, requests and errors.
        Core = "core",
        /// None; pools are shown in any case.
        Off = "off",
    }
}

words! {
    /// Which series each instance of a plain service has.
    InstanceSeries {
        /// All.
        On = "on",
        /// None; the sums of its endpoint are shown in any case.
        Off = "off",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written() {
        for word in Compat::WORDS {
            assert_eq!(
                word.parse::<Compat>().map(|value| value.to_string()),
                Ok((*word).to_owned())
            );
        }
        for word in WorkerSeries::WORDS {
            assert_eq!(
                word.parse::<WorkerSeries>().map(|value| value.to_string()),
                Ok((*word).to_owned())
            );
        }
        for word in InstanceSeries::WORDS {
            assert_eq!(
                word.parse::<InstanceSeries>().map(|value| value.to_string()),
                Ok((*word).to_owned())
            );
        }
        let error = "some".parse::<WorkerSeries>().expect_err("no such word");
        assert_eq!(error.to_string(), "write one of full, core, off");
    }
}
