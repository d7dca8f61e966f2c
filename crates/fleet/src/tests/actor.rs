//! [`Actor`]: a scripted service instance, which answers the bench's questions.

use std::time::Duration;

use super::MS;

/// One service instance.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    pub(super) service: String,
    pub(super) id: String,
    pub(super) version: String,
    /// As written in its replies.
    pub(super) started: String,
    pub(super) subjects: Vec<String>,
    /// The counters, in JSON.
    pub(super) requests: String,
    pub(super) seconds: String,
    pub(super) data: String,
    /// From the request to the reply.
    pub(super) latency: Duration,
    pub(super) info: Info,
    /// The rest of its INFO reply, in JSON.
    pub(super) info_more: String,
    pub(super) info_latency: Duration,
    /// It does not answer.
    pub(super) is_silent: bool,
    /// Whether its endpoints have the names that Dynamo gives them.
    pub(super) is_named_by_subject: bool,
    /// How often it sends each reply.
    pub(super) copies: u32,
}

/// How it answers INFO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Info {
    /// Not at all.
    Never,
    /// The server reports that no service listens.
    NoResponders,
    /// With this description.
    Says(String),
}

/// A worker of `dynamo/c/gen`: its service instance, its id in hexadecimal, active KV blocks, requests.
pub(super) fn worker(instance: &str, id: &str, active: u64, requests: u64) -> Actor {
    Actor::of("c", instance, id)
        .data(&format!(r#"{{"kv_active_blocks": {active}}}"#))
        .requests(requests)
}

impl Actor {
    /// A worker of `dynamo/<component>/gen` that reports no load.
    pub(super) fn of(component: &str, instance: &str, id: &str) -> Self {
        Self {
            service: format!("dynamo_{component}"),
            id: instance.to_owned(),
            version: "0.9.0".to_owned(),
            started: "2026-01-01T00:00:00Z".to_owned(),
            subjects: vec![format!("dynamo_{component}.gen-{id}")],
            requests: "0".to_owned(),
            seconds: "0".to_owned(),
            data: "null".to_owned(),
            latency: MS,
            info: Info::Says(format!("Dynamo component {component} in namespace dynamo")),
            info_more: String::new(),
            info_latency: MS,
            is_silent: false,
            is_named_by_subject: false,
            copies: 1,
        }
    }

    /// A service that is no worker.
    pub(super) fn plain(service: &str, instance: &str, subject: &str) -> Self {
        Self {
            service: service.to_owned(),
            subjects: vec![subject.to_owned()],
            info: Info::Says("takes orders".to_owned()),
            ..Self::of("", instance, "")
        }
    }

    pub(super) fn started(mut self, started: &str) -> Self {
        started.clone_into(&mut self.started);
        self
    }

    /// Its counters: this many requests, of a second each.
    pub(super) fn requests(mut self, requests: u64) -> Self {
        self.requests = requests.to_string();
        self.seconds = (requests * 1_000_000_000).to_string();
        self
    }

    pub(super) fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    pub(super) fn data(mut self, data: &str) -> Self {
        data.clone_into(&mut self.data);
        self
    }

    pub(super) fn subjects(mut self, subjects: &[&str]) -> Self {
        self.subjects = subjects.iter().map(|&subject| subject.to_owned()).collect();
        self
    }

    pub(super) fn latency(mut self, ms: u32) -> Self {
        self.latency = ms * MS;
        self
    }

    pub(super) fn info(mut self, info: Info) -> Self {
        self.info = info;
        self
    }

    pub(super) fn named_by_subject(mut self) -> Self {
        self.is_named_by_subject = true;
        self
    }

    /// Its metadata, in JSON.
    pub(super) fn metadata(mut self, metadata: &str) -> Self {
        self.info_more = format!(r#", "metadata": {metadata}"#);
        self
    }

    pub(super) fn copies(mut self, copies: u32) -> Self {
        self.copies = copies;
        self
    }

    /// Its STATS reply.
    pub(super) fn reply(&self) -> String {
        let Self {
            requests,
            seconds,
            data,
            ..
        } = self;
        let endpoint = |subject: &String| {
            let name = match self.is_named_by_subject {
                true => protocol::subject::micro_name_of(subject),
                false => subject.rsplit('.').next().unwrap_or_default().to_owned(),
            };
            format!(
                r#"{{"name": "{name}", "subject": "{subject}", "num_requests": {requests}, "processing_time": {seconds}, "data": {data}}}"#
            )
        };
        let endpoints: Vec<String> = self.subjects.iter().map(endpoint).collect();
        format!(
            r#"{{"name": "{}", "id": "{}", "version": "{}", "started": "{}", "endpoints": [{}]}}"#,
            self.service,
            self.id,
            self.version,
            self.started,
            endpoints.join(",")
        )
    }

    /// Its INFO reply, if it sends one.
    pub(super) fn info_reply(&self) -> Option<String> {
        let Info::Says(description) = &self.info else {
            return None;
        };
        Some(format!(
            r#"{{"name": "{}", "id": "{}", "description": "{description}"{}}}"#,
            self.service, self.id, self.info_more
        ))
    }
}
