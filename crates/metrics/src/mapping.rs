//! A mapping as people write it, and whether it can be on a page next to everything else.

mod names;

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::Arc;

use fleet::{MappedKind, MappedMetric, Mapping, NameGlob, Scope};
use protocol::mapping::{Pointer, Range};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use names::check_label;

/// The most series of a mapping, unless it says otherwise.
const MAX_SERIES: u64 = 10_000;

/// A number in the data of a service that becomes a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingTable {
    /// The services whose data has the number; `*` matches any text.
    pub service: Option<String>,
    /// The endpoints of these services; `*`, which is the default, matches any text.
    pub endpoint: Option<String>,
    /// The workers whose data has the number, in place of `service`: namespace/component/endpoint, with `*` as in `target`.
    pub target: Option<String>,
    /// Where the number is: a JSON pointer from the endpoint's `data` on. `*` is every key of an object and every item of
    /// a list.
    pub pointer: String,
    /// The name of the metric.
    pub name: String,
    /// `gauge` or `counter`.
    #[serde(rename = "type")]
    pub kind: MetricType,
    /// The unit, which has to be the end of the name.
    pub unit: Option<String>,
    /// What the metric means.
    pub help: String,
    /// The number is multiplied by this: 0.001 makes seconds of milliseconds.
    pub scale: Option<f64>,
    /// A label for each `*` of the pointer, in their order. Its value is the key, or the number of the item.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Labels that are always the same.
    #[serde(default)]
    pub const_labels: BTreeMap<String, String>,
    /// The smallest number that is possible; 0 for a counter.
    pub min: Option<f64>,
    /// The largest number that is possible.
    pub max: Option<f64>,
    /// Whether the value is true or false, and becomes 1 or 0.
    #[serde(default)]
    pub boolean: bool,
    /// Whether the number may be absent. Otherwise that is counted as an error.
    #[serde(default)]
    pub optional: bool,
    /// The most series of this mapping over all instances; 10000 by default.
    pub max_series: Option<u64>,
}

/// The type of a mapped metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MetricType {
    /// Goes up and down.
    Gauge,
    /// Only goes up.
    Counter,
}

/// Why a mapping cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct MappingError {
    /// The key of the mapping that is wrong.
    pub key: &'static str,
    /// What is wrong with it, and what to write.
    pub reason: String,
}

fn wrong(key: &'static str, reason: impl Into<String>) -> MappingError {
    MappingError {
        key,
        reason: reason.into(),
    }
}

impl MappingTable {
    /// The mapping, if it can be on a page by itself.
    ///
    /// # Errors
    /// [`MappingError`] names the first key that is wrong.
    pub fn check(&self) -> Result<Mapping, MappingError> {
        let pointer: Pointer = self
            .pointer
            .parse()
            .map_err(|error| wrong("pointer", format!("{error}")))?;
        if pointer.stars() != self.labels.len() {
            let (stars, labels) = (pointer.stars(), self.labels.len());
            return Err(wrong(
                "labels",
                format!(
                    "the pointer has {stars} `*`, and there are {labels} names of labels: each `*` needs one"
                ),
            ));
        }
        let scale = self.scale.unwrap_or(1.0);
        if !scale.is_finite() || scale == 0.0 {
            return Err(wrong("scale", "it must be a number other than 0"));
        }
        if self.max_series == Some(0) {
            return Err(wrong("max_series", "it must be at least 1"));
        }
        Ok(Mapping {
            scope: self.scope()?,
            metric: Arc::new(self.metric()?),
            scale,
            range: self.range(scale)?,
            pointer,
            is_boolean: self.boolean,
            is_optional: self.optional,
            max_series: self.max_series.unwrap_or(MAX_SERIES),
        })
    }

