//! [`Viewer`]: an open page, as far as the collector is concerned. It reads what a browser would read and draws nothing,
//! since a browser usually runs on another machine.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};

const CHUNK: usize = 1 << 18;
/// A collector that sends nothing for so long has no rounds.
const SILENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Viewer {
    stream: TcpStream,
    read: Arc<AtomicU64>,
    reader: JoinHandle<std::io::Result<()>>,
}

impl Viewer {
    /// Opens the page of a pool.
    pub(super) fn open(port: u16, pool: &str) -> Result<Self> {
        let mut stream =
            TcpStream::connect(("127.0.0.1", port)).context("failed to reach the collector's page")?;
        stream.set_read_timeout(Some(SILENCE))?;
        let request = format!("GET /live?screen=pool&pool={pool} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream
            .write_all(request.as_bytes())
            .context("failed to ask for the page")?;
        let mut reading = stream
            .try_clone()
            .context("failed to read the page in the background")?;
        let read = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&read);
        let reader = std::thread::spawn(move || {
            let mut chunk = vec![0; CHUNK];
            loop {
                match reading.read(&mut chunk) {
                    Ok(0) => return Ok(()),
                    Ok(bytes) => counted.fetch_add(bytes as u64, Ordering::Relaxed),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
            }
        });
        Ok(Self { stream, read, reader })
    }

    /// Bytes that it has got.
    ///
    /// # Errors
    /// When the page is not open any more.
    pub(super) fn bytes(&self) -> Result<u64> {
        if self.reader.is_finished() {
            bail!("the collector has closed the page");
        }
        Ok(self.read.load(Ordering::Relaxed))
    }

    pub(super) fn close(self) -> Result<()> {
        self.stream
            .shutdown(Shutdown::Both)
            .context("failed to close the page")?;
        match self.reader.join() {
            Ok(read) => read.context("failed to read the page"),
            Err(_) => bail!("the reader of the page has panicked"),
        }
    }
}
