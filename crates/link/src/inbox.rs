//! [`Inbox`]: one subscription for the replies to all rounds of a connection.
//!
//! The last token of a reply's subject is the number of its round, so a reply is late when its number says so, however
//! late it comes.

use std::future::poll_fn;
use std::task::{Context, Poll};

use async_nats::{Client, Message, StatusCode, SubscribeError, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::task::unconstrained;

/// Replies that one call hands out at most, so that a flood leaves the caller in control.
const MAX_BATCH: usize = 4096;

/// Receives the replies to numbered rounds.
#[derive(Debug)]
pub struct Inbox {
    prefix: String,
    replies: Subscriber,
}

/// A reply as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The round that it answers; `None` where the last token of its subject is no number of a round.
    pub round: Option<u64>,
    /// What a service sent.
    pub payload: Bytes,
    /// What it is.
    pub kind: ReplyKind,
}

/// What a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// A message of a service.
    Data,
    /// Status 503. The server sends it when nothing listens to the request, but any service can send one, too.
    NoResponders,
}

impl Inbox {
    /// Subscribes to the replies. It stays subscribed when the connection is restored.
    ///
    /// # Errors
    /// Where the client is closed.
    pub async fn open(client: &Client) -> Result<Self, SubscribeError> {
        let prefix = client.new_inbox();
        let replies = client.subscribe(format!("{prefix}.*")).await?;
        Ok(Self { prefix, replies })
    }

    /// The reply subject of a round.
    pub fn subject(&self, round: u64) -> String {
        format!("{}.{round}", self.prefix)
    }

    /// Waits for a reply, and appends it and those that have come with it. Returns how many; 0 where the client is
    /// closed and no reply will come any more.
    ///
    /// No reply is lost when the future is dropped. It takes no part in tokio's budget, or replies would seem absent
    /// that are there, but it hands out 4096 replies at most.
    pub async fn next_batch(&mut self, buffer: &mut Vec<Reply>) -> usize {
        unconstrained(poll_fn(|context| self.poll_batch(context, buffer))).await
    }

    /// Appends the replies that are there already, 4096 at most, and returns how many. A caller that trusts a timer
    /// looks here first.
    pub fn take_ready(&mut self, buffer: &mut Vec<Reply>) -> usize {
        self.next_batch(buffer).now_or_never().unwrap_or(0)
    }

    fn poll_batch(&mut self, context: &mut Context<'_>, buffer: &mut Vec<Reply>) -> Poll<usize> {
        let mut count = 0;
        while count < MAX_BATCH {
            match self.replies.poll_next_unpin(context) {
                Poll::Ready(Some(message)) => {
                    buffer.push(Reply::from(message));
                    count += 1;
                }
                Poll::Ready(None) => break,
                Poll::Pending if count == 0 => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(count)
    }
}

impl From<Message> for Reply {
    fn from(message: Message) -> Self {
        let kind = match message.status {
            Some(StatusCode::NO_RESPONDERS) => ReplyKind::NoResponders,
            _ => ReplyKind::Data,
        };
        Self {
            round: round_of(&message.subject),
            payload: message.payload,
            kind,
        }
    }
}

/// The number at the end of a subject, written as [`Inbox::subject`] writes it and in no other way.
fn round_of(subject: &str) -> Option<u64> {
    let (_, token) = subject.rsplit_once('.')?;
    let is_canonical =
        token.bytes().all(|byte| byte.is_ascii_digit()) && (token == "0" || !token.starts_with('0'));
    is_canonical.then(|| token.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_read_strictly() {
        fn check(subject: &str, expected: Option<u64>) {
            assert_eq!(round_of(subject), expected, "{subject}");
        }
        check("_INBOX.abc.0", Some(0));
        check("_INBOX.abc.17", Some(17));
        check("_INBOX.abc.18446744073709551615", Some(u64::MAX));
        check("_INBOX.abc.18446744073709551616", None);
        check("_INBOX.abc.017", None);
        check("_INBOX.abc.00", None);
        check("_INBOX.abc.+1", None);
        check("_INBOX.abc.-1", None);
        check("_INBOX.abc.1 ", None);
        check("_INBOX.abc.", None);
        check("_INBOX.abc.x1", None);
        check("17", None);
    }

    #[test]
    fn a_status_of_503_is_no_data() {
        let message = |status| Message {
            subject: "_INBOX.a.3".into(),
            reply: None,
            payload: Bytes::from_static(b"x"),
            headers: None,
            status,
            description: None,
            length: 0,
        };
        let kind = |status| Reply::from(message(status)).kind;
        assert_eq!(kind(None), ReplyKind::Data);
        assert_eq!(kind(Some(StatusCode::NO_RESPONDERS)), ReplyKind::NoResponders);
        assert_eq!(kind(Some(StatusCode::TIMEOUT)), ReplyKind::Data);
        assert_eq!(Reply::from(message(None)).round, Some(3));
    }
}
