//! [`Setup`]: how a server is to be.

/// The name of the configuration file, in the folder in which the server runs.
pub(super) const CONFIG: &str = "nats.conf";

/// What the configuration calls the port of WebSocket connections.
pub(super) const WEBSOCKET: &str = "WEBSOCKET_PORT";

/// A configuration with the files that it names, which are in the folder in which the server runs.
///
/// The harness adds the ports: of clients, and of the server's own HTTP pages. Where a configuration says
/// `port: $WEBSOCKET_PORT` the server takes WebSocket connections, too.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    pub(super) files: Vec<(String, Vec<u8>)>,
    pub(super) port: Option<u16>,
    pub(super) node: Option<Node>,
}

/// What a container is in a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The name by which the other nodes find it.
    pub(crate) name: String,
    /// The network that they share.
    pub(crate) network: String,
}

impl Setup {
    /// A server with this configuration.
    pub fn config(text: impl Into<String>) -> Self {
        Self::default().file(CONFIG, text.into())
    }

    /// The same with one more file.
    #[must_use]
    pub fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    /// The same on a port of the caller's.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The same as a node of a cluster.
    pub(crate) fn node(mut self, node: Node) -> Self {
        self.node = Some(node);
        self
    }

    pub(super) fn has_websocket(&self) -> bool {
        self.files
            .iter()
            .any(|(_, content)| String::from_utf8_lossy(content).contains(WEBSOCKET))
    }
}
