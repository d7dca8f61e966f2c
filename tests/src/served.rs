//! [`served_page`]: a page that never changes, for programs that read one.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// Serves `text` to everything that asks, as long as the test lasts, and returns the address.
///
/// # Panics
/// When there is no free port.
pub async fn served_page(text: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain";
    let reply = format!("{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // Up to the empty line that ends a request without a body.
            let mut lines = BufReader::new(&mut stream).lines();
            while matches!(lines.next_line().await, Ok(Some(line)) if !line.is_empty()) {}
            stream.write_all(reply.as_bytes()).await.ok();
        }
    });
    format!("http://{address}/metrics")
}
