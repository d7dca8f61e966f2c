//! [`Endpoint`]: one subject that a worker serves: requests in, a queue with a limit, the handler, and an end in order.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use async_nats::{Client, Message, Subscriber};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::Request;
use super::counters::Counters;
use super::load::message;
use super::request::{Exchange, HandlerError, RespondError};
use super::seldom::Seldom;
use super::serving::is_connected;
use crate::text::causes;

/// The user's handler.
pub(super) type Handler = Arc<dyn Fn(Request) -> BoxFuture<'static, Result<(), HandlerError>> + Send + Sync>;

/// How many requests an endpoint handles at once, and how many may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) concurrency: usize,
    pub(super) waiting: usize,
}

/// A subject that is served.
pub(super) struct Endpoint {
    client: Client,
    name: Arc<str>,
    handler: Handler,
    counters: Arc<Counters>,
    waiting_limit: usize,
    requests: Subscriber,
    queue: VecDeque<(Message, Instant)>,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
    abandon: CancellationToken,
    failures: Arc<Seldom>,
    refusals: Seldom,
}

impl Endpoint {
    pub(super) fn new(
        client: Client,
        name: Arc<str>,
        requests: Subscriber,
        handler: Handler,
        counters: Arc<Counters>,
        limits: Limits,
    ) -> Self {
        Self {
            client,
            name,
            handler,
            counters,
            waiting_limit: limits.waiting,
            requests,
            queue: VecDeque::new(),
            slots: Arc::new(Semaphore::new(limits.concurrency)),
            tasks: TaskTracker::new(),
            abandon: CancellationToken::new(),
            failures: Arc::default(),
            refusals: Seldom::default(),
        }
    }

    /// Serves until its subscription ends: by [`drain`](Self::drain), or because the connection is closed.
    pub(super) async fn serve(&mut self) {
        loop {
            tokio::select! {
                biased;
                slot = slot(&self.slots), if !self.queue.is_empty() => self.serve_next(slot),
                request = self.requests.next() => match request {
                    Some(request) => self.receive(request),
                    None => return,
                },
            }
        }
    }

    /// Takes no more requests, and ends when those that were sent to the worker by now are answered.
    pub(super) async fn finish(&mut self) {
        // Without a connection nothing more can come, and nothing can be said.
        if is_connected(&self.client) && self.requests.drain().await.is_ok() {
            self.serve().await;
        }
        while let Some(Some(request)) = self.requests.next().now_or_never() {
            self.receive(request);
        }
        while !self.queue.is_empty() {
            let slot = slot(&self.slots).await;
            self.serve_next(slot);
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// How many requests are here.
    pub(super) fn unfinished(&mut self) -> usize {
        while let Some(Some(request)) = self.requests.next().now_or_never() {
            self.queue.push_back((request, Instant::now()));
        }
        self.tasks.len() + self.queue.len()
    }

    /// Answers all requests that are here with an error.
    pub(super) async fn abandon(&mut self) {
        self.abandon.cancel();
        self.tasks.close();
        for (request, received) in std::mem::take(&mut self.queue) {
            let exchange = self.exchange(request, received);
            send_error(&exchange, &abandoned()).await;
        }
        // Only a handler that blocks its thread is still here after that, and nothing can stop it.
        self.tasks.wait().await;
    }

    /// Puts a request into the queue, or answers that it is full.
    fn receive(&mut self, request: Message) {
        let received = Instant::now();
        if self.queue.len() < self.waiting_limit.saturating_add(self.slots.available_permits()) {
            self.queue.push_back((request, received));
            self.counters.set_waiting(self.queue.len());
            return;
        }
        if let Some(repeated) = self.refusals.admit(received) {
            let limit = self.waiting_limit;
            warn!(worker = %self.name, limit, repeated, "a request is refused: the queue of waiting requests is full");
        }
        let exchange = self.exchange(request, received);
        // An outage is no reason to wait here: it is counted in any case.
        let _ = send_error(&exchange, &HandlerError::new(503, "the worker is full")).now_or_never();
    }

    fn serve_next(&mut self, slot: Option<OwnedSemaphorePermit>) {
        let Some((request, received)) = self.queue.pop_front() else {
            return;
        };
        self.counters.set_waiting(self.queue.len());
        let exchange = Arc::new(self.exchange(request, received));
        let (handler, name, counters) = (self.handler.clone(), self.name.clone(), self.counters.clone());
        let (abandon, failures) = (self.abandon.clone(), self.failures.clone());
        self.tasks.spawn(async move {
            let running = counters.run();
            let answer = answer(&handler, exchange, &abandon);
            if let Err(error) = answer.await
                && let Some(left_out) = failures.admit(Instant::now())
            {
                warn!(worker = %name, %error, left_out, "request failed");
            }
            drop((running, slot));
        });
    }

    fn exchange(&self, request: Message, received: Instant) -> Exchange {
        Exchange::new(request, received, self.counters.clone(), self.client.clone())
    }
}

/// A slot for the next request, as soon as there is one.
async fn slot(slots: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    slots.clone().acquire_owned().await.ok()
}

/// Runs the handler and makes sure that the caller is answered, once.
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
                send_error(&exchange, &HandlerError::new(500, "the handler panicked")).await;
                Err(HandlerError::new(500, format!("the handler panicked: {}", message(&*panic))))
            }
        },
        () = abandon.cancelled() => Err(abandoned()),
    };
    if let Err(error) = &result {
        send_error(&exchange, error).await;
    }
    result
}

async fn send_error(exchange: &Exchange, error: &HandlerError) {
    match exchange.fail(error).await {
        Ok(()) | Err(RespondError::NoReplySubject) => {}
        Err(error) => debug!(error = causes(&error), "the caller could not be answered"),
    }
}

fn abandoned() -> HandlerError {
    HandlerError::new(503, "the worker is shutting down")
}
