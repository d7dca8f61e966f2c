//! What `list` and `explain` print about a fleet of invented replies.

mod mapped;
mod services;

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::matching::Target;
use fleet::{Arrived, Core, Effect, Form, Input, Now, Plan, Selector};
use link::{Denials, Grants};
use protocol::{ServicePrefix, subject};
use serde_json::{Value, json};

use super::Copied;
use super::denied::Denied;
use super::explain;
use super::list;

const TARGET: &str = "dynamo/my_component/my_endpoint";

/// One service instance.
struct Service {
    name: &'static str,
    id: String,
    /// Namespace and component, as it describes itself.
    of: Option<[&'static str; 2]>,
    subject: String,
    requests: u64,
    data: Value,
}

fn load() -> Value {
    json!({
        "request_active_slots": 3, "request_total_slots": 32, "num_requests_waiting": 2,
        "kv_active_blocks": 256, "kv_total_blocks": 1024, "gpu_cache_usage_perc": 0.25,
    })
}

/// A worker in the plain layout.
fn worker(component: &'static str, endpoint: &str, id: u64) -> Service {
    let name: &str = Box::leak(format!("dynamo_{}", component.to_lowercase()).into_boxed_str());
    Service {
        name,
        id: format!("i{id}"),
        of: Some(["dynamo", component]),
        subject: format!("{name}.{endpoint}-{id:x}"),
        requests: 0,
        data: load(),
    }
}

fn orders(id: &str, subject: &str) -> Service {
    Service {
        name: "orders",
        id: id.to_owned(),
        of: None,
        subject: subject.to_owned(),
        requests: 0,
        data: Value::Null,
    }
}

impl Service {
    fn stats(&self) -> Vec<u8> {
        let endpoint = json!({
            "name": "e", "subject": self.subject, "num_requests": self.requests, "num_errors": 0,
            "processing_time": self.requests * 1_500_000, "average_processing_time": 0, "data": self.data,
        });
        json!({
            "type": "io.nats.micro.v1.stats_response", "name": self.name, "id": self.id, "version": "0.1.0",
            "started": "2026-01-02T03:04:05Z", "endpoints": [endpoint],
        })
        .to_string()
        .into()
    }

