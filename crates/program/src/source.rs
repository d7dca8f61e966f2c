//! What is wrong in a text file, shown as compilers show it: the line, a caret, and the remedy.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Of how many letters one may be missing, too much, wrong or swapped for a name to be suggested in place of another.
const LETTERS_FOR_A_SLIP: usize = 3;

/// Something wrong in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, in one line.
    pub message: String,
    /// The places, as bytes of the text, each with a label that may be empty. The first is the place of the error.
    pub places: Vec<(Range<usize>, String)>,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// A problem in one place.
    pub fn at(place: Range<usize>, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            places: vec![(place, label.into())],
            help: None,
        }
    }

    /// The same, with a remedy.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Where it begins; a problem of the whole text begins at its start.
    pub fn start(&self) -> usize {
        self.places.first().map_or(0, |(place, _)| place.start)
    }
}

/// Renders problems of the text of the file `path`. Each ends with a newline.
pub fn render(path: &str, text: &str, problems: &[Problem], has_colours: bool) -> String {
    let renderer = match has_colours {
        true => Renderer::styled(),
        false => Renderer::plain(),
    };
    let rendered = problems.iter().map(|problem| {
        let mut report = Group::with_title(Level::ERROR.primary_title(problem.message.as_str()));
        if !problem.places.is_empty() {
            let mut snippet = Snippet::source(text).path(path);
            let mut kind = AnnotationKind::Primary;
            for (place, label) in &problem.places {
                let label = Some(label.as_str()).filter(|label| !label.is_empty());
                snippet = snippet.annotation(kind.span(within(text, place)).label(label));
                kind = AnnotationKind::Context;
            }
            report = report.element(snippet);
        }
        if let Some(help) = &problem.help {
            report = report.element(Level::HELP.message(help.as_str()));
        }
        format!("{}\n", renderer.render(&[report]))
    });
    rendered.collect()
}

/// The line of a byte of the text, counted from 1.
pub fn line_of(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|byte| *byte == b'\n').count()
}

/// The known name that is nearest to an unknown one, if one is near: a few letters differ, or one is a part of the other.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let is_near = |name: &str| {
        let slips = strsim::damerau_levenshtein(unknown, name);
        let is_part = |part: &str, whole: &str| part.len() > LETTERS_FOR_A_SLIP && whole.contains(part);
        let allowed = (unknown.chars().count() / LETTERS_FOR_A_SLIP).max(1);
        slips <= allowed || is_part(unknown, name) || is_part(name, unknown)
    };
    let near = known.into_iter().filter(|name| is_near(name));
    near.max_by(|a, b| {
        let similarity = |name: &str| strsim::jaro_winkler(unknown, name);
        similarity(a).total_cmp(&similarity(b))
    })
}

/// For a message of serde about an unknown word: which of the words that it lists is nearest.
pub fn nearest_in_message(message: &str) -> Option<&str> {
    let mut words = message.split('`').skip(1).step_by(2);
    let unknown = words.next().filter(|_| message.contains("unknown "))?;
    nearest(unknown, words)
}

/// A place within the text, on boundaries of characters; an error at the end of a file may lie behind it.
fn within(text: &str, place: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(place.start.min(text.len()));
    let end = text.ceil_char_boundary(place.end.clamp(start, text.len()));
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_with_its_line_a_caret_and_the_remedy() {
        let text = "poll_interval = \"2s\"\ngone_after = 2\nstale_after = 3\n";
        let mut problem = Problem::at(36..50, "a worker is stale before it is gone", "");
        let at = text.find("stale_after = 3").expect("it is there");
        problem.places = vec![(at..at + 15, "3 rounds".to_owned()), (21..35, String::new())];
        let shown = render("my.toml", text, &[problem.with_help("lower stale_after")], false);
        let expected = "\
error: a worker is stale before it is gone
 --> my.toml:3:1
  |
2 | gone_after = 2
  | --------------
3 | stale_after = 3
  | ^^^^^^^^^^^^^^^ 3 rounds
  |
  = help: lower stale_after
";
        assert_eq!(shown, expected);
        assert_eq!((line_of(text, at), line_of(text, 0)), (3, 1));
    }

    #[test]
    fn a_place_behind_the_end_of_the_text_is_shown_at_its_end() {
        for (text, place) in [("", 0..3), ("ä = ", 1..9), ("x", 7..9)] {
            let shown = render("my.toml", text, &[Problem::at(place, "no value", "")], false);
            assert!(shown.contains("my.toml:1"), "{shown}");
        }
        assert_eq!(render("my.toml", "x", &[], false), "");
    }

    #[test]
    fn only_a_name_that_is_near_is_suggested() {
        let known = ["poll_interval", "server", "exclude"];
        assert_eq!(nearest("pol_interval", known), Some("poll_interval"));
        assert_eq!(nearest("zzz", known), None);
        assert_eq!(nearest("interval", known), Some("poll_interval"));
        assert_eq!(nearest("exclduded", known), Some("exclude"));
        assert_eq!(
            nearest("nosuch", ["nan-inf", "soak", "bursty"]),
            None,
            "too far from all"
        );
        assert_eq!(
            nearest_in_message("unknown field `pth`, expected `path` or `labels`"),
            Some("path")
        );
        assert_eq!(nearest_in_message("missing field `path`"), None);
    }
}
