//! [`Unavailable`]: a service that answers every request for statistics with status 503, as the server does where no
//! service listens. Client libraries send no status, so it writes the protocol itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use protocol::ServicePrefix;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::{NatsServer, eventually};

/// A message that is nothing but a status.
const HEADERS: &str = "NATS/1.0 503\r\n\r\n";

/// The running service; it is gone when this is dropped.
#[derive(Debug)]
pub struct Unavailable {
    answers: Arc<AtomicUsize>,
    connection: JoinHandle<()>,
}

impl Unavailable {
    /// Connects, and answers from now on.
    ///
    /// # Panics
    /// When the server does not take the connection.
    pub async fn connect(server: &NatsServer) -> Self {
        let address = server.url().trim_start_matches("nats://");
        let mut stream = BufReader::new(TcpStream::connect(address).await.expect("connects"));
        let stats = ServicePrefix::default().stats();
        let hello = format!("CONNECT {{\"verbose\":false,\"headers\":true}}\r\nSUB {stats} 1\r\nPING\r\n");
        stream.write_all(hello.as_bytes()).await.expect("sends");
        let mut line = String::new();
        while line.trim() != "PONG" {
            line.clear();
            let read = stream.read_line(&mut line).await.expect("receives");
            assert!(read > 0, "the server closed the connection");
        }
        let answers = Arc::new(AtomicUsize::new(0));
        let connection = tokio::spawn(answer(stream, Arc::clone(&answers)));
        Self { answers, connection }
    }

    /// Waits until it has answered this many times.
    pub async fn has_answered(&self, times: usize) {
        eventually(
            &format!("a service answered 503 {times} times"),
            async || match self.answers.load(Ordering::Relaxed) {
                seen if seen >= times => Ok(()),
                seen => Err(format!("{seen} times")),
            },
        )
        .await;
    }
}

impl Drop for Unavailable {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

async fn answer(mut stream: BufReader<TcpStream>, answers: Arc<AtomicUsize>) {
    let mut line = String::new();
    loop {
        line.clear();
        if !matches!(stream.read_line(&mut line).await, Ok(1..)) {
            return;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let sent = match words.as_slice() {
            ["PING"] => stream.write_all(b"PONG\r\n").await,
            ["MSG", _, _, reply_to, length] => {
                let reply = format!("HPUB {reply_to} {0} {0}\r\n{HEADERS}\r\n", HEADERS.len());
                let length: usize = length.parse().expect("a length");
                let mut payload = vec![0; length + 2];
                stream.read_exact(&mut payload).await.expect("a payload follows");
                answers.fetch_add(1, Ordering::Relaxed);
                stream.write_all(reply.as_bytes()).await
            }
            _ => Ok(()),
        };
        if sent.is_err() {
            return;
        }
    }
}
