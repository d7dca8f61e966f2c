//! [`Link::check`]: whether the server answers now.
//!
//! A server that hangs, or a network that drops packets, leaves the connection open and silent. `Client::flush` does
//! not notice, for it only waits until the bytes are on their way, and async-nats has no call for a PING. Draining a
//! subscription makes it send one, also when the subscription is drained already, and its statistics count every byte
//! that the server sends, the PONG included.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::Client;
use tokio::time::{sleep, timeout};

use crate::Link;

/// Pauses between looks at the bytes received: an answer usually takes less than the first.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

impl Link {
    /// Whether the server sends anything within `limit` of being asked. A link that is not connected does not pass.
    pub async fn check(&self, limit: Duration) -> bool {
        let Some(client) = self.client().filter(|_| self.is_connected()) else {
            return false;
        };
        timeout(limit, self.round_trip(&client)).await.unwrap_or(false)
    }

    async fn round_trip(&self, client: &Client) -> bool {
        let statistics = client.statistics();
        let received = || statistics.in_bytes.load(Ordering::Relaxed);
        let before = received();
        if !self.ping(client).await {
            return false;
        }
        let mut pause = FIRST_PAUSE;
        while received() == before {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        true
    }

    /// Makes the client send a PING; false where the client is closed.
    async fn ping(&self, client: &Client) -> bool {
        let mut prober = self.shared.prober.lock().await;
        let subscriber = match &mut *prober {
            Some(subscriber) => subscriber,
            // Nothing is ever published there, and only the first PING comes with a subscription.
            none => match client.subscribe(client.new_inbox()).await {
                Ok(subscriber) => none.insert(subscriber),
                Err(_) => return false,
            },
        };
        subscriber.drain().await.is_ok()
    }
}
