//! What workers say in answer to `STATS`, `INFO` and `PING`: well-formed, or spoiled as their faults want it.
//!
//! Written as text, because much of it is written and some of it must not be JSON. A reply of ten thousand takes a
//! template, six numbers and the data.

mod spoil;

use std::ops::Range;

use protocol::{
    Component, Description, EndpointName, EndpointPath, Layout, StatsShape, WorkerId, WorkerStats,
    WorkerSubject, subject,
};
use serde_json::{Value, json};
use sim::nanos::Nanos;
use sim::{Load, View};

use crate::faults::{Fault, Kind};
use crate::stage::Sample;

/// How a pool's workers call themselves and write what they say.
#[derive(Debug, Clone)]
pub struct Voice {
    /// Their pool.
    pub path: EndpointPath,
    /// How their subjects are written.
    pub layout: Layout,
    /// How their statistics are written.
    pub shape: StatsShape,
    /// The seed of random spoiling.
    pub seed: u64,
    /// The id of the fleet's first worker, which others may claim.
    pub first_id: WorkerId,
}

/// One worker's name and template.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its service's name.
    pub service: String,
    /// Its service's instance.
    pub instance: String,
    /// Where it serves its endpoint.
    pub subject: String,
    /// The id that a collector of the pool reads from that; `None` where it reads none.
    pub claimed: Option<WorkerId>,
    started: String,
    micro_name: String,
    /// A reply up to its first number.
    head: String,
}

