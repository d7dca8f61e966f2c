//! [`TestFleet`]: NATS micro services that answer exactly the bytes they are given.
//!
//! One connection plays any number of services: it hears every request of the micro protocol and answers, service
//! by service, what each would. No client library is between a test and the wire, so a reply may be anything, and
//! may come late, often, or under a new name each time.

mod state;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures_util::StreamExt;
use protocol::ServicePrefix;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, sleep};

use self::state::{Answer, Says, Service, State, asked, key};
use crate::{Micro, NatsServer, Recording, eventually};

/// How many replies a service that never ceases sends at a time, and how often.
const BURST: usize = 50;
const BURST_EVERY: Duration = Duration::from_millis(5);

/// Services played by the test. When it is dropped, they are gone.
///
/// Dropping also checks what must never happen: a request without a reply subject, which ends the stats responder
/// of real workers for good.
#[derive(Debug)]
pub struct TestFleet {
    client: Client,
    state: Arc<Mutex<State>>,
    listener: tokio::task::JoinHandle<()>,
}

impl TestFleet {
    /// Connects, and hears requests from now on.
    ///
    /// # Panics
    /// When the server does not take the connection.
    pub async fn connect(server: &NatsServer) -> Self {
        let client = server.client().await;
        let mut requests = client
            .subscribe(ServicePrefix::default().all())
            .await
            .expect("subscribes");
        client.flush().await.expect("the server knows the subscription");
        let state = Arc::new(Mutex::new(State::default()));
        let (heard, out) = (Arc::clone(&state), client.clone());
        let listener = tokio::spawn(async move {
            while let Some(request) = requests.next().await {
                let answers = heard
                    .lock()
                    .expect("no holder panics")
                    .hear(&request.subject, request.reply.as_ref());
                for Answer {
                    reply_to,
                    payload,
                    after,
                } in answers
                {
                    if after.is_zero() {
                        out.publish(reply_to, payload).await.ok();
                        continue;
                    }
                    let out = out.clone();
                    tokio::spawn(async move {
                        sleep(after).await;
                        out.publish(reply_to, payload).await.ok();
                    });
                }
            }
        });
        Self {
            client,
            state,
            listener,
        }
    }

    /// Takes a service in, or changes what it says.
    pub fn join(&self, micro: &Micro) {
        self.join_raw(&micro.service, &micro.id, micro.stats(), Some(micro.info()));
    }

    /// Takes a service in that answers these bytes, or changes what it says.
    pub fn join_raw(&self, service: &str, id: &str, stats: impl Into<Bytes>, info: Option<String>) {
        self.with(service, id, |s| {
            (s.says, s.info) = (Says::Always(vec![stats.into()]), info.map(Into::into));
        });
    }

    /// Takes in all workers of a recording, byte for byte.
    pub fn join_recording(&self, recording: &Recording) {
        for stats in &recording.stats {
            let (service, id) = identity(stats);
            let info = recording
                .infos
                .iter()
                .find(|info| identity(info) == (service.clone(), id.clone()));
            self.join_raw(&service, &id, stats.clone(), info.cloned());
        }
    }

    /// Makes a service answer every STATS request this many times.
    pub fn repeat(&self, micro: &Micro, times: usize) {
        self.with(&micro.service, &micro.id, |s| {
            s.says = Says::Always(vec![micro.stats().into(); times]);
        });
    }

    /// Makes a service answer every STATS request this many times, each time as an instance that was never seen before
    /// and that describes itself to no one.
    pub fn breed(&self, micro: &Micro, times: usize) {
        self.with(&micro.service, &micro.id, |s| {
            (s.says, s.info) = (Says::anew(micro, times), None);
        });
    }

    /// Makes a service take its time to answer a verb such as `STATS`.
    pub fn slow(&self, verb: &'static str, micro: &Micro, latency: Duration) {
        self.with(&micro.service, &micro.id, |s| {
            s.latencies.insert(verb, latency);
        });
    }

    /// Answers as `micro` the latest STATS request over and over, until this future is dropped.
    pub async fn never_cease(&self, micro: &Micro) -> Infallible {
        let stats = Bytes::from(micro.stats());
        let mut tick = interval(BURST_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let Some(reply_to) = self.locked().latest.clone() else {
                continue;
            };
            for _ in 0..BURST {
                self.client.publish(reply_to.clone(), stats.clone()).await.ok();
            }
        }
    }

