//! What the workers of a real Dynamo can hold, as they register it in etcd.

use tests::{Collector, Etcd, NatsServer};

use crate::TARGET;
use crate::deployment::{Deployment, RequestPlane};
use crate::release::Release;

#[tokio::test]
async fn the_collector_shows_what_workers_register_in_etcd_and_forgets_it_when_they_end() {
    let Some(release) = Release::provided() else {
        return;
    };
    let Some(etcd) = Etcd::start("capacities of a real Dynamo").await else {
        return;
    };
    let server = NatsServer::start().await;
    let mut dynamo = Deployment::prepare(release, &server, RequestPlane::Tcp).registered_in(&etcd);
    dynamo.start_mocker(2);
    let collector = Collector::watching(&server, TARGET, &["--etcd", &etcd.url()]).await;
    // As the mocker is started: 8 requests and 1000 blocks each.
    collector
        .shows("both workers have what they registered", |page| {
            let of_etcd = [("capacity_source", "etcd")];
            page.samples("llm_worker_info", &of_etcd).count() == 2
                && page.sum("llm_pool_request_slots_capacity", &[]) == 16.0
                && page.sum("llm_pool_kv_blocks_capacity", &[]) == 2000.0
        })
        .await;
    let malformed = [("reason", "malformed")];
    let page = collector.page().await;
    let refused = page.value("llm_collector_etcd_refused_total", &malformed);
    assert_eq!(refused, Some(0.0), "{page}");

    dynamo.end_mocker().await;
    collector.has("llm_collector_etcd_workers", &[], 0.0).await;
}
