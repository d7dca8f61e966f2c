//! The page of a simulated worker of Dynamo and that of a real one.

use std::collections::{BTreeMap, BTreeSet};

use tests::{NatsServer, Workers};

use crate::deployment::{Deployment, RequestPlane};
use crate::release::Release;

/// What a family is: all of it but its values.
#[derive(Debug, Default, PartialEq)]
struct Family {
    kind: String,
    help: String,
    /// The names of its labels, and the bounds of its buckets.
    labels: BTreeSet<String>,
    bounds: BTreeSet<String>,
}

/// What the mocker does not show: errors, because it has had none, and the cache of an engine, because it has none.
const NOT_OF_THE_MOCKER: [&str; 3] = [
    "dynamo_component_errors_total",
    "dynamo_component_gpu_cache_usage_percent",
    "dynamo_component_total_blocks",
];
/// Labels that a worker adds when it serves an endpoint. Those with an engine do, and the mocker does not.
const OF_THE_WORKER: [&str; 2] = ["model", "model_name"];

/// The families of a page that are Dynamo's own.
fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut name = "";
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next()) {
            (Some("#"), Some(keyword)) => {
                name = words.next().expect("a name");
                let family = families.entry(name.to_owned()).or_default();
                let rest = words.next().unwrap_or_default().to_owned();
                match keyword {
                    "HELP" => family.help = rest,
                    "TYPE" => family.kind = rest,
                    other => panic!("{other} of {name}"),
                }
            }
            _ => {
                let family = families.get_mut(name).expect("its type precedes a sample");
                let labels = line.split_once('{').map_or("", |(_, labels)| labels);
                for pair in labels
                    .rsplit_once('}')
                    .map_or("", |(labels, _)| labels)
                    .split(',')
                {
                    match pair.split_once('=') {
                        Some(("le", bound)) => family.bounds.insert(bound.trim_matches('"').to_owned()),
                        Some((label, _)) => family.labels.insert(label.to_owned()),
                        None => false,
                    };
                }
            }
        }
    }
    families.retain(|name, _| name.starts_with("dynamo_component_"));
    families
}

#[tokio::test]
async fn the_page_of_a_simulated_worker_has_the_names_of_a_real_one() {
    let Some(release) = Release::provided().filter(Release::shows_own_numbers) else {
        return;
    };
    let server = NatsServer::start().await;
    let mut dynamo = Deployment::prepare(release, &server, RequestPlane::Tcp);
    dynamo.start_mocker_with_page();
    dynamo.start_frontend();
    dynamo.serves(1).await;
    dynamo.chat(5).await;
    let real = families(&dynamo.own_texts().await[0]);

    let arguments = [
        "run",
        "steady",
        "--workers",
        "1",
        "--engine",
        "dynamo",
        "--metrics-port",
        "0",
    ];
    let mut workers = Workers::start(&server, &arguments).await;
    let url = workers.engines_page().await;
    let reply = tests::http_client()
        .build()
        .expect("a client")
        .get(url)
        .send()
        .await;
    let text = reply.expect("it answers").text().await.expect("a page");
    let mut simulated = families(&text);
    simulated.retain(|name, _| !NOT_OF_THE_MOCKER.contains(&name.as_str()));
    for family in simulated.values_mut() {
        family
            .labels
            .retain(|label| !OF_THE_WORKER.contains(&label.as_str()));
    }
    assert!(simulated.len() >= 5, "{text}");
    for (name, family) in &simulated {
        assert_eq!(real.get(name), Some(family), "{name}");
    }
}
