//! Every block of code in the README and in docs/ works as it is written.
//!
//! Blocks in Rust and Python are whole programs, which tests of their own run; `text` is what programs print.

mod blocks;
mod commands;
mod files;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use tests::tools;

use self::blocks::{Block, Document};
use self::commands::Session;

/// Languages whose blocks other tests run, or that no program reads.
const ELSEWHERE: [&str; 5] = ["rust", "python", "ini", "text", "text,ignore"];

/// Documents whose commands run at the same time.
const SESSIONS: usize = 3;

#[test]
fn every_block_has_a_language_that_a_test_knows() {
    let known = ["sh", "console", "toml", "yaml", "json", "promql"];
    for document in Document::all() {
        for block in &document.blocks {
            let language = block.language.as_str();
            assert!(
                known.contains(&language) || ELSEWHERE.contains(&language),
                "{}: no test runs a block in `{language}`",
                block.place
            );
        }
    }
}

#[tokio::test]
async fn every_command_works_as_it_is_written() {
    let documents = Document::all();
    let sessions = documents
        .iter()
        .filter(|document| document.has(&["sh", "console"]));
    // Few at once, because a command that looks once must not wait for a processor.
    let problems = stream::iter(sessions).map(async |document| {
        let session = Session::start().await;
        let mut problems = Vec::new();
        for block in document.written_in(&["sh", "console"]) {
            problems.extend(session.run(block).await);
        }
        problems
    });
    let problems: Vec<Vec<String>> = problems.buffer_unordered(SESSIONS).collect().await;
    let problems = problems.concat();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    commands::no_exception_is_stale(&documents);
}

#[tokio::test]
async fn every_file_is_accepted_by_the_program_that_reads_it() {
    let test = "every_file_is_accepted_by_the_program_that_reads_it";
    let promtool = tools::program("E2E_PROMTOOL", test);
    let documents = Document::all();
    let blocks = documents
        .iter()
        .flat_map(|document| document.written_in(&["toml", "yaml", "promql"]));
    let checks = blocks.map(|block: &Block| files::problem(block, promtool.as_deref()));
    let problems: Vec<String> = join_all(checks).await.into_iter().flatten().collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_example_of_json_is_json() {
    for document in Document::all() {
        // What is shortened has an ellipsis.
        for block in document
            .written_in(&["json"])
            .filter(|block| !block.text.contains('…'))
        {
            let values = serde_json::Deserializer::from_str(&block.text).into_iter::<serde_json::Value>();
            for value in values {
                value.unwrap_or_else(|error| panic!("{}: {error}", block.place));
            }
        }
    }
}
