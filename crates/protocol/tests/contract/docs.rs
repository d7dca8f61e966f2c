//! The docs for other languages say what is true: they quote files that run and names that are checked.

use std::fs;
use std::path::Path;

use protocol::{EndpointPath, Layout, WorkerId, WorkerSubject};

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
        let path: EndpointPath = path.parse().expect(row);
        let layout: Layout = layout.parse().expect(row);
        let id = (id != "none").then(|| WorkerId::new(id.parse().expect(row)));
        let built = WorkerSubject::new(&path, layout, id).expect(row);
        assert_eq!(built.to_string(), subject, "{row}");
        rows += 1;
    }
    assert_eq!(rows, 10, "the table has a row for each subject that was seen");
}
