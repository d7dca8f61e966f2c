//! Bodies: pieces that many clients share, and the mark that one has been sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use hyper::body::{Frame, SizeHint};
use tokio_util::sync::CancellationToken;

use crate::line::Line;

/// How much of a body a connection takes at once; more would be held for a client that does not read.
const PIECE: usize = 64 * 1024;

/// An extension of a response whose body is shared: its connection is closed when the token is cancelled, because the
/// memory of the body is needed.
#[derive(Debug, Clone)]
pub struct Cut {
    /// Cancelled when the body is to be freed.
    pub token: CancellationToken,
    /// The body, which counts as in use until all of it has left.
    pub chunks: Arc<[Bytes]>,
}

/// An extension of a response whose body has no end: its client may take as long as it likes, but no part of it longer than
/// a whole response may take.
#[derive(Debug, Clone, Copy)]
pub struct Endless;

/// The bytes in pieces that a connection takes at once, which are shared and not copied.
pub fn pieces(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let length = bytes.len().min(PIECE);
        (length > 0).then(|| bytes.split_to(length))
    })
}

/// A body of these chunks, which are shared and not copied.
pub fn shared_body(chunks: Arc<[Bytes]>) -> Body {
    let (mut index, mut start) = (0, 0);
    let pieces = std::iter::from_fn(move || {
        let chunk = chunks.get(index)?;
        let end = chunk.len().min(start + PIECE);
        let piece = chunk.slice(start..end);
        start = end;
        if end == chunk.len() {
            (index, start) = (index + 1, 0);
        }
        Some(Ok::<_, Infallible>(piece))
    });
    Body::from_stream(stream::iter(pieces))
}

/// A body that reports to its connection that all of it has been taken.
#[derive(Debug)]
pub(crate) struct Sent {
    body: Body,
    line: Arc<Line>,
}

impl Sent {
    pub(crate) fn new(body: Body, line: Arc<Line>) -> Self {
        Self { body, line }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.line.has_taken_body();
    }
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(_))) = &frame {
            self.line.has_taken_part();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn chunks_are_sent_in_pieces_and_none_is_lost() {
        let chunks: Vec<Bytes> = [0, 1, PIECE, 3 * PIECE + 7]
            .map(|length| (0..length).map(|n| n as u8).collect::<Vec<u8>>().into())
            .into();
        let body = shared_body(chunks.clone().into());
        let sent = axum::body::to_bytes(body, usize::MAX).await.expect("all of it");
        assert_eq!(sent, chunks.concat());
    }
}
