//! [`Family`]: metrics of one name, as tables list them, and how a page is made of them.

use sim::{Histogram, Latencies};

use super::text::{Unit, Writer};
use crate::stage::Engine;

/// The name of the model that the workers pretend to serve.
pub(super) const MODEL: &str = "simulated";

/// Metrics of one name.
pub(super) struct Family {
    /// Without `_total` where it is a counter.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) samples: Samples,
}

/// A figure of an engine; one that is down has no load.
pub(super) type Gauge = fn(&Engine) -> Option<f64>;
pub(super) type Counter = fn(&Engine) -> u64;

pub(super) enum Samples {
    Gauge(Gauge),
    /// With one more label, and a figure for each of its values.
    Gauges(&'static str, &'static [(&'static str, Gauge)]),
    Counter(Counter),
    Counters(&'static str, &'static [(&'static str, Counter)]),
    Histogram(Unit, fn(&Latencies) -> &Histogram),
    /// A gauge that is 1, and says what it says in labels.
    Info(fn(&Engine) -> Option<String>),
}

/// Families whose samples have the same labels.
pub(super) struct Group {
    pub(super) families: &'static [Family],
    pub(super) labels: fn(&Engine, &Pool) -> String,
}

/// The pool of the engines, as labels name it.
#[derive(Debug, Clone)]
pub(in crate::app) struct Pool {
    pub(super) namespace: String,
    pub(super) component: String,
    pub(super) endpoint: String,
}

impl Pool {
    pub(in crate::app) fn new(path: &protocol::EndpointPath) -> Self {
        // Names of a path have characters that would end a label.
        let escaped = |name: &str| {
            name.replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n")
        };
        Self {
            namespace: escaped(path.namespace.as_str()),
            component: escaped(path.component.as_str()),
            endpoint: escaped(path.endpoint.as_str()),
        }
    }
}

/// Writes the page of these workers.
pub(super) fn render(groups: &[Group], engines: &[Engine], pool: &Pool, mut page: Writer) -> String {
    for Group { families, labels } in groups {
        let labelled: Vec<(&Engine, String)> = engines
            .iter()
            .map(|engine| (engine, labels(engine, pool)))
            .collect();
        for family in *families {
            family.write(&labelled, &mut page);
        }
    }
    page.finish()
}

impl Family {
    fn write(&self, engines: &[(&Engine, String)], page: &mut Writer) {
        let name = self.name;
        match &self.samples {
            Samples::Gauge(_) | Samples::Gauges(..) | Samples::Info(_) => page.gauge(name, self.help),
            Samples::Counter(_) | Samples::Counters(..) => page.counter(name, self.help),
            Samples::Histogram(..) => page.histogram(name, self.help),
        }
        let total = format!("{name}_total");
        for (engine, labels) in engines {
            match &self.samples {
                Samples::Gauge(value) => {
                    if let Some(value) = value(engine) {
                        page.sample(name, labels, value);
                    }
                }
                Samples::Gauges(label, values) => {
                    for (of, value) in *values {
                        if let Some(value) = value(engine) {
                            page.sample(name, &format!("{labels},{label}=\"{of}\""), value);
                        }
                    }
                }
                Samples::Counter(value) => page.sample(&total, labels, value(engine) as f64),
                Samples::Counters(label, values) => {
                    for (of, value) in *values {
                        page.sample(
                            &total,
                            &format!("{labels},{label}=\"{of}\""),
                            value(engine) as f64,
                        );
                    }
                }
                Samples::Histogram(unit, of) => page.buckets(name, labels, *unit, of(&engine.latencies)),
                Samples::Info(more) => {
                    if let Some(more) = more(engine) {
                        page.sample(name, &format!("{labels},{more}"), 1.0);
                    }
                }
            }
        }
    }
}
