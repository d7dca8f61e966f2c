//! [`SharedQueue`]: instances of a service that subscribe with a queue group, so that each request for all of them
//! reaches one.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::select_all;
use protocol::ServicePrefix;
use protocol::subject::QUEUE_GROUP;
use tokio::task::JoinHandle;

use crate::{Micro, NatsServer};

/// Running instances; they are gone when this is dropped.
#[derive(Debug)]
pub struct SharedQueue {
    instances: Vec<JoinHandle<()>>,
}

impl SharedQueue {
    /// Connects every instance by a connection of its own; the server knows all subscriptions when this returns.
    ///
    /// # Panics
    /// When the server does not take a connection.
    pub async fn connect(server: &NatsServer, instances: &[Micro]) -> Self {
        let mut running = Vec::new();
        for micro in instances {
            running.push(Self::instance(server, micro).await);
        }
        Self { instances: running }
    }

    async fn instance(server: &NatsServer, micro: &Micro) -> JoinHandle<()> {
        let client = server.client().await;
        let stats: Bytes = micro.stats().into();
        let info: Bytes = micro.info().into();
        let asked = ServicePrefix::default();
        let answers = [
            (Some(asked.stats()), &stats),
            (asked.stats_of(&micro.service, &micro.id), &stats),
            (asked.info_of_service(&micro.service), &info),
            (asked.info_of(&micro.service, &micro.id), &info),
        ];
        let mut requests = Vec::new();
        for (subject, answer) in answers {
            let subject = subject.expect("the names can be asked for");
            let subscription = client
                .queue_subscribe(subject, QUEUE_GROUP.to_owned())
                .await
                .expect("subscribes");
            let answer = answer.clone();
            requests.push(subscription.map(move |request| (request.reply, answer.clone())));
        }
        client.flush().await.expect("the server knows the subscriptions");
        let mut requests = select_all(requests);
        tokio::spawn(async move {
            while let Some((reply_to, answer)) = requests.next().await {
                if let Some(reply_to) = reply_to {
                    client.publish(reply_to, answer).await.ok();
                }
            }
        })
    }
}

impl Drop for SharedQueue {
    fn drop(&mut self) {
        self.instances.iter().for_each(JoinHandle::abort);
    }
}
