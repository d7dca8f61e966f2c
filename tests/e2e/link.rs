//! One NATS connection: its state, its check, its inbox, and what the log says about the server's errors.

use std::time::Duration;

use ::link::{CauseKind, Inbox, Link, Options, Reply, ReplyKind};
use futures_util::FutureExt;
use tests::{Collector, NatsServer, eventually, free_port};

use crate::TARGET;

/// Far above what an answer takes.
const PATIENT: Duration = Duration::from_secs(10);

/// Time enough for an answer, where the test expects none.
const SHORT: Duration = Duration::from_millis(300);

fn link(url: &str) -> Link {
    Link::new(url.parse().expect("an address"), Options::named("test"))
}

async fn holds(promise: &str, mut condition: impl FnMut() -> bool) {
    eventually(promise, async || {
        condition().then_some(()).ok_or("not yet".to_owned())
    })
    .await;
}

#[tokio::test]
async fn a_check_notices_a_paused_server_at_once_and_the_client_within_seconds() {
    let server = NatsServer::start().await;
    let link = link(server.url());
    assert!(!link.check(PATIENT).await, "it is not connected yet");
    link.connect().await.unwrap();
    for _ in 0..3 {
        assert!(link.check(PATIENT).await);
    }

    server.pause().await;
    eventually("a check failed", async || match link.check(SHORT).await {
        true => Err("the server answered".to_owned()),
        false => Ok(()),
    })
    .await;
    assert!(
        !link.check(SHORT).await,
        "a check leaves nothing behind that passes the next"
    );
    holds("the client noticed", || !link.is_connected()).await;
    assert!(
        !link.check(PATIENT).await,
        "a lost link does not pass, and is not waited for"
    );

    server.resume().await;
    holds("the link was restored", || link.state().reconnects == 1).await;
    assert!(link.check(PATIENT).await);
}

#[tokio::test]
async fn each_check_sends_a_ping_and_only_the_first_needs_a_subscription() {
    let server = NatsServer::configured("max_subscriptions: 1", None).await;
    let link = link(server.url());
    let client = link.connect().await.unwrap();
    assert!(link.check(PATIENT).await);
    // The check gave its place back.
    let _only = client.subscribe("only").await.unwrap();
    for _ in 0..3 {
        assert!(link.check(PATIENT).await);
    }
    assert_eq!(link.state().server_errors, 0);
}

#[tokio::test]
async fn an_outage_changes_the_state_and_is_over_when_the_link_is_restored() {
    let mut server = NatsServer::start_on(free_port()).await;
    let mut link = link(server.url());
    link.connect().await.unwrap();
    assert_eq!((link.state().connected, link.state().reconnects), (true, 0));
    server.stop().await;
    link.failed_or_refused("any").await;
    assert!(!link.state().connected);
    server.start_again().await;
    while !link.is_connected() {
        link.changed().await;
    }
    assert_eq!(link.state().reconnects, 1);
}

#[tokio::test]
async fn a_link_waits_for_its_server_and_a_command_does_not() {
    let port = free_port();
    let link = link(&format!("nats://127.0.0.1:{port}"));
    let error = link.connect_now().await.expect_err("nothing listens there");
    assert!(matches!(error.kind(), CauseKind::Unreachable), "{error}");
    let mut connecting = Box::pin(link.connect());
    assert!(connecting.as_mut().now_or_never().is_none());
    assert!(!link.is_connected());
    let _server = NatsServer::start_on(port).await;
    connecting.await.unwrap();
    assert!(link.is_connected());
}

#[tokio::test]
async fn a_link_that_is_closed_has_sent_everything_and_stays_closed() {
    let server = NatsServer::start().await;
    let mut heard = server.client().await.subscribe("last.words").await.unwrap();
    let link = link(server.url());
    let client = link.connect().await.unwrap();
    assert!(link.check(PATIENT).await);
    eventually("the other side listens", async || {
        client.publish("last.words", "hello".into()).await.unwrap();
        let word = tokio::time::timeout(SHORT, futures_util::StreamExt::next(&mut heard)).await;
        word.map(|_| ()).map_err(|error| error.to_string())
    })
    .await;
    client.publish("last.words", "goodbye".into()).await.unwrap();
    link.close(PATIENT).await;
    assert!(!link.is_connected());
    eventually("the last message arrived", async || {
        let message = futures_util::StreamExt::next(&mut heard).await.ok_or("closed")?;
        (message.payload == "goodbye")
            .then_some(())
            .ok_or_else(|| format!("{message:?}"))
    })
    .await;
    link.close(PATIENT).await;
}

#[tokio::test]
async fn replies_carry_the_number_of_their_round_however_they_come() {
    let server = NatsServer::start().await;
    let link = link(server.url());
    let client = link.connect().await.unwrap();
    let mut inbox = Inbox::open(&client).await.unwrap();
    let mut replies: Vec<Reply> = Vec::new();
    assert_eq!(inbox.take_ready(&mut replies), 0);

    client
        .publish_with_reply("nothing.listens", inbox.subject(7), "".into())
        .await
        .unwrap();
    assert_eq!(inbox.next_batch(&mut replies).await, 1);
    assert_eq!(
        (replies[0].round, replies[0].kind),
        (Some(7), ReplyKind::NoResponders)
    );

    replies.clear();
    let hostile = inbox.subject(8).replace(".8", ".08");
    for (subject, text) in [(inbox.subject(9), "a"), (hostile, "b"), (inbox.subject(8), "c")] {
        client.publish(subject, text.into()).await.unwrap();
    }
    while replies.len() < 3 {
        inbox.next_batch(&mut replies).await;
    }
    let found: Vec<_> = replies
        .iter()
        .map(|reply| (reply.round, &*reply.payload))
        .collect();
    assert_eq!(found, [(Some(9), &b"a"[..]), (None, b"b"), (Some(8), b"c")]);
}

#[tokio::test]
async fn a_batch_is_bounded_and_no_reply_is_lost_when_a_wait_is_given_up() {
    const REPLIES: usize = 10_000;
    let server = NatsServer::start().await;
    let link = link(server.url());
    let client = link.connect().await.unwrap();
    let mut inbox = Inbox::open(&client).await.unwrap();
    let (subject, mut replies) = (inbox.subject(1), Vec::new());
    for _ in 0..REPLIES {
        client.publish(subject.clone(), "x".into()).await.unwrap();
    }
    let mut largest = 0;
    while replies.len() < REPLIES {
        let batch = tokio::select! {
            biased;
            () = tokio::task::yield_now() => inbox.take_ready(&mut replies),
            batch = inbox.next_batch(&mut replies) => batch,
        };
        largest = largest.max(batch);
    }
    assert_eq!(replies.len(), REPLIES);
    assert!(largest <= 4096, "{largest}");
}

#[tokio::test]
async fn an_error_of_the_server_is_logged_once_with_its_remedy_and_counted_each_time() {
    let server = NatsServer::configured("max_subscriptions: 1", None).await;
    let link = link(server.url());
    let client = link.connect().await.unwrap();
    let mut subscriptions = Vec::new();
    for _ in 0..4 {
        subscriptions.push(client.subscribe("a").await.unwrap());
    }
    holds("three errors were counted", || link.state().server_errors == 3).await;

    let mut collector = Collector::watching(&server, TARGET, &[]).await;
    const EXCEEDED: &str = "maximum subscriptions exceeded";
    collector
        .program()
        .says(&["WARN", EXCEEDED, "raise `max_subscriptions`"])
        .await;
    collector.rounds(3).await;
    assert_eq!(collector.program().lines_with(&[EXCEEDED]).len(), 1);
}
