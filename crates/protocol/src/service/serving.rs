//! The task that owns a running worker: its endpoints and its discovery, which end in order.

use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use futures_util::future::{join_all, select_all};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::error;

use super::ShutdownError;
use super::endpoint::Endpoint;

/// How long answering the callers of abandoned requests, and flushing that, may take beyond the grace.
const FAREWELL: Duration = Duration::from_millis(500);

/// A running worker and all that its requests need.
pub(super) struct Serving {
    pub(super) client: Client,
    /// The worker's subject, for the log.
    pub(super) name: String,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) discovery: AbortOnDropHandle<()>,
    /// Cancelled when the worker serves no longer although it was not stopped.
    pub(super) closed: CancellationToken,
}

impl Serving {
    /// Serves until `stop` has the grace, or its sender is dropped, which is no grace at all.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<Duration>) -> Result<(), ShutdownError> {
        let ended = async {
            let serving = self
                .endpoints
                .iter_mut()
                .map(|endpoint| Box::pin(endpoint.serve()));
            tokio::select! {
                _ = select_all(serving) => {}
                _ = &mut self.discovery => {}
            }
        };
        let grace = tokio::select! {
            biased;
            grace = &mut stop => grace,
            () = ended => {
                error!(worker = %self.name, "the worker no longer serves requests: its NATS connection is closed");
                self.closed.cancel();
                stop.await
            }
        };
        let deadline = Instant::now() + grace.unwrap_or_default();
        let unfinished = self.finish(deadline).await;

        // Discovery ends last, so that the collector sees the worker as long as it works.
        self.discovery.abort();
        // Its subscriptions go when the runtime drops the task. One that has ended may not be awaited again.
        if !self.discovery.is_finished() {
            let _ = timeout(FAREWELL, &mut self.discovery).await;
        }
        let farewell = deadline.max(Instant::now() + FAREWELL);
        let flushed = is_connected(&self.client)
            && matches!(timeout_at(farewell, self.client.flush()).await, Ok(Ok(())));
        match unfinished {
            requests @ 1.. => Err(ShutdownError::Unfinished { requests }),
            0 if !flushed => Err(ShutdownError::NotFlushed),
            0 => Ok(()),
        }
    }

    /// Takes no more requests and ends those that are here; returns how many had to be abandoned.
    async fn finish(&mut self, deadline: Instant) -> usize {
        let finishing = join_all(self.endpoints.iter_mut().map(Endpoint::finish));
        if timeout_at(deadline, finishing).await.is_ok() {
            return 0;
        }
        let unfinished = self.endpoints.iter_mut().map(Endpoint::unfinished).sum();
        let abandoning = join_all(self.endpoints.iter_mut().map(Endpoint::abandon));
        let _ = timeout(FAREWELL, abandoning).await;
        unfinished
    }
}

pub(super) fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}
