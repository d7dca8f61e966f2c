//! [`Document`]: a document of the project, and its blocks of code.

use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use tests::repository;

/// Documents that are made by programs, whose blocks are output.
const GENERATED: [&str; 2] = ["docs/cli.md", "docs/metrics.md"];

/// A document, by its path from the root.
#[derive(Debug)]
pub(super) struct Document {
    /// Its blocks in order.
    pub(super) blocks: Vec<Block>,
}

/// A block of code.
#[derive(Debug)]
pub(super) struct Block {
    /// Its language, as it is written after the fence.
    pub(super) language: String,
    /// The code.
    pub(super) text: String,
    /// File and line, for messages.
    pub(super) place: String,
}

impl Document {
    /// The README and all of docs/ that people write.
    pub(super) fn all() -> Vec<Self> {
        let mut paths = vec![repository().join("README.md")];
        collect(&repository().join("docs"), &mut paths);
        paths.sort();
        assert!(paths.len() > 10, "the documents are found: {paths:?}");
        let names = paths.iter().map(|path| {
            let name = path.strip_prefix(repository()).expect("it is in the repository");
            (name.display().to_string(), path)
        });
        names
            .filter(|(name, _)| !GENERATED.contains(&name.as_str()))
            .map(|(name, path)| {
                let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
                Self {
                    blocks: blocks(&name, &text),
                }
            })
            .collect()
    }

    /// The blocks in one of these languages.
    pub(super) fn written_in(&self, languages: &[&str]) -> impl Iterator<Item = &Block> {
        let written_in = |block: &&Block| languages.contains(&block.language.as_str());
        self.blocks.iter().filter(written_in)
    }

    /// Whether it has any.
    pub(super) fn has(&self, languages: &[&str]) -> bool {
        self.written_in(languages).next().is_some()
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("docs can be read") {
        let path = entry.expect("docs can be read").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

fn blocks(name: &str, text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                let line = 1 + text[..range.start].matches('\n').count();
                open = Some(Block {
                    language: language.into_string(),
                    text: String::new(),
                    place: format!("{name}:{line}"),
                });
            }
            Event::Text(text) => {
                if let Some(block) = &mut open {
                    block.text.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => found.extend(open.take()),
            _ => {}
        }
    }
    found
}
