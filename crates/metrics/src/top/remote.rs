//! [`Remote`]: the JSON API of a running collector.

use std::sync::Arc;
use std::time::Duration;

use protocol::text::{Shown, causes};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::attach::Attach;
use super::events::{Events, TooLarge};
use super::feed::Update;
use crate::client::is_untrusted;
use crate::view::{Ask, Kind, Overview, Screen};

const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How long an answer may take, and a stream to begin.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A stream has a comment every 15 seconds.
const SILENCE: Duration = Duration::from_secs(40);

const UNTRUSTED: &str = "; give the CA of its certificate with --attach-tlsca FILE";

/// Characters of an answer that are shown.
const ANSWER: usize = 200;

/// Why there is no screen.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("{0}")]
    Unreachable(String),
    #[error("it answers {0}; give its user and password with --attach http://USER:PASSWORD@HOST:PORT")]
    Unauthorized(StatusCode),
    #[error("it answers {0}, so it is not a collector that `metrics top` can read")]
    Other(StatusCode),
    #[error("its answer is not a screen of a collector of this version: {0}")]
    Unreadable(String),
    #[error("no answer came in {} s", ANSWER_LIMIT.as_secs())]
    Slow,
    #[error("the stream is silent")]
    Silent,
    #[error("the collector ended the stream")]
    Ended,
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// A running collector.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    client: Client,
    attach: Attach,
}

impl Remote {
    /// The collector whose page is at this address.
    ///
    /// # Errors
    /// Where the system cannot make a client.
    pub(super) fn new(attach: Attach) -> reqwest::Result<Self> {
        let client = attach.client().connect_timeout(CONNECT_LIMIT).build()?;
        Ok(Self { client, attach })
    }

    /// Its address, without secrets.
    pub(super) fn address(&self) -> String {
        self.attach.to_string()
    }

    /// The overview.
    ///
    /// # Errors
    /// Where the collector does not answer with one.
    pub(super) async fn overview(&self) -> Result<Overview, Unanswered> {
        let answer = async {
            let response = send(self.get("overview", "")).await?;
            response.bytes().await.map_err(unreachable)
        };
        let answer = timeout(ANSWER_LIMIT, answer)
            .await
            .map_err(|_| Unanswered::Slow)??;
        serde_json::from_slice(&answer).map_err(|error| unreadable(&error, &answer))
    }

    /// Hands on a screen as it changes, until the stream ends, or nothing takes it any more.
    pub(super) async fn follow(&self, ask: &Ask, updates: &mpsc::Sender<Update>) -> Unanswered {
        match self.try_follow(ask, updates).await {
            Ok(()) => Unanswered::Ended,
            Err(reason) => reason,
        }
    }

    async fn try_follow(&self, ask: &Ask, updates: &mpsc::Sender<Update>) -> Result<(), Unanswered> {
        let query = format!("screen={}&{}", ask.kind.name(), ask.subject(false));
        let request = self.get("stream", query.trim_end_matches('&'));
        let begun = timeout(ANSWER_LIMIT, send(request)).await;
        let mut response = begun.map_err(|_| Unanswered::Slow)??;
        let mut events = Events::default();
        let mut latest: Option<Arc<Screen>> = None;
        loop {
            let chunk = timeout(SILENCE, response.chunk())
                .await
                .map_err(|_| Unanswered::Silent)?;
            let Some(chunk) = chunk.map_err(unreachable)? else {
                return Ok(());
            };
            for event in events.push(&chunk)? {
                latest = match event.name.as_str() {
                    "view" => Some(Arc::new(read(ask.kind, &event.data)?)),
                    "delta" => match latest.as_deref() {
                        Some(before) => Some(Arc::new(changed(ask.kind, before, &event.data)?)),
                        None => None,
                    },
                    "gone" => None,
                    // A later version may have more.
                    _ => continue,
                };
                let ask = ask.clone();
                let update = match &latest {
                    Some(screen) => Update::Screen(ask, Arc::clone(screen)),
                    None => Update::Gone(ask),
                };
                if updates.send(update).await.is_err() {
                    return Ok(());
                }
            }
        }
    }

    fn get(&self, resource: &str, query: &str) -> RequestBuilder {
        let request = self.client.get(self.attach.url(resource, query));
        match self.attach.credentials() {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        }
    }
}

async fn send(request: RequestBuilder) -> Result<Response, Unanswered> {
    let response = request.send().await.map_err(unreachable)?;
    match response.status() {
        StatusCode::OK => Ok(response),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Err(Unanswered::Unauthorized(status)),
        status => Err(Unanswered::Other(status)),
    }
}

fn read(kind: Kind, data: &[u8]) -> Result<Screen, Unanswered> {
    kind.read(data).map_err(|error| unreadable(&error, data))
}

fn changed(kind: Kind, before: &Screen, data: &[u8]) -> Result<Screen, Unanswered> {
    let delta = kind.read_delta(data).map_err(|error| unreadable(&error, data))?;
    let missed = || Unanswered::Unreadable("a delta is missing".to_owned());
    before.with(delta).ok_or_else(missed)
}

/// The address is shown next to it. An error contains the whole address, with secrets.
fn unreachable(error: reqwest::Error) -> Unanswered {
    let error = error.without_url();
    let remedy = if is_untrusted(&error) { UNTRUSTED } else { "" };
    Unanswered::Unreachable(causes(&error) + remedy)
}

fn unreadable(error: &serde_json::Error, answer: &[u8]) -> Unanswered {
    let start = String::from_utf8_lossy(&answer[..answer.len().min(ANSWER)]).into_owned();
    Unanswered::Unreadable(format!("{error} in {}", Shown(&start).up_to(ANSWER)))
}
