//! deploy/grafana: the dashboards, each written down once.
//!
//! A dashboard is rows of panels, a panel is queries. `grafana.rs` makes Grafana's JSON of them. In a query, `$pool` and
//! `$service` are the matchers of the chosen pools and services, and `one(…)` makes one series of those of several
//! collectors that watch the same fleet.

mod collector;
mod grafana;
mod pools;
mod services;

/// One file in deploy/grafana.
#[derive(Debug)]
struct Dashboard {
    /// The name of its file, and its address in Grafana.
    uid: &'static str,
    title: &'static str,
    variables: &'static [Variable],
    rows: &'static [Row],
}

/// What a person chooses above the panels.
#[derive(Debug)]
struct Variable {
    name: &'static str,
    label: &'static str,
    /// Its values are those of a label of a metric.
    values: &'static str,
    /// Whether several may be chosen, and are at first all.
    many: bool,
}

#[derive(Debug)]
struct Row {
    title: &'static str,
    panels: &'static [Panel],
}

#[derive(Debug)]
struct Panel {
    title: &'static str,
    about: &'static str,
    kind: Kind,
    /// Grafana's name of the unit.
    unit: &'static str,
    queries: &'static [Query],
}

/// A query with what its series are called.
type Query = (&'static str, &'static str);

/// How a panel shows its queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The last value, large.
    Stat,
    /// Lines over time.
    Lines,
    /// How values are spread over time.
    Heatmap,
    /// The last values, the largest first.
    Table,
}

/// The labels by which replicas of a collector differ.
const REPLICA: &str = "instance, pod, node";

/// Every dashboard: the name of its file, and its text.
pub(super) fn all() -> Vec<(String, String)> {
    let all = [&pools::POOLS, &services::SERVICES, &collector::COLLECTOR];
    let links: Vec<(&str, &str)> = all
        .iter()
        .map(|dashboard| (dashboard.uid, dashboard.title))
        .collect();
    let file = |dashboard: &&Dashboard| {
        let text = format!("{:#}\n", grafana::json(dashboard, &links));
        (format!("deploy/grafana/{}.json", dashboard.uid), text)
    };
    all.iter().map(file).collect()
}

/// A query as Prometheus reads it, but for Grafana's variables.
fn expanded(query: &str) -> String {
    let matchers = |label: &str, names: &[&str]| {
        let matcher = |name: &&str| format!("{label}_{name}=~\"${name}\"");
        names.iter().map(matcher).collect::<Vec<_>>().join(",")
    };
    query
        .replace(
            "$pool",
            &matchers("dynamo", &["namespace", "component", "endpoint"]),
        )
        .replace("$service", &matchers("nats", &["service", "endpoint"]))
        .replace("one(", &format!("max without ({REPLICA}) ("))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn matchers_and_replicas_are_written_out() {
        assert_eq!(
            expanded("one(llm_pool_workers{$pool,state=\"fresh\"})"),
            "max without (instance, pod, node) (llm_pool_workers{dynamo_namespace=~\"$namespace\",\
             dynamo_component=~\"$component\",dynamo_endpoint=~\"$endpoint\",state=\"fresh\"})"
        );
    }

    #[test]
    fn panels_of_a_dashboard_have_titles_of_their_own_and_do_not_overlap() {
        for (name, text) in all() {
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            let panels = json["panels"].as_array().unwrap();
            let mut cells = BTreeSet::new();
            let mut titles = BTreeSet::new();
            for panel in panels {
                assert!(
                    titles.insert(panel["title"].as_str().unwrap()),
                    "{name}: {}",
                    panel["title"]
                );
                let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
                assert!(x + w <= 24, "{name}: {}", panel["title"]);
                for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                    assert!(cells.insert(cell), "{name}: {} is over another", panel["title"]);
                }
            }
        }
    }

    /// People who come from the collector that this one replaces look for these.
    #[test]
    fn the_panels_of_upstream_are_there_under_their_titles() {
        let (_, text) = all().remove(0);
        for title in [
            "KV Cache Utilization by Worker",
            "Request Slot Utilization by Worker",
            "Average KV Cache Utilization",
            "Average Request Slot Utilization",
            "Load Average & Standard Deviation",
            "KV Cache Hit Rate by Worker",
            "Available Resources",
        ] {
            assert!(text.contains(&format!("\"title\": \"{title}\"")), "{title}");
        }
    }
}
