//! What the integration tests are built on: a NATS server, the programs under test, workers written by hand, and the
//! page that Prometheus reads.
//!
//! * [`NatsServer`]: in a container, or a local process where there is no Docker.
//! * [`Setup`], [`Authority`] and [`Operator`]: how such a server is secured; [`NatsCluster`]: three that belong together.
//! * [`Access`] and [`Files`]: how a program gets into a secured server.
//! * [`Collector`] and [`Workers`]: the programs `metrics` and `mock-worker`, with all they log.
//! * [`TestFleet`]: NATS micro services that answer exactly the bytes they are given; [`Micro`] writes well-formed
//!   ones, [`Recording`] holds those of real workers.
//! * [`SharedQueue`] and [`Unavailable`]: services that are wrong in ways which need connections of their own.
//! * [`Etcd`]: an etcd server; [`Prometheus`], [`Pushgateway`] and [`OtlpReceiver`]: where the page goes; [`Relay`]: on the
//!   way there.
//! * [`Page`]: a parsed metrics page, asked by name and labels.
//! * [`served_page`]: a page that is always the same.
//! * [`Terminal`]: a program on a pseudo-terminal, as a person sees it; [`Tmux`]: one in tmux, which shows what it drew.
//! * [`eventually`]: the one way to wait.
//!
//! What a test needs from outside is handed over by environment variables, which `cargo xtask e2e` sets; see
//! [`tools`].

#![warn(missing_docs)]

mod access;
mod browser;
mod certificates;
mod cluster;
mod collector;
mod etcd;
mod fleet;
mod http;
mod micro;
mod nats_server;
mod operator;
mod otlp_receiver;
mod page;
mod patience;
mod program;
mod programs;
mod prometheus;
mod pushgateway;
mod recording;
mod relay;
mod served;
mod shared_queue;
mod terminal;
mod tmux;
pub mod tools;
mod unavailable;
mod workers;

pub use access::{Access, Files};
pub use browser::Browser;
pub use certificates::{Authority, Identity};
pub use cluster::NatsCluster;
pub use collector::{Collector, HttpReply};
pub use etcd::Etcd;
pub use fleet::TestFleet;
pub use http::{get, http_client};
pub use micro::{Micro, load};
pub use nats_server::{NatsServer, Setup, free_port};
pub use operator::{Account, Operator, User};
pub use otlp_receiver::{OtlpReceiver, Point};
pub use page::{Page, Sample};
pub use patience::eventually;
pub use program::{Finished, Program, finish};
pub use programs::{built, metrics, repository};
pub use prometheus::Prometheus;
pub use pushgateway::Pushgateway;
pub use recording::Recording;
pub use relay::{Relay, Seen};
pub use served::served_page;
pub use shared_queue::SharedQueue;
pub use terminal::Terminal;
pub use tmux::{Left, Tmux};
pub use unavailable::Unavailable;
pub use workers::Workers;
