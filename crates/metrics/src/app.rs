//! Binds the page, runs the tasks, and stops them in order.

use std::sync::Arc;
use std::time::Duration;

use fleet::Plan;
use link::{Grants, Link, Options};
use program::Log;
use program::nats::Nats;
use protocol::subject;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use web::{BindError, Listeners, Security, Server};

use crate::config::Config;
use crate::engine::Engine;
use crate::export::{Http, Process};
use crate::history::Feed;
use crate::live::Live;
use crate::looking::Looker;
use crate::page::{Pages, Source};
use crate::reload::{Origin, Targets};
use crate::sinks::SinkBooks;
use crate::sinks::publish::{self, Publisher};
use crate::tasks::Tasks;
use crate::{reload, sinks, usage};

/// Replies that the inbox can hold before they are dropped: twice the largest fleet.
pub(crate) const INBOX_CAPACITY: usize = 1 << 18;

/// How long it may take to close the connection.
const CLOSING: Duration = Duration::from_millis(500);

/// A collector whose page has its addresses, and which has done nothing else yet.
#[derive(Debug)]
pub struct App {
    config: Config,
    server: Server,
}

/// Takes the addresses of the page.
///
/// # Errors
/// [`BindError`] where one is in use or is not this machine's.
pub async fn bind(config: Config, security: Security) -> Result<App, BindError> {
    let listeners = Listeners::bind(&config.listen).await?;
    let server = Server::new(listeners, security, config.limits);
    Ok(App { config, server })
}

impl App {
    /// Collects and serves until `shutdown`.
    ///
    /// # Errors
    /// Where NATS refuses this user for good, or a task ends.
    pub async fn run(self, shutdown: CancellationToken, origin: Origin, log: &Log) -> anyhow::Result<()> {
        let Self { mut config, server } = self;
        let published = match config.sinks.publish {
            Some(_) => publish::subjects(&config.plan.selectors),
            None => Vec::new(),
        };
        let options = options(&config.nats, &config.plan, &published);
        let publishing = config.sinks.publish.map(|shape| {
            let options = Options {
                name: "metrics-publish".to_owned(),
                ..options.clone()
            };
            (shape, Link::new(config.nats.servers.clone(), options))
        });
        let (live, live_now) = watch::channel(Live::new(&config, origin.loaded.file.is_some()));
        let link = Link::new(config.nats.servers, options);
        let (mut engine, published) = Engine::new(config.plan, link.clone(), config.nats.service_prefix);
        if let Some(servers) = config.etcd {
            engine.read_etcd(servers);
        }
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy();
        let port = server.port().map_or_else(String::new, |port| format!(":{port}"));
        let instance = format!("{host}{port}");
        config.sinks.set_instance(&instance);
        let publisher = publishing.map(|(shape, link)| Publisher {
            link,
            shape,
            collector: instance,
        });
        let sink_books = SinkBooks::of(&config.sinks);
        let (stop_page, stop_sinks) = (CancellationToken::new(), CancellationToken::new());
        let dropped_lines = log.lines().dropped_lines_counter();
        let history = Feed::new(config.history);
        let (settings, settings_now) = watch::channel(origin.loaded.rows().into());
        let snapshots = published.clone();
        let pages = Arc::new(Pages::new(Source {
            snapshots: published,
            live: live_now.clone(),
            history: history.clone(),
            looker: Looker::new(engine.reporter(), link.clone()),
            settings: settings_now,
            process: Box::new({
                let (sink_books, counts) = (sink_books.clone(), server.counts());
                move || Process {
                    log_lines_dropped: dropped_lines(),
                    sinks: sink_books.views(),
                    usage: usage::read(),
                    http: Http {
                        closed: counts.closed(),
                        accept_errors: counts.accept_errors(),
                        unauthorized: counts.unauthorized(),
                    },
                }
            }),
        }));
        server.announce("serving", "/metrics");
        if let Some(url) = &config.external {
            info!(%url, "people see the page there");
        }
        let mut sinks = sinks::start(config.sinks, publisher, &sink_books, &pages, &stop_sinks);
        let mut page = Tasks::default();
        page.start("the page", {
            let (stop, external) = (stop_page.clone(), config.external);
            async move {
                crate::web::serve(server, pages, external.as_ref(), stop).await;
                Ok(())
            }
        });

        let mut collector = Tasks::default();
        let targets = Targets {
            engine: engine.reporter(),
            live,
            settings,
        };
        collector.start("remembering", history.run(snapshots));
        collector.start("reloading", reload::run(origin, targets));
        collector.start("collecting", engine.run());
        let result = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            reason = collector.ended() => Err(reason),
            reason = sinks.ended() => Err(reason),
            reason = page.ended() => return Err(reason),
        };
        info!("stopping");
        drop(collector);
        stop_page.cancel();
        stop_sinks.cancel();
        let grace = live_now.borrow().grace;
        let (page, sinks) = tokio::join!(
            tokio::time::timeout(grace, page.ended()),
            tokio::time::timeout(grace, sinks.all_ended())
        );
        if page.is_err() {
            warn!(?grace, "requests to the page were cut off");
        }
        if sinks.is_err() {
            warn!(?grace, "the last pushes were cut off");
        }
        link.close(CLOSING).await;
        result
    }
}

/// How the collector connects, and which permissions it needs for what it watches and for what is `published`.
pub(crate) fn options(nats: &Nats, plan: &Plan, published: &[String]) -> Options {
    let inbox = format!("{}.>", nats.servers.inbox_prefix());
    // Records of requests that were asked for by name are needed; those that are listened to by default are welcome.
    let (optional, named): (Vec<String>, Vec<String>) =
        (plan.request_traces.iter().cloned()).partition(|traces| traces == subject::REQUEST_TRACE);
    let listened = [inbox, subject::EVENTS.to_owned()].into_iter().chain(named);
    Options {
        subscription_capacity: INBOX_CAPACITY,
        auth_patience: nats.auth_patience,
        grants: Grants::new(nats.service_prefix.asking().iter().chain(published), listened),
        optional,
        ..Options::named("metrics")
    }
}
