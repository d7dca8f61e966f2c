//! Links between documents: each leads to a file and a heading that exist, and each document is in the book.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The table of contents of the book, and the folder whose documents it has to name.
const CONTENTS: &str = "docs/SUMMARY.md";
const BOOK: &str = "docs/";

/// A document, as far as links are concerned.
struct Document {
    /// Its headings as fragments of a URL.
    anchors: BTreeSet<String>,
    /// Where its links lead, each with its line.
    links: Vec<(usize, String)>,
}

/// The links that lead nowhere, and the documents that the book does not have, one line each. The names of `documents` are
/// relative to `root`.
pub(super) fn broken(root: &Path, documents: &[(String, String)]) -> Vec<String> {
    let documents: BTreeMap<&str, Document> = documents
        .iter()
        .map(|(name, text)| (name.as_str(), read(text)))
        .collect();
    let mut found = Vec::new();
    for (name, document) in &documents {
        for (line, link) in &document.links {
            if let Some(problem) = problem(root, &documents, name, link) {
                found.push(format!("{name}:{line}: {problem}"));
            }
        }
    }
    if let Some(contents) = documents.get(CONTENTS) {
        let named: BTreeSet<String> = contents
            .links
            .iter()
            .filter_map(|(_, link)| resolve(CONTENTS, link))
            .collect();
        let in_book = documents
            .keys()
            .filter(|name| name.starts_with(BOOK) && **name != CONTENTS);
        let absent = in_book.filter(|name| !named.contains(**name));
        found.extend(absent.map(|name| format!("{CONTENTS}: name {name}")));
    }
    found
}

/// What is wrong with a link of a document.
fn problem(root: &Path, documents: &BTreeMap<&str, Document>, from: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        from.to_owned()
    } else {
        let Some(target) = resolve(from, path) else {
            return Some(format!("`{link}` leads out of the repository"));
        };
        target
    };
    if !root.join(&target).exists() {
        return Some(format!("`{link}` leads to {target}, which does not exist"));
    }
    let document = documents.get(target.as_str())?;
    (!anchor.is_empty() && !document.anchors.contains(anchor))
        .then(|| format!("`{link}` leads to a heading that {target} does not have"))
}

/// The path from the root of what a document links to.
fn resolve(from: &str, path: &str) -> Option<String> {
    let path = path.split('#').next().unwrap_or_default();
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn read(text: &str) -> Document {
    let mut anchors = BTreeSet::new();
    let mut links = Vec::new();
    let mut heading: Option<String> = None;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let text = heading.take().unwrap_or_default();
                let anchor = anchor(&text);
                let repeated = (1..).map(|number| format!("{anchor}-{number}"));
                let mut names = std::iter::once(anchor.clone()).chain(repeated);
                anchors.extend(names.find(|name| !anchors.contains(name)));
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                let line = 1 + text[..range.start].matches('\n').count();
                links.push((line, dest_url.into_string()));
            }
            _ => {}
        }
    }
    Document { anchors, links }
}

/// The fragment by which a heading is found, as GitHub and mdbook make it.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    let lower = heading.trim().chars().flat_map(char::to_lowercase);
    lower
        .filter(kept)
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found_with_its_line() {
        let root = tempfile::tempdir().unwrap();
        for name in ["README.md", "docs/a.md", "docs/deep/b.md", "docs/c.svg"] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let check = |name: &str, text: &str, expected: &[&str]| {
            let documents = [
                (
                    "docs/a.md".to_owned(),
                    "# One `two` three\n\n## Same\n\n## Same\n".to_owned(),
                ),
                (name.to_owned(), text.to_owned()),
            ];
            let found = broken(root.path(), &documents);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.contains(expected), "{found} lacks {expected}");
            }
        };
        check("README.md", "[a](docs/a.md) [b](https://nowhere.example/x)", &[]);
        check(
            "README.md",
            "[a](docs/a.md#one-two-three) [a](docs/a.md#same-1)",
            &[],
        );
        check(
            "README.md",
            "\n[a](docs/z.md)",
            &["README.md:2: `docs/z.md` leads to docs/z.md"],
        );
        check(
            "README.md",
            "[a](docs/a.md#four)",
            &["a heading that docs/a.md does not have"],
        );
        check(
            "README.md",
            "![a](docs/d.svg)",
            &["docs/d.svg, which does not exist"],
        );
        check("README.md", "`[a](docs/z.md)`", &[]);
        check(
            "docs/deep/b.md",
            "[a](../a.md) [c](../c.svg) [r](../../README.md)",
            &[],
        );
        check(
            "docs/deep/b.md",
            "[a](../../../x.md)",
            &["leads out of the repository"],
        );
        check(
            "docs/deep/b.md",
            "# Here\n[a](#here) [b](#there)",
            &["docs/deep/b.md:2"],
        );
    }

    #[test]
    fn a_document_that_the_book_does_not_have_is_found() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("docs")).unwrap();
        for name in ["docs/a.md", "docs/b.md"] {
            std::fs::write(root.path().join(name), "").unwrap();
        }
        let documents = [(CONTENTS, "[A](a.md)"), ("docs/a.md", ""), ("docs/b.md", "")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()));
        let found = broken(root.path(), &documents);
        assert_eq!(found, ["docs/SUMMARY.md: name docs/b.md"]);
    }
}
