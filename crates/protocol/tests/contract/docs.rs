//! The docs for other languages say what is true: they quote files that run and names that are checked.

use std::fs;
use std::path::Path;

use protocol::codec::open;
use protocol::events::{ForwardPass, KvEvent, RequestTrace, SequenceEvent, Topic};
use protocol::{EndpointPath, EventError, KvHitRate, KvMetrics, Layout, WorkerId, WorkerSubject, subject};

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).expect(path)
}

#[test]
fn the_docs_quote_the_python_worker_that_runs_in_the_tests() {
    let worker = read("tests/python/worker.py");
    assert!(
        read("docs/protocol.md").contains(&format!("```python\n{worker}```")),
        "docs/protocol.md must quote tests/python/worker.py word for word"
    );
}

#[test]
fn the_table_of_subjects_in_the_docs_is_what_the_builder_writes() {
    let docs = read("docs/protocol.md");
    let mut rows = 0;
    for row in docs.lines().filter(|line| line.starts_with("| 0.")) {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, _runtime, layout, path, id, subject, _] = cells[..] else {
            continue;
        };
        // Another table has rows that begin like this, without a layout.
        let Ok(layout) = layout.parse::<Layout>() else {
            continue;
        };
        let path: EndpointPath = path.parse().expect(row);
        let id = (id != "none").then(|| WorkerId::new(id.parse().expect(row)));
        let built = WorkerSubject::new(&path, layout, id).expect(row);
        assert_eq!(built.to_string(), subject, "{row}");
        rows += 1;
    }
    assert_eq!(rows, 10, "the table has a row for each subject that was seen");
}

/// The JSON below a heading.
fn example<'a>(docs: &'a str, heading: &str) -> &'a str {
    let (_, section) = docs.split_once(&format!("\n### {heading}\n")).expect(heading);
    let (_, block) = section.split_once("```json\n").expect(heading);
    block.split_once("```").expect(heading).0
}

#[test]
fn the_docs_have_an_example_of_each_event_that_its_reader_takes() {
    let docs = read("docs/protocol.md");
    for topic in Topic::ALL {
        let examples = example(&docs, &format!("`{topic}`"));
        // Short examples are one a line.
        let examples = match topic {
            Topic::KvHitRate | Topic::KvMetrics => examples.lines().collect(),
            _ => vec![examples],
        };
        for example in examples {
            let read =
                open(None, example.as_bytes())
                    .map_err(EventError::from)
                    .and_then(|opened| match topic {
                        Topic::KvHitRate => KvHitRate::read(&opened).map(drop),
                        Topic::KvMetrics => KvMetrics::read(&opened).map(drop),
                        Topic::ForwardPass => ForwardPass::read(&opened).map(drop),
                        Topic::KvEvents => KvEvent::read_all(&opened).map(drop),
                        Topic::ActiveSequences => SequenceEvent::read(&opened).map(drop),
                    });
            assert_eq!(read, Ok(()), "{example}");
        }
    }
    assert!(docs.contains(subject::REQUEST_TRACE));
    let trace = RequestTrace::read(example(&docs, "Request traces").as_bytes());
    let trace = trace.expect("readable").expect("the end of a request");
    assert_eq!(trace.refused, []);
    assert!(trace.ttft.is_some() && trace.decode_worker.is_some(), "{trace:?}");
}

#[test]
fn the_readme_quotes_the_worker_that_is_built_as_an_example() {
    let example = read("crates/protocol/examples/minimal_worker.rs");
    let (_, code) = example.split_once("\n\n").expect("a line of docs");
    assert!(
        read("README.md").contains(&format!("```rust\n{code}```")),
        "README.md must quote examples/minimal_worker.rs from its first `use` to its end"
    );
}
