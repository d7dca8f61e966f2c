//! Which services are workers of a target: every layout, exactly, and distinguished where names collide.

use std::collections::BTreeSet;

use protocol::Layout;
use tests::{Collector, Micro, NatsServer, TestFleet, Workers, finish, load, metrics};

use crate::TARGET;

#[tokio::test]
async fn workers_of_every_layout_are_found_with_their_own_numbers() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    for (layout, id) in Layout::ALL.into_iter().zip([101, 102, 103]) {
        fleet.join(&Micro::worker(TARGET, layout, Some(id)));
    }
    let collector = Collector::watching(&server, TARGET, &[]).await;

    let page = collector.has_workers(3).await;
    for (layout, id) in Layout::ALL.into_iter().zip(["101", "102", "103"]) {
        let this = [
            ("worker_id", id),
            ("dynamo_namespace", "dynamo"),
            ("dynamo_component", "my_component"),
        ];
        assert_eq!(
            page.value("llm_worker_kv_blocks_active", &this),
            id.parse().ok(),
            "{layout}\n{page}"
        );
        let info = [("worker_id", id), ("layout", layout.as_str())];
        assert_eq!(
            page.value("llm_worker_info", &info),
            Some(1.0),
            "{layout}\n{page}"
        );
    }
}

#[tokio::test]
async fn mock_workers_of_every_layout_and_shape_are_found() {
    let server = NatsServer::start().await;
    let mut running = Vec::new();
    let mut expected = BTreeSet::new();
    for layout in ["hashed", "hashed-pipe", "plain"] {
        for shape in ["flat", "nested"] {
            let first = (running.len() + 1) * 100;
            let arguments = [
                "--workers",
                "2",
                "--layout",
                layout,
                "--stats-shape",
                shape,
                "--first-id",
            ];
            running
                .push(Workers::start(&server, &[arguments.as_slice(), &[&first.to_string()]].concat()).await);
            for id in [first, first + 1] {
                expected.insert((id.to_string(), layout, shape));
            }
        }
    }
    let collector = Collector::watching(&server, TARGET, &[]).await;

    let page = collector.has_workers(12).await;
    for (id, layout, schema) in &expected {
        let info = [("worker_id", id.as_str()), ("layout", layout), ("schema", schema)];
        assert_eq!(
            page.value("llm_worker_info", &info),
            Some(1.0),
            "{info:?}\n{page}"
        );
        assert!(
            page.value("llm_worker_kv_blocks_capacity", &info[..1])
                .is_some_and(|c| c > 0.0),
            "{id}\n{page}"
        );
    }
}

#[tokio::test]
async fn workers_of_a_custom_subject_pattern_are_found_in_hexadecimal_and_in_decimal() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let custom = Micro::service("anything", "custom")
        .endpoint("v1.dynamo.my_component.my_endpoint.ff.load", load(1))
        .endpoint("w.dynamo.my_component.42.my_endpoint", load(2))
        .endpoint("w.dynamo.my_component.43.my_endpoint_v2", load(3))
        .endpoint("dynamo_my_component_1854ce00.my_endpoint-2c", load(4));
    fleet.join(&custom);
    let patterns = [
        "--subject-pattern",
        "v1.{namespace}.{component}.{endpoint}.{worker_id}.load",
        "--subject-pattern",
        "w.{namespace}.{component}.{worker_id:dec}.{endpoint}",
    ];
    let collector = Collector::watching(&server, TARGET, &patterns).await;

    let page = collector.has_workers(3).await;
    for (id, blocks) in [("255", 1.0), ("42", 2.0), ("44", 4.0)] {
        assert_eq!(
            page.value("llm_worker_kv_blocks_active", &[("worker_id", id)]),
            Some(blocks),
            "{page}"
        );
    }
    let layout = [("worker_id", "42"), ("layout", patterns[3])];
    assert_eq!(page.value("llm_worker_info", &layout), Some(1.0), "{page}");
}

#[tokio::test]
async fn static_workers_that_share_a_subject_are_both_shown() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let worker = Micro::worker(TARGET, Layout::Hashed, None);
    fleet.join(&worker.clone().with_id("one").with_data(load(10)));
    fleet.join(&worker.with_id("two").with_data(load(20)));
    let collector = Collector::watching(&server, TARGET, &[]).await;

    let page = collector.has_workers(2).await;
    for (id, blocks) in [("static-one", 10.0), ("static-two", 20.0)] {
        assert_eq!(
            page.value("llm_worker_kv_blocks_active", &[("worker_id", id)]),
            Some(blocks),
            "{page}"
        );
    }
    assert_eq!(
        page.sum("llm_collector_replies_total", &[("result", "duplicate")]),
        0.0,
        "{page}"
    );
}

