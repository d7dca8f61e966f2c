//! A NATS server in a container, by testcontainers.

use testcontainers::bollard::query_parameters::{KillContainerOptions, UploadToContainerOptionsBuilder};
use testcontainers::bollard::{Docker, body_full};
use testcontainers::core::ContainerPort;
use testcontainers::core::client::docker_client_instance;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt};
use tokio_tar::{Builder, Header};

use super::setup::{CONFIG, Setup, WEBSOCKET};
use super::{Addresses, free_port};

const CLIENTS: ContainerPort = ContainerPort::Tcp(4222);
const MONITOR: ContainerPort = ContainerPort::Tcp(8222);
const WEBSOCKETS: ContainerPort = ContainerPort::Tcp(8080);

/// The folder in which the server runs.
const FOLDER: &str = "/etc/nats";

/// How long the server has to say farewell to its clients, in seconds.
const GRACE: i32 = 5;

#[derive(Debug)]
pub(super) struct Container(ContainerAsync<GenericImage>);

impl Container {
    pub(super) async fn start(image: &str, setup: &Setup) -> (Addresses, Self) {
        let (name, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
        let container = request(name, tag, setup)
            .start()
            .await
            .unwrap_or_else(|error| panic!("failed to start {name}:{tag}; run `cargo xtask e2e`: {error}"));
        let host = match container
            .get_host()
            .await
            .expect("the container has a host")
            .to_string()
        {
            local if local == "localhost" => "127.0.0.1".to_owned(),
            host => host,
        };
        let mapped = async |port| {
            let port = container
                .get_host_port_ipv4(port)
                .await
                .expect("the port is mapped");
            format!("{host}:{port}")
        };
        let addresses = Addresses {
            clients: mapped(CLIENTS).await,
            monitor: mapped(MONITOR).await,
            websocket: match setup.has_websocket() {
                true => Some(mapped(WEBSOCKETS).await),
                false => None,
            },
        };
        (addresses, Self(container))
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

    /// Writes files into its folder.
    pub(super) async fn write(&self, files: &[(String, Vec<u8>)]) {
        let mut archive = Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive
                .append_data(&mut header, name, content.as_slice())
                .await
                .expect("an archive in memory takes a file");
        }
        let archive = archive.into_inner().await.expect("the archive is complete");
        let options = UploadToContainerOptionsBuilder::new().path(FOLDER).build();
        docker()
            .await
            .upload_to_container(self.0.id(), Some(options), body_full(archive.into()))
            .await
            .expect("the container takes the files");
    }

    /// What the server has logged.
    pub(super) async fn log(&self) -> String {
        let log = self.0.stderr_to_vec().await.expect("the container has a log");
        String::from_utf8_lossy(&log).into_owned()
    }

    pub(super) async fn hang_up(&self) {
        let options = KillContainerOptions {
            signal: "SIGHUP".to_owned(),
        };
        docker()
            .await
            .kill_container(self.0.id(), Some(options))
            .await
            .expect("the container takes a signal");
    }
}

async fn docker() -> Docker {
    docker_client_instance().await.expect("Docker is there")
}

fn request(name: &str, tag: &str, setup: &Setup) -> ContainerRequest<GenericImage> {
    let mut image = GenericImage::new(name, tag)
        .with_exposed_port(CLIENTS)
        .with_exposed_port(MONITOR);
    if setup.has_websocket() {
        image = image.with_exposed_port(WEBSOCKETS);
    }
    let mut command = vec!["--http_port".to_owned(), MONITOR.as_u16().to_string()];
    if !setup.files.is_empty() {
        command.extend(["--config".to_owned(), CONFIG.to_owned()]);
    }
    let mut request = ContainerRequest::from(image)
        .with_cmd(command)
        .with_working_dir(FOLDER)
        .with_env_var(WEBSOCKET, WEBSOCKETS.as_u16().to_string());
    if let Some(port) = setup.port {
        // Where one port is chosen, Docker chooses none for the others.
        request = request
            .with_mapped_port(port, CLIENTS)
            .with_mapped_port(free_port(), MONITOR);
        if setup.has_websocket() {
            request = request.with_mapped_port(free_port(), WEBSOCKETS);
        }
    }
    if let Some(node) = &setup.node {
        request = request
            .with_container_name(&node.name)
            .with_network(&node.network);
    }
    for (name, content) in &setup.files {
        request = request.with_copy_to(format!("{FOLDER}/{name}"), content.clone());
    }
    request
}
