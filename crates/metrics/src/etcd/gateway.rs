//! [`Gateway`]: requests to the JSON gateway that every etcd server has on the port for its clients.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fleet::{MAX_REGISTERED, Registrant};
use protocol::model_card::{Limits, PREFIX};
use protocol::text::Shown;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::EtcdServers;
use super::messages::{Cards, Entry, ErrorReply, LoginReply, RangeReply, WatchLine};
use crate::client::{self, Trust};

/// How long a request may take, and how long a watch may take to begin.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// An answer that is larger is not read. etcd itself takes no value above 1.5 MB, unless it is set otherwise.
const MAX_ANSWER: usize = 32 << 20;

/// Keys that are asked for at once; fewer where their values are large.
const PAGE: u32 = 256;

/// Why etcd could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}; is etcd running? Give the address of its clients' port with --etcd")]
    Unreachable(String),
    #[error(
        "it refuses this user ({0}); write --etcd http://USER:PASSWORD@HOST:2379, with a user that may read keys that begin with v1/mdc/"
    )]
    Refused(String),
    #[error(
        "it has no JSON gateway under /v3/: check the address, and start etcd without --enable-grpc-gateway=false"
    )]
    NoGateway,
    #[error("it answers with an error: {0}")]
    Error(String),
    #[error("its answer is too large")]
    TooLarge,
    #[error("its answer cannot be read")]
    Unreadable,
    #[error("it closed the watch")]
    Closed,
    #[error("no answer came in {} s", REQUEST_LIMIT.as_secs())]
    Silent,
}

/// One server, and who asks it.
pub(super) struct Gateway {
    http: Client,
    address: Url,
    token: Option<HeaderValue>,
}

/// Changes as they come.
pub(super) struct Watch {
    response: Response,
    buffer: Vec<u8>,
}

impl Gateway {
    /// Logs in to one of the servers, where there are credentials.
    ///
    /// # Errors
    /// Where it cannot be reached or refuses this user.
    pub(super) async fn connect(servers: &EtcdServers, turn: usize) -> Result<Self, Failure> {
        let http = client::builder(Trust::Nothing).build().map_err(unreachable)?;
        let mut this = Self {
            http,
            address: servers.address(turn).clone(),
            token: None,
        };
        if let Some(who) = &servers.credentials {
            let login = json!({"name": who.name, "password": who.password});
            match this.ask("/v3/auth/authenticate", &login).await {
                Ok(answer) => {
                    let reply: LoginReply<'_> = read(&answer)?;
                    let mut token = HeaderValue::from_str(&reply.token).map_err(|_| Failure::Unreadable)?;
                    token.set_sensitive(true);
                    this.token = Some(token);
                }
                // Then everyone may read.
                Err(Failure::Error(reason)) if reason.contains("authentication is not enabled") => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(this)
    }

    /// All cards as of one revision of the store, and that revision.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub(super) async fn read_all(
        &self,
        cards: &mut Cards,
    ) -> Result<(Vec<(Registrant, Limits)>, u64), Failure> {
        let mut start = PREFIX.as_bytes().to_vec();
        let (mut all, mut revision, mut limit) = (Vec::new(), 0, PAGE);
        loop {
            // Revision 0 is the newest, which the first page decides.
            let request = range(&start, &end_of_prefix(), limit, revision);
            let answer = match self.ask("/v3/kv/range", &request).await {
                Err(Failure::TooLarge) if limit > 1 => {
                    limit /= 2;
                    continue;
                }
                answer => answer?,
            };
            let page: RangeReply<'_> = read(&answer)?;
            if revision == 0 {
                revision = page.header.revision().ok_or(Failure::Unreadable)?;
            }
            for entry in &page.kvs {
                if let Some((registrant, Some(limits))) = cards.read(entry) {
                    all.push((registrant, limits));
                }
            }
            match page.kvs.last().and_then(Entry::key) {
                Some(last) if page.more && all.len() <= MAX_REGISTERED => {
                    start = last;
                    start.push(0);
                }
                _ => return Ok((all, revision)),
            }
        }
    }

    /// Fails where the server does not answer for the cluster, which it can only do with a leader.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        let request = range(PREFIX.as_bytes(), b"", 1, 0);
        self.ask("/v3/kv/range", &request).await.map(drop)
    }

