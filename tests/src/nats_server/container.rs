//! A NATS server in a container, by testcontainers.

use testcontainers::core::{ContainerPort, IntoContainerPort};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt};

use super::Wish;

const PORT: ContainerPort = ContainerPort::Tcp(4222);
const CONFIG: &str = "/nats.conf";

/// How long the server has to say farewell to its clients, in seconds.
const GRACE: i32 = 5;

#[derive(Debug)]
pub(super) struct Container(ContainerAsync<GenericImage>);

impl Container {
    pub(super) async fn start(image: &str, wish: &Wish<'_>) -> (String, Self) {
        let (name, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
        let image = GenericImage::new(name, tag).with_exposed_port(PORT);
        let mut request = ContainerRequest::from(image);
        if let Some(port) = wish.port {
            request = request.with_mapped_port(port, 4222.tcp());
        }
        if let Some(text) = wish.config {
            request = request
                .with_copy_to(CONFIG, text.as_bytes().to_vec())
                .with_cmd(["--config", CONFIG]);
        }
        let container = request
            .start()
            .await
            .unwrap_or_else(|error| panic!("failed to start {name}:{tag}; run `cargo xtask e2e`: {error}"));
        let host = container
            .get_host()
            .await
            .expect("the container has a host")
            .to_string();
        let host = if host == "localhost" {
            "127.0.0.1".to_owned()
        } else {
            host
        };
        let port = container
            .get_host_port_ipv4(PORT)
            .await
            .expect("the port is mapped");
        (format!("nats://{host}:{port}"), Self(container))
    }

    pub(super) async fn stop(&self) {
        self.0
            .stop_with_timeout(Some(GRACE))
            .await
            .expect("the container stops");
    }

    pub(super) async fn start_again(&self) {
        self.0.start().await.expect("the container starts again");
    }

    pub(super) async fn pause(&self) {
        self.0.pause().await.expect("the container pauses");
    }

    pub(super) async fn resume(&self) {
        self.0.unpause().await.expect("the container goes on");
    }
}
