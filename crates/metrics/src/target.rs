//! [`Target`]: what to watch, with labels of the operator's own.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use fleet::Selector;
use protocol::PathError;
use serde::Deserialize;

use crate::mapping::check_label;

/// A path or a glob, and the labels that all series of its pools have.
///
/// ```
/// use metrics::target::Target;
/// let target: Target = r#"prod/*/generate{team="search"}"#.parse()?;
/// assert_eq!(target.labels, [("team".to_owned(), "search".to_owned())]);
/// # Ok::<(), metrics::target::TargetError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Which pools.
    pub selector: Selector,
    /// Name and value of each label.
    pub labels: Vec<(String, String)>,
}

/// Why a text is no [`Target`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The path is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The labels are none.
    #[error(
        "the labels after the path are not of the form {{name=\"value\"}}; several labels are written in a configuration file"
    )]
    Form,
    /// A label cannot be.
    #[error("{0}")]
    Label(String),
}

impl FromStr for Target {
    type Err = TargetError;

    /// # Errors
    /// [`TargetError`] names the part that is wrong.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        #[derive(Deserialize)]
        struct Holder {
            labels: BTreeMap<String, String>,
        }
        let (path, labels) = match text.find('{') {
            None => (text, BTreeMap::new()),
            Some(at) => {
                let (path, table) = text.split_at(at);
                let holder: Holder =
                    toml::from_str(&format!("labels = {table}")).map_err(|_| TargetError::Form)?;
                (path, holder.labels)
            }
        };
        for name in labels.keys() {
            check_label(name).map_err(TargetError::Label)?;
        }
        Ok(Self {
            selector: path.parse()?,
            labels: labels.into_iter().collect(),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.selector)?;
        for (index, (name, value)) in self.labels.iter().enumerate() {
            let before = if index == 0 { "{" } else { "," };
            // What TOML reads is what JSON writes, apart from escapes that no label needs.
            write!(f, "{before}{name}={}", serde_json::Value::from(value.as_str()))?;
        }
        f.write_str(if self.labels.is_empty() { "" } else { "}" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_the_path_and_are_read_back() {
        for text in [
            "a/b/c",
            r#"a/*/c{team="search"}"#,
            r#"a/b/c{env="prod",team="a \"b\""}"#,
        ] {
            let target: Target = text.parse().expect(text);
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_a_label_is_refused() {
        fn check(text: &str, expected: &str) {
            let error = text.parse::<Target>().expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        check(r#"a/b{team="x"}"#, "2 parts");
        check(r#"a/b/c{team="x""#, "form");
        check(r#"a/b/c{team=1}"#, "form");
        check(r#"a/b/c{pod="x"}"#, "set by Prometheus");
        check(r#"a/b/c{worker_id="x"}"#, "already");
    }
}
