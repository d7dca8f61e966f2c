//! Subjects are written and read in one file, and so are chains of causes. This finds literals elsewhere that know how.

use std::ops::Range;

/// The line of each literal that knows the format of a subject, and what gave it away.
pub(super) fn strays(source: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for literal in outside_tests(source) {
        let text = &source[literal.clone()];
        let hits = [
            (text.find("$SRV"), "a subject of the micro protocol, `$SRV`"),
            (
                text.starts_with("namespace.").then_some(0),
                "the subject of an event, `namespace.`",
            ),
            (
                worker_format(text),
                "the subject of a worker, `.{endpoint}-{id:x}`",
            ),
        ];
        for (at, why) in hits {
            if let Some(at) = at {
                let line = 1 + source[..literal.start + at].matches('\n').count();
                found.push((line, why));
            }
        }
    }
    found
}

/// The line of each literal that formats an error with all its causes as they come. Errors are called `error` or `reason`;
/// elsewhere `#` means pretty JSON, or the end of a style.
pub(super) fn chains(source: &str) -> Vec<usize> {
    let formats = ["{error:#}", "{reason:#}", "{0:#}"];
    let find = |text: &str| formats.iter().find_map(|format| text.find(format));
    let hit = |literal: Range<usize>| find(&source[literal.clone()]).map(|at| literal.start + at);
    let hits = outside_tests(source).into_iter().filter_map(hit);
    hits.map(|at| 1 + source[..at].matches('\n').count()).collect()
}

/// The string literals that belong to no test.
fn outside_tests(source: &str) -> Vec<Range<usize>> {
    let (mut literals, code) = lex(source);
    let tests = test_items(&code);
    literals.retain(|literal| !tests.iter().any(|item| item.contains(&literal.start)));
    literals
}

/// Where a text has the format `.{…}-{…:x}`.
fn worker_format(text: &str) -> Option<usize> {
    text.match_indices(".{").map(|(at, _)| at).find(|&at| {
        let Some((_, rest)) = text[at + 2..].split_once('}') else {
            return false;
        };
        let Some((id, _)) = rest.strip_prefix("-{").and_then(|rest| rest.split_once('}')) else {
            return false;
        };
        id.ends_with(":x")
    })
}

/// Finds the text of all string literals, and returns the source with them and all comments blanked.
pub(super) fn lex(source: &str) -> (Vec<Range<usize>>, Vec<u8>) {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut literals = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &source[at..];
        let end = if rest.starts_with("//") {
            at + rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            at + comment_length(rest)
        } else if let Some(text) = rest.strip_prefix('"') {
            let length = escaped_length(text, b'"');
            literals.push(at + 1..at + 1 + length);
            at + length + 2
        } else if rest.starts_with('\'') {
            at + quote_length(rest)
        } else {
            let word = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let is_raw = matches!(&rest[..word], "r" | "br" | "cr");
            if let Some(text) = raw_text(&rest[word..]).filter(|_| is_raw) {
                let text = at + word + text.start..at + word + text.end;
                literals.push(text.clone());
                // The hashes behind it are harmless as code.
                text.end + 1
            } else {
                at += word.max(rest.chars().next().map_or(1, char::len_utf8));
                continue;
            }
        };
        let end = end.min(bytes.len());
        code[at..end].fill(b' ');
        at = end;
    }
    (literals, code)
}

/// The length of a comment that may hold others.
fn comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// How long a text is up to its closing quote.
fn escaped_length(text: &str, quote: u8) -> usize {
    let mut escaped = false;
    let is_end = |byte: u8| {
        let ends = byte == quote && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    };
    text.bytes().position(is_end).unwrap_or(text.len())
}

/// The length of a character literal, or of the quote that begins a lifetime.
fn quote_length(text: &str) -> usize {
    let mut inner = text[1..].chars();
    match (inner.next(), inner.next()) {
        (Some('\\'), _) => escaped_length(&text[1..], b'\'') + 2,
        (Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 1,
    }
}

/// Where the text is in `#"…"#`, with as many `#` as there are.
fn raw_text(source: &str) -> Option<Range<usize>> {
    let hashes = source.bytes().take_while(|byte| *byte == b'#').count();
    let text = source[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let start = hashes + 1;
    Some(start..start + text.find(&close).unwrap_or(text.len()))
}

/// The items behind `#[cfg(test)]`, each up to its closing brace or semicolon.
pub(super) fn test_items(code: &[u8]) -> Vec<Range<usize>> {
    let text = String::from_utf8_lossy(code);
    let item = |(start, attribute): (usize, &str)| {
        let mut depth = 0_usize;
        let begin = start + attribute.len();
        for (at, byte) in code[begin..].iter().enumerate() {
            match byte {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(byte, b';' | b'}') {
                return start..begin + at + 1;
            }
        }
        start..code.len()
    };
    text.match_indices("#[cfg(test)]").map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_stray_is_found_with_its_line() {
        fn check(source: &str, expected: &[usize]) {
            let lines: Vec<usize> = strays(source).into_iter().map(|(line, _)| line).collect();
            assert_eq!(lines, expected, "{source}");
        }
        check(r#"let all = "$SRV.STATS";"#, &[1]);
        check("fn f() {}\n\nconst A: &str = r#\"\n$SRV.PING\"#;", &[4]);
        check(r#"let event = format!("namespace.{ns}.kv-hit-rate");"#, &[1]);
        check(r#"write!(f, "{service}.{endpoint}-{id:x}")"#, &[1]);
        check(r#"format!("{}.{}-{:x}", service, endpoint, id)"#, &[1]);
        check("let quote = '\"'; let all = \"$SRV.INFO\"; // \"", &[1]);
        check("fn f<'a>(x: &'a str) -> &'a str { \"$SRV.INFO\" }", &[1]);
        check(
            "#[cfg(test)]\nmod tests { fn a() { \"}\"; } }\nconst B: &str = b\"$SRV\";",
            &[3],
        );

        check(
            "// \"$SRV.STATS\"\n/// asks `\"$SRV.STATS\"`\n//! \"namespace.{ns}\"",
            &[],
        );
        check("/* /* \"$SRV.STATS\" */ \"$SRV\" */", &[]);
        check(
            "#[cfg(test)]\nmod tests {\n    const A: &str = \"$SRV.STATS\";\n}",
            &[],
        );
        check("#[cfg(test)]\nconst A: [&str; 1] = [\"$SRV.STATS\"];", &[]);
        check(
            r#"let text = "a namespace. It is {x}-{y:x}"; let other = "{ns}.{comp}.{ep}";"#,
            &[],
        );
        check(
            r#"let template = "{namespace}_{component}_{hash}.{endpoint}-{worker_id}";"#,
            &[],
        );
    }
}
