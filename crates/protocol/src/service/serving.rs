//! The task that owns a running service: takes requests, hands them to the handler, and ends in order.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Client;
use async_nats::connection::State;
use async_nats::service::Service;
use async_nats::service::endpoint::Endpoint;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use super::load::message;
use super::request::{Exchange, HandlerError, RespondError};
use super::seldom::Seldom;
use super::{Request, ShutdownError};
use crate::text::causes;

/// The user's handler.
pub(super) type Handler = Arc<dyn Fn(Request) -> BoxFuture<'static, Result<(), HandlerError>> + Send + Sync>;

/// How long telling the callers of abandoned requests, and flushing that, may take beyond the grace.
const FAREWELL: Duration = Duration::from_millis(500);

/// A service that ends with its owner. Dropping async-nats' `Service` would leave its task running: a ghost that goes
/// on answering discovery for a worker that is no more.
pub(super) struct OwnedService(Option<Service>);

impl OwnedService {
    pub(super) fn new(service: Service) -> Self {
        Self(Some(service))
    }

    pub(super) fn get(&self) -> &Service {
        self.0.as_ref().expect("it is taken on drop alone")
    }
}

impl Drop for OwnedService {
    fn drop(&mut self) {
        if let Some(service) = self.0.take() {
            // `stop` only sends and aborts, so it is ready at the first poll.
            let _ = service.stop().now_or_never();
        }
    }
}

/// A running service and all that its requests need.
pub(super) struct Serving {
    pub(super) service: OwnedService,
    pub(super) endpoint: Endpoint,
    /// Ends when async-nats' task does that answers discovery.
    pub(super) verbs: oneshot::Receiver<()>,
    pub(super) client: Client,
    pub(super) handler: Handler,
    pub(super) concurrency: usize,
    /// The worker's subject, for the log.
    pub(super) name: Arc<str>,
}

impl Serving {
    /// Serves until `stop` tells the grace, or its sender is dropped, which is no grace at all.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<Duration>) -> Result<(), ShutdownError> {
        let requests = Requests {
            slots: Arc::new(Semaphore::new(self.concurrency)),
            tasks: TaskTracker::new(),
            abandon: CancellationToken::new(),
            failures: Arc::default(),
        };
        let grace = loop {
            tokio::select! {
                biased;
                grace = &mut stop => break grace,
                _ = &mut self.verbs => {
                    error!(worker = %self.name, "the worker can no longer be discovered: its NATS connection is closed");
                    break stop.await;
                }
                next = next(&requests.slots, &mut self.endpoint) => match next {
                    Some((slot, request)) => self.spawn(&requests, slot, request),
                    None => break stop.await,
                },
            }
        };
        let deadline = tokio::time::Instant::now() + grace.unwrap_or_default();
        let unfinished = self.finish(requests, deadline).await;

