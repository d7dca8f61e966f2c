//! [`Http`]: one request to a receiver, and what its answer means for the next one.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use link::{Limiter, reconnect_delay};
use protocol::text::Shown;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, Method, Response, StatusCode, Url};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::books::Books;
use super::receiver::Receiver;
use crate::client::{self, is_untrusted};

/// A receiver that takes longer is tried again.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// The longest that a receiver can ask to be left alone.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// How often the same line is logged.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// A page that was not taken for so long is given up: a query does not look further back.
pub(super) const MAX_AGE: Duration = Duration::from_secs(300);

/// Of an answer, so much is read.
const MAX_ANSWER: usize = 4096;

/// Why a request was not taken.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may be taken later.
    Again { reason: String, after: Option<Duration> },
    /// It never will be.
    Refused { reason: String },
}

/// What became of a request that was sent until there was nothing left to try.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The receiver took it, and gave this answer.
    Arrived(Vec<u8>),
    /// It never will be taken.
    Refused,
    /// What it holds is too old by now.
    TooOld,
}

/// Whether a request with this answer is sent again.
pub(super) type IsPassing = fn(StatusCode) -> bool;

/// A receiver and how to send to it.
pub(super) struct Http {
    client: Client,
    receiver: Receiver,
    is_passing: IsPassing,
    limiter: Limiter<String>,
    /// Failures since the last success; none yet at the start.
    failures: Option<usize>,
}

impl Http {
    pub(super) fn new(receiver: Receiver, is_passing: IsPassing) -> reqwest::Result<Self> {
        let client = client::builder(receiver.trust.clone());
        Ok(Self {
            client: client.timeout(REQUEST_LIMIT).build()?,
            receiver,
            is_passing,
            limiter: Limiter::new(LOG_INTERVAL),
            failures: None,
        })
    }

    pub(super) fn url(&self) -> &Url {
        &self.receiver.url
    }

