//! `metrics config example`: a file of all keys with their defaults, which loads as it is.

use super::builtin;
use super::keys::{self, Key};
use super::show::shown;

const INTRODUCTION: &str = "\
# Configuration of `metrics`. Every key is here with its default; a key that is not set by default is commented out.
# Each key is also a flag (--poll-interval) and an environment variable: a flag comes before the variable, the variable
# before this file, and a list replaces the one that it comes before. `metrics config check FILE` checks a file.
";

/// Values for keys that have no default.
const EXAMPLES: [(&str, &str); 26] = [
    ("component", r#""backend""#),
    ("endpoint", r#""generate""#),
    (
        "target",
        r#"["prod/decode/generate", { path = "prod/*/generate", labels = { team = "search" } }]"#,
    ),
    (
        "mapping",
        r#"[{ service = "orders", pointer = "/queues/*/wait_ms", name = "orders_wait_seconds", type = "gauge", unit = "seconds", help = "How long orders wait.", scale = 0.001, labels = ["queue"] }]"#,
    ),
    ("exclude", r#"["prod/test-*/*"]"#),
    (
        "capacity",
        r#"[{ pools = "dynamo-*/*/*", slots = 256, kv_blocks = 8192 }]"#,
    ),
    ("metrics_port", "9091"),
    ("host", r#""127.0.0.1""#),
    ("listen", r#"["127.0.0.1:9091", "unix:/run/metrics.sock"]"#),
    ("web_config_file", r#""/etc/metrics/web.yml""#),
    ("web_external_url", r#""https://ops.example.com/llm/""#),
    ("etcd", r#""http://etcd:2379""#),
    ("publish", r#""native""#),
    ("push_url", r#""http://pushgateway:9091""#),
    ("push_grouping", r#"["zone=a"]"#),
    ("remote_write_url", r#""http://prometheus:9090/api/v1/write""#),
    ("remote_write_interval", r#""5s""#),
    ("remote_write_label", r#"["zone=a"]"#),
    ("otlp_endpoint", r#""http://collector:4318""#),
    ("otlp_attribute", r#"["deployment.environment.name=production"]"#),
    ("request_trace_subject", r#"["dynamo.request_trace.v1"]"#),
    ("buckets", r#"["ttft=0.1,0.5,1"]"#),
    (
        "subject_pattern",
        r#"["w.{namespace}.{component}.{endpoint}.{worker_id:dec}"]"#,
    ),
    ("round_timeout", r#""1s""#),
    ("timeout", r#""5s""#),
    ("log", r#""info,metrics=debug""#),
];

/// Columns of a comment.
const WIDTH: usize = 118;

/// The text of the example.
pub fn example() -> String {
    let mut text = INTRODUCTION.to_owned();
    for key in keys::all() {
        text.push('\n');
        for paragraph in key.help().lines() {
            comment(&mut text, paragraph);
        }
        text.push_str(&line(&key));
    }
    text + &builtin::commented()
}

fn line(key: &Key) -> String {
    let name = &key.name;
    let example = EXAMPLES
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, example)| *example);
    match (key.default(), example) {
        (Some(default), _) => format!("{name} = {}\n", shown(key, &default)),
        (None, Some(example)) => format!("# {name} = {example}\n"),
        (None, None) if key.is_list => format!("# {name} = [\"{}\"]\n", key.value_name()),
        (None, None) => format!("# {name} = \"{}\"\n", key.value_name()),
    }
}

/// A paragraph as lines of a comment.
fn comment(text: &mut String, paragraph: &str) {
    let mut width = 0;
    for word in paragraph.split_whitespace() {
        if width == 0 || width + 1 + word.len() > WIDTH {
            text.push_str(if width == 0 { "#" } else { "\n#" });
            width = 1;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + word.len();
    }
    text.push_str(if width == 0 { "#\n" } else { "\n" });
}
