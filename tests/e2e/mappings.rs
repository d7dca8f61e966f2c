//! Numbers in the data of a service that is not ours, as metrics, by configuration alone.

use tests::{Collector, NatsServer, tools};

const MAPPINGS: &str = r#"
all_services = true

[[mapping]]
service = "orders"
endpoint = "create"
pointer = "/queue/by_region/*"
name = "orders_queued_requests"
type = "gauge"
unit = "requests"
help = "Orders that wait, by region."
labels = ["region"]

[[mapping]]
service = "ord*"
pointer = "/queue/depth"
name = "orders_done_total"
type = "counter"
help = "A number that only goes up."
scale = 10.0
const_labels = { origin = "queue" }

[[mapping]]
service = "orders"
endpoint = "create"
pointer = "/mode"
name = "orders_mode"
type = "gauge"
help = "A text, which is no number."

[[mapping]]
service = "orders"
endpoint = "create"
pointer = "/recent/*"
name = "orders_recent"
type = "gauge"
help = "The third is null."
labels = ["place"]
max = 2.0
"#;

#[tokio::test]
async fn the_data_of_a_python_service_is_on_the_page_as_its_mappings_say() {
    let server = NatsServer::start().await;
    let test = "the_data_of_a_python_service_is_on_the_page_as_its_mappings_say";
    let Some(_service) = crate::services::python(test, &server, "orders-0").await else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mapping.toml");
    std::fs::write(&file, MAPPINGS).expect("written");
    let file = file.to_str().expect("text");
    let collector = Collector::start(server.url(), &["--config", file]).await;
    let region = |region| {
        [
            ("nats_service", "orders"),
            ("nats_endpoint", "create"),
            ("region", region),
        ]
    };
    collector.has("orders_queued_requests", &region("eu"), 2.0).await;
    let page = collector.has("orders_queued_requests", &region("us"), 1.0).await;
    for endpoint in ["create", "cancel", "daily"] {
        let labels = [("nats_endpoint", endpoint), ("origin", "queue")];
        assert_eq!(page.value("orders_done_total", &labels), Some(30.0), "{page}");
    }
    assert_eq!(
        page.value("orders_recent", &[("place", "0")]),
        Some(1.0),
        "{page}"
    );
    let errors = |mapping, reason| {
        let labels = [("mapping", mapping), ("reason", reason)];
        page.sum("llm_collector_mapping_errors_total", &labels)
    };
    assert!(errors("orders_mode", "wrong_type") >= 1.0, "{page}");
    assert!(errors("orders_recent", "out_of_range") >= 1.0, "{page}");
    assert!(errors("orders_recent", "missing") >= 1.0, "{page}");
    assert_eq!(errors("orders_queued_requests", "missing"), 0.0, "{page}");
    if let Some(promtool) = tools::program("E2E_PROMTOOL", test) {
        let (code, remarks) = crate::page::check_metrics(&promtool, page.text()).await;
        assert_eq!((code, remarks), (Some(0), Vec::new()));
    }
}