/// What became of a reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it is sent at all; if so, it stands at the end of the buffer.
    pub is_sent: bool,
    /// Where in the buffer its data stands, if that is JSON.
    pub data: Option<Range<usize>>,
    /// How much later it is sent.
    pub delay: Nanos,
    /// How many times it is sent in all.
    pub times: u32,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Voice {
    /// The identity of a worker's process.
    ///
    /// # Errors
    /// Where the layout has no name for the pool; it is looked at when the command line is read.
    pub fn identity(
        &self,
        id: WorkerId,
        instance: &str,
        started: &str,
    ) -> Result<Identity, protocol::ServiceNameError> {
        let subject = WorkerSubject::new(&self.path, self.layout, Some(id))?;
        let identity = Identity {
            service: subject.service().to_string(),
            instance: instance.to_owned(),
            subject: subject.to_string(),
            claimed: Some(id),
            started: started.to_owned(),
            micro_name: subject.micro_name(),
            head: String::new(),
        };
        Ok(identity.with_head())
    }

    /// Appends the reply to `STATS`, and tells what became of it.
    pub fn stats(&self, identity: &Identity, sample: &Sample<'_>, out: &mut Vec<u8>) -> Outcome {
        let Some(load) = sample.told.load else {
            return Outcome::default();
        };
        if sample.faults.is_empty() {
            let data = self.write(identity, &sample.told, &load, out);
            return Outcome {
                is_sent: true,
                data: Some(data),
                delay: Nanos(0),
                times: 1,
            };
        }
        if is_silent(sample) || sample.has(&[Kind::Drop]) {
            return Outcome::default();
        }
        let spoiled;
        let identity = match self.spoiled_identity(identity, sample) {
            Some(other) => {
                spoiled = other;
                &spoiled
            }
            None => identity,
        };
        let start = out.len();
        let data = self.write(identity, &sample.told, &load, out);
        let mut text = String::from_utf8(out.split_off(data.start)).expect("it was written as text");
        let tail = text.split_off(data.len());
        spoil::data(&mut text, sample, self.seed);
        let data = data.start..data.start + text.len();
        let is_json = serde_json::from_str::<Value>(&text).is_ok();
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(tail.as_bytes());
        let is_whole = spoil::reply(out, start, sample, self.seed);
        Outcome {
            is_sent: true,
            data: (is_whole && is_json).then_some(data),
            delay: sample.fault(Kind::Late).map_or(Nanos(0), Fault::delay),
            times: 1 + sample.fault(Kind::Storm).map_or(0, Fault::copies),
        }
    }

    /// Appends the reply to `INFO`.
    pub fn info(&self, identity: &Identity, out: &mut Vec<u8>) {
        let description = Description {
            component: self.path.component.clone(),
            namespace: self.path.namespace.clone(),
        };
        let info = json!({
            "type": "io.nats.micro.v1.info_response",
            "name": identity.service,
            "id": identity.instance,
            "version": VERSION,
            "metadata": {},
            "description": description.to_string(),
            "endpoints": [{
                "name": identity.micro_name,
                "subject": identity.subject,
                "queue_group": subject::QUEUE_GROUP,
                "metadata": {},
            }],
        });
        out.extend_from_slice(info.to_string().as_bytes());
    }

    /// Appends the reply to `PING`.
    pub fn ping(&self, identity: &Identity, out: &mut Vec<u8>) {
        let ping = json!({
            "type": "io.nats.micro.v1.ping_response",
            "name": identity.service,
            "id": identity.instance,
            "version": VERSION,
            "metadata": {},
        });
        out.extend_from_slice(ping.to_string().as_bytes());
    }

    /// The identity as a fault wants it to be told; `None` where it is told as it is.
    pub fn spoiled_identity(&self, identity: &Identity, sample: &Sample<'_>) -> Option<Identity> {
        let mut kinds = sample.faults.iter().map(|fault| fault.kind);
        let kind = kinds.find(|kind| is_about_identity(*kind))?;
        let id = sample.id;
        let of = |path: &EndpointPath, id| WorkerSubject::new(path, self.layout, Some(id)).ok();
        let at = |subject: String, claimed| {
            let changed = Identity {
                subject,
                claimed,
                ..identity.clone()
            };
            Some(changed.with_head())
        };
        let suffix = format!("-{id:x}");
        let stem = identity.subject.strip_suffix(&suffix)?;
        match kind {
            Kind::DuplicateId => at(of(&self.path, self.first_id)?.to_string(), Some(self.first_id)),
            Kind::MaxId => {
                let most = WorkerId::new(u64::MAX);
                at(of(&self.path, most)?.to_string(), Some(most))
            }
            Kind::NoDash => at(format!("{stem}{id:x}"), None),
            Kind::NonHex => at(format!("{stem}-worker"), None),
            Kind::PrefixTwin => {
                let endpoint: EndpointName = format!("{}_long", self.path.endpoint).parse().ok()?;
                let path = EndpointPath {
                    endpoint,
                    ..self.path.clone()
                };
                at(of(&path, id)?.to_string(), None)
            }
            Kind::OtherComponent => {
                let component: Component = format!("{}_other", self.path.component).parse().ok()?;
                let path = EndpointPath {
                    component,
                    ..self.path.clone()
                };
                let subject = of(&path, id)?;
                let changed = Identity {
                    service: subject.service().to_string(),
                    subject: subject.to_string(),
                    claimed: None,
                    ..identity.clone()
                };
                Some(changed.with_head())
            }
            _ => None,
        }
    }

    /// Appends a whole reply; returns where its data stands.
    fn write(&self, identity: &Identity, view: &View, load: &Load, out: &mut Vec<u8>) -> Range<usize> {
        let number = |out: &mut Vec<u8>, number: u64| {
            serde_json::to_writer(out, &number).expect("numbers are JSON, and a vector takes all");
        };
        out.extend_from_slice(identity.head.as_bytes());
        number(out, view.requests);
        out.extend_from_slice(br#","num_errors":"#);
        number(out, view.errors);
        out.extend_from_slice(match view.errors {
            0 => br#","last_error":"","processing_time":"#.as_slice(),
            _ => br#","last_error":"503:the queue is full","processing_time":"#.as_slice(),
        });
        number(out, view.processing_ns);
        out.extend_from_slice(br#","average_processing_time":"#);
        number(out, view.processing_ns / view.requests.max(1));
        out.extend_from_slice(br#","data":"#);
        let start = out.len();
        stats_of(load).write_data(self.shape, out);
        let data = start..out.len();
        out.extend_from_slice(b"}]}");
        data
    }
}

impl Identity {
    fn with_head(mut self) -> Self {
        let text = |text: &str| Value::from(text).to_string();
        self.head = format!(
            r#"{{"type":"io.nats.micro.v1.stats_response","name":{},"id":{},"version":"{VERSION}","metadata":{{}},"started":{},"endpoints":[{{"name":{},"subject":{},"queue_group":"{}","num_requests":"#,
            text(&self.service),
            text(&self.instance),
            text(&self.started),
            text(&self.micro_name),
            text(&self.subject),
            subject::QUEUE_GROUP,
        );
        self
    }
}

/// Whether a worker answers nothing at all.
pub fn is_silent(sample: &Sample<'_>) -> bool {
    sample.has(&[Kind::Silent, Kind::Flap, Kind::Disconnect])
}

fn is_about_identity(kind: Kind) -> bool {
    use Kind::*;
    matches!(
        kind,
        DuplicateId | NoDash | NonHex | MaxId | PrefixTwin | OtherComponent
    )
}

/// The load as the shared schema has it.
pub fn stats_of(load: &Load) -> WorkerStats {
    let stats = WorkerStats::builder()
        .requests(
            load.request_active_slots,
            load.request_total_slots,
            load.num_requests_waiting,
        )
        .kv_blocks(load.kv_active_blocks, load.kv_total_blocks);
    let stats = match load.gpu_prefix_cache_hit_rate {
        Some(rate) => stats.prefix_cache_hit_ratio(rate),
        None => stats,
    };
    stats.build().expect("law 1: the simulation's load is in range")
}
