//! [`Listener`]: what Dynamo publishes, heard next to the collector and added up by code of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::stream::select;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tests::{NatsServer, eventually};
use tokio::task::JoinHandle;

const TRACE: &str = "dynamo.request_trace.v1";
const PASSES: &str = ".forward-pass-metrics";

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

/// All that was heard so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Heard {
    /// By id.
    pub(crate) workers: BTreeMap<u64, Worker>,
    pub(crate) traces: Vec<Trace>,
    /// Messages that are not what they are to be, and why.
    pub(crate) unreadable: Vec<String>,
}

/// What one worker reported of its engine's passes.
#[derive(Debug, Default, Clone)]
pub(crate) struct Worker {
    pub(crate) subjects: BTreeSet<String>,
    pub(crate) passes: u64,
    pub(crate) heartbeats: u64,
    /// Prompt tokens that were computed.
    pub(crate) prefill_tokens: u64,
    /// Prompt tokens that were found in the KV cache.
    pub(crate) cached_tokens: u64,
    /// Requests that got a token, summed over the passes.
    pub(crate) decode_steps: u64,
    /// Messages that were sent and not heard, by their counter.
    pub(crate) lost: u64,
    last_counter: Option<u64>,
}

/// What the frontend reported of one request.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Trace {
    pub(crate) output_tokens: u64,
    pub(crate) input_tokens: Option<u64>,
    pub(crate) ttft_ms: Option<f64>,
    pub(crate) worker: Option<TracedWorker>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TracedWorker {
    pub(crate) decode_worker_id: u64,
}

#[derive(Debug, Deserialize)]
struct Record {
    event_type: String,
    request: Trace,
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(with = "serde_bytes")]
    payload: Vec<u8>,
}

#[derive(Debug, Deserialize)]
struct Pass {
    worker_id: String,
    counter_id: u64,
    wall_time: f64,
    scheduled_requests: Scheduled,
}

#[derive(Debug, Deserialize)]
struct Scheduled {
    sum_prefill_tokens: u64,
    /// Earlier chunks of a long prompt count too; the prompts of these tests are one chunk each.
    sum_prefill_kv_tokens: u64,
    num_decode_requests: u64,
}

impl Listener {
    /// Hears everything that is published from now on.
    ///
    /// # Panics
    /// When the server does not take the connection.
    pub(crate) async fn start(server: &NatsServer) -> Self {
        let client = server.client().await;
        let events = client.subscribe("namespace.>").await.expect("subscribes");
        let traces = client.subscribe(TRACE).await.expect("subscribes");
        client.flush().await.expect("the server knows the subscriptions");
        let heard = Arc::new(Mutex::new(Heard::default()));
        let kept = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            let mut messages = select(events, traces);
            while let Some(message) = messages.next().await {
                let mut heard = kept.lock().expect("no holder panics");
                if let Err(problem) = heard.take(&message.subject, &message.payload) {
                    heard.unreadable.push(format!("{}: {problem}", message.subject));
                }
            }
        });
        Self { heard, task }
    }

    /// What was heard so far.
    pub(crate) fn heard(&self) -> Heard {
        self.heard.lock().expect("no holder panics").clone()
    }

    /// Waits until what was heard fulfils `condition`, and returns it.
    pub(crate) async fn hears(&self, promise: &str, condition: impl Fn(&Heard) -> bool) -> Heard {
        eventually(promise, async || {
            let heard = self.heard();
            if condition(&heard) {
                Ok(heard)
            } else {
                Err(format!("{heard:#?}"))
            }
        })
        .await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Heard {
    /// Requests that got a token, over all workers.
    pub(crate) fn decode_steps(&self) -> u64 {
        self.workers.values().map(|worker| worker.decode_steps).sum()
    }

    fn take(&mut self, subject: &str, payload: &[u8]) -> Result<(), String> {
        if subject == TRACE {
            let record: Record = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
            if record.event_type == "request_end" {
                self.traces.push(record.request);
            }
        } else if subject.ends_with(PASSES) {
            let event: Event = unpack(payload)?;
            let pass: Pass = unpack(&event.payload)?;
            let id = pass
                .worker_id
                .parse()
                .map_err(|error| format!("{}: {error}", pass.worker_id))?;
            self.workers.entry(id).or_default().take(subject, &pass);
        }
        Ok(())
    }
}

impl Worker {
    fn take(&mut self, subject: &str, pass: &Pass) {
        self.subjects.insert(subject.to_owned());
        // The first message of a worker is number 1.
        let expected = self.last_counter.unwrap_or(0) + 1;
        self.lost += pass.counter_id.saturating_sub(expected);
        self.last_counter = Some(pass.counter_id);
        if pass.wall_time == 0.0 {
            self.heartbeats += 1;
            return;
        }
        self.passes += 1;
        self.prefill_tokens += pass.scheduled_requests.sum_prefill_tokens;
        self.cached_tokens += pass.scheduled_requests.sum_prefill_kv_tokens;
        self.decode_steps += pass.scheduled_requests.num_decode_requests;
    }
}

fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
}
