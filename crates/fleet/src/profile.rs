//! [`Profile`]: what a service instance says of itself in its INFO reply, as far as it is shown.

use std::str::FromStr;
use std::sync::Arc;

use protocol::InfoReply;

/// Characters of a text that are kept: as many as of names and versions.
const MAX_TEXT: usize = 255;

/// Keys that can be shown.
const MAX_LABELS: usize = 32;

/// A key of the metadata that is shown, under a label of its own.
///
/// The label is `meta_` and the key, with `_` for each character that a label cannot have. So it is never one that
/// Prometheus, its operator or the catalogue sets.
///
/// ```
/// use fleet::MetadataLabel;
/// let label: MetadataLabel = "app.kubernetes.io/name".parse()?;
/// assert_eq!(&*label.label, "meta_app_kubernetes_io_name");
/// assert!("".parse::<MetadataLabel>().is_err());
/// # Ok::<(), fleet::NoMetadataKey>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataLabel {
    /// The key.
    pub key: String,
    /// The label.
    pub label: Arc<str>,
}

/// A text that is no key of metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoMetadataKey {
    /// It is empty.
    #[error("a metadata key has at least one character; write e.g. host,pod,model")]
    Empty,
    /// It is longer than any text that is shown.
    #[error("a metadata key has at most {MAX_TEXT} characters")]
    TooLong,
    /// Two keys differ only in characters that a label cannot have.
    #[error("{first:?} and {second:?} give the same label {label}; leave one of them out")]
    SameLabel {
        /// One key.
        first: String,
        /// The other.
        second: String,
        /// The label of both.
        label: Arc<str>,
    },
    /// There are too many.
    #[error("{0} keys are more than the {MAX_LABELS} that can be shown")]
    TooMany(usize),
}

/// What one instance says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Profile {
    /// What the service does, in words.
    pub description: Box<str>,
    /// The labels that are chosen, with its values.
    metadata: Box<[(Arc<str>, Box<str>)]>,
    /// The queue group of most endpoints.
    queue_group: Box<str>,
    /// The other endpoints, by subject, with theirs.
    others: Box<[(Box<str>, Box<str>)]>,
}

impl MetadataLabel {
    /// Whether these can be shown together.
    ///
    /// # Errors
    /// [`NoMetadataKey::SameLabel`] and [`NoMetadataKey::TooMany`].
    pub fn check(labels: &[Self]) -> Result<(), NoMetadataKey> {
        if labels.len() > MAX_LABELS {
            return Err(NoMetadataKey::TooMany(labels.len()));
        }
        for (place, second) in labels.iter().enumerate() {
            let same = labels[..place].iter().find(|first| first.label == second.label);
            if let Some(first) = same {
                return Err(NoMetadataKey::SameLabel {
                    first: first.key.clone(),
                    second: second.key.clone(),
                    label: second.label.clone(),
                });
            }
        }
        Ok(())
    }
}

impl FromStr for MetadataLabel {
    type Err = NoMetadataKey;

    fn from_str(text: &str) -> Result<Self, NoMetadataKey> {
        let key = text.trim();
        if key.is_empty() {
            return Err(NoMetadataKey::Empty);
        }
        if key.chars().count() > MAX_TEXT {
            return Err(NoMetadataKey::TooLong);
        }
        let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let label: String = "meta_".chars().chain(key.chars().map(allowed)).collect();
        Ok(Self {
            key: key.to_owned(),
            label: label.into(),
        })
    }
}

impl Profile {
    /// What is shown of a reply; the endpoints and the description only where its service is shown as such.
    pub fn new(reply: &InfoReply, labels: &[MetadataLabel], is_shown: bool) -> Self {
        let value = |wanted: &MetadataLabel| {
            let value = reply.metadata.get(&wanted.key)?;
            Some((wanted.label.clone(), shortened(value)))
        };
        let metadata = labels.iter().filter_map(value).collect();
        if !is_shown {
            return Self {
                metadata,
                ..Self::default()
            };
        }
        let queue_group = reply.endpoints.first().map_or("", |first| &first.queue_group);
        let differing = reply
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.queue_group != queue_group);
        let mut others: Vec<(Box<str>, Box<str>)> = differing
            .map(|endpoint| (endpoint.subject.as_str().into(), shortened(&endpoint.queue_group)))
            .collect();
        others.sort_unstable();
        Self {
            description: shortened(&reply.description),
            metadata,
            queue_group: shortened(queue_group),
            others: others.into(),
        }
    }

    /// The value of a label; empty where the instance has none.
    pub fn value(&self, label: &str) -> &str {
        let mut known = self.metadata.iter();
        known
            .find(|(known, _)| **known == *label)
            .map_or("", |(_, value)| value)
    }

    /// The queue group of the endpoint with this subject.
    pub fn queue_group(&self, subject: &str) -> &str {
        let other = self.others.binary_search_by(|(known, _)| (**known).cmp(subject));
        other.map_or(&self.queue_group, |place| &self.others[place].1)
    }
}

/// The text without what follows the longest that is kept.
fn shortened(text: &str) -> Box<str> {
    let end = text
        .char_indices()
        .nth(MAX_TEXT)
        .map_or(text.len(), |(end, _)| end);
    text[..end].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(keys: &[&str]) -> Vec<MetadataLabel> {
        keys.iter().map(|key| key.parse().expect(key)).collect()
    }

    #[test]
    fn only_chosen_metadata_is_kept_and_long_texts_are_cut() {
        let payload = format!(
            r#"{{"name": "s", "id": "1", "description": "{}", "metadata": {{"pod": "p", "secret": "x"}}}}"#,
            "ä".repeat(300)
        );
        let reply = InfoReply::read(payload.as_bytes()).expect("readable");
        let profile = Profile::new(&reply, &labels(&["pod", "model"]), true);
        assert_eq!(
            (profile.value("meta_pod"), profile.value("meta_model")),
            ("p", "")
        );
        assert_eq!(profile.value("meta_secret"), "");
        assert_eq!(profile.description.chars().count(), MAX_TEXT);
        assert_eq!(&*Profile::new(&reply, &labels(&["pod"]), false).description, "");
    }

    #[test]
    fn each_endpoint_has_its_own_queue_group() {
        let reply = InfoReply::read(
            br#"{"name": "s", "id": "1", "endpoints": [
                {"subject": "s.a", "queue_group": "q"}, {"subject": "s.b"},
                {"subject": "s.c", "queue_group": "z"}, {"subject": "s.d", "queue_group": "q"}]}"#,
        );
        let profile = Profile::new(&reply.expect("readable"), &[], true);
        let groups = ["s.a", "s.b", "s.c", "s.d"].map(|subject| profile.queue_group(subject));
        assert_eq!(groups, ["q", "", "z", "q"]);
    }

    #[test]
    fn keys_that_give_one_label_are_refused() {
        assert!(MetadataLabel::check(&labels(&["pod", "host"])).is_ok());
        let error = MetadataLabel::check(&labels(&["a.b", "a-b"])).expect_err("the same label");
        let expected = r#""a.b" and "a-b" give the same label meta_a_b; leave one of them out"#;
        assert_eq!(error.to_string(), expected);
        let many: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(MetadataLabel::check(&labels(&many)).is_err());
    }
}