    fn info(&self) -> Vec<u8> {
        let description = self.of.map_or_else(String::new, |[namespace, component]| {
            format!("Dynamo component {component} in namespace {namespace}")
        });
        json!({
            "type": "io.nats.micro.v1.info_response", "name": self.name, "id": self.id, "version": "0.1.0",
            "description": description, "endpoints": [],
        })
        .to_string()
        .into()
    }
}

/// A core that has looked once for `target` among `services`.
fn look(target: &str, services: &[Service]) -> (Core, Target, Now) {
    let selector: Selector = target.parse().expect("a path");
    let Selector::Path(path) = selector.clone() else {
        panic!("{target} has a star")
    };
    let plan = Plan {
        forms: BTreeMap::from([(path.clone(), Form::Argument)]),
        ..Plan::watching(vec![selector, "*/*/*".parse().expect("a glob")])
    };
    let (core, now) = looked(plan, services);
    (core, Target::new(path, &[]), now)
}

/// A core that has looked once among `services`, and when that was over.
fn looked(plan: Plan, services: &[Service]) -> (Core, Now) {
    let now = Now {
        mono: Duration::ZERO,
        unix: Duration::from_secs(1_800_000_000),
    };
    let mut core = Core::new(plan, ServicePrefix::default(), now);
    let connected = fleet::LinkView {
        connected: true,
        ..fleet::LinkView::default()
    };
    let mut asked = core.handle(Input::Link(connected), now);
    asked.extend(core.handle(Input::Tick, now));
    let round = asked.iter().find_map(|effect| match effect {
        Effect::Ask { round } => Some(*round),
        _ => None,
    });
    let round = round.expect("a round begins at once");
    for service in services {
        let payload = service.stats();
        let reply = Arrived {
            round: Some(round),
            payload: &payload,
        };
        core.handle(Input::Replies(&[reply]), now.plus(Duration::from_millis(1)));
    }
    for service in services {
        let asked = Some((service.name, &*service.id));
        let payload = service.info();
        let input = Input::Described {
            asked,
            payload: &payload,
        };
        core.handle(input, now.plus(Duration::from_millis(2)));
    }
    let end = now.plus(Duration::from_millis(1500));
    core.handle(Input::Tick, end);
    (core, end)
}

fn explained(target: &str, services: &[Service], all: bool) -> explain::Report {
    let (mut core, target, now) = look(target, services);
    let seen = core.inspect(Some(&target), Some(fleet::Finish::Stall), now);
    let copied = Copied::new([("server", Some("nats://nats:4222"))]);
    let listened = Duration::from_secs(3);
    explain::Report::new(
        &target,
        &seen,
        (&Denials::default(), &Grants::default()),
        listened,
        &copied,
        all,
    )
}

fn listed(services: &[Service], denials: &Denials) -> list::Report {
    let (mut core, _, now) = look(TARGET, services);
    let grants = Grants::new(ServicePrefix::default().asking(), ["_INBOX.>", subject::EVENTS]);
    list::Report::new(
        &core.inspect(None, Some(fleet::Finish::Stall), now),
        (denials, &grants),
    )
}

fn mixed() -> Vec<Service> {
    let mut services: Vec<Service> = (1..=3)
        .map(|id| worker("my_component", "my_endpoint", id))
        .collect();
    services.push(worker("MyComponent", "my_endpoint", 7));
    services.push(worker("planner", "plan", 8));
    services.push(orders("a", "orders.create"));
    services.push(orders("b", "orders.create"));
    services
}

#[test]
fn a_list_shows_the_load_of_each_pool_and_other_services() {
    insta::assert_snapshot!(listed(&mixed(), &Denials::default()));
}

#[test]
fn an_empty_list_says_what_is_denied_and_how_to_mend_it() {
    let mut denials = Denials::default();
    denials
        .publish
        .insert(ServicePrefix::default().info_of_service("svc").expect("a token"));
    denials
        .subscribe
        .insert(subject::event(&"dynamo".parse().expect("a name"), "kv_metrics"));
    insta::assert_snapshot!(listed(&[], &denials));
}

#[test]
fn what_is_denied_is_denied_under_the_prefix_that_is_asked() {
    let usual = ServicePrefix::default();
    let own: ServicePrefix = "fleet.a".parse().expect("a prefix");
    let denied = |asked: &ServicePrefix| {
        let mut denials = Denials::default();
        denials.publish.extend(asked.info_of_service("svc"));
        denials.publish.extend(asked.stats_of("svc", "id"));
        Denied::new(&denials, &Grants::new(own.asking(), ["_INBOX.>"]), &own)
    };
    let text = denied(&own).to_string();
    for part in [
        "publish to fleet.a.STATS.>:",
        "publish to fleet.a.INFO.>:",
        r#"publish: ["fleet.a.STATS", "fleet.a.STATS.>", "fleet.a.INFO.>"]"#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(denied(&usual).is_empty(), "nothing is asked there");
}

#[test]
fn two_instances_with_one_id_are_one_worker_and_both_are_named() {
    let mut services = mixed();
    services[1].subject = services[0].subject.clone();
    services[1].id = "other".to_owned();
    let report = listed(&services, &Denials::default());
    insta::assert_snapshot!(report);
    let report = explained(TARGET, &services, false);
    let text = report.to_string();
    assert!(text.starts_with(&format!("{TARGET} has 2 workers.")), "{text}");
    assert!(text.contains("worker 1 is reported by 2 instances: "), "{text}");
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["duplicates"][0]["worker_id"], "1", "{json}");
}

#[test]
fn the_verdict_comes_first_and_names_the_command() {
    insta::assert_snapshot!("explain_present", explained(TARGET, &mixed(), false));
    insta::assert_snapshot!(
        "explain_slip",
        explained("dynamo/my_component/my_endpoin", &mixed(), false)
    );
    insta::assert_snapshot!(
        "explain_close",
        explained("dynamo/other/my_endpoint", &mixed(), false)
    );
    insta::assert_snapshot!("explain_all", explained(TARGET, &mixed(), true));
}

#[test]
fn where_nothing_is_similar_the_settings_follow() {
    insta::assert_snapshot!(explained("prod/decode/generate", &mixed(), false));
}

#[test]
fn next_to_a_thousand_workers_the_text_is_short_and_json_is_complete() {
    let services: Vec<Service> = (1..=1000)
        .map(|id| worker("my_component", "my_endpoint", id))
        .collect();
    let report = explained("dynamo/decode/my_endpoint", &services, false);
    let lines = report.to_string().lines().count();
    assert!(lines < 25, "{lines} lines:\n{report}");
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["services"].as_array().map(Vec::len), Some(1000));
    assert_eq!(json["groups"][0]["count"], 1000, "{}", json["groups"]);
    let id = &json["services"][0]["endpoints"][0]["parts"]["worker_id"];
    assert!(id.is_string(), "{id}");
    let all = explained("dynamo/decode/my_endpoint", &services, true).to_string();
    assert!(all.lines().count() > 3000);
}
