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
use crate::generation::Generation;
use crate::stage::Sample;

/// How a pool's workers call themselves and write what they say.
#[derive(Debug, Clone)]
pub struct Voice {
    /// Their pool.
    pub path: EndpointPath,
    /// How their subjects are written.
    pub layout: Layout,
    /// How the load in their statistics is written; `None` without one.
    pub shape: Option<StatsShape>,
    /// Whose services they are.
    pub service: Service,
    /// The seed of random spoiling.
    pub seed: u64,
    /// The id of the fleet's first worker, which others may claim.
    pub first_id: WorkerId,
}

/// Whose services the workers are, which shows in everything but the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// This project's.
    Own,
    /// Those of a version of Dynamo.
    Dynamo(Generation),
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
    /// How long it takes to acknowledge a request, in nanoseconds.
    acknowledged: u64,
    /// A reply up to its first number.
    head: String,
}

/// What became of a reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it is sent at all; if so, it is at the end of the buffer.
    pub is_sent: bool,
    /// Where in the buffer its data is, if that is JSON.
    pub data: Option<Range<usize>>,
    /// How much later it is sent.
    pub delay: Nanos,
    /// How many times it is sent in all.
    pub times: u32,
}

/// How long workers of Dynamo 1.x take to acknowledge a request, from the least to the most; it is all that their
/// services count as processing time.
const ACKNOWLEDGED: std::ops::RangeInclusive<u64> = 58_000..=98_000;

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
            acknowledged: ACKNOWLEDGED.start() + id.get() % (ACKNOWLEDGED.end() - ACKNOWLEDGED.start()),
            head: String::new(),
        };
        Ok(self.with_head(identity))
    }

    /// Appends the reply to `STATS`, and returns what became of it.
    pub fn stats(&self, identity: &Identity, sample: &Sample<'_>, out: &mut Vec<u8>) -> Outcome {
        let Some(load) = sample.reported.load else {
            return Outcome::default();
        };
        if sample.faults.is_empty() {
            let data = self.write(identity, &sample.reported, &load, out);
            return Outcome {
                is_sent: true,
                data: self.shape.map(|_| data),
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
        let data = self.write(identity, &sample.reported, &load, out);
        let mut text = String::from_utf8(out.split_off(data.start)).expect("it was written as text");
        let tail = text.split_off(data.len());
        if self.shape.is_some() {
            spoil::data(&mut text, sample, self.seed);
        }
        let data = data.start..data.start + text.len();
        // Without a load there is no data, and an empty text is not JSON.
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
            namespace: match self.service {
                Service::Own => self.path.namespace.clone(),
                Service::Dynamo(generation) => generation.shown_namespace(&self.path.namespace),
            },
        };
        let info = json!({
            "type": "io.nats.micro.v1.info_response",
            "name": identity.service,
            "id": identity.instance,
            "version": self.version(),
            "metadata": self.metadata(identity),
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

    /// Where a worker says that it runs; Dynamo's do not say.
    fn metadata(&self, identity: &Identity) -> Value {
        match self.service {
            Service::Own => json!({
                "host": format!("node-{}", identity.acknowledged % 8),
                "pod": format!("{}-{}", self.path.component, identity.instance.to_lowercase()),
                "model": "mock",
            }),
            Service::Dynamo(_) => json!({}),
        }
    }

    /// Appends the reply to `PING`.
    pub fn ping(&self, identity: &Identity, out: &mut Vec<u8>) {
        let ping = json!({
            "type": "io.nats.micro.v1.ping_response",
            "name": identity.service,
            "id": identity.instance,
            "version": self.version(),
            "metadata": {},
        });
        out.extend_from_slice(ping.to_string().as_bytes());
    }

    /// The identity as a fault changes it; `None` where it is reported as it is.
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
            Some(self.with_head(changed))
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
                Some(self.with_head(changed))
            }
            _ => None,
        }
    }

    /// Appends a whole reply; returns where its data is, which is empty where the workers have none.
    fn write(&self, identity: &Identity, view: &View, load: &Load, out: &mut Vec<u8>) -> Range<usize> {
        let number = |out: &mut Vec<u8>, name: &str, number: u64| {
            out.extend_from_slice(name.as_bytes());
            serde_json::to_writer(out, &number).expect("numbers are JSON, and a vector takes all");
        };
        let (requests, errors, time) = match self.service {
            Service::Dynamo(generation) if generation.acknowledges() => {
                let begun = view.requests + load.request_active_slots + load.num_requests_waiting;
                (begun, 0, begun * identity.acknowledged)
            }
            _ => (view.requests, view.errors, view.processing_ns),
        };
        out.extend_from_slice(identity.head.as_bytes());
        number(out, "", requests);
        number(out, r#","num_errors":"#, errors);
        let last_error: &[u8] = match errors {
            0 => br#","last_error":"""#,
            _ => br#","last_error":"503:the queue is full""#,
        };
        let is_own = self.service == Service::Own;
        if is_own {
            out.extend_from_slice(last_error);
        }
        number(out, r#","processing_time":"#, time);
        number(out, r#","average_processing_time":"#, time / requests.max(1));
        if !is_own {
            out.extend_from_slice(last_error);
        }
        if self.shape.is_some() {
            out.extend_from_slice(br#","data":"#);
        }
        let start = out.len();
        if let Some(shape) = self.shape {
            stats_of(load).write_data(shape, out);
        }
        let data = start..out.len();
        if !is_own {
            out.extend_from_slice(br#","queue_group":""#);
            out.extend_from_slice(subject::QUEUE_GROUP.as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(b"}]}");
        data
    }

    fn version(&self) -> &'static str {
        match self.service {
            Service::Own => env!("CARGO_PKG_VERSION"),
            Service::Dynamo(generation) => generation.version(),
        }
    }

    /// The identity with a reply up to its first number, in the order of fields that these services have.
    fn with_head(&self, mut identity: Identity) -> Identity {
        let text = |text: &str| Value::from(text).to_string();
        let Identity {
            service,
            instance,
            started,
            micro_name,
            subject,
            ..
        } = &identity;
        let (metadata, queue_group) = match self.service {
            Service::Own => (
                r#","metadata":{}"#,
                format!(r#","queue_group":"{}""#, subject::QUEUE_GROUP),
            ),
            Service::Dynamo(_) => ("", String::new()),
        };
        identity.head = format!(
            r#"{{"type":"io.nats.micro.v1.stats_response","name":{},"id":{},"version":"{}"{metadata},"started":{},"endpoints":[{{"name":{},"subject":{}{queue_group},"num_requests":"#,
            text(service),
            text(instance),
            self.version(),
            text(started),
            text(micro_name),
            text(subject),
        );
        identity
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
        .slots_active(load.request_active_slots)
        .slots_capacity(load.request_total_slots)
        .requests_waiting(load.num_requests_waiting)
        .kv_blocks_active(load.kv_active_blocks)
        .kv_blocks_capacity(load.kv_total_blocks);
    let stats = match load.gpu_prefix_cache_hit_rate {
        Some(rate) => stats.prefix_cache_hit_ratio(rate),
        None => stats,
    };
    stats.build().expect("law 1: the simulation's load is in range")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a worker of Dynamo 1.4.2 answered before its first request, byte for byte.
    #[test]
    fn a_worker_of_dynamo_answers_as_a_real_one_did() {
        let voice = Voice {
            path: "My-NS/Back_End/generate".parse().expect("a path"),
            layout: Layout::Plain,
            shape: None,
            service: Service::Dynamo(Generation::V1_4),
            seed: 1,
            first_id: WorkerId::new(1),
        };
        let id = WorkerId::new(0x5e9a_0c00_3cbf_0a48);
        let identity = voice.identity(id, "D3NZborrFGgqGm7HUo4gph", "2026-11-25T03:40:27.61183913Z");
        let identity = identity.expect("it has a name");
        let view = View {
            load: None,
            counters: Default::default(),
            requests: 0,
            errors: 3,
            processing_ns: 9,
        };
        let mut out = Vec::new();
        voice.write(&identity, &view, &Load::default(), &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            r#"{"type":"io.nats.micro.v1.stats_response","name":"my-ns_back_end","id":"D3NZborrFGgqGm7HUo4gph","version":"1.4.2","started":"2026-11-25T03:40:27.61183913Z","endpoints":[{"name":"my-ns_back_end-generate-5e9a0c003cbf0a48","subject":"my-ns_back_end.generate-5e9a0c003cbf0a48","num_requests":0,"num_errors":0,"processing_time":0,"average_processing_time":0,"last_error":"","queue_group":"q"}]}"#
        );
        let busy = Load {
            request_active_slots: 2,
            num_requests_waiting: 1,
            ..Load::default()
        };
        out.clear();
        voice.write(&identity, &view, &busy, &mut out);
        let reply: Value = serde_json::from_slice(&out).expect("it is JSON");
        let endpoint = &reply["endpoints"][0];
        assert_eq!(
            (endpoint["num_requests"].as_u64(), endpoint["num_errors"].as_u64()),
            (Some(3), Some(0))
        );
        let time = endpoint["average_processing_time"].as_u64().expect("a number");
        assert!(ACKNOWLEDGED.contains(&time), "{time} ns");
    }

    #[test]
    fn old_workers_of_a_nested_namespace_say_its_last_name_alone() {
        let description = |service| {
            let voice = Voice {
                path: "a.b/c/d".parse().expect("a path"),
                layout: Layout::Plain,
                shape: None,
                service,
                seed: 1,
                first_id: WorkerId::new(1),
            };
            let identity = voice.identity(WorkerId::new(1), "i", "").expect("it has a name");
            let mut out = Vec::new();
            voice.info(&identity, &mut out);
            let info: Value = serde_json::from_slice(&out).expect("it is JSON");
            (
                info["description"].as_str().map(str::to_owned),
                info["name"].as_str().map(str::to_owned),
            )
        };
        for (service, namespace) in [
            (Service::Own, "a.b"),
            (Service::Dynamo(Generation::V0_5), "b"),
            (Service::Dynamo(Generation::V1_6), "a.b"),
        ] {
            let expected = format!("Dynamo component c in namespace {namespace}");
            assert_eq!(description(service), (Some(expected), Some("a_b_c".to_owned())));
        }
    }
}
