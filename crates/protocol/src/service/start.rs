//! The start of a worker: everything is subscribed, and the server shows that it is.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, RequestErrorKind};
use time::OffsetDateTime;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::answers::{EndpointIdentity, Identity};
use super::builder::WorkerBuilder;
use super::counters::Counters;
use super::denials::Denials;
use super::discovery::Discovery;
use super::endpoint::Endpoint;
use super::load::{Counted, LoadSource};
use super::outbox::Outbox;
use super::passes::Passes;
use super::serving::Serving;
use super::{Reporter, Worker, version};
use crate::text::causes;
use crate::{Description, EndpointPath, ServiceNameError, ServicePrefix, WorkerId, WorkerSubject, subject};

/// How long the server may take to show that the worker can be discovered.
const CONFIRMATION: Duration = Duration::from_secs(1);

/// How long a denial takes at most from the connection to this task, once it has arrived.
const DENIAL: Duration = Duration::from_millis(2);

/// Why a worker did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The layout has no service name for the path.
    #[error(transparent)]
    ServiceName(#[from] ServiceNameError),
    /// The version is no semantic one.
    #[error(
        "the version {version:?} of the service {service} is not a semantic version: write one such as 1.2.3"
    )]
    Version {
        /// The service's name.
        service: String,
        /// The version.
        version: String,
    },
    /// Two endpoints of the worker have one name.
    #[error("the endpoint {endpoint} occurs twice: give each endpoint a name of its own")]
    TwoEndpoints {
        /// The endpoint's name.
        endpoint: String,
    },
    /// The connection was closed before the worker was there.
    #[error("failed to subscribe to {subject}: the NATS connection is closed")]
    Closed {
        /// The worker's subject.
        subject: String,
    },
    /// The server denies the requests by which workers are found.
    #[error(
        "the worker {subject} cannot be discovered: its NATS user may not subscribe to {needed}; grant `subscribe: [\"{needed}\"]` in the server's configuration"
    )]
    DiscoveryDenied {
        /// The worker's subject.
        subject: String,
        /// What to subscribe to must be allowed.
        needed: String,
    },
    /// The server denies the subject of an endpoint.
    #[error(
        "the worker cannot serve {subject}: its NATS user may not subscribe to it; grant `subscribe: [\"{subject}\"]` in the server's configuration"
    )]
    EndpointDenied {
        /// The subject.
        subject: String,
    },
}

