//! docs/messages.txt: what the programs print, in one list for review. It is read from the sources, so none can be left out.

use std::path::Path;

use anyhow::Result;

use super::literals::{lex, test_items};

const HEAD: &str = "\
What the programs print: messages of the log, errors, remedies, and texts of pages and screens, in the order of their sources.
`cargo xtask docs` writes this list, so that a change of a text can be reviewed. Help texts are in cli.md, and those of metrics in
metrics.md.
";

/// Sources whose texts are in another generated document, are those of other projects, or are tests.
const ELSEWHERE: [&str; 4] = [
    "crates/metrics/src/export/catalogue",
    "crates/metrics/src/export/reference",
    "crates/mock-worker/src/app/page/",
    "crates/sim/src/laws",
];

/// Macros, functions and attributes whose texts people always read.
const SPOKEN: [&str; 10] = [
    "trace!", "debug!", "info!", "warn!", "error!", "bail!", "anyhow!", "ensure!", "context", "error",
];

/// Those whose texts a person reads only in a bug report, or never.
const SILENT: [&str; 8] = [
    "expect",
    "assert!",
    "assert_eq!",
    "debug_assert!",
    "debug_assert_eq!",
    "unreachable!",
    "panic!",
    "include_str!",
];

/// Fewer words are a key, a unit or a class rather than a sentence.
const SENTENCE: usize = 3;

/// The list, from the sources of the crates.
///
/// # Errors
/// Where a source cannot be read.
pub(crate) fn list(root: &Path) -> Result<String> {
    let mut text = HEAD.to_owned();
    for (name, source) in super::files_of(root, &["crates"], "rs")? {
        let is_shipped = name.contains("/src/") && !super::is_test(&name);
        if !is_shipped || ELSEWHERE.iter().any(|part| name.starts_with(part)) {
            continue;
        }
        let messages = messages(&source);
        if !messages.is_empty() {
            text.push_str(&format!("\n{name}\n"));
        }
        for message in messages {
            text.push_str(&format!("    {message}\n"));
        }
    }
    Ok(text)
}

/// The texts of one source, each once.
fn messages(source: &str) -> Vec<String> {
    let (literals, code) = lex(source);
    let tests = test_items(&code);
    let mut found: Vec<String> = Vec::new();
    for literal in literals {
        if tests.iter().any(|item| item.contains(&literal.start)) {
            continue;
        }
        let text = shown(&source[literal.clone()]);
        let reader = reader(&code, literal.start);
        let is_read = match reader.as_str() {
            reader if SILENT.contains(&reader) => false,
            reader if SPOKEN.contains(&reader) => words(&text) > 0,
            // Examples of a command are in its help.
            _ => words(&text) >= SENTENCE && !text.starts_with("Example"),
        };
        if is_read && !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// A literal as it is printed, in one line.
fn shown(literal: &str) -> String {
    let mut lines = literal.split("\\\n");
    let mut text = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        text.push_str(line.trim_start());
    }
    text.replace("\\\"", "\"").replace('\n', "\\n")
}

fn words(text: &str) -> usize {
    let word = |word: &&str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        word.len() > 1 && word.chars().all(char::is_alphabetic)
    };
    text.replace("\\n", " ").split_whitespace().filter(word).count()
}

/// The macro, function or attribute whose argument is at a place.
fn reader(code: &[u8], place: usize) -> String {
    let mut depth = 0_usize;
    for (at, byte) in code[..place].iter().enumerate().rev() {
        match byte {
            b')' | b']' | b'}' => depth += 1,
            b'[' | b'{' if depth == 0 => return String::new(),
            b'(' if depth == 0 => {
                let before = &code[..at];
                let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'_' | b'!');
                let length = before.iter().rev().take_while(is_name).count();
                return String::from_utf8_lossy(&before[at - length..]).into_owned();
            }
            b'(' | b'[' | b'{' => depth -= 1,
            _ => {}
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_read_is_listed_as_it_is_printed() {
        fn check(source: &str, expected: &[&str]) {
            assert_eq!(messages(source), expected, "{source}");
        }
        check(r#"info!(%worker, after = f("x"), "restarted");"#, &["restarted"]);
        check(
            "#[error(\"{name:?} is no name; \\\n         write e.g. \\\"a\\\"\")]",
            &["{name:?} is no name; write e.g. \"a\""],
        );
        check(
            r#"Err("give a number above 0".to_owned())"#,
            &["give a number above 0"],
        );
        check(
            r#"html! { p { "There is no pool yet." } }"#,
            &["There is no pool yet."],
        );
        check(
            r#"print("one line is here\n"); print("one line is here\n");"#,
            &["one line is here\\n"],
        );
    }

    #[test]
    fn keys_classes_assertions_and_tests_are_left_out() {
        for source in [
            r#"let key = "max_series"; let class = "fig lv-bad";"#,
            r#"value.expect("the list has an entry")"#,
            r#"#[error("{0}")]"#,
            "#[cfg(test)]\nmod tests { fn f() { g(\"one two three\"); } }",
            "// \"one two three\"",
            r#"let kind = "text/plain; version=0.0.4; charset=utf-8";"#,
        ] {
            assert_eq!(messages(source), [""; 0], "{source}");
        }
    }
}