        // Discovery ends last, so that the collector sees the worker as long as it works.
        drop(self.service);
        // The task is aborted by now, but its subscriptions go only when the runtime drops it.
        if !self.verbs.is_terminated() {
            let _ = timeout(FAREWELL, self.verbs).await;
        }
        let farewell = deadline.max(tokio::time::Instant::now() + FAREWELL);
        let flushed = is_connected(&self.client)
            && matches!(timeout_at(farewell, self.client.flush()).await, Ok(Ok(())));
        match unfinished {
            requests @ 1.. => Err(ShutdownError::Unfinished { requests }),
            0 if !flushed => Err(ShutdownError::NotFlushed),
            0 => Ok(()),
        }
    }

    /// Takes no more requests and ends those that are here; returns how many had to be abandoned.
    ///
    /// A request that the server has sent and this client has not read yet is lost, as async-nats forgets a
    /// subscription when it unsubscribes: its caller runs into its timeout.
    async fn finish(&mut self, requests: Requests, deadline: tokio::time::Instant) -> usize {
        let finished = timeout_at(deadline, async {
            // Without a connection there is nobody to tell, and telling may wait for ever.
            let stopped = is_connected(&self.client) && self.endpoint.stop().await.is_ok();
            // What has been received already is served like what is in flight.
            loop {
                let next = next(&requests.slots, &mut self.endpoint);
                let received = match stopped {
                    true => next.await,
                    false => next.now_or_never().flatten(),
                };
                let Some((slot, request)) = received else {
                    break;
                };
                self.spawn(&requests, slot, request);
            }
            requests.tasks.close();
            requests.tasks.wait().await;
        });
        if finished.await.is_ok() {
            return 0;
        }
        let mut unfinished = requests.tasks.len();
        requests.abandon.cancel();
        requests.tasks.close();
        let farewell = async {
            while let Some(Some(request)) = self.endpoint.next().now_or_never() {
                unfinished += 1;
                let _ = Exchange::new(request, self.client.clone())
                    .fail(&abandoned())
                    .await;
            }
            // Only a handler that blocks its thread is still here after that; nobody can stop it.
            requests.tasks.wait().await;
        };
        let _ = timeout(FAREWELL, farewell).await;
        unfinished
    }

    fn spawn(&self, requests: &Requests, slot: OwnedSemaphorePermit, request: async_nats::service::Request) {
        let exchange = Arc::new(Exchange::new(request, self.client.clone()));
        let (handler, name) = (self.handler.clone(), self.name.clone());
        let (abandon, failures) = (requests.abandon.clone(), requests.failures.clone());
        requests.tasks.spawn(async move {
            let answer = answer(&handler, exchange, &abandon);
            if let Err(error) = answer.await
                && let Some(left_out) = failures.admit(Instant::now())
            {
                warn!(worker = %name, %error, left_out, "request failed");
            }
            drop(slot);
        });
    }
}

fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}

/// The requests in flight.
struct Requests {
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
    abandon: CancellationToken,
    failures: Arc<Seldom>,
}

/// The next request, as soon as there is a slot for it. Until then requests wait in the client's buffer.
async fn next(
    slots: &Arc<Semaphore>,
    endpoint: &mut Endpoint,
) -> Option<(OwnedSemaphorePermit, async_nats::service::Request)> {
    let slot = slots.clone().acquire_owned().await.ok()?;
    Some((slot, endpoint.next().await?))
}

/// Runs the handler and makes sure that the caller hears something, once.
async fn answer(
    handler: &Handler,
    exchange: Arc<Exchange>,
    abandon: &CancellationToken,
) -> Result<(), HandlerError> {
    // The call itself may panic too, not only the future it returns.
    let request = Request::new(exchange.clone());
    let handled = AssertUnwindSafe(async { handler(request).await }).catch_unwind();
    let result = tokio::select! {
        biased;
        handled = handled => match handled {
            Ok(Ok(())) if exchange.is_concluded() || !exchange.wants_answer() => return Ok(()),
            Ok(Ok(())) => Err(HandlerError::new(500, "the handler gave no answer, or did not finish its stream")),
            Ok(Err(error)) => Err(error),
            // What a panic says may be about anything, so it goes into the log and not to the caller.
            Err(panic) => {
                tell(&exchange, &HandlerError::new(500, "the handler panicked")).await;
                Err(HandlerError::new(500, format!("the handler panicked: {}", message(&*panic))))
            }
        },
        () = abandon.cancelled() => Err(abandoned()),
    };
    if let Err(error) = &result {
        tell(&exchange, error).await;
    }
    result
}

async fn tell(exchange: &Exchange, error: &HandlerError) {
    match exchange.fail(error).await {
        Ok(()) | Err(RespondError::NoReplySubject) => {}
        Err(error) => debug!(error = causes(&error), "the caller could not be answered"),
    }
}

fn abandoned() -> HandlerError {
    HandlerError::new(503, "the worker is shutting down")
}
