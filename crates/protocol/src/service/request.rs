//! [`Request`]: one message to a worker's endpoint, and the ways to answer it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use std::time::Instant;

use async_nats::service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE};
use async_nats::{Client, HeaderMap, Message, PublishError};
use bytes::Bytes;

use super::counters::Counters;
use crate::text::causes;

/// The longest text of an error that goes to the caller and into the worker's statistics, in characters.
const MAX_ERROR_CHARS: usize = 1000;

/// A message to the worker's endpoint.
///
/// It is answered once, with [`respond`](Self::respond), or with a [`stream`](Self::stream). A handler that returns
/// an error, panics, or returns without an answer makes the caller see an error instead.
#[derive(Debug)]
pub struct Request(Arc<Exchange>);

/// An answer of several messages, which counts as one request.
///
/// On the wire: each part is a message to the request's reply subject with a payload of at least one byte. An empty
/// message without headers ends the stream. Where the worker fails on the way, the end is an empty message with the
/// headers `Nats-Service-Error` and `Nats-Service-Error-Code`, as after any failed request.
#[derive(Debug)]
pub struct ResponseStream(Arc<Exchange>);

/// Why an answer was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// The caller gave no reply subject, so it expects no answer.
    #[error("the request has no reply subject")]
    NoReplySubject,
    /// The answer is larger than the server takes.
    #[error("the answer has {bytes} bytes, more than the {limit} that the server takes; send it in parts")]
    TooLarge {
        /// Size of the answer.
        bytes: usize,
        /// The server's `max_payload`.
        limit: usize,
    },
    /// A part of a stream has no bytes; it would look like the end of the stream.
    #[error("a part of a stream cannot be empty: that would end the stream")]
    EmptyPart,
    /// The request outlived its handler, and the caller got an error in place of an answer.
    #[error("the request's handler has ended; answer before it returns")]
    HandlerEnded,
    /// The connection did not take the message.
    #[error("failed to publish the answer: {0}")]
    Publish(#[from] PublishError),
}

/// What the caller gets when a handler fails: a code and a text, in the headers that NATS services use.
///
/// Every [`std::error::Error`] turns into one with code 500 and its messages, so `?` works in handlers. The text goes
/// to the caller and into the worker's statistics: put nothing into it that they must not see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerError {
    code: u16,
    message: String,
}

/// A message and its answer, which is given and counted once.
#[derive(Debug)]
pub(super) struct Exchange {
    message: Message,
    received: Instant,
    counters: Arc<Counters>,
    client: Client,
    concluded: AtomicBool,
}

impl Request {
    pub(super) fn new(exchange: Arc<Exchange>) -> Self {
        Self(exchange)
    }

    /// The message's bytes.
    pub fn payload(&self) -> &Bytes {
        &self.0.message.payload
    }

    /// The message's headers, if it has any.
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.0.message.headers.as_ref()
    }

    /// Sends the one answer.
    ///
    /// # Errors
    /// [`RespondError`] where it was not sent. A handler that returns the error makes the caller see it, e.g. when
    /// the answer is larger than the server takes.
    pub async fn respond(self, payload: impl Into<Bytes>) -> Result<(), RespondError> {
        self.0.conclude(Ok(payload.into())).await
    }

    /// Begins an answer of several messages.
    pub fn stream(self) -> ResponseStream {
        ResponseStream(self.0)
    }
}

impl ResponseStream {
    /// Sends one part.
    ///
    /// # Errors
    /// [`RespondError`] where it was not sent; the stream goes on. An empty part is [`RespondError::EmptyPart`].
    pub async fn send(&self, part: impl Into<Bytes>) -> Result<(), RespondError> {
        let part = part.into();
        if part.is_empty() {
            return Err(RespondError::EmptyPart);
        }
        let exchange = &self.0;
        if exchange.is_concluded() {
            return Err(RespondError::HandlerEnded);
        }
        exchange.check_size(part.len())?;
        let reply = exchange.message.reply.clone();
        let reply = reply.ok_or(RespondError::NoReplySubject)?;
        Ok(exchange.client.publish(reply, part).await?)
    }

