//! [`Listeners`]: addresses that a program has taken, and why it could not.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixStream, lookup_host};
use tokio::time::timeout;

use crate::address::Address;

/// What the system keeps of a response for a client that does not read. By itself it would take several megabytes.
const SEND_BUFFER: u32 = 128 * 1024;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// How long another program may take to show that it serves on a socket.
const LIVENESS: Duration = Duration::from_secs(1);

/// Why an address could not be taken.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve on {address}: {why}")]
pub struct BindError {
    address: Address,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error(
        "the host name does not resolve ({0}); write an address of this machine, such as 127.0.0.1 or 0.0.0.0"
    )]
    NoSuchHost(io::Error),
    #[error("the port is in use; end what uses it, or choose another with --metrics-port or --listen")]
    InUse,
    #[error("this machine has no such address; 0.0.0.0 means all that it has")]
    NotMine,
    #[error("this user may not listen there ({0}); ports below 1024 need a privilege")]
    Denied(io::Error),
    #[error("another process serves on this socket; end it, or choose another path")]
    SocketInUse,
    #[error("there is a file that is not a socket; remove it, or choose another path")]
    NoSocket,
    #[error("{0}; choose another address with --listen")]
    Other(#[from] io::Error),
}

/// Addresses that this program has taken.
#[derive(Debug)]
pub struct Listeners(Vec<Listener>);

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The file of a socket, which is removed with this.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    id: Option<(u64, u64)>,
}

/// A connection of a client.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Listeners {
    /// Takes all of these addresses.
    ///
    /// # Errors
    /// [`BindError`] for the first that cannot be had.
    pub async fn bind(addresses: &[Address]) -> Result<Self, BindError> {
        let mut listeners = Vec::new();
        for address in addresses {
            let listener = match address {
                Address::Tcp { host, port } => bind_tcp(host, *port).await.map(Listener::Tcp),
                Address::Unix(path) => {
                    let bound = bind_unix(path).await;
                    bound.map(|(listener, file)| Listener::Unix(listener, file))
                }
            };
            listeners.push(listener.map_err(|why| BindError {
                address: address.clone(),
                why,
            })?);
        }
        Ok(Self(listeners))
    }

    /// Where a page of this path can be read, one address for each listener.
    pub fn urls(&self, scheme: &str, path: &str) -> Vec<String> {
        let url = |listener: &Listener| match listener {
            Listener::Tcp(listener) => listener.local_addr().map_or_else(
                |error| error.to_string(),
                |address| format!("{scheme}://{address}{path}"),
            ),
            Listener::Unix(_, file) => format!("unix:{}", file.path.display()),
        };
        self.0.iter().map(url).collect()
    }

    /// The port of the first that has one.
    pub fn port(&self) -> Option<u16> {
        self.0.iter().find_map(|listener| match listener {
            Listener::Tcp(listener) => Some(listener.local_addr().ok()?.port()),
            Listener::Unix(..) => None,
        })
    }

    /// Whether programs on other machines can reach none of them.
    pub fn are_local(&self) -> bool {
        self.0.iter().all(|listener| match listener {
            Listener::Tcp(listener) => listener
                .local_addr()
                .is_ok_and(|address| address.ip().to_canonical().is_loopback()),
            Listener::Unix(..) => true,
        })
    }

    /// The next connection, over whichever listener it comes.
    pub(crate) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        std::future::poll_fn(|context| self.poll_accept(context)).await
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>> {
        for listener in &self.0 {
            let accepted = match listener {
                Listener::Tcp(listener) => listener.poll_accept(context).map_ok(|(stream, _)| {
                    // A response is written in large pieces, and its end is not to wait for an acknowledgement.
                    stream.set_nodelay(true).ok();
                    Box::new(stream) as Box<dyn Stream>
                }),
                Listener::Unix(listener, _) => listener
                    .poll_accept(context)
                    .map_ok(|(stream, _)| Box::new(stream) as Box<dyn Stream>),
            };
            if accepted.is_ready() {
                return accepted;
            }
        }
        Poll::Pending
    }
}

async fn bind_tcp(host: &str, port: u16) -> Result<TcpListener, Why> {
    let addresses = lookup_host((host, port)).await.map_err(Why::NoSuchHost)?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(match last.kind() {
        io::ErrorKind::AddrInUse => Why::InUse,
        io::ErrorKind::AddrNotAvailable => Why::NotMine,
        io::ErrorKind::PermissionDenied => Why::Denied(last),
        io::ErrorKind::NotFound => Why::NoSuchHost(last),
        _ => Why::Other(last),
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn bind_unix(path: &Path) -> Result<(UnixListener, SocketFile), Why> {
    if let Ok(metadata) = std::fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(Why::NoSocket);
        }
        match timeout(LIVENESS, UnixStream::connect(path)).await {
            // What is left of a process that did not end in order.
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
            Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(Why::Other(error));
            }
            _ => return Err(Why::SocketInUse),
        }
    }
    let listener = UnixListener::bind(path).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Why::SocketInUse,
        _ => Why::Other(error),
    })?;
    let file = SocketFile {
        path: path.to_owned(),
        id: id_of(path),
    };
    Ok((listener, file))
}

fn id_of(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another process may have put its own there.
        if self.id.is_some() && id_of(&self.path) == self.id {
            std::fs::remove_file(&self.path).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn bind(address: &str) -> Result<Listeners, String> {
        let address = address.parse().expect("an address");
        Listeners::bind(&[address])
            .await
            .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn what_cannot_be_taken_is_reported_with_its_reason_and_the_remedy() {
        let taken = bind("127.0.0.1:0").await.expect("a free port");
        let url = taken.urls("http", "").remove(0);
        let address = url.trim_start_matches("http://");
        let error = bind(address).await.expect_err("it is taken");
        assert_eq!(
            error,
            format!(
                "cannot serve on {address}: the port is in use; end what uses it, or choose another with --metrics-port or --listen"
            )
        );
        let error = bind("no-such-host.invalid:9091").await.expect_err("no host");
        assert!(
            error.starts_with("cannot serve on no-such-host.invalid:9091: the host name does not resolve ("),
            "{error}"
        );
        let error = bind("192.0.2.1:0").await.expect_err("an address for documents");
        assert!(error.contains("this machine has no such address"), "{error}");
    }

    #[tokio::test]
    async fn only_a_loopback_and_a_socket_are_local() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = format!("unix:{}", folder.path().join("s").display());
        for (address, expected) in [
            ("127.0.0.1:0", true),
            ("localhost:0", true),
            (&socket, true),
            ("0.0.0.0:0", false),
        ] {
            assert_eq!(
                bind(address).await.expect(address).are_local(),
                expected,
                "{address}"
            );
        }
    }

    #[tokio::test]
    async fn the_socket_of_a_dead_process_is_replaced_and_that_of_a_live_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metrics.sock");
        let address = format!("unix:{}", path.display());
        let live = bind(&address).await.expect("nothing is there");
        let error = bind(&address).await.expect_err("it is live");
        assert!(error.contains("another process serves on this socket"), "{error}");
        drop(live);
        assert!(!path.exists(), "it is removed at the end");

        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket that is left"));
        let again = bind(&address).await.expect("nothing serves there");
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, "kept").expect("written");
        drop(again);
        let error = bind(&address).await.expect_err("no socket");
        assert!(error.contains("a file that is not a socket"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("still there"), "kept");
    }
}
