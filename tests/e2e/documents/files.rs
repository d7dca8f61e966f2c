//! Files in the documents, given to the program that reads them.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tests::{Authority, Collector, Finished, built, finish, metrics};
use tokio::process::Command;

use super::blocks::Block;

/// The hash of a password, in place of the one that the documents shorten.
const HASH: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

/// What is wrong with a file in TOML, YAML or PromQL.
pub(super) async fn problem(block: &Block, promtool: Option<&Path>) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let text = block.text.as_str();
    match block.language.as_str() {
        "toml" if text.contains("[[fault]]") => {
            let shown = run(built("mock-worker"), &["show", "steady"]).await;
            let path = write(&folder, "scenario.toml", &format!("{}\n{text}", shown.stdout));
            failed(block, run(built("mock-worker"), &["check", &path]).await)
        }
        "toml" if text.contains("[[pool]]") => {
            let path = write(&folder, "scenario.toml", text);
            failed(block, run(built("mock-worker"), &["check", &path]).await)
        }
        // The test of the README's worker builds with these.
        "toml" if text.contains("[dependencies]") => None,
        "toml" => {
            let path = write(&folder, "metrics.toml", text);
            failed(block, finish(metrics(&["config", "check", &path])).await)
        }
        "yaml" if text.contains("tls_server_config:") => {
            serve(&folder, text).await;
            None
        }
        "yaml" if text.contains("scrape_configs:") => {
            let path = write(&folder, "prometheus.yml", text);
            failed(
                block,
                run(
                    Command::new(promtool?),
                    &["check", "config", "--syntax-only", &path],
                )
                .await,
            )
        }
        "yaml" if text.contains("groups:") => {
            let path = write(&folder, "rules.yml", text);
            failed(
                block,
                run(Command::new(promtool?), &["check", "rules", &path]).await,
            )
        }
        // An overlay whose base is elsewhere; the tests of deploy/ render those that are here.
        "yaml" if text.starts_with("resources:") => None,
        "promql" => {
            let path = write(&folder, "rules.yml", &rules(text));
            failed(
                block,
                run(Command::new(promtool?), &["check", "rules", &path]).await,
            )
        }
        _ => Some(format!("{}: no program is known that reads this", block.place)),
    }
}

/// A rule for each query; an empty line is between two.
fn rules(queries: &str) -> String {
    let mut rules = "groups:\n  - name: queries\n    rules:\n".to_owned();
    for (number, query) in queries.split("\n\n").enumerate() {
        let query = query.trim().replace('\n', "\n          ");
        rules.push_str(&format!(
            "      - record: query{number}\n        expr: |\n          {query}\n"
        ));
    }
    rules
}

/// Serves with a web configuration.
async fn serve(folder: &TempDir, text: &str) {
    let authority = Authority::new("documents");
    let identity = authority.server(&["127.0.0.1"]);
    write(folder, "server.pem", &identity.certificate);
    write(folder, "server.key", &identity.key);
    write(folder, "ca.pem", &authority.pem());
    let path = write(folder, "web.yml", &text.replace("$2y$10$…", HASH));
    let mut command = metrics(&["--all-services", "--web.config.file", &path]);
    command.env("NATS_URL", "nats://127.0.0.1:9");
    Collector::launch(command).await;
}

async fn run(mut command: Command, arguments: &[&str]) -> Finished {
    command.args(arguments);
    finish(command).await
}

fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("it can be written");
    path.display().to_string()
}

fn failed(block: &Block, finished: Finished) -> Option<String> {
    (finished.code != Some(0)).then(|| {
        format!(
            "{}: {:?}\n{}{}",
            block.place, finished.code, finished.stdout, finished.stderr
        )
    })
}