    /// Watches all cards from a revision on.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub(super) async fn watch(&self, revision: u64) -> Result<Watch, Failure> {
        let request = json!({"create_request": {
            "key": BASE64_STANDARD.encode(PREFIX),
            "range_end": BASE64_STANDARD.encode(end_of_prefix()),
            "start_revision": revision.to_string(),
            "fragment": true,
        }});
        let response = self.send("/v3/watch", &request);
        let response = timeout(REQUEST_LIMIT, response)
            .await
            .map_err(|_| Failure::Silent)??;
        Ok(Watch {
            response,
            buffer: Vec::new(),
        })
    }

    /// Sends a request, and reads all of the answer.
    async fn ask(&self, path: &str, request: &Value) -> Result<Vec<u8>, Failure> {
        let answer = async {
            let mut response = self.send(path, request).await?;
            read_body(&mut response).await
        };
        timeout(REQUEST_LIMIT, answer)
            .await
            .map_err(|_| Failure::Silent)?
    }

    async fn send(&self, path: &str, request: &Value) -> Result<Response, Failure> {
        let url = self.address.join(path).map_err(|_| Failure::NoGateway)?;
        let mut post = self.http.post(url).header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            post = post.header(AUTHORIZATION, token);
        }
        let mut response = post.body(request.to_string()).send().await.map_err(unreachable)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = read_body(&mut response).await?;
        let reply = serde_json::from_slice::<ErrorReply<'_>>(&body).ok();
        Err(match reply.filter(|reply| !reply.message.is_empty()) {
            Some(reply) => refusal(&reply.message),
            None if status == StatusCode::NOT_FOUND => Failure::NoGateway,
            None => Failure::Error(status.to_string()),
        })
    }
}

impl Watch {
    /// Waits for changes. It may be given up while it waits, and called again.
    ///
    /// # Errors
    /// Where the watch ends, whatever the reason: all has to be read again then.
    pub(super) async fn next(
        &mut self,
        cards: &mut Cards,
    ) -> Result<Vec<(Registrant, Option<Limits>)>, Failure> {
        let end = loop {
            let chunk = self.response.chunk().await.map_err(unreachable)?;
            let chunk = chunk.ok_or(Failure::Closed)?;
            let fresh = self.buffer.len();
            self.buffer.extend_from_slice(&chunk);
            if let Some(end) = self.buffer[fresh..].iter().rposition(|byte| *byte == b'\n') {
                break fresh + end;
            }
            if self.buffer.len() > MAX_ANSWER {
                return Err(Failure::TooLarge);
            }
        };
        let mut changes = Vec::new();
        for line in self.buffer[..end].split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            let line: WatchLine<'_> = read(line)?;
            if let Some(error) = line.error {
                return Err(refusal(&error.message));
            }
            let result = line.result.ok_or(Failure::Unreadable)?;
            if result.canceled {
                return Err(Failure::Closed);
            }
            changes.extend(result.events.iter().filter_map(|event| cards.changed(event)));
        }
        self.buffer.drain(..=end);
        Ok(changes)
    }
}

async fn read_body(response: &mut Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Failure::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn read<'a, T: serde::Deserialize<'a>>(answer: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(answer).map_err(|_| Failure::Unreadable)
}

fn range(start: &[u8], end: &[u8], limit: u32, revision: u64) -> Value {
    json!({
        "key": BASE64_STANDARD.encode(start),
        "range_end": BASE64_STANDARD.encode(end),
        "limit": limit.to_string(),
        "revision": revision.to_string(),
    })
}

/// The first key after all cards.
fn end_of_prefix() -> Vec<u8> {
    let mut end = PREFIX.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// What etcd says of a request that it does not answer.
fn refusal(message: &str) -> Failure {
    let shown = Shown(message).to_string();
    let of_user = [
        "user name is empty",
        "authentication failed",
        "permission denied",
        "invalid auth token",
        "user name not found",
    ];
    match of_user.iter().any(|part| message.contains(part)) {
        true => Failure::Refused(shown),
        false => Failure::Error(shown),
    }
}

/// A failure below HTTP, with its causes; reqwest itself names only the address, which is known.
fn unreachable(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    Failure::Unreachable(Shown(&text).to_string())
}
