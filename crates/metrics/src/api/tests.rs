//! What answers hold, and that their schemas say so.

use std::sync::Arc;
use std::time::Duration;

use fleet::{Duplicate, Identity, Snapshot, WorkerState};
use serde_json::Value;

use super::*;
use crate::export::tests::{plain, sample};

const LIMIT: Duration = Duration::from_secs(6);

fn answer(resource: Resource, snapshot: Snapshot, query: &str) -> Value {
    let published = Published::now(Arc::new(snapshot));
    let query = query.parse().expect(query);
    let json = resource.write(&published, LIMIT, &query);
    let answer = serde_json::from_slice(&json).expect("JSON");
    assert_valid(resource, &answer);
    answer
}

/// Holds an answer against the published schema, by a validator that knows nothing of the types.
fn assert_valid(resource: Resource, answer: &Value) {
    let mut compiler = boon::Compiler::new();
    compiler
        .add_resource("schema.json", resource.schema().to_value())
        .expect("a schema");
    let mut schemas = boon::Schemas::new();
    let index = compiler
        .compile("schema.json", &mut schemas)
        .expect("a valid schema");
    if let Err(error) = schemas.validate(answer, index) {
        panic!("{}: {error:#}", resource.name());
    }
}

/// A fleet of everything: workers of two layouts, one of them late, and services.
fn everything() -> Snapshot {
    let mut snapshot = sample::two_workers();
    snapshot.pools.extend(plain::mixed().pools);
    snapshot
}

#[tokio::test(start_paused = true)]
async fn answers_read_as_they_always_did() {
    for resource in Resource::ALL {
        let answer = answer(resource, everything(), "");
        insta::assert_snapshot!(resource.name(), format!("{answer:#}"));
    }
}

#[test]
fn schemas_read_as_they_always_did_and_refuse_what_has_another_type() {
    for resource in Resource::ALL {
        let schema = resource.schema().to_value();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(
            schema["required"]
                .as_array()
                .is_some_and(|keys| keys.contains(&"collector".into()))
        );
    }
    let mut answer = answer(Resource::Workers, everything(), "");
    answer["workers"][0]["worker_id"] = 1.into();
    let refused = std::panic::catch_unwind(|| assert_valid(Resource::Workers, &answer));
    assert!(refused.is_err(), "an id that is a number is refused");
}

#[test]
fn ids_are_text_that_no_reader_rounds() {
    let id = (u64::MAX - 1).to_string();
    let mut pool = sample::full_pool("a/b/c", 1);
    let worker = &mut Arc::make_mut(&mut pool.workers)[0];
    worker.identity = Arc::new(Identity {
        worker_id: id.as_str().into(),
        worker_hex: format!("{:x}", u64::MAX - 1).into(),
        ..(*worker.identity).clone()
    });
    let duplicate = Duplicate {
        worker: pool.workers[0].identity.clone(),
        other: "other".into(),
    };
    pool.duplicates = vec![duplicate].into();
    let answer = answer(Resource::Snapshot, sample::snapshot_of(vec![pool]), "");
    assert_eq!(answer["workers"][0]["worker_id"], *id);
    assert_eq!(answer["workers"][0]["worker_hex"], "fffffffffffffffe");
    assert_eq!(answer["pools"][0]["duplicates"][0]["worker_id"], *id);
}

#[test]
fn a_query_selects_pools_states_and_a_part() {
    let fleet = || {
        let mut pools = vec![sample::full_pool("a/b/c", 5), sample::full_pool("a/b/d", 3)];
        let mut workers = (*pools[0].workers).clone();
        workers[1].state = WorkerState::Stale;
        pools[0].workers = workers.into();
        sample::snapshot_of(pools)
    };
    let check = |query: &str, total: u64, ids: &[&str]| {
        let answer = answer(Resource::Workers, fleet(), query);
        let workers = answer["workers"].as_array().expect("an array");
        let shown: Vec<&str> = workers
            .iter()
            .filter_map(|worker| worker["worker_id"].as_str())
            .collect();
        assert_eq!(
            (answer["total"].as_u64(), &shown[..]),
            (Some(total), ids),
            "{query}"
        );
    };
    check("", 8, &["1", "2", "3", "4", "5", "1", "2", "3"]);
    check("pool=a%2Fb%2Fd", 3, &["1", "2", "3"]);
    check("pool=a/b/c&state=fresh", 4, &["1", "3", "4", "5"]);
    check("pool=a/b/c&state=stale", 1, &["2"]);
    check("offset=4&limit=2", 8, &["5", "1"]);
    check("offset=9", 8, &[]);
    check("pool=a/b", 0, &[]);
    let services = answer(Resource::Services, plain::mixed(), "pool=no/such");
    assert_eq!(services["services"], Value::Array(Vec::new()));
}

#[test]
fn a_query_that_cannot_be_answered_says_why() {
    let check = |query: &str, expected: &str| {
        let refused = query.parse::<Query>().map_err(|error| error.to_string());
        assert_eq!(refused, Err(expected.to_owned()), "{query}");
    };
    check(
        "colour=red",
        "there is no parameter \"colour\"; the parameters are pool, state, offset and limit",
    );
    check("pool=a&pool=b", "\"pool\" is given twice");
    check("pool=%ff", "the value of \"pool\" is not percent-encoded UTF-8");
    check(
        "state=dead",
        "\"dead\" is not a state; the states are fresh, stale and late",
    );
    check("limit=-1", "\"-1\" is not a number from 0; limit counts workers");
    check("offset", "\"\" is not a number from 0; offset counts workers");
}