#[tokio::test]
async fn an_endpoint_whose_name_ends_like_an_id_belongs_to_the_target_of_that_name() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker("dynamo/math/my-add", Layout::Plain, None).with_id("s"));
    let targets = ["--target", "dynamo/math/my"];
    let collector = Collector::watching(&server, "dynamo/math/my-add", &targets).await;

    collector.has_workers(1).await;
    let page = collector.rounds(2).await;
    let worker = [("dynamo_endpoint", "my-add"), ("worker_id", "static-s")];
    assert_eq!(
        page.value("llm_worker_kv_blocks_active", &worker),
        Some(1.0),
        "{page}"
    );
    assert!(
        page.absent("llm_worker_kv_blocks_active", &[("dynamo_endpoint", "my")]),
        "{page}"
    );
}

#[tokio::test]
async fn components_that_collide_in_the_plain_layout_are_distinguished_by_their_description() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(
        "dynamo/MyComponent/my_endpoint",
        Layout::Plain,
        Some(1),
    ));
    fleet.join(&Micro::worker(
        "dynamo/mycomponent/my_endpoint",
        Layout::Plain,
        Some(2),
    ));
    fleet.join(&Micro::worker(
        "dynamo/MYCOMPONENT/my_endpoint",
        Layout::Plain,
        Some(3),
    ));
    let targets = ["--target", "dynamo/mycomponent/my_endpoint"];
    let collector = Collector::watching(&server, "dynamo/MyComponent/my_endpoint", &targets).await;

    let distinguished = |page: &tests::Page| {
        let of = |component| page.value("llm_worker_kv_blocks_active", &[("dynamo_component", component)]);
        of("MyComponent") == Some(1.0) && of("mycomponent") == Some(2.0)
    };
    collector
        .shows("each component has its own worker", distinguished)
        .await;
    let page = collector.rounds(3).await;
    assert!(distinguished(&page), "{page}");
    assert_eq!(
        page.values_of("dynamo_component", "llm_worker_info"),
        BTreeSet::from(["MyComponent", "mycomponent"])
    );
}

#[tokio::test]
async fn an_instance_is_asked_for_its_description_once_and_a_new_instance_again() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let first = Micro::worker("dynamo/MyComponent/my_endpoint", Layout::Plain, Some(1));
    fleet.join(&first);
    let collector = Collector::watching(&server, "dynamo/MyComponent/my_endpoint", &[]).await;
    collector.has_workers(1).await;
    collector.rounds(3).await;
    assert_eq!(fleet.requests("INFO", &first), 1);

    // Another component starts under the service name, subject and id that the first one had.
    fleet.leave(&first);
    let second = Micro::worker("dynamo/mycomponent/my_endpoint", Layout::Plain, Some(1)).with_id("second");
    fleet.join(&second);
    collector
        .shows("the namesake is not taken for the worker", |page| {
            page.absent("llm_worker_info", &[])
        })
        .await;
    collector.rounds(3).await;
    assert_eq!(
        (fleet.requests("INFO", &first), fleet.requests("INFO", &second)),
        (1, 1)
    );
}

#[tokio::test]
async fn a_dotted_namespace_is_said_with_slashes() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--namespace", "My-NS.x", "--component", "back-end"]).await;
    let collector = Collector::watching(&server, "My-NS.x/back-end/my_endpoint", &[]).await;
    let page = collector.has_workers(1).await;
    assert_eq!(
        page.values_of("dynamo_namespace", "llm_worker_info"),
        BTreeSet::from(["My-NS.x"])
    );
}

#[tokio::test]
async fn a_worker_in_a_nested_namespace_is_found_listed_and_hinted_at_by_its_full_name() {
    const FULL: &str = "nest.child/my_component/my_endpoint";
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    // As Dynamo does it: the service name has all names, the description the last alone.
    let description = "Dynamo component my_component in namespace child";
    fleet.join(&Micro::worker(FULL, Layout::Plain, Some(1)).described(description));
    let collector = Collector::watching(&server, FULL, &[]).await;
    collector.has_workers(1).await;
    let listed = finish(metrics(&["list", "--server", server.url()])).await;
    assert!(listed.stdout.contains(FULL), "{listed:?}");
    let path = "child/my_component/my_endpoint";
    let explained = finish(metrics(&["explain", path, "--server", server.url()])).await;
    assert!(
        explained
            .stdout
            .contains("metrics --target nest.child/my_component/my_endpoint"),
        "{explained:?}"
    );
}

#[tokio::test]
async fn upstreams_command_line_watches_the_same_target() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "2"]).await;
    let arguments = [
        "--component",
        "my_component",
        "--endpoint",
        "my_endpoint",
        "--poll-interval",
        "1",
    ];
    let collector = Collector::start(server.url(), &arguments).await;
    let page = collector.has_workers(2).await;
    assert_eq!(
        page.values_of("dynamo_namespace", "llm_worker_info"),
        BTreeSet::from(["dynamo"])
    );
}