pub(super) async fn start(builder: WorkerBuilder, client: Client) -> Result<Worker, StartError> {
    let id = builder.id.unwrap_or_else(|| WorkerId::new(rand::random()));
    let subject = WorkerSubject::new(&builder.path, builder.layout, Some(id))?;
    if !version::is_semantic(&builder.version) {
        return Err(StartError::Version {
            service: subject.service().to_string(),
            version: builder.version,
        });
    }
    let mut served = vec![(subject.clone(), builder.handler)];
    for (endpoint, handler) in builder.more_endpoints {
        let path = EndpointPath {
            endpoint,
            ..builder.path.clone()
        };
        let subject = WorkerSubject::new(&path, builder.layout, Some(id))?;
        if served.iter().any(|(other, _)| *other == subject) {
            return Err(StartError::TwoEndpoints {
                endpoint: path.endpoint.to_string(),
            });
        }
        served.push((subject, handler));
    }

    let closed = || StartError::Closed {
        subject: subject.to_string(),
    };
    let (mut endpoints, mut identities) = (Vec::new(), Vec::new());
    for (subject, handler) in served {
        let (name, counters): (Arc<str>, _) = (subject.to_string().into(), Arc::new(Counters::default()));
        let requests = client
            .queue_subscribe(name.to_string(), subject::QUEUE_GROUP.to_owned())
            .await
            .map_err(|_| closed())?;
        identities.push(EndpointIdentity {
            name: subject.micro_name(),
            subject: name.clone(),
            counters: counters.clone(),
        });
        endpoints.push(Endpoint::new(
            client.clone(),
            name,
            requests,
            handler,
            counters,
            builder.limits,
        ));
    }
    let counted = builder.counts_requests.then(|| Counted {
        counters: identities[0].counters.clone(),
        concurrency: builder.limits.concurrency as u64,
    });
    let load = LoadSource::new(builder.stats, counted, builder.shape);
    let pushed = load.pushed.clone();
    let description = Description {
        component: builder.path.component.clone(),
        namespace: builder.path.namespace.clone(),
    };
    let identity = Arc::new(Identity {
        service: subject.service().to_string(),
        instance: new_instance(),
        version: builder.version,
        description: description.to_string(),
        metadata: builder.metadata,
        started: OffsetDateTime::now_utc(),
        endpoints: identities,
    });
    let discovery = Discovery::subscribe(client.clone(), builder.prefix.clone(), identity.clone(), load);
    let discovery = discovery.await.map_err(|_| closed())?;
    // Owned from here on, so that a start that is given up leaves nothing behind.
    let discovery = AbortOnDropHandle::new(tokio::spawn(discovery.run()));
    client.flush().await.map_err(|_| closed())?;
    confirm(&client, &builder.prefix, &identity).await?;

    let serving_ended = CancellationToken::new();
    let serving = Serving {
        client: client.clone(),
        name: subject.to_string(),
        endpoints,
        discovery,
        closed: serving_ended.clone(),
    };
    let outbox = Outbox::new(client);
    let passes = Passes::new(outbox.clone(), &builder.path, id, builder.dp_rank);
    let passes = Arc::new(passes);
    let heartbeat = builder.has_heartbeat.then(|| {
        let beating = tokio::spawn(passes.clone().beat());
        AbortOnDropHandle::new(beating)
    });
    let (stop, stopped) = oneshot::channel();
    Ok(Worker {
        reporter: Reporter {
            id,
            namespace: builder.path.namespace.clone(),
            encoding: builder.encoding,
            load: pushed,
            outbox,
            passes,
        },
        path: builder.path,
        subject,
        instance: identity.instance.clone(),
        _heartbeat: heartbeat,
        closed: serving_ended,
        stop,
        serving: tokio::spawn(serving.run(stopped)),
    })
}

/// A flush only means that the bytes are on their way. An answer from the worker itself means that the server has its
/// subscriptions. A user who may not publish such requests, as few workers may, has only what the server denied.
async fn confirm(client: &Client, prefix: &ServicePrefix, worker: &Identity) -> Result<(), StartError> {
    let asked = prefix.asked_of(&worker.service, &worker.instance);
    let (stats, denials) = (asked[asked.len() - 1].clone(), Denials::of(client));
    let discovery_denied = || StartError::DiscoveryDenied {
        subject: worker.endpoints[0].subject.to_string(),
        needed: prefix.all(),
    };
    let publish_denied = async {
        let Some(denials) = &denials else {
            return std::future::pending().await;
        };
        while !denials.publish(&stats) {
            denials.changed().await;
        }
    };
    tokio::select! {
        answer = timeout(CONFIRMATION, client.request(stats.clone(), Default::default())) => match answer {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => return Err(discovery_denied()),
            Ok(Err(error)) => debug!(error = causes(&error), "discovery could not be confirmed"),
            Err(_) => debug!("discovery could not be confirmed in time"),
        },
        () = publish_denied => {}
    }
    let Some(denials) = denials else {
        return Ok(());
    };
    // Whatever was denied has arrived, and is on its way from the connection's task.
    let _ = timeout(DENIAL, denials.changed()).await;
    if asked.iter().any(|subject| denials.subscription(subject)) {
        return Err(discovery_denied());
    }
    let mut endpoints = worker.endpoints.iter();
    match endpoints.find(|endpoint| denials.subscription(&endpoint.subject)) {
        Some(denied) => Err(StartError::EndpointDenied {
            subject: denied.subject.to_string(),
        }),
        None => Ok(()),
    }
}

/// An id like those that client libraries draw: 22 letters and digits.
fn new_instance() -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let draw = |_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]);
    (0..22).map(draw).collect()
}
