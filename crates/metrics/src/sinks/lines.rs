//! A page in OpenMetrics, read back line by line: what every sink sends is what the page shows.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memchr;

/// One sample of a page, as it is written there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample<'a> {
    /// Its name, with the suffix of its type.
    pub(super) name: &'a str,
    /// What is between the braces.
    labels: &'a str,
    /// Name and labels together: what identifies the series.
    pub(super) series: &'a str,
    pub(super) value: f64,
}

/// A line of a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Line<'a> {
    /// A family begins; this is its name and what it means, as it is escaped there.
    Help(&'a str, &'a str),
    /// The type of the family.
    Kind(&'a str),
    /// The unit of the family.
    Unit(&'a str),
    /// One sample of it.
    Sample(Sample<'a>),
}

/// Reads all samples of a page, in its order.
pub(super) fn samples(chunks: &[Bytes], mut take: impl FnMut(Sample<'_>)) {
    each(chunks, |line| {
        if let Line::Sample(sample) = line {
            take(sample);
        }
    });
}

/// Reads all lines of a page. A line may begin in one piece of the page and end in the next.
pub(super) fn each(chunks: &[Bytes], mut take: impl FnMut(Line<'_>)) {
    let mut begun = Vec::new();
    for chunk in chunks {
        let mut rest: &[u8] = chunk;
        while let Some(end) = memchr(b'\n', rest) {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            rest = after;
            if begun.is_empty() {
                read(line).map(&mut take);
            } else {
                begun.extend_from_slice(line);
                read(&begun).map(&mut take);
                begun.clear();
            }
        }
        begun.extend_from_slice(rest);
    }
}

fn read(line: &[u8]) -> Option<Line<'_>> {
    let line = std::str::from_utf8(line).ok()?;
    match line.strip_prefix("# ") {
        Some(comment) => about(comment),
        None => sample(line).map(Line::Sample),
    }
}

fn about(comment: &str) -> Option<Line<'_>> {
    let (word, rest) = comment.split_once(' ')?;
    let (name, text) = rest.split_once(' ')?;
    Some(match word {
        "HELP" => Line::Help(name, text),
        "TYPE" => Line::Kind(text),
        "UNIT" => Line::Unit(text),
        _ => return None,
    })
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    Some(Sample {
        name,
        labels: labels.strip_suffix('}')?,
        series,
        value: value.parse().ok()?,
    })
}

impl<'a> Sample<'a> {
    /// What is between the braces, as it is on the page.
    pub(super) fn labels_text(&self) -> &'a str {
        self.labels
    }

    /// Its labels in the order of the page, without those that are empty: to Prometheus these are absent.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let mut rest = self.labels;
        std::iter::from_fn(move || {
            let (name, after) = rest.split_once("=\"")?;
            let end = closing_quote(after)?;
            rest = after.get(end + 1..)?;
            rest = rest.strip_prefix(',').unwrap_or(rest);
            Some((name, unescaped(&after[..end])))
        })
        .filter(|(_, value)| !value.is_empty())
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// A text as it was before it was escaped for a page.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some(escaped) => escaped,
                None => '\\',
            },
            other => other,
        });
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP a It is.\n# TYPE a gauge\na 0.5\nb_total{x=\"1\",y=\"a\\\"b\\\\c\\nd}, e=\\\"\",z=\"\"} 7\n\
                        h_bucket{le=\"+Inf\"} 3\n# EOF\n";

    /// Name, labels and value of a sample.
    type Read = (String, Vec<(String, String)>, f64);

    fn all_of(chunks: &[Bytes]) -> Vec<Read> {
        let mut all = Vec::new();
        samples(chunks, |sample| {
            let labels = sample
                .labels()
                .map(|(name, value)| (name.to_owned(), value.into_owned()));
            all.push((sample.name.to_owned(), labels.collect(), sample.value));
        });
        all
    }

    #[test]
    fn what_precedes_the_samples_of_a_family_is_read() {
        let page =
            "# HELP a_seconds It is.\n# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# EOF\n";
        let mut lines = Vec::new();
        each(&[Bytes::from_static(page.as_bytes())], |line| {
            lines.push(match line {
                Line::Help(name, text) => format!("{name}: {text}"),
                Line::Kind(text) | Line::Unit(text) => text.to_owned(),
                Line::Sample(sample) => sample.series.to_owned(),
            });
        });
        assert_eq!(lines, ["a_seconds: It is.", "gauge", "seconds", "a_seconds"]);
    }

    #[test]
    fn samples_are_read_as_they_were_meant_wherever_the_page_is_cut() {
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [
            ("a".to_owned(), vec![], 0.5),
            (
                "b_total".to_owned(),
                vec![label("x", "1"), label("y", "a\"b\\c\nd}, e=\"")],
                7.0,
            ),
            ("h_bucket".to_owned(), vec![label("le", "+Inf")], 3.0),
        ];
        for cut in 0..PAGE.len() {
            let (first, second) = PAGE.as_bytes().split_at(cut);
            let chunks = [Bytes::from_static(first), Bytes::from_static(second)];
            assert_eq!(all_of(&chunks), expected, "cut at {cut}");
        }
    }
}
