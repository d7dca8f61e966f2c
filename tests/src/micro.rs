//! [`Micro`]: what a well-formed NATS micro service says about itself, in any layout and with any load.

use protocol::{Description, EndpointPath, Layout, WorkerId, WorkerSubject};
use serde_json::{Value, json};

/// One instance of a service, with one endpoint or several.
#[derive(Debug, Clone)]
pub struct Micro {
    /// The service's name.
    pub service: String,
    /// The id of this instance.
    pub id: String,
    /// The version that it reports.
    pub version: String,
    /// When it says that it started.
    pub started: String,
    /// The description in its INFO reply.
    pub description: String,
    /// The metadata in its INFO reply.
    pub metadata: Value,
    /// Its endpoints, as they stand in its STATS reply.
    pub endpoints: Vec<Value>,
}

/// A load of which all but the number of KV blocks in use is fixed, in the flat shape.
pub fn load(kv_blocks_active: u64) -> Value {
    json!({
        "request_active_slots": 3, "request_total_slots": 100, "num_requests_waiting": 7,
        "kv_active_blocks": kv_blocks_active, "kv_total_blocks": 1000,
        "gpu_cache_usage_perc": 0.42, "gpu_prefix_cache_hit_rate": 0.25,
    })
}

impl Micro {
    /// A worker of `path` with a load of `id` KV blocks, or of 1 where it is static.
    ///
    /// # Panics
    /// When `path` is none, or has no name in the layout.
    pub fn worker(path: &str, layout: Layout, id: Option<u64>) -> Self {
        let path: EndpointPath = path.parse().expect("a path");
        let subject = WorkerSubject::new(&path, layout, id.map(WorkerId::new)).expect("has a name");
        let description = Description {
            component: path.component,
            namespace: path.namespace,
        };
        let instance = id.map_or("static".to_owned(), |id| format!("i{id}"));
        Self::service(subject.service().as_str(), &instance)
            .described(&description.to_string())
            .endpoint(&subject.to_string(), load(id.unwrap_or(1).min(1000)))
    }

    /// A service without endpoints.
    pub fn service(service: &str, id: &str) -> Self {
        Self {
            service: service.to_owned(),
            id: id.to_owned(),
            version: "0.1.0".to_owned(),
            started: "2026-01-02T03:04:05.123456789Z".to_owned(),
            description: String::new(),
            metadata: json!({}),
            endpoints: Vec::new(),
        }
    }

    /// Adds an endpoint with `data` and fresh counters.
    #[must_use]
    pub fn endpoint(mut self, subject: &str, data: impl Into<Value>) -> Self {
        let data = data.into();
        self.endpoints.push(json!({
            "name": subject.replace('.', "-"), "subject": subject, "queue_group": "q",
            "num_requests": 0, "num_errors": 0, "processing_time": 0, "average_processing_time": 0,
            "last_error": "", "data": data,
        }));
        self
    }

    /// Says another load at the first endpoint.
    #[must_use]
    pub fn with_data(self, data: Value) -> Self {
        self.with("data", data)
    }

    /// Says other counters at the first endpoint; the time is in nanoseconds.
    #[must_use]
    pub fn with_counters(self, requests: u64, errors: u64, processing_time: u64) -> Self {
        self.with("num_requests", requests.into())
            .with("num_errors", errors.into())
            .with("processing_time", processing_time.into())
    }

    /// Says another value in a field of the first endpoint.
    ///
    /// # Panics
    /// When there is no endpoint.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.endpoints[0][field] = value;
        self
    }

    /// Is another instance of the same service.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// Has another version.
    #[must_use]
    pub fn of_version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// Started at another time.
    #[must_use]
    pub fn started_at(mut self, started: &str) -> Self {
        started.clone_into(&mut self.started);
        self
    }

    /// Describes itself in another way.
    #[must_use]
    pub fn described(mut self, description: &str) -> Self {
        description.clone_into(&mut self.description);
        self
    }

    /// The answer to STATS.
    pub fn stats(&self) -> String {
        json!({
            "type": "io.nats.micro.v1.stats_response", "name": self.service, "id": self.id,
            "version": self.version, "started": self.started, "endpoints": self.endpoints,
        })
        .to_string()
    }

    /// The answer to INFO.
    pub fn info(&self) -> String {
        let endpoint = |stats: &Value| {
            json!({
                "name": stats["name"], "subject": stats["subject"], "queue_group": "q", "metadata": {},
            })
        };
        json!({
            "type": "io.nats.micro.v1.info_response", "name": self.service, "id": self.id,
            "version": self.version, "description": self.description, "metadata": self.metadata,
            "endpoints": self.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
        })
        .to_string()
    }
}
