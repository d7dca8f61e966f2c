//! A dashboard as Grafana reads it.

use serde_json::{Value, json};

use super::{Dashboard, Kind, Panel, Variable, expanded};

/// The version of Grafana's format, which newer releases read too.
const SCHEMA: u32 = 39;
/// Columns of a dashboard.
const COLUMNS: u32 = 24;

/// The JSON of a dashboard, with links to the others.
pub(super) fn json(dashboard: &Dashboard, all: &[(&str, &str)]) -> Value {
    let others = all.iter().filter(|(uid, _)| *uid != dashboard.uid);
    let link = |title: &str, url: String, is_elsewhere: bool| {
        json!({
            "title": title, "type": "link", "url": url, "icon": "external link", "targetBlank": is_elsewhere,
            "keepTime": !is_elsewhere, "includeVars": false, "asDropdown": false, "tags": [], "tooltip": "",
        })
    };
    let mut links: Vec<Value> = others
        .map(|(uid, title)| link(title, format!("/d/{uid}"), false))
        .collect();
    links.push(link(
        "Web page of the collector",
        "http://${collector}/".to_owned(),
        true,
    ));
    json!({
        "uid": dashboard.uid, "title": dashboard.title, "tags": ["nats", "llm"], "schemaVersion": SCHEMA,
        "editable": true, "graphTooltip": 1, "refresh": "10s", "time": {"from": "now-30m", "to": "now"},
        "timezone": "browser", "links": links, "annotations": {"list": []},
        "templating": {"list": variables(dashboard)}, "panels": panels(dashboard),
    })
}

fn variables(dashboard: &Dashboard) -> Vec<Value> {
    let source = json!({
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0,
        "current": {}, "options": [], "refresh": 1, "regex": "",
    });
    let query = |variable: &Variable| {
        let current = match variable.many {
            true => json!({"text": ["All"], "value": ["$__all"]}),
            false => json!({}),
        };
        json!({
            "name": variable.name, "label": variable.label, "type": "query", "datasource": data_source(), "hide": 0,
            "query": {"query": variable.values, "refId": variable.name}, "definition": variable.values, "refresh": 2,
            "sort": 1, "multi": variable.many, "includeAll": variable.many, "allValue": variable.many.then_some(".*"),
            "current": current, "options": [], "regex": "",
        })
    };
    let collector = Variable {
        name: "collector",
        label: "Collector",
        values: "label_values(llm_collector_build_info, instance)",
        many: false,
    };
    let queries = dashboard.variables.iter().chain([&collector]).map(query);
    [source].into_iter().chain(queries).collect()
}

fn data_source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

/// The panels under the headings of their rows, from left to right.
fn panels(dashboard: &Dashboard) -> Vec<Value> {
    let (mut all, mut id, mut y) = (Vec::new(), 0, 0);
    let mut push = |mut panel: Value, [x, y, w, h]: [u32; 4]| {
        id += 1;
        panel["id"] = id.into();
        panel["gridPos"] = json!({"x": x, "y": y, "w": w, "h": h});
        all.push(panel);
    };
    for row in dashboard.rows {
        push(
            json!({"type": "row", "title": row.title, "collapsed": false, "panels": []}),
            [0, y, COLUMNS, 1],
        );
        y += 1;
        let (mut x, mut line) = (0, 0);
        for panel in row.panels {
            let [w, h] = size(panel.kind);
            if x + w > COLUMNS {
                (x, y, line) = (0, y + line, 0);
            }
            push(drawn(panel), [x, y, w, h]);
            x += w;
            line = line.max(h);
        }
        y += line;
    }
    all
}

fn size(kind: Kind) -> [u32; 2] {
    match kind {
        Kind::Stat => [3, 4],
        Kind::Lines | Kind::Heatmap => [8, 8],
        Kind::Table => [12, 8],
    }
}

fn drawn(panel: &Panel) -> Value {
    let is_now = matches!(panel.kind, Kind::Stat | Kind::Table);
    let target = |(reference, (query, legend)): (char, &(&str, &str))| {
        json!({
            "refId": reference, "expr": expanded(query), "legendFormat": legend, "datasource": data_source(),
            "instant": is_now, "range": !is_now, "format": if panel.kind == Kind::Table { "table" } else { "time_series" },
        })
    };
    let targets: Vec<Value> = ('A'..='Z').zip(panel.queries).map(target).collect();
    let (kind, options) = match panel.kind {
        Kind::Stat => (
            "stat",
            json!({"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "none", "graphMode": "none"}),
        ),
        Kind::Lines => (
            "timeseries",
            json!({"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}),
        ),
        Kind::Heatmap => (
            "heatmap",
            json!({"calculate": true, "yAxis": {"unit": panel.unit}}),
        ),
        Kind::Table => (
            "table",
            json!({"sortBy": [{"displayName": "Value", "desc": true}]}),
        ),
    };
    let mut drawn = json!({
        "type": kind, "title": panel.title, "description": panel.about, "datasource": data_source(), "targets": targets,
        "options": options, "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
    });
    if panel.kind == Kind::Table {
        let hidden = json!({"excludeByName": {"Time": true, "job": true}});
        drawn["transformations"] = json!([{"id": "organize", "options": hidden}]);
    }
    drawn
}
