//! [`Outbox`]: events on their way to the connection, with a limit of time, or dropped where they would have to wait.

use std::time::Duration;

use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::timeout;

use super::EventPublishError;
use super::serving::is_connected;

/// How long an event may wait for the connection. Load is old after that, and a caller should not hang for an outage.
const LIMIT: Duration = Duration::from_secs(2);

/// What publishes a worker's events.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    client: Client,
}

/// Whether an event may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Up to [`LIMIT`].
    Bounded,
    /// Not at all.
    None,
}

impl Outbox {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Hands a message to the connection.
    pub(super) async fn send(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
        patience: Patience,
    ) -> Result<(), EventPublishError> {
        // What is handed over in an outage is sent after it, when it says nothing any more.
        if patience == Patience::None && !is_connected(&self.client) {
            return Err(EventPublishError::Dropped);
        }
        let publishing = async {
            match headers.is_empty() {
                true => self.client.publish(subject, payload).await,
                false => self.client.publish_with_headers(subject, headers, payload).await,
            }
        };
        match patience {
            Patience::None => publishing.now_or_never().ok_or(EventPublishError::Dropped)?,
            Patience::Bounded => timeout(LIMIT, publishing)
                .await
                .map_err(|_| EventPublishError::TimedOut)?,
        }?;
        Ok(())
    }
}