    fn scope(&self) -> Result<Scope, MappingError> {
        match (&self.service, &self.target) {
            (Some(service), None) => Ok(Scope::Services {
                service: NameGlob::new(service),
                endpoint: NameGlob::new(self.endpoint.as_deref().unwrap_or("*")),
            }),
            (None, Some(target)) if self.endpoint.is_none() => target
                .parse()
                .map(Scope::Workers)
                .map_err(|error| wrong("target", format!("{error}"))),
            (None, Some(_)) => Err(wrong(
                "endpoint",
                "the target has it: namespace/component/endpoint",
            )),
            _ => Err(wrong(
                "service",
                "write either `service`, for plain NATS services, or `target`, for workers",
            )),
        }
    }

    fn metric(&self) -> Result<MappedMetric, MappingError> {
        let kind = match self.kind {
            MetricType::Gauge => MappedKind::Gauge,
            MetricType::Counter => MappedKind::Counter,
        };
        if self.help.trim().is_empty() {
            return Err(wrong(
                "help",
                "it says what the metric means, and is shown with it",
            ));
        }
        let mut seen = Vec::new();
        let const_names = self.const_labels.keys().map(|name| ("const_labels", name));
        for (key, name) in self.labels.iter().map(|name| ("labels", name)).chain(const_names) {
            check_label(name).map_err(|reason| wrong(key, reason))?;
            if seen.contains(&name) {
                return Err(wrong(key, format!("{name:?} occurs twice")));
            }
            seen.push(name);
        }
        Ok(MappedMetric {
            name: names::check_metric(&self.name, kind, self.unit.as_deref())?,
            kind,
            unit: self.unit.clone(),
            help: self.help.trim().to_owned(),
            labels: self.labels.clone(),
            const_labels: self.const_labels.clone().into_iter().collect(),
        })
    }

    fn range(&self, scale: f64) -> Result<Range, MappingError> {
        let is_counter = self.kind == MetricType::Counter;
        if is_counter && (self.boolean || scale < 0.0) {
            return Err(wrong("type", "a counter only goes up: this is a gauge"));
        }
        for (key, bound) in [("min", self.min), ("max", self.max)] {
            if bound.is_some_and(|bound| !bound.is_finite()) {
                return Err(wrong(key, "it must be a finite number"));
            }
        }
        let min = self.min.or(is_counter.then_some(0.0));
        if let (Some(min), Some(max)) = (min, self.max)
            && min > max
        {
            return Err(wrong("min", format!("{min} is above `max`, which is {max}")));
        }
        Ok(Range {
            min,
            max: self.max,
            is_count: false,
        })
    }
}

/// Reads and checks a mapping as the flag takes it: an inline table of TOML, or the same as JSON.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(text: &str) -> Result<Arc<Mapping>, String> {
    let table = match serde_json::from_str::<MappingTable>(text) {
        Ok(table) => table,
        Err(_) => text
            .parse()
            .map_err(|error: toml::de::Error| error.message().to_owned())?,
    };
    table.check().map(Arc::new).map_err(|error| error.to_string())
}

impl FromStr for MappingTable {
    type Err = toml::de::Error;

    /// Reads an inline table of TOML: `{ service = "orders", pointer = "/depth", … }`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        #[derive(Deserialize)]
        struct Holder {
            mapping: MappingTable,
        }
        let holder: Holder = toml::from_str(&format!("mapping = {text}"))?;
        Ok(holder.mapping)
    }
}

/// Checks that mappings can be on one page: those to one name declare the same metric.
///
/// # Errors
/// Why two of them cannot.
pub fn check_together(mappings: &[Arc<Mapping>]) -> Result<(), String> {
    let mut declared: HashMap<&str, &MappedMetric> = HashMap::new();
    for mapping in mappings {
        let metric = &*mapping.metric;
        let known = *declared.entry(&metric.name).or_insert(metric);
        let conflict = match known {
            known if known.kind != metric.kind => "type",
            known if known.unit != metric.unit => "unit",
            known if known.help != metric.help => "help",
            _ => continue,
        };
        let name = &metric.name;
        return Err(format!(
            "two mappings to {name} differ in `{conflict}`: a metric has one"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