    /// Sends a request until it is taken or refused, or what it holds, which is as old as `since`, is too old.
    pub(super) async fn deliver(
        &mut self,
        headers: &[(HeaderName, &'static str)],
        body: &Bytes,
        since: Instant,
        books: &Books,
    ) -> Outcome {
        loop {
            let url = self.url().clone();
            let failure = match self.send(Method::POST, url, headers, body.clone()).await {
                Ok(answer) => return Outcome::Arrived(answer),
                Err(failure) => failure,
            };
            if !self.failed(failure, books).await {
                return Outcome::Refused;
            }
            if since.elapsed() > MAX_AGE {
                return Outcome::TooOld;
            }
        }
    }

    /// Sends a request once, and returns what the receiver answers.
    pub(super) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: &[(HeaderName, &'static str)],
        body: Bytes,
    ) -> Result<Vec<u8>, Failure> {
        let agent = concat!("llm-metrics/", env!("CARGO_PKG_VERSION"));
        let mut request = self.client.request(method, url).header(USER_AGENT, agent);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if let Some((user, password)) = &self.receiver.credentials {
            request = request.basic_auth(user, Some(password));
        }
        if let Some(token) = self.token().await? {
            request = request.header(AUTHORIZATION, token);
        }
        let mut response = request.body(body).send().await.map_err(unreachable)?;
        let status = response.status();
        let after = retry_after(&response);
        let answer = beginning(&mut response).await;
        if status.is_success() {
            return Ok(answer);
        }
        let line = first_line(&answer);
        let reason = match line.is_empty() {
            true => format!("it answers {status}"),
            false => format!("it answers {status}: {}", Shown(&line)),
        };
        Err(match (self.is_passing)(status) {
            true => Failure::Again { reason, after },
            false => Failure::Refused { reason },
        })
    }

    /// The token is read each time, because it may be replaced while the program runs.
    async fn token(&self) -> Result<Option<HeaderValue>, Failure> {
        let Some(path) = &self.receiver.token_file else {
            return Ok(None);
        };
        let again = |reason: &str| Failure::Again {
            reason: format!("the file of its token, {}, {reason}", path.display()),
            after: None,
        };
        let text = tokio::task::spawn_blocking({
            let path = path.clone();
            move || std::fs::read_to_string(path)
        });
        let text = text
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(|| again("cannot be read"))?;
        let token = HeaderValue::from_str(&format!("Bearer {}", text.trim()));
        let mut token = token.map_err(|_| again("holds no token"))?;
        token.set_sensitive(true);
        Ok(Some(token))
    }

    /// Counts a push that arrived. The first one, and the first after failures, is logged.
    pub(super) fn succeeded(&mut self, books: &Books) {
        books.succeeded();
        if self.failures.replace(0) != Some(0)
            && let Some(left_out) = self.limiter.admit("succeeded", Instant::now())
        {
            let sink = books.sink().as_str();
            info!(sink, receiver = %self.receiver, left_out, "pushes arrive");
        }
    }

    /// Counts and logs what a receiver rejected of a request that it took.
    pub(super) fn rejected(&mut self, points: u64, message: &str, books: &Books) {
        books.rejected(points);
        let sink = books.sink().as_str();
        if let Some(left_out) = self.limiter.admit("rejected", Instant::now()) {
            let reason = Shown(message.lines().next().unwrap_or_default());
            warn!(sink, receiver = %self.receiver, points, %reason, left_out, "the receiver took a push and rejected some of its points, which are not sent again");
        }
    }

    /// Counts and logs a push that was not taken, and waits until it may be tried again; never if it was refused.
    pub(super) async fn failed(&mut self, failure: Failure, books: &Books) -> bool {
        let sink = books.sink().as_str();
        match failure {
            Failure::Again { reason, after } => {
                books.failed();
                let failures = self.failures.unwrap_or(0) + 1;
                self.failures = Some(failures);
                if let Some(left_out) = self.limiter.admit("failed", Instant::now()) {
                    warn!(sink, receiver = %self.receiver, reason, left_out, "a push failed; still trying");
                }
                let delay = reconnect_delay(failures + 1).max(after.unwrap_or_default());
                sleep(delay.min(MAX_RETRY_AFTER)).await;
                true
            }
            Failure::Refused { reason } => {
                books.refused(1);
                if let Some(left_out) = self.limiter.admit("refused", Instant::now()) {
                    warn!(sink, receiver = %self.receiver, reason, left_out, "the receiver refused a push, which is not sent again");
                }
                false
            }
        }
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    pause(
        response.headers().get(RETRY_AFTER)?.to_str().ok()?,
        SystemTime::now(),
    )
}

/// A pause as HTTP has it: in seconds, or until a date.
fn pause(text: &str, now: SystemTime) -> Option<Duration> {
    match text.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok(),
    }
}

/// What an answer begins with. Where it breaks off, that is all of it: its status has come.
async fn beginning(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER - body.len())]);
        if body.len() == MAX_ANSWER {
            break;
        }
    }
    body
}

fn first_line(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// The rule of Prometheus' receivers: whatever the receiver itself is to blame for, and too many requests.
pub(super) fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// A failure below HTTP, by its last cause: reqwest's own text names only the address.
fn unreachable(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let reason = match error.is_timeout() {
        true => format!("no answer came in {} s", REQUEST_LIMIT.as_secs()),
        false => {
            let first: &dyn std::error::Error = &error;
            let causes = std::iter::successors(Some(first), |error| error.source());
            let last = causes.last().map(ToString::to_string).unwrap_or_default();
            let remedy = if is_untrusted(&error) { UNTRUSTED } else { "" };
            format!("{}{remedy}", Shown(&last))
        }
    };
    Failure::Again { reason, after: None }
}

const UNTRUSTED: &str = "; give the CA of its certificate with --push-tlsca FILE";
