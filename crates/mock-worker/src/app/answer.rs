//! How a worker answers a request: it sends the characters back one by one.

use protocol::service::{HandlerError, Request};

/// Streams the characters of the payload, one message each, and the empty message that ends a stream.
///
/// # Errors
/// [`HandlerError`] with code 400 where the payload is no UTF-8.
pub(super) async fn characters(request: Request) -> Result<(), HandlerError> {
    let payload = request.payload().clone();
    let text = std::str::from_utf8(&payload)
        .map_err(|error| HandlerError::new(400, format!("the payload is no UTF-8: {error}")))?;
    let stream = request.stream();
    for (at, character) in text.char_indices() {
        stream.send(payload.slice(at..at + character.len_utf8())).await?;
    }
    stream.finish().await?;
    Ok(())
}
