//! Sinks: tasks that push what the page shows to where nothing can scrape it. Those of Prometheus read pages, each of which
//! is rendered once for each snapshot and format, so they push exactly what a scrape would have shown; the one of NATS reads
//! snapshots. None of them reads anything else, so a receiver that is slow or absent delays neither a round nor a page.

pub mod args;
mod books;
mod export_request;
mod http;
mod lines;
mod otlp;
mod pace;
mod protobuf;
pub(crate) mod publish;
mod pushgateway;
mod queue;
mod receiver;
mod remote_write;
mod write_request;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::books::Books;
use self::publish::Publisher;
use crate::export::{Sink, SinkView};
use crate::page::Pages;
use crate::tasks::Tasks;

pub use args::{PushArgs, Sinks};
pub use receiver::{Receiver, ReceiverError};

/// What the sinks have counted so far, for the page.
#[derive(Debug, Clone, Default)]
pub(crate) struct SinkBooks([Option<Arc<Books>>; Sink::ALL.len()]);

impl SinkBooks {
    /// Books for the sinks that are on.
    pub(crate) fn of(sinks: &Sinks) -> Self {
        let is_on = |sink: Sink| match sink {
            Sink::Pushgateway => sinks.pushgateway.is_some(),
            Sink::RemoteWrite => sinks.remote_write.is_some(),
            Sink::Otlp => sinks.otlp.is_some(),
            Sink::Nats => sinks.publish.is_some(),
        };
        Self(Sink::ALL.map(|sink| is_on(sink).then(|| Arc::new(Books::of(sink)))))
    }

    pub(crate) fn views(&self) -> [Option<SinkView>; Sink::ALL.len()] {
        self.0.each_ref().map(|books| Some(books.as_ref()?.view()))
    }

    fn get(&self, sink: Sink) -> Arc<Books> {
        let books = self.0[sink as usize].clone();
        books.unwrap_or_else(|| Arc::new(Books::of(sink)))
    }
}

/// Starts the sinks that are on. Each ends after `stop`, once it has said to its receiver what is to be said at the end.
pub(crate) fn start(
    sinks: Sinks,
    publisher: Option<Publisher>,
    books: &SinkBooks,
    pages: &Arc<Pages>,
    stop: &CancellationToken,
) -> Tasks {
    let mut tasks = Tasks::default();
    if let Some(publisher) = publisher {
        let books = books.get(Sink::Nats);
        let task = publish::run(publisher, pages.snapshots(), books, stop.clone());
        tasks.start("publishing to NATS", task);
    }
    if let Some(config) = sinks.pushgateway {
        let books = books.get(Sink::Pushgateway);
        let task = pushgateway::run(config, Arc::clone(pages), books, stop.clone());
        tasks.start("pushing to the Pushgateway", task);
    }
    if let Some(config) = sinks.remote_write {
        let books = books.get(Sink::RemoteWrite);
        let task = remote_write::run(config, Arc::clone(pages), books, stop.clone());
        tasks.start("remote write", task);
    }
    if let Some(config) = sinks.otlp {
        let books = books.get(Sink::Otlp);
        let task = otlp::run(config, Arc::clone(pages), books, stop.clone());
        tasks.start("exporting by OTLP", task);
    }
    tasks
}
