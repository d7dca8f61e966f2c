//! The harness itself: a server that stops and starts, services that answer as instructed.

use futures_util::StreamExt;
use tests::{Micro, NatsServer, Recording, TestFleet, eventually, free_port};

async fn ask(server: &NatsServer, subject: &str, answers: usize) -> Vec<String> {
    let client = server.client().await;
    let inbox = client.new_inbox();
    let mut replies = client.subscribe(inbox.clone()).await.unwrap();
    client
        .publish_with_reply(subject.to_owned(), inbox, "".into())
        .await
        .unwrap();
    let mut seen = Vec::new();
    eventually(&format!("{subject} was answered {answers} times"), async || {
        while seen.len() < answers {
            let reply = replies.next().await.ok_or("the connection ended")?;
            seen.push(String::from_utf8_lossy(&reply.payload).into_owned());
        }
        Ok(())
    })
    .await;
    seen
}

#[tokio::test]
async fn a_server_keeps_its_port_over_a_restart() {
    let mut server = NatsServer::start_on(free_port()).await;
    let client = server.client().await;
    server.stop().await;
    server.start_again().await;
    eventually("a client found its way back", async || {
        client.flush().await.map_err(|e| e.to_string())
    })
    .await;
}

#[tokio::test]
async fn a_paused_server_goes_on_where_it_was() {
    let server = NatsServer::start().await;
    let client = server.client().await;
    server.pause().await;
    let flush = tokio::spawn(async move { client.flush().await });
    server.resume().await;
    flush.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_configured_server_denies_what_its_configuration_denies() {
    let config = r#"
        authorization { users = [
            { user: open, password: open }
            { user: narrow, password: narrow, permissions: { publish: { deny: ["forbidden"] } } }
        ] }
        no_auth_user: narrow
    "#;
    let server = NatsServer::configured(config, Some(("open", "open"))).await;
    let open = server.client().await;
    let mut heard = open.subscribe(">").await.unwrap();
    open.flush().await.unwrap();
    let narrow = async_nats::connect(server.url()).await.unwrap();
    for subject in ["forbidden", "allowed"] {
        narrow.publish(subject, "".into()).await.unwrap();
    }
    assert_eq!(heard.next().await.unwrap().subject.as_str(), "allowed");
}

#[tokio::test]
async fn a_fleet_answers_exactly_the_bytes_it_is_given_for_those_it_is_asked_for() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let recording = Recording::of("dynamo-0.5.1");
    fleet.join_recording(&recording);
    fleet.join_raw("hostile", ">", b"\xff{".as_slice(), None);

    let mut stats = ask(&server, "$SRV.STATS", 3).await;
    let mut expected = recording.stats.clone();
    expected.push("\u{fffd}{".to_owned());
    stats.sort();
    expected.sort();
    assert_eq!(stats, expected);

    let info = ask(&server, "$SRV.INFO.dynamo_mycomponent.OoR5tuLm7brFTUDdk2HqNm", 1).await;
    assert!(recording.infos.contains(&info[0]), "{info:?}");
    assert_eq!(
        fleet.requests(
            "INFO",
            &Micro::service("dynamo_mycomponent", "OoR5tuLm7brFTUDdk2HqNm")
        ),
        1
    );
    assert_eq!(
        fleet.requests(
            "INFO",
            &Micro::service("dynamo_mycomponent", "8nhfHrFD3ZrqpqwTtm1llt")
        ),
        0
    );
}

#[tokio::test]
#[should_panic(expected = "no reply subject: [\"$SRV.STATS\"]")]
async fn a_request_without_a_reply_subject_fails_the_test() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let client = server.client().await;
    client.publish("$SRV.STATS", "".into()).await.unwrap();
    client.flush().await.unwrap();
    fleet.is_asked("STATS", &Micro::service("any", "any"), 1).await;
}
