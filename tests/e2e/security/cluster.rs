//! Several servers: of a cluster that loses nodes, and such as are not there.

use tests::{Access, NatsCluster, NatsServer, Setup, free_port};

use super::{PASSWORD, PASSWORD_CONFIG, collector, lets_in, workers};

#[tokio::test]
async fn the_programs_outlive_two_of_three_nodes_and_need_the_address_of_one() {
    let mut cluster = NatsCluster::start().await;
    let access = |node: usize| Access::at(cluster.node(node).url());
    let _workers = workers(&access(1), &["--workers", "2"]).await;
    let mut collector = collector(&access(0), &["--gone-after", "1000"]).await;
    collector.has_workers(2).await;
    assert_eq!(cluster.node_of("metrics").await, 0);

    cluster.stop(0).await;
    collector
        .shows("the connection was restored", |page| {
            page.value("llm_collector_nats_reconnects_total", &[]) == Some(1.0)
                && page.value("llm_collector_nats_connected", &[]) == Some(1.0)
        })
        .await;
    collector.has_workers(2).await;

    let node = cluster.node_of("metrics").await;
    assert_ne!(node, 0);
    cluster.cut_off(node).await;
    collector
        .shows("the connection was restored again", |page| {
            page.value("llm_collector_nats_reconnects_total", &[]) == Some(2.0)
                && page.value("llm_collector_nats_connected", &[]) == Some(1.0)
        })
        .await;
    collector.has_workers(2).await;
    assert!(collector.program().is_running());
}

#[tokio::test]
async fn what_each_of_several_servers_says_now_is_reported_with_its_address() {
    // The first server is away from the beginning; the second one refuses later.
    let away = format!("127.0.0.1:{}", free_port());
    let server = NatsServer::set_up(&Setup::config(PASSWORD_CONFIG)).await;
    let list = format!("nats://{away},nats://app:{PASSWORD}@{}", server.address());
    let mut collector = collector(&Access::at(&list), &[]).await;
    collector.rounds(1).await;
    server
        .reconfigure("authorization { user: app, password: pw-other }")
        .await;
    let refused = ["refuses to restore", server.address()];
    collector.program().says(&refused).await;
    let unreachable = ["cannot be restored", &away, "Connection refused"];
    collector.program().says(&unreachable).await;
    for mixed in [
        ["refuses to restore", &*away],
        ["Connection refused", server.address()],
    ] {
        assert!(collector.program().lines_with(&mixed).is_empty(), "{mixed:?}");
    }
}

#[tokio::test]
async fn of_several_addresses_one_has_to_answer() {
    let server = NatsServer::start().await;
    let absent = format!("nats://127.0.0.1:{}", free_port());
    let list = format!("{absent},{}", server.url());
    lets_in("one of two", &Access::at(&list), &[]).await;
}