    /// Where answers to the latest STATS request are to go.
    pub async fn latest_reply_to(&self) -> String {
        eventually("services were asked for their statistics", async || {
            let latest = self.locked().latest.clone();
            latest
                .map(|subject| subject.to_string())
                .ok_or("not yet".to_owned())
        })
        .await
    }

    /// Makes a service keep its STATS answers back.
    pub fn hold(&self, micro: &Micro) {
        self.with(&micro.service, &micro.id, |s| s.holds = true);
    }

    /// Answers the latest STATS request that a service kept back, and keeps none back from now on.
    ///
    /// # Panics
    /// When it kept none back.
    pub async fn release(&self, micro: &Micro) {
        let held = {
            let mut state = self.locked();
            let service = state
                .services
                .get_mut(&key(&micro.service, &micro.id))
                .expect("has joined");
            service.holds = false;
            std::mem::take(&mut service.held)
        };
        let latest = held.last().expect("a request was kept back").clone();
        self.client
            .publish(latest, micro.stats().into())
            .await
            .expect("publishes");
        self.client.flush().await.expect("sends");
    }

    /// Makes a service answer nothing any more, as if its process were killed.
    pub fn leave(&self, micro: &Micro) {
        self.locked().services.remove(&key(&micro.service, &micro.id));
    }

    /// Publishes an event; it has arrived at the server when this returns.
    ///
    /// # Panics
    /// When the connection is lost.
    pub async fn publish(&self, subject: &str, payload: impl Into<Bytes>) {
        self.client
            .publish(subject.to_owned(), payload.into())
            .await
            .expect("publishes");
        self.client.flush().await.expect("sends");
    }

    /// Publishes an event whose header says how it is encoded.
    ///
    /// # Panics
    /// When the connection is lost.
    pub async fn publish_as(&self, content_type: &str, subject: &str, payload: impl Into<Bytes>) {
        let mut headers = HeaderMap::new();
        headers.insert(protocol::codec::CONTENT_TYPE, content_type);
        let message = self
            .client
            .publish_with_headers(subject.to_owned(), headers, payload.into());
        message.await.expect("publishes");
        self.client.flush().await.expect("sends");
    }

    /// How many requests of a verb such as `INFO` came that `micro` had to answer.
    pub fn requests(&self, verb: &str, micro: &Micro) -> usize {
        let state = self.locked();
        let asks = |subject: &&String| asked(subject, &micro.service, &micro.id) == Some(verb);
        state.requests.iter().filter(asks).count()
    }

    /// How many STATS replies `micro` has sent since it last joined.
    pub fn answers(&self, micro: &Micro) -> usize {
        let state = self.locked();
        state
            .answers
            .get(&key(&micro.service, &micro.id))
            .copied()
            .unwrap_or_default()
    }

    /// Waits until `micro` was asked `verb` this many times in all.
    pub async fn is_asked(&self, verb: &str, micro: &Micro, times: usize) {
        eventually(
            &format!("{} was asked {verb} {times} times", micro.id),
            async || {
                let seen = self.requests(verb, micro);
                if seen >= times {
                    Ok(())
                } else {
                    Err(format!("{seen} times"))
                }
            },
        )
        .await;
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    fn with(&self, service: &str, id: &str, change: impl FnOnce(&mut Service)) {
        let mut state = self.locked();
        if !state.services.contains_key(&key(service, id)) {
            state.answers.remove(&key(service, id));
        }
        change(state.services.entry(key(service, id)).or_default());
    }
}

impl Drop for TestFleet {
    fn drop(&mut self) {
        self.listener.abort();
        if let Ok(state) = self.state.lock()
            && !std::thread::panicking()
        {
            assert!(
                state.without_reply.is_empty(),
                "no reply subject: {:?}",
                state.without_reply
            );
        }
    }
}

fn identity(reply: &str) -> (String, String) {
    let reply: Value = serde_json::from_str(reply).expect("a recorded reply is JSON");
    let text = |field: &str| reply[field].as_str().expect("a text").to_owned();
    (text("name"), text("id"))
}
