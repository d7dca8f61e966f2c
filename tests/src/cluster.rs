//! [`NatsCluster`]: servers that form a cluster.

use std::array;

use futures_util::future::join_all;

use crate::nats_server::{Kind, Node};
use crate::{NatsServer, Setup, eventually, free_port};

/// The port on which a container takes routes.
const ROUTES: u16 = 6222;

/// Three servers of one cluster. Clients learn the addresses of the others from each.
#[derive(Debug)]
pub struct NatsCluster {
    nodes: Vec<Option<NatsServer>>,
    /// Kept until the end, for a container that is dropped closes its connections.
    cut_off: Vec<NatsServer>,
}

impl NatsCluster {
    /// Starts it, and waits until each node has a route to each other.
    pub async fn start() -> Self {
        let clients: [u16; 3] = array::from_fn(|_| free_port());
        let setups = match NatsServer::kind() {
            Kind::Image(image) => {
                let network = format!("{}-{}", image.replace(['/', ':'], "-"), clients[0]);
                let name = |port| format!("{network}-{port}");
                let routes = clients.map(|port| format!("nats-route://{}:{ROUTES}", name(port)));
                let listen = format!("0.0.0.0:{ROUTES}");
                clients.map(|port| {
                    setup(port, &listen, &routes).node(Node {
                        name: name(port),
                        network: network.clone(),
                    })
                })
            }
            Kind::Program(_) => {
                let ports = clients.map(|client| (client, free_port()));
                let routes = ports.map(|(_, port)| format!("nats-route://127.0.0.1:{port}"));
                ports.map(|(client, port)| setup(client, &format!("127.0.0.1:{port}"), &routes))
            }
        };
        let [first, others @ ..] = &setups;
        // The first one makes the network.
        let first = NatsServer::set_up(first).await;
        let others = join_all(others.iter().map(NatsServer::set_up)).await;
        let nodes: Vec<_> = std::iter::once(first).chain(others).map(Some).collect();
        let cluster = Self {
            nodes,
            cut_off: Vec::new(),
        };
        for node in 0..3 {
            eventually(
                &format!("node {node} knows the other two"),
                async || match cluster.known_to_clients_of(node).await {
                    3 => Ok(()),
                    known => Err(format!("it knows {known} addresses")),
                },
            )
            .await;
        }
        cluster
    }

    /// A node that runs.
    ///
    /// # Panics
    /// When it was stopped.
    pub fn node(&self, index: usize) -> &NatsServer {
        self.nodes[index].as_ref().expect("the node runs")
    }

    /// The node to which a client with this name is connected.
    pub async fn node_of(&self, client: &str) -> usize {
        eventually(&format!("{client} is connected to a node"), async || {
            for (index, node) in self.nodes.iter().enumerate() {
                let Some(node) = node else { continue };
                let page = node.monitor("connz").await;
                let connections = page["connections"].as_array().cloned().unwrap_or_default();
                if connections.iter().any(|connection| connection["name"] == client) {
                    return Ok(index);
                }
            }
            Err("it is connected to none".to_owned())
        })
        .await
    }

    /// Stops a node, as an operator would.
    pub async fn stop(&mut self, index: usize) {
        let mut node = self.nodes[index].take().expect("the node runs");
        node.stop().await;
    }

    /// Cuts a node off: connections to it stay open, and nothing comes through.
    pub async fn cut_off(&mut self, index: usize) {
        let node = self.nodes[index].take().expect("the node runs");
        node.pause().await;
        self.cut_off.push(node);
    }

    /// How many addresses of the cluster a client of this node learns.
    async fn known_to_clients_of(&self, node: usize) -> usize {
        let client = self.node(node).client().await;
        let mut urls = client.server_info().connect_urls;
        urls.sort();
        urls.dedup();
        urls.len()
    }
}

fn setup(clients: u16, listen: &str, routes: &[String]) -> Setup {
    let routes = routes.join(", ");
    let config = format!(
        "server_name: n{clients}
         client_advertise: \"127.0.0.1:{clients}\"
         cluster {{ name: test, listen: \"{listen}\", routes: [{routes}] }}"
    );
    Setup::config(config).port(clients)
}