    /// Sends the empty message that ends the stream.
    ///
    /// # Errors
    /// [`RespondError`] where it was not sent.
    pub async fn finish(self) -> Result<(), RespondError> {
        self.0.conclude(Ok(Bytes::new())).await
    }
}

impl Exchange {
    pub(super) fn new(message: Message, received: Instant, counters: Arc<Counters>, client: Client) -> Self {
        Self {
            message,
            received,
            counters,
            client,
            concluded: AtomicBool::new(false),
        }
    }

    /// Whether the caller has got its last message.
    pub(super) fn is_concluded(&self) -> bool {
        self.concluded.load(Ordering::Acquire)
    }

    /// Whether there is anybody to answer.
    pub(super) fn wants_answer(&self) -> bool {
        self.message.reply.is_some()
    }

    /// Reports to the caller that its request failed, unless it has its answer already.
    pub(super) async fn fail(&self, error: &HandlerError) -> Result<(), RespondError> {
        if self.is_concluded() {
            return Ok(());
        }
        self.conclude(Err(error)).await
    }

    async fn conclude(&self, response: Result<Bytes, &HandlerError>) -> Result<(), RespondError> {
        let reply = self.message.reply.clone().ok_or(RespondError::NoReplySubject)?;
        self.check_size(response.as_ref().map_or(0, Bytes::len))?;
        if self.concluded.swap(true, Ordering::AcqRel) {
            return Err(RespondError::HandlerEnded);
        }
        // Counted first: who has the answer may ask for the statistics at once.
        self.counters
            .count(self.received.elapsed(), response.as_ref().err().copied());
        match response {
            Ok(payload) => self.client.publish(reply, payload).await?,
            Err(error) => {
                let mut headers = HeaderMap::new();
                headers.insert(NATS_SERVICE_ERROR, error.message.as_str());
                headers.insert(NATS_SERVICE_ERROR_CODE, error.code.to_string().as_str());
                self.client
                    .publish_with_headers(reply, headers, Bytes::new())
                    .await?;
            }
        }
        Ok(())
    }

    fn check_size(&self, bytes: usize) -> Result<(), RespondError> {
        match self.client.max_payload() {
            limit if bytes > limit => Err(RespondError::TooLarge { bytes, limit }),
            _ => Ok(()),
        }
    }
}

impl HandlerError {
    /// An error with a code of one's own; NATS services use those of HTTP, e.g. 400 for a bad request.
    ///
    /// Control characters become spaces, because the text is sent in a header; it is cut after 1,000 characters.
    ///
    /// ```
    /// use protocol::service::HandlerError;
    /// let error = HandlerError::new(400, "the payload is not UTF-8\n");
    /// assert_eq!(error.to_string(), "400: the payload is not UTF-8");
    /// ```
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        Self {
            code,
            message: message
                .trim()
                .chars()
                .take(MAX_ERROR_CHARS)
                .map(printable)
                .collect(),
        }
    }
}

impl HandlerError {
    /// The error as statistics have it.
    pub(super) fn on_the_wire(&self) -> String {
        format!("{}:{}", self.code, self.message)
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::new(500, causes(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_shown_with_its_causes_once_each() {
        #[derive(Debug, thiserror::Error)]
        #[error("failed to load the model")]
        struct Outer(#[source] crate::CodecError);

        let error = HandlerError::from(Outer(crate::CodecError::Empty));
        assert_eq!(
            error.to_string(),
            "500: failed to load the model: the payload is empty"
        );
        let repeated = HandlerError::from(crate::EventError::Codec(crate::CodecError::Empty));
        assert_eq!(repeated.to_string(), "500: the payload is empty");
    }

    #[test]
    fn the_text_of_an_error_can_neither_forge_a_header_nor_grow_without_bound() {
        let forged = HandlerError::new(500, "a\r\nNats-Service-Error-Code: 1");
        assert_eq!(forged.to_string(), "500: a  Nats-Service-Error-Code: 1");
        assert_eq!(
            HandlerError::new(500, "é".repeat(2000))
                .to_string()
                .chars()
                .count(),
            1005
        );
    }
}
